//! Which client is asking (RFC 6749 §2.3; compat: `tokens.md` §2.2).

use dex_core::basic_auth::{self, ClientCredentials};
use dex_core::records::{Client, SecretText};
use dex_storage::StorageExt as _;
use http::header::AUTHORIZATION;

use crate::error::{ErrorCode, OAuthError};
use crate::provider::Provider;
use crate::request::{Incoming, Parameters};

/// A client whose credentials were verified in this request (RFC 6749 §2.3). Built only by [`authenticate`].
#[derive(Debug)]
pub(super) struct AuthenticatedClient(Client);

impl AuthenticatedClient {
    pub(super) fn id(&self) -> &str {
        &self.0.id
    }

    /// Whether this client may use the connector.
    pub(super) fn allows_connector(&self, connector_id: &str) -> bool {
        let allowed = &self.0.allowed_connectors;
        allowed.is_empty() || allowed.iter().any(|id| id == connector_id)
    }
}

/// Why a client is not believed. The answer is the same for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientRejected {
    /// No client has this id.
    #[error("unknown client")]
    Unknown,
    /// The secret is not the client's.
    #[error("wrong client secret")]
    WrongSecret,
    /// A client that ought to have a secret is stored without one.
    #[error("confidential client without a secret")]
    NoSecret,
}

pub(super) async fn authenticate(
    op: &Provider,
    request: &Incoming,
    form: &Parameters,
) -> Result<AuthenticatedClient, OAuthError> {
    let basic = match request.headers.get(AUTHORIZATION) {
        Some(header) => basic_auth::parse(header.as_bytes()).map_err(|cause| {
            OAuthError::new(ErrorCode::InvalidRequest, cause.to_string()).because(cause)
        })?,
        None => None,
    };
    let used_basic = basic.is_some();
    // Well-formed Basic credentials win completely; the form's are not even compared.
    let presented = basic.unwrap_or_else(|| ClientCredentials {
        id: form.get("client_id").unwrap_or_default().to_owned(),
        secret: form.get("client_secret").unwrap_or_default().to_owned(),
    });
    let client = if super::may_be_key(&presented.id) {
        op.storage
            .find::<Client>(&presented.id)
            .await
            .map_err(OAuthError::internal)?
    } else {
        None
    };
    judge(client, &presented.secret).map_err(|cause| {
        let error =
            OAuthError::new(ErrorCode::InvalidClient, "Invalid client credentials.").because(cause);
        if used_basic {
            // RFC 6749 §5.2: the answer names the scheme that the client used.
            error.with_challenge(r#"Basic realm="token""#)
        } else {
            error
        }
    })
}

/// Takes as long for an unknown client as for a wrong secret.
fn judge(client: Option<Client>, secret: &str) -> Result<AuthenticatedClient, ClientRejected> {
    let Some(client) = client else {
        let _ = SecretText::from(NOBODYS_SECRET).matches(secret);
        return Err(ClientRejected::Unknown);
    };
    if !client.secret.matches(secret) {
        return Err(ClientRejected::WrongSecret);
    }
    if client.secret.is_empty() && !client.public {
        return Err(ClientRejected::NoSecret);
    }
    Ok(AuthenticatedClient(client))
}

const NOBODYS_SECRET: &str = "a secret that no client has, only compared to spend the time";

#[cfg(test)]
mod tests {
    use super::*;

    fn client(secret: &str, public: bool) -> Client {
        Client {
            id: "app".into(),
            secret: secret.into(),
            public,
            ..Client::default()
        }
    }

    #[test]
    fn o23_credentials_are_judged_alike_whoever_asks() {
        for (client, secret, expected) in [
            (Some(client("s3cret", false)), "s3cret", Ok(())),
            (
                Some(client("s3cret", false)),
                "S3cret",
                Err(ClientRejected::WrongSecret),
            ),
            (
                Some(client("s3cret", false)),
                "",
                Err(ClientRejected::WrongSecret),
            ),
            (Some(client("s3cret", true)), "s3cret", Ok(())),
            (
                Some(client("s3cret", true)),
                "",
                Err(ClientRejected::WrongSecret),
            ),
            (Some(client("", true)), "", Ok(())),
            (
                Some(client("", true)),
                "x",
                Err(ClientRejected::WrongSecret),
            ),
            (Some(client("", false)), "", Err(ClientRejected::NoSecret)),
            (None, "", Err(ClientRejected::Unknown)),
            (None, NOBODYS_SECRET, Err(ClientRejected::Unknown)),
        ] {
            assert_eq!(judge(client, secret).map(drop), expected);
        }
    }

    #[test]
    fn connectors_are_free_unless_listed() {
        let mut client = client("s", false);
        assert!(AuthenticatedClient(client.clone()).allows_connector("any"));
        client.allowed_connectors = vec!["mock".into()];
        assert!(AuthenticatedClient(client.clone()).allows_connector("mock"));
        assert!(!AuthenticatedClient(client).allows_connector("any"));
    }
}
