//! The [`tower::Service`]: reads the request once, routes it, and adds what every answer carries.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tracing::Instrument as _;

use crate::headers;
use crate::provider::Provider;
use crate::request::{Incoming, MAX_BODY, PeerAddress};
use crate::router;

/// The provider as a service. Cheap to clone.
///
/// It expects the whole request path, the issuer's prefix included. Nested in an axum router (`nest_service`) it takes the path
/// from [`axum::extract::OriginalUri`].
#[derive(Debug, Clone)]
pub struct IssuerService {
    provider: Arc<Provider>,
}

impl IssuerService {
    pub(crate) fn new(provider: Arc<Provider>) -> Self {
        Self { provider }
    }
}

impl<B> tower::Service<Request<B>> for IssuerService
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let provider = Arc::clone(&self.provider);
        Box::pin(async move { Ok(serve(&provider, request).await) })
    }
}

async fn serve<B>(provider: &Provider, request: Request<B>) -> Response<Body>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut response = respond(provider, request).await;
    headers::complete(&provider.policy.headers, &mut response);
    response
}

async fn respond<B>(provider: &Provider, request: Request<B>) -> Response<Body>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    let uri = parts
        .extensions
        .get::<axum::extract::OriginalUri>()
        .map_or(&parts.uri, |original| &original.0);
    let (path, query) = (
        uri.path().to_owned(),
        uri.query().unwrap_or_default().to_owned(),
    );
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "request body too large\n");
        }
        Err(_) => return plain(StatusCode::BAD_REQUEST, "request body could not be read\n"),
    };
    let peer = parts
        .extensions
        .get::<PeerAddress>()
        .map(|peer| peer.0.ip().to_canonical());
    // As in Dex, the log tells the address only where the operator says how to find it.
    let client_remote_addr = match (&provider.policy.client_address, peer) {
        (Some(policy), Some(peer)) => Some(policy.resolve(peer, &parts.headers)),
        _ => None,
    }
    .map(tracing::field::display);
    let request_id = dex_core::entropy::new_uuid(provider.entropy.as_ref());
    let incoming = Incoming {
        method: parts.method,
        path,
        query,
        headers: parts.headers,
        body,
        now: provider.clock.now(),
    };
    let span = tracing::info_span!("request", client_remote_addr, request_id);
    router::route(provider, incoming).instrument(span).await
}

/// An answer in plain text.
pub(crate) fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(
        http::header::X_CONTENT_TYPE_OPTIONS,
        http::HeaderValue::from_static("nosniff"),
    );
    response
}
