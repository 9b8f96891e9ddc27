//! `/userinfo`: the claims behind an access token (OpenID Connect Core 1.0 §5.3; compat: `tokens.md` §9).
//!
//! The answer is the token's own payload. Only access tokens open it: ID tokens and logout tokens, signed by the same keys, do not.

use axum::body::Body;
use dex_core::claims::OwnToken;
use dex_signer::VerifyError;
use http::header::{AUTHORIZATION, HeaderMap};
use http::{Response, StatusCode};

use crate::answer::{json, oauth_error};
use crate::error::{ErrorCode, OAuthError};
use crate::provider::Provider;
use crate::request::Incoming;

/// Any method.
pub(crate) async fn serve(op: &Provider, request: &Incoming) -> Response<Body> {
    match claims(op, request).await {
        Ok(payload) => json(StatusCode::OK, payload),
        Err(error) => oauth_error(error),
    }
}

/// Why a token opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BearerRejected {
    /// There is no bearer token in the request.
    #[error("no bearer token")]
    Missing,
    /// It was not signed by one of our keys.
    #[error("token does not verify")]
    Signature(#[source] VerifyError),
    /// It is of another issuer, expired, not valid yet, or not a claims object.
    #[error("token is not valid here and now")]
    NotValid,
    /// It is an ID token or a logout token.
    #[error("not an access token")]
    NotAccess,
}

async fn claims(op: &Provider, request: &Incoming) -> Result<Vec<u8>, OAuthError> {
    let token = bearer_token(&request.headers).ok_or_else(|| {
        refused(BearerRejected::Missing)
            .with_status(StatusCode::UNAUTHORIZED)
            .with_challenge("Bearer")
    })?;
    let payload = op
        .signer
        .verify(token)
        .await
        .map_err(OAuthError::internal)?
        .map_err(|cause| refused(BearerRejected::Signature(cause)))?;
    let claims = OwnToken::parse(payload.bytes())
        .filter(|claims| claims.is_valid(op.issuer.as_str(), request.now.unix_secs()))
        .ok_or_else(|| refused(BearerRejected::NotValid))?;
    // Access tokens have no `typ`; a logout token has (OpenID Connect Back-Channel Logout 1.0 §2.4).
    if payload.typ().is_some() || !claims.is_access_token() {
        return Err(refused(BearerRejected::NotAccess));
    }
    Ok(payload.into_bytes())
}

/// Dex answers 403 where RFC 6750 §3.1 says 401; clients rely on it.
fn refused(cause: BearerRejected) -> OAuthError {
    OAuthError::new(ErrorCode::AccessDenied, "Invalid bearer token.")
        .with_status(StatusCode::FORBIDDEN)
        .because(cause)
}

/// The token of an `Authorization: Bearer` header; the scheme in any letter case, then exactly one space.
fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(token)
}

const SCHEME: &str = "Bearer ";

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_the_bearer_scheme_is_read() {
        for (value, token) in [
            ("Bearer abc", Some("abc")),
            ("bEARER abc", Some("abc")),
            ("Bearer  abc", Some(" abc")),
            ("Bearer ", Some("")),
            ("Bearer", None),
            ("Basic abc", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            assert_eq!(bearer_token(&headers), token, "{value:?}");
        }
        assert_eq!(bearer_token(&HeaderMap::new()), None);
    }
}
