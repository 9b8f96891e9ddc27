//! Which path is served by what: the one place that mounts endpoints (compat: `web.md` §1 and §2).
//!
//! Paths match exactly and percent-encoded, as received; nothing is cleaned. Methods are the handlers' business.

use axum::body::Body;
use axum::response::IntoResponse as _;
use http::{Response, StatusCode};

use crate::provider::Provider;
use crate::request::{Incoming, MatchedRoute};
use crate::service::plain;
use crate::{authorize, discovery, health, home, keys, token, userinfo};

/// Serves one request.
pub(crate) async fn route(op: &Provider, request: Incoming) -> Response<Body> {
    let Some(path) = op.issuer.strip(&request.path) else {
        return not_found();
    };
    if let Some(asset) = op.pages.asset(&request.method, path, &request.headers) {
        let mut response = asset.into_response();
        // Of the files only this one is a route that metrics count (compat: `config.md` §11.2).
        if path == ROBOTS {
            response.extensions_mut().insert(MatchedRoute(ROBOTS));
        }
        return response;
    }
    let Some(route) = match_route(op, path) else {
        return not_found();
    };
    let cross_origin = CROSS_ORIGIN.contains(&route);
    let preflight = cross_origin
        .then(|| op.cors.preflight(&request.method, &request.headers))
        .flatten();
    let mut response = if let Some(preflight) = preflight {
        preflight
    } else {
        let mut response = handle(op, route, path, &request).await;
        if cross_origin {
            op.cors.decorate(&request.headers, response.headers_mut());
        }
        response
    };
    response.extensions_mut().insert(MatchedRoute(route));
    response
}

/// The route of a path, as metrics name it.
fn match_route(op: &Provider, path: &str) -> Option<&'static str> {
    let home = if op.issuer.prefix().is_empty() {
        "/"
    } else {
        ""
    };
    Some(match path {
        _ if path == home => "/",
        "/.well-known/openid-configuration" => "/.well-known/openid-configuration",
        "/keys" => "/keys",
        "/token" => "/token",
        "/userinfo" => "/userinfo",
        "/healthz" => "/healthz",
        "/auth" => "/auth",
        "/callback" => "/callback",
        "/approval" => "/approval",
        _ => match segments(path)? {
            ("auth", _, "") => "/auth/{connector}",
            ("auth", _, "login") => "/auth/{connector}/login",
            ("callback", _, "") => "/callback/{connector}",
            _ => return None,
        },
    })
}

async fn handle(
    op: &Provider,
    route: &'static str,
    path: &str,
    request: &Incoming,
) -> Response<Body> {
    let connector = segments(path).map_or("", |(_, connector, _)| connector);
    match route {
        "/auth" => authorize::authorize(op, request).await,
        "/auth/{connector}" => authorize::begin(op, request, connector).await,
        "/auth/{connector}/login" => authorize::password(op, request, connector).await,
        "/callback" => authorize::callback(op, request, None).await,
        "/callback/{connector}" => authorize::callback(op, request, Some(connector)).await,
        "/approval" => authorize::approval(op, request).await,
        "/" => home::serve(op, request),
        "/.well-known/openid-configuration" => discovery::serve(op).await,
        "/keys" => keys::serve(op, request).await,
        "/token" => token::serve(op, request).await,
        "/userinfo" => userinfo::serve(op, request).await,
        "/healthz" => health::serve(op, request),
        _ => not_found(),
    }
}

/// The parts of `/first/second` or `/first/second/third`, none of them empty; the third is empty where it is not there.
fn segments(path: &str) -> Option<(&str, &str, &str)> {
    let (first, rest) = path.strip_prefix('/')?.split_once('/')?;
    match rest.split_once('/') {
        _ if rest.is_empty() => None,
        None => Some((first, rest, "")),
        Some((second, third)) if !second.is_empty() && !third.is_empty() => {
            Some((first, second, third))
        }
        Some(_) => None,
    }
}

fn not_found() -> Response<Body> {
    plain(StatusCode::NOT_FOUND, "404 page not found\n")
}

const ROBOTS: &str = "/robots.txt";

/// Routes whose answers scripts of other origins may read, if the operator lists them (compat: `web.md` §2).
const CROSS_ORIGIN: [&str; 5] = [
    "/",
    "/.well-known/openid-configuration",
    "/keys",
    "/token",
    "/userinfo",
];
