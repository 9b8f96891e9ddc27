//! Which path is served by what: the one place that mounts endpoints (compat: `web.md` §1 and §2).
//!
//! Paths match exactly and percent-encoded, as received; nothing is cleaned. Methods are the handlers' business.

use axum::body::Body;
use axum::response::IntoResponse as _;
use http::{Response, StatusCode};

use crate::home;
use crate::provider::Provider;
use crate::request::{Incoming, MatchedRoute};
use crate::service::plain;

/// Serves one request.
pub(crate) async fn route(op: &Provider, request: Incoming) -> Response<Body> {
    let Some(path) = op.issuer.strip(&request.path) else {
        return not_found();
    };
    if let Some(asset) = op.pages.asset(&request.method, path, &request.headers) {
        return asset.into_response();
    }
    let home = if op.issuer.prefix().is_empty() {
        "/"
    } else {
        ""
    };
    let (route, mut response) = match path {
        _ if path == home => ("/", home::serve(op, &request)),
        _ => return not_found(),
    };
    response.extensions_mut().insert(MatchedRoute(route));
    response
}

fn not_found() -> Response<Body> {
    plain(StatusCode::NOT_FOUND, "404 page not found\n")
}
