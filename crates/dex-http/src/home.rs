//! The issuer's own address: a page that points to the discovery document (compat: `web.md` §9.12).

use axum::body::Body;
use axum::response::IntoResponse as _;
use http::Response;

use crate::pages::HomeView;
use crate::provider::Provider;
use crate::request::Incoming;

/// `GET` of the issuer's own path.
pub(crate) fn serve(op: &Provider, request: &Incoming) -> Response<Body> {
    op.pages
        .home(&HomeView {
            request_path: &request.path,
            discovery_url: &op.issuer.endpoint("/.well-known/openid-configuration"),
        })
        .into_response()
}
