//! `/keys`: the keys that verify our tokens (RFC 7517 §5; compat: `tokens.md` §11, `signer.md` §6).
//!
//! The document is prepared by the signer; here it gets its caching headers.

use axum::body::Body;
use http::header::{CACHE_CONTROL, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use http::{Response, StatusCode};

use crate::answer::{json, page_error};
use crate::error::PageError;
use crate::provider::Provider;
use crate::request::Incoming;

/// Any method.
pub(crate) async fn serve(op: &Provider, request: &Incoming) -> Response<Body> {
    let set = match op.signer.key_set().await {
        Ok(set) if !set.is_empty() => set,
        Ok(_) => return page_error(op, request, PageError::internal(FAILED, "no keys")),
        Err(error) => return page_error(op, request, PageError::internal(FAILED, error)),
    };
    let mut response = if is_known(&request.headers, set.etag()) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        json(StatusCode::OK, set.jwks())
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(CACHING));
    if let Ok(tag) = HeaderValue::from_str(set.etag()) {
        headers.insert(ETAG, tag);
    }
    response
}

/// Whether the client has the document already (RFC 9110 §13.1.2; tags are compared weakly).
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

const FAILED: &str = "Internal server error.";

/// Ten minutes; the signer publishes a key for at least as long before it signs.
const CACHING: &str = "max-age=600, must-revalidate";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_tag_is_recognised_in_any_form() {
        for (line, known) in [
            (r#""abc""#, true),
            (r#"W/"abc""#, true),
            (r#""x", "abc" "#, true),
            ("*", true),
            (r#""abcd""#, false),
            ("abc", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::from_str(line).unwrap());
            assert_eq!(is_known(&headers, r#""abc""#), known, "{line}");
        }
    }
}
