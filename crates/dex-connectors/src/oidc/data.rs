//! What callers keep for us: Dex's JSON, since it lies in a database that Dex may have written or may read again.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dex_core::lenient::{self, UnknownKeys};
use dex_core::records::{Blob, SecretText};
use serde::{Deserialize, Serialize};

use crate::ConnectorError;

/// What is kept while the browser is away: Dex's form, in which the member named challenge holds the verifier, and our `nonce`,
/// which Dex skips. A login begun by one can be completed by the other.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PendingLogin {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) code_challenge: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) code_challenge_method: String,
    /// A nonce was sent.
    pub(super) nonce: bool,
}

impl PendingLogin {
    pub(super) fn into_data(self) -> Result<Blob, ConnectorError> {
        serde_json::to_vec(&self)
            .map(Blob::from)
            .map_err(|error| ConnectorError::upstream("oidc: login state", error))
    }

    pub(super) fn from_data(data: &Blob) -> Result<Self, ConnectorError> {
        if data.is_empty() {
            return Ok(Self::default());
        }
        let malformed =
            || ConnectorError::Rejected("oidc: failed to parse PKCEChallenge data".into());
        let value = serde_json::from_slice(data.expose()).map_err(|_| malformed())?;
        lenient::from_json(value, UnknownKeys::Ignore).map_err(|_| malformed())
    }
}

/// What is kept between refreshes, in Dex's form: `{"RefreshToken":"<base64>"}`.
#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct KeptTokens {
    refresh_token: String,
}

/// The data to keep for this refresh token, which may be empty.
pub(super) fn kept(refresh_token: &SecretText) -> Result<Blob, ConnectorError> {
    let kept = KeptTokens {
        refresh_token: STANDARD.encode(refresh_token.expose()),
    };
    serde_json::to_vec(&kept)
        .map(Blob::from)
        .map_err(|error| ConnectorError::upstream("oidc: connector data", error))
}

/// The refresh token that was kept.
pub(super) fn kept_refresh_token(data: &Blob) -> Result<SecretText, ConnectorError> {
    // The data is a credential: what is wrong with it stays unsaid.
    let malformed = || ConnectorError::Rejected("oidc: failed to unmarshal connector data".into());
    let value = serde_json::from_slice(data.expose()).map_err(|_| malformed())?;
    let kept: KeptTokens =
        lenient::from_json(value, UnknownKeys::Ignore).map_err(|_| malformed())?;
    STANDARD
        .decode(&kept.refresh_token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .map(SecretText::from)
        .ok_or_else(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(text: &str) -> Blob {
        Blob::from(text.as_bytes().to_vec())
    }

    #[test]
    fn dex_data_is_read_and_written() {
        for text in [
            r#"{"RefreshToken":"cjE="}"#,
            r#"{"refreshtoken":"cjE=","more":1}"#,
        ] {
            assert_eq!(kept_refresh_token(&blob(text)).unwrap().expose(), "r1");
        }
        assert_eq!(
            kept(&"r1".into()).unwrap(),
            blob(r#"{"RefreshToken":"cjE="}"#)
        );
        assert_eq!(kept(&"".into()).unwrap(), blob(r#"{"RefreshToken":""}"#));
        assert!(
            kept_refresh_token(&blob(r#"{"RefreshToken":null}"#))
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn a_login_begun_by_dex_is_understood() {
        let pending = PendingLogin::from_data(&blob(
            r#"{"codeChallenge":"v","codeChallengeMethod":"S256"}"#,
        ))
        .unwrap();
        assert_eq!(pending.code_challenge, "v");
        assert_eq!(pending.code_challenge_method, "S256");
        assert!(!pending.nonce);
        assert!(
            PendingLogin::from_data(&Blob::default())
                .unwrap()
                .code_challenge
                .is_empty()
        );
    }

    #[test]
    fn malformed_data_is_refused_without_showing_it() {
        for text in [
            "",
            "secret",
            "[]",
            r#"{"RefreshToken":7}"#,
            r#"{"RefreshToken":"!"}"#,
        ] {
            let error = kept_refresh_token(&blob(text)).unwrap_err();
            assert_eq!(
                error.to_string(),
                "oidc: failed to unmarshal connector data"
            );
        }
        assert!(PendingLogin::from_data(&blob("{")).is_err());
    }

    proptest::proptest! {
        #[test]
        fn refresh_tokens_round_trip(token in ".{0,60}") {
            let kept = kept(&SecretText::from(token.as_str())).unwrap();
            let read = kept_refresh_token(&kept).unwrap();
            proptest::prop_assert_eq!(read.expose(), token);
        }

        #[test]
        fn no_data_makes_the_readers_panic(data in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            let data = Blob::from(data);
            let _ = kept_refresh_token(&data);
            let _ = PendingLogin::from_data(&data);
        }
    }
}
