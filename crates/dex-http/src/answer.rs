//! How answers are written: JSON, errors as JSON, errors as a page. Errors are logged here, once, and nowhere else.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use axum::response::IntoResponse as _;
use bytes::Bytes;
use dex_core::go_json;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use tracing::{error, info, warn};

use crate::error::{ErrorCode, OAuthError, PageError};
use crate::pages::{ErrorLink, ErrorView};
use crate::provider::Provider;
use crate::request::Incoming;

/// A JSON document that is already written.
pub(crate) fn json(status: StatusCode, document: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::from(document.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An error as JSON (RFC 6749 §5.2; compat: `tokens.md` §1.4).
pub(crate) fn oauth_error(error: OAuthError) -> Response<Body> {
    #[derive(Serialize)]
    struct Document<'a> {
        error: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        error_description: &'a str,
    }
    log_oauth_error(&error);
    let mut response = json(
        error.status(),
        go_json::to_vec(&Document {
            error: error.code().as_str(),
            error_description: error.description(),
        }),
    );
    if let Some(challenge) = error.challenge() {
        response
            .headers_mut()
            .insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    response.extensions_mut().insert(Arc::new(error));
    response
}

/// An error as a page.
pub(crate) fn page_error(op: &Provider, request: &Incoming, error: PageError) -> Response<Body> {
    log_page_error(&error);
    let mut response = op
        .pages
        .error(&ErrorView {
            request_path: &request.path,
            status: error.status(),
            message: error.message(),
            link: error.start_again().map(ErrorLink::StartAgain),
        })
        .into_response();
    response.extensions_mut().insert(Arc::new(error));
    response
}

/// Logs an error that goes to the client, with its cause.
pub(crate) fn log_oauth_error(error: &OAuthError) {
    let (code, description) = (error.code().as_str(), error.description());
    let cause = error
        .cause()
        .map(|cause| tracing::field::display(Chain(cause)));
    if error.status().is_server_error() {
        error!(code, description, cause, "request failed");
    } else if error.code() == ErrorCode::InvalidClient {
        warn!(code, description, cause, "client authentication failed");
    } else {
        info!(code, description, cause, "request refused");
    }
}

fn log_page_error(error: &PageError) {
    let (status, message) = (error.status().as_u16(), error.message());
    let cause = error
        .cause()
        .map(|cause| tracing::field::display(Chain(cause)));
    if error.status().is_server_error() {
        error!(status, message, cause, "request failed");
    } else {
        info!(status, message, cause, "request refused");
    }
}

/// An error and what caused it, in one line.
struct Chain<'a>(&'a (dyn StdError + Send + Sync + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(deeper) = cause {
            write!(f, ": {deeper}")?;
            cause = deeper.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn errors_are_written_as_dex_writes_them() {
        for (error, status, body) in [
            (
                OAuthError::new(ErrorCode::InvalidRequest, "a <b> & \"c\""),
                400,
                r#"{"error":"invalid_request","error_description":"a \u003cb\u003e \u0026 \"c\""}"#,
            ),
            (
                OAuthError::new(ErrorCode::UnsupportedGrantType, ""),
                400,
                r#"{"error":"unsupported_grant_type"}"#,
            ),
            (
                OAuthError::new(ErrorCode::InvalidClient, "x"),
                401,
                r#"{"error":"invalid_client","error_description":"x"}"#,
            ),
            (
                OAuthError::internal("a private cause"),
                500,
                r#"{"error":"server_error"}"#,
            ),
        ] {
            let response = oauth_error(error);
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
            let sent = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(sent, body);
        }
    }

    #[test]
    fn a_cause_is_kept_beside_the_answer_but_not_in_it() {
        let response = oauth_error(OAuthError::internal("a private cause"));
        let error = response.extensions().get::<Arc<OAuthError>>().unwrap();
        assert_eq!(error.cause().unwrap().to_string(), "a private cause");
    }
}
