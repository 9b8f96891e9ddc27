//! The telemetry listener: metrics and health in plain HTTP (compat: `config.md` §11).

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::health::Health;
use crate::listen::Handler;
use crate::metrics::Metrics;

/// Answers any method on exact paths.
#[derive(Debug, Clone)]
pub(crate) struct Telemetry {
    pub(crate) health: Arc<Health>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Handler for Telemetry {
    async fn handle(&self, request: Request<Incoming>, _: SocketAddr) -> Response<Body> {
        self.answer(
            request.uri().path(),
            request.uri().query().unwrap_or_default(),
        )
    }
}

impl Telemetry {
    fn answer(&self, path: &str, query: &str) -> Response<Body> {
        match path {
            "/healthz" | "/healthz/ready" => {
                self.health(parameters(query, "type").any(|kind| kind == "short"))
            }
            "/healthz/live" => respond(StatusCode::OK, PLAIN, "ok"),
            "/metrics" => self.metrics(&parameters(query, "name[]").collect::<Vec<_>>()),
            _ => respond(StatusCode::NOT_FOUND, PLAIN, "404 page not found\n"),
        }
    }

    fn health(&self, short: bool) -> Response<Body> {
        let status = if self.health.passes() {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        respond(status, "application/json", self.health.report(short))
    }

    fn metrics(&self, names: &[String]) -> Response<Body> {
        match self.metrics.text(names) {
            Ok(text) => respond(
                StatusCode::OK,
                "text/plain; version=0.0.4; charset=utf-8",
                text,
            ),
            Err(error) => {
                tracing::error!(err = %error, "cannot gather metrics");
                respond(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    PLAIN,
                    "cannot gather metrics\n",
                )
            }
        }
    }
}

/// The decoded values of a query parameter.
fn parameters(query: &str, name: &str) -> impl Iterator<Item = String> {
    url::form_urlencoded::parse(query.as_bytes())
        .filter(move |(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

fn respond(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Body>,
) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

const PLAIN: &str = "text/plain; charset=utf-8";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_exact() {
        let telemetry = Telemetry {
            health: Arc::default(),
            metrics: Metrics::new().unwrap(),
        };
        for (path, query, status) in [
            ("/healthz", "", 200),
            ("/healthz/ready", "type=short", 200),
            ("/healthz/live", "", 200),
            ("/metrics", "name%5B%5D=dex_build_info", 200),
            ("/healthz/", "", 404),
            ("/debug/pprof/", "", 404),
            ("/", "", 404),
        ] {
            assert_eq!(telemetry.answer(path, query).status(), status, "{path}");
        }
    }
}
