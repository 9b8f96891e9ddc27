//! What tokens say: the claims of access and ID tokens in the order they are written (compat: `tokens.md` §5).
//!
//! Every claim is a field here; nothing a connector says can become a claim of another name, and the claims the issuer vouches for
//! (`iss`, `sub`, `aud`, `exp`, …) are never taken from a connector.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use serde::{Deserialize, Serialize};

use crate::audience::Audience;
use crate::entropy::Entropy;
use crate::records::Claims;
use crate::scope::Scope;

/// The payload of an access or ID token.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(
    missing_docs,
    clippy::exhaustive_structs,
    reason = "the fields are the claims, by name, in the order of the wire"
)]
pub struct TokenClaims<'a> {
    pub iss: &'a str,
    pub sub: &'a str,
    pub aud: &'a Audience,
    pub exp: i64,
    pub iat: i64,
    pub jti: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub azp: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub nonce: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    pub auth_time: i64,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub sid: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub at_hash: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub c_hash: &'a str,
    #[serde(flatten)]
    pub identity: IdentityClaims<'a>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// The part of a token that is about the person, as far as the scopes allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[expect(
    missing_docs,
    clippy::exhaustive_structs,
    reason = "the fields are the claims, by name, in the order of the wire"
)]
pub struct IdentityClaims<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub groups: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    pub name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub preferred_username: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub federated_claims: Option<FederatedClaims<'a>>,
}

/// Who vouched for the person (scope `federated:id`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[expect(
    missing_docs,
    clippy::exhaustive_structs,
    reason = "the fields are the members, by name"
)]
pub struct FederatedClaims<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub connector_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub user_id: &'a str,
}

impl<'a> IdentityClaims<'a> {
    /// What these scopes let a client know.
    pub fn of<S: AsRef<str>>(scopes: &[S], claims: &'a Claims, connector_id: &'a str) -> Self {
        let mut shown = Self::default();
        for scope in scopes {
            match Scope::parse(scope.as_ref()) {
                Scope::Email => {
                    shown.email = &claims.email;
                    shown.email_verified = Some(claims.email_verified);
                }
                Scope::Profile => {
                    shown.name = &claims.username;
                    shown.preferred_username = &claims.preferred_username;
                }
                Scope::Groups => shown.groups = &claims.groups,
                Scope::FederatedId => {
                    shown.federated_claims = Some(FederatedClaims {
                        connector_id,
                        user_id: &claims.user_id,
                    });
                }
                _ => {}
            }
        }
        shown
    }
}

/// What a token is for. Dex issues both kinds alike; ours can be told apart, so that an ID token is never taken for an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenUse {
    /// Opens userinfo.
    Access,
    /// Tells the client who logged in; opens nothing.
    Id,
    /// Signed before we came, or something else: neither mark is there.
    Unmarked,
}

impl TokenUse {
    /// What a token with these claims is for, by our marks.
    pub fn of(jti: &str, at_hash: &str) -> Self {
        if !at_hash.is_empty() && at_hash == access_token_mark(jti) {
            Self::Access
        } else if is_id_token_jti(jti) {
            Self::Id
        } else {
            Self::Unmarked
        }
    }
}

/// The `at_hash` of an access token. Dex writes a hash of random bytes there; ours is bound to `jti`, which marks the token as an
/// access token without a claim that Dex does not have.
pub fn access_token_mark(jti: &str) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"dexd access token ");
    context.update(jti.as_bytes());
    let hash = context.finish();
    let (left, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
    URL_SAFE_NO_PAD.encode(left)
}

/// The `jti` of an ID token: a UUID version 4 like any other, whose last five bytes are a hash of the eleven before them.
pub fn new_id_token_jti(entropy: &dyn Entropy) -> String {
    let uuid = crate::entropy::new_uuid(entropy);
    let head = uuid.get(..UUID_HEAD).unwrap_or_default();
    format!("{head}{}", id_token_tail(head))
}

fn is_id_token_jti(jti: &str) -> bool {
    let Some((head, tail)) = jti.split_at_checked(UUID_HEAD) else {
        return false;
    };
    tail == id_token_tail(head)
}

fn id_token_tail(head: &str) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"dexd ID token ");
    context.update(head.as_bytes());
    let hash = context.finish();
    let (left, _) = hash.as_ref().split_at(UUID_TAIL_BYTES);
    hex::encode(left)
}

/// Length of a UUID's text without its last five bytes.
const UUID_HEAD: usize = 36 - 2 * UUID_TAIL_BYTES;
const UUID_TAIL_BYTES: usize = 5;

/// What an endpoint of ours reads of a token that it has signed itself. Times may be fractions or text, as Dex tolerates.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[expect(
    missing_docs,
    clippy::exhaustive_structs,
    reason = "the fields are the claims, by name"
)]
pub struct OwnToken {
    #[serde(default)]
    pub iss: String,
    #[serde(default)]
    pub sub: String,
    #[serde(default, deserialize_with = "time")]
    pub exp: Option<i64>,
    #[serde(default, deserialize_with = "time")]
    pub nbf: Option<i64>,
    #[serde(default)]
    pub jti: String,
    #[serde(default)]
    pub at_hash: String,
    #[serde(default)]
    pub c_hash: String,
    #[serde(default)]
    pub events: Option<serde::de::IgnoredAny>,
}

impl OwnToken {
    /// Reads the payload of a token.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        serde_json::from_slice(payload).ok()
    }

    /// Whether this is a token of `issuer` that is valid at `now_secs` (Unix seconds). `nbf` may lie five minutes ahead, as in Dex.
    pub fn is_valid(&self, issuer: &str, now_secs: i64) -> bool {
        self.iss == issuer
            && self.exp.is_some_and(|exp| exp >= now_secs)
            && self
                .nbf
                .is_none_or(|nbf| nbf <= now_secs.saturating_add(NBF_LEEWAY_SECS))
    }

    /// Whether the token opens userinfo: an access token of ours, or one that Dex may have issued as such (it has `at_hash`, and
    /// neither the `c_hash` of an ID token nor the `events` of a logout token).
    pub fn is_access_token(&self) -> bool {
        match TokenUse::of(&self.jti, &self.at_hash) {
            TokenUse::Access => true,
            TokenUse::Id => false,
            TokenUse::Unmarked => {
                !self.at_hash.is_empty() && self.c_hash.is_empty() && self.events.is_none()
            }
        }
    }
}

const NBF_LEEWAY_SECS: i64 = 5 * 60;

/// A number, its fraction dropped, or a number as text.
fn time<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Time {
        Whole(i64),
        Fraction(f64),
        Text(String),
    }
    let number = match Option::<Time>::deserialize(deserializer)? {
        None => return Ok(None),
        Some(Time::Whole(secs)) => return Ok(Some(secs)),
        Some(Time::Fraction(secs)) => secs,
        Some(Time::Text(text)) => match text.parse::<i64>() {
            Ok(secs) => return Ok(Some(secs)),
            Err(_) => text.parse::<f64>().map_err(serde::de::Error::custom)?,
        },
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the cast saturates, and no time of ours comes near the limits"
    )]
    Ok(Some(number.trunc() as i64))
}

#[cfg(test)]
mod tests;
