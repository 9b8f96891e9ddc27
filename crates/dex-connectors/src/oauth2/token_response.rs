//! What token endpoints answer.

use std::time::Duration;

use dex_core::records::SecretText;
use http::StatusCode;
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::ConnectorError;
use crate::upstream::{UpstreamResponse, shown};

/// A successful answer of a token endpoint (RFC 6749 §5.1).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TokenResponse {
    /// The access token; never empty.
    pub access_token: SecretText,
    /// The refresh token, empty if there is none.
    pub refresh_token: SecretText,
    /// The ID token, if there is one.
    pub id_token: Option<SecretText>,
    /// How long the access token is good for; `None`: not said.
    pub expires_in: Option<Duration>,
    /// The scheme of the `Authorization` header: `Bearer` unless the endpoint says otherwise.
    pub token_type: String,
}

/// Why a token endpoint gave no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenError {
    /// It said so (RFC 6749 §5.2).
    #[error("oauth2: {error:?} {description:?} {uri:?}")]
    Refused {
        status: StatusCode,
        error: String,
        description: String,
        uri: String,
    },
    /// A status without an explanation. Its body may echo what we sent, so it is not kept.
    #[error("oauth2: cannot fetch token: {0}")]
    Status(StatusCode),
    /// Not a token answer at all.
    #[error("{0}")]
    Malformed(&'static str),
}

impl TokenError {
    /// Whether the same request in another authentication style may do better. Never when the grant itself was looked at: a code
    /// works once, and a strict server revokes what it gave for a code that comes twice (RFC 6749 §4.1.2).
    pub(super) fn may_be_authentication(&self) -> bool {
        match self {
            Self::Refused { status, error, .. } => {
                status.is_client_error() && error != "invalid_grant"
            }
            Self::Status(status) => status.is_client_error(),
            Self::Malformed(_) => false,
        }
    }
}

impl From<TokenError> for ConnectorError {
    fn from(error: TokenError) -> Self {
        match &error {
            // The upstream judged the grant: nothing of ours is broken.
            TokenError::Refused { error: code, .. } if code == "invalid_grant" => {
                Self::Rejected(error.to_string())
            }
            _ => Self::Upstream {
                context: error.to_string(),
                source: None,
            },
        }
    }
}

impl TokenResponse {
    pub(super) fn parse(response: &UpstreamResponse) -> Result<Self, TokenError> {
        let members = members(response);
        let text = |name: &str| {
            members
                .as_ref()
                .and_then(|members| members.get(name))
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let error = text("error");
        if !error.is_empty() {
            return Err(TokenError::Refused {
                status: response.status,
                error: shown(error),
                description: shown(text("error_description")),
                uri: shown(text("error_uri")),
            });
        }
        if !response.status.is_success() {
            return Err(TokenError::Status(response.status));
        }
        let Some(members) = &members else {
            return Err(TokenError::Malformed(
                "oauth2: cannot parse the token answer",
            ));
        };
        if text("access_token").is_empty() {
            return Err(TokenError::Malformed(
                "oauth2: server response missing access_token",
            ));
        }
        Ok(Self {
            access_token: text("access_token").into(),
            refresh_token: text("refresh_token").into(),
            id_token: members
                .get("id_token")
                .and_then(Value::as_str)
                .map(SecretText::from),
            expires_in: members.get("expires_in").and_then(seconds),
            token_type: match text("token_type") {
                scheme if scheme.is_empty() || scheme.eq_ignore_ascii_case("bearer") => {
                    "Bearer".into()
                }
                scheme => shown(scheme),
            },
        })
    }
}

/// Form or JSON, as the media type says; anything unknown is taken for JSON.
fn members(response: &UpstreamResponse) -> Option<Map<String, Value>> {
    match response.media_type().as_str() {
        "application/x-www-form-urlencoded" | "text/plain" => {
            let mut members = Map::new();
            for (name, value) in form_urlencoded::parse(&response.body) {
                // Of repeated members the first counts.
                members
                    .entry(name.into_owned())
                    .or_insert_with(|| Value::String(value.into_owned()));
            }
            Some(members)
        }
        _ => serde_json::from_slice(&response.body).ok(),
    }
}

/// A number, or text that holds one; zero and less mean "not said".
fn seconds(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_u64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, header};

    use super::*;

    fn response(status: u16, media_type: &'static str, body: &str) -> UpstreamResponse {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        UpstreamResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    fn parse(status: u16, media_type: &'static str, body: &str) -> Result<TokenResponse, String> {
        TokenResponse::parse(&response(status, media_type, body)).map_err(|e| e.to_string())
    }

    #[test]
    fn json_and_forms_are_read() {
        let json = r#"{"access_token":"a","refresh_token":"r","id_token":"i","expires_in":60,"token_type":"bearer"}"#;
        let form = "access_token=a&refresh_token=r&id_token=i&expires_in=60&token_type=BEARER";
        for (media_type, body) in [
            ("application/json; charset=utf-8", json),
            ("application/octet-stream", json),
            ("application/x-www-form-urlencoded", form),
            ("text/plain; charset=utf-8", form),
        ] {
            let token = parse(200, media_type, body).unwrap();
            assert_eq!(token.access_token.expose(), "a");
            assert_eq!(token.refresh_token.expose(), "r");
            assert_eq!(token.id_token.unwrap().expose(), "i");
            assert_eq!(token.expires_in, Some(Duration::from_mins(1)));
            assert_eq!(token.token_type, "Bearer");
        }
    }

    #[test]
    fn expires_in_may_be_text_or_nonsense() {
        for (value, expected) in [
            ("3600", Some(3600)),
            (r#""3600""#, Some(3600)),
            ("0", None),
            ("-1", None),
            (r#""soon""#, None),
            ("null", None),
            ("[]", None),
        ] {
            let body = format!(r#"{{"access_token":"a","expires_in":{value}}}"#);
            let token = parse(200, "application/json", &body).unwrap();
            assert_eq!(
                token.expires_in,
                expected.map(Duration::from_secs),
                "{value}"
            );
        }
    }

    #[test]
    fn failures_are_named_without_the_body() {
        for (status, media_type, body, expected) in [
            (
                400,
                "application/json",
                r#"{"error":"invalid_grant","error_description":"code\nused"}"#,
                r#"oauth2: "invalid_grant" "code used" """#,
            ),
            (
                200,
                "application/json",
                r#"{"error":"nope"}"#,
                r#"oauth2: "nope" "" """#,
            ),
            (
                500,
                "text/html",
                "secret=1",
                "oauth2: cannot fetch token: 500 Internal Server Error",
            ),
            (
                200,
                "application/json",
                "{}",
                "oauth2: server response missing access_token",
            ),
            (
                200,
                "application/json",
                r#"{"access_token":7}"#,
                "oauth2: server response missing access_token",
            ),
            (
                200,
                "application/json",
                "<html>",
                "oauth2: cannot parse the token answer",
            ),
        ] {
            assert_eq!(parse(status, media_type, body).unwrap_err(), expected);
        }
    }

    #[test]
    fn only_a_refused_client_is_worth_another_try() {
        for (status, body, expected) in [
            (401, r#"{"error":"invalid_client"}"#, true),
            (400, r#"{"error":"invalid_request"}"#, true),
            (403, "forbidden", true),
            (400, r#"{"error":"invalid_grant"}"#, false),
            (500, "", false),
            (200, r#"{"error":"x"}"#, false),
        ] {
            let error =
                TokenResponse::parse(&response(status, "application/json", body)).unwrap_err();
            assert_eq!(error.may_be_authentication(), expected, "{status} {body}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_answer_makes_the_parser_panic(status in 100_u16..600, form: bool, body in ".{0,200}") {
            let media_type = if form { "text/plain" } else { "application/json" };
            let _ = parse(status, media_type, &body);
        }
    }
}
