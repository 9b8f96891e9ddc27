//! Scopes (RFC 6749 §3.3, OpenID Connect Core 1.0 §5.4; compat: `authflow.md` §8).

use std::fmt;

/// One scope value. Case-sensitive; what we do not know is kept, so that it can be named in the refusal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// `openid`: mandatory.
    OpenId,
    /// `offline_access`: asks for a refresh token.
    OfflineAccess,
    /// `email`
    Email,
    /// `profile`
    Profile,
    /// `groups`
    Groups,
    /// `federated:id`: asks for the identity at the connector.
    FederatedId,
    /// `audience:server:client_id:<peer>`: asks for a token that the peer accepts too.
    Audience(Box<str>),
    /// Anything else.
    Other(Box<str>),
}

impl Scope {
    /// Reads one value.
    pub fn parse(text: &str) -> Self {
        match text {
            "openid" => Self::OpenId,
            "offline_access" => Self::OfflineAccess,
            "email" => Self::Email,
            "profile" => Self::Profile,
            "groups" => Self::Groups,
            "federated:id" => Self::FederatedId,
            _ => match text.strip_prefix(AUDIENCE) {
                Some(peer) => Self::Audience(peer.into()),
                None => Self::Other(text.into()),
            },
        }
    }

    /// The peer of an audience scope.
    pub fn peer(&self) -> Option<&str> {
        match self {
            Self::Audience(peer) => Some(peer),
            _ => None,
        }
    }
}

/// The value as sent.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenId => f.write_str("openid"),
            Self::OfflineAccess => f.write_str("offline_access"),
            Self::Email => f.write_str("email"),
            Self::Profile => f.write_str("profile"),
            Self::Groups => f.write_str("groups"),
            Self::FederatedId => f.write_str("federated:id"),
            Self::Audience(peer) => write!(f, "{AUDIENCE}{peer}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// The words of a `scope` parameter, in order, repetitions kept.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
}

pub(crate) const AUDIENCE: &str = "audience:server:client_id:";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_scopes_are_variants_and_the_rest_is_kept() {
        assert_eq!(Scope::parse("openid"), Scope::OpenId);
        assert_eq!(Scope::parse("OpenID"), Scope::Other("OpenID".into()));
        assert_eq!(
            Scope::parse("audience:server:client_id:app").peer(),
            Some("app")
        );
        assert_eq!(Scope::parse("audience:server:client_id:").peer(), Some(""));
    }

    proptest! {
        #[test]
        fn every_word_round_trips(text in "[a-z:_]{0,40}") {
            prop_assert_eq!(Scope::parse(&text).to_string(), text);
        }
    }
}
