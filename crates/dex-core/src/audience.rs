//! Whom a token is for: `aud` and `azp` (OpenID Connect Core 1.0 §2; compat: `tokens.md` §5.4).

use serde::{Serialize, Serializer};

use crate::records::Client;
use crate::scope::AUDIENCE;

/// The `aud` claim of a token: other clients that were asked for, and the client that asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audience {
    entries: Vec<String>,
    client_id: String,
}

impl Audience {
    /// The audience of a token for `client_id` with these granted scopes: each `audience:server:client_id:…` in order,
    /// repetitions kept, and the client itself last unless it is among them.
    pub fn of<S: AsRef<str>>(scopes: &[S], client_id: &str) -> Self {
        let mut entries: Vec<_> = scopes
            .iter()
            .filter_map(|scope| cross_client_peer(scope.as_ref()))
            .map(str::to_owned)
            .collect();
        if !entries.iter().any(|entry| entry == client_id) {
            entries.push(client_id.to_owned());
        }
        Self {
            entries,
            client_id: client_id.to_owned(),
        }
    }

    /// The entries, in order.
    pub fn entries(&self) -> &[String] {
        &self.entries
    }

    /// The clients that must trust the one that asked, for the token to be signed.
    pub fn peers(&self) -> impl Iterator<Item = &str> {
        self.entries
            .iter()
            .map(String::as_str)
            .filter(|entry| *entry != self.client_id)
    }

    /// The `azp` claim: who asked, when the audience has more than one entry.
    pub fn authorized_party(&self) -> Option<&str> {
        (self.entries.len() > 1).then_some(self.client_id.as_str())
    }
}

/// One entry is a string, several are a list (RFC 7519 §4.1.3).
impl Serialize for Audience {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.entries.as_slice() {
            [only] => serializer.serialize_str(only),
            several => several.serialize(serializer),
        }
    }
}

/// The client that a cross-client scope names; `None` for any other scope. It may be empty.
pub fn cross_client_peer(scope: &str) -> Option<&str> {
    scope.strip_prefix(AUDIENCE)
}

/// Whether `peer`, the record of a client asked for as audience, trusts `client_id`. A client that does not exist trusts nobody.
pub fn is_trusted(peer: Option<&Client>, client_id: &str) -> bool {
    peer.is_some_and(|peer| {
        peer.id == client_id
            || peer
                .trusted_peers
                .iter()
                .any(|trusted| trusted == client_id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audiences_follow_the_scopes() {
        let peer = |id: &str| format!("{AUDIENCE}{id}");
        for (scopes, written, azp) in [
            (vec!["openid".to_owned()], r#""web""#, None),
            (vec![peer("cli")], r#"["cli","web"]"#, Some("web")),
            (
                vec![peer("aa"), "email".to_owned(), peer("bb")],
                r#"["aa","bb","web"]"#,
                Some("web"),
            ),
            (vec![peer("web")], r#""web""#, None),
            (
                vec![peer("web"), peer("cli")],
                r#"["web","cli"]"#,
                Some("web"),
            ),
            (
                vec![peer("cli"), peer("cli")],
                r#"["cli","cli","web"]"#,
                Some("web"),
            ),
            (vec![peer("")], r#"["","web"]"#, Some("web")),
        ] {
            let audience = Audience::of(&scopes, "web");
            assert_eq!(
                serde_json::to_string(&audience).unwrap(),
                written,
                "{scopes:?}"
            );
            assert_eq!(audience.authorized_party(), azp, "{scopes:?}");
        }
    }

    #[test]
    fn peers_are_all_but_the_client_itself() {
        let scopes = ["audience:server:client_id:a", "audience:server:client_id:w"];
        let audience = Audience::of(&scopes, "w");
        assert_eq!(audience.peers().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn trust_is_what_the_peer_says() {
        let peer = Client {
            id: "peer".into(),
            trusted_peers: vec!["web".into()],
            ..Default::default()
        };
        assert!(is_trusted(Some(&peer), "web"));
        assert!(is_trusted(Some(&peer), "peer"));
        assert!(!is_trusted(Some(&peer), "other"));
        assert!(!is_trusted(None, "web"));
    }
}
