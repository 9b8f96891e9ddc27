//! Which path is served by what: the one place that mounts endpoints (compat: `web.md` §1 and §2).
//!
//! Paths match exactly and percent-encoded, as received; nothing is cleaned. Methods are the handlers' business.

use axum::body::Body;
use http::{Response, StatusCode};

use crate::provider::Provider;
use crate::request::{Incoming, MatchedRoute};
use crate::service::plain;

/// Serves one request.
pub(crate) async fn route(op: &Provider, request: Incoming) -> Response<Body> {
    let Some(path) = op.issuer.strip(&request.path) else {
        return not_found();
    };
    let (route, mut response) = match path {
        "/robots.txt" => (
            "/robots.txt",
            plain(StatusCode::OK, "User-agent: *\nDisallow: /\n"),
        ),
        _ => return not_found(),
    };
    response.extensions_mut().insert(MatchedRoute(route));
    response
}

fn not_found() -> Response<Body> {
    plain(StatusCode::NOT_FOUND, "404 page not found\n")
}
