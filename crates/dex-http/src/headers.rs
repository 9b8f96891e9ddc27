//! What every answer carries: our defaults, and what the operator configured (`web.headers`), which wins.
//!
//! Pages bring their own policy ([`crate::pages::page_headers`]); here is what is right for any answer, a 404 and static files included.

use axum::body::Body;
use http::header::X_CONTENT_TYPE_OPTIONS;
use http::{HeaderMap, HeaderValue, Response};

/// Completes an answer.
pub(crate) fn complete(operator: &HeaderMap, response: &mut Response<Body>) {
    let headers = response.headers_mut();
    headers
        .entry(X_CONTENT_TYPE_OPTIONS)
        .or_insert(HeaderValue::from_static("nosniff"));
    for (name, value) in operator {
        headers.insert(name, value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_wins_over_our_defaults() {
        let mut response = Response::new(Body::empty());
        complete(&HeaderMap::new(), &mut response);
        assert_eq!(response.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");

        let mut operator = HeaderMap::new();
        operator.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("own"));
        operator.insert("x-frame-options", HeaderValue::from_static("DENY"));
        let mut response = Response::new(Body::empty());
        response
            .headers_mut()
            .insert("x-frame-options", HeaderValue::from_static("SAMEORIGIN"));
        complete(&operator, &mut response);
        assert_eq!(response.headers()[X_CONTENT_TYPE_OPTIONS], "own");
        assert_eq!(response.headers()["x-frame-options"], "DENY");
        assert_eq!(response.headers().len(), 2);
    }
}
