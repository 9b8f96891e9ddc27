//! An answer that is complete before its first byte is sent.

use std::fmt;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, StatusCode};

/// Status, headers and bytes of a page or an asset.
///
/// Its `Debug` leaves the body out: pages hold codes and handles of logins.
#[derive(Clone)]
#[non_exhaustive]
pub struct PageResponse {
    /// Status.
    pub status: StatusCode,
    /// All headers of ours; a later layer may replace single ones by what the operator configured.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl PageResponse {
    /// One line of plain text, as the HTTP library of Dex writes its own errors.
    pub(super) fn plain(status: StatusCode, line: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Self {
            status,
            headers,
            body: Bytes::from(format!("{line}\n")),
        }
    }
}

impl fmt::Debug for PageResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageResponse")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body_length", &self.body.len())
            .finish()
    }
}

impl From<PageResponse> for http::Response<Bytes> {
    fn from(page: PageResponse) -> Self {
        let mut response = http::Response::new(page.body);
        *response.status_mut() = page.status;
        *response.headers_mut() = page.headers;
        response
    }
}

impl IntoResponse for PageResponse {
    fn into_response(self) -> Response {
        http::Response::<Bytes>::from(self).map(Body::from)
    }
}
