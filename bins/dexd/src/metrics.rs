//! Prometheus metrics (compat: `config.md` §11.2), and the handler that counts what passes through it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use dex_http::MatchedRoute;
use http::{Method, Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder,
};

use crate::listen::Handler;
use crate::version;

/// All metrics of the process.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    sizes: HistogramVec,
}

impl Metrics {
    /// Registers every family.
    pub(crate) fn new() -> prometheus::Result<Arc<Self>> {
        const LABELS: [&str; 3] = ["code", "method", "handler"];
        let registry = Registry::new();
        let build_info = GaugeVec::new(
            Opts::new(
                "dex_build_info",
                "A metric with a constant '1' value labeled by version, toolchain and platform.",
            ),
            &["version", "go_version", "platform"],
        )?;
        build_info
            .with_label_values(&[
                version::VERSION,
                version::TOOLCHAIN,
                &version::platform("/"),
            ])
            .set(1.0);
        let requests = IntCounterVec::new(
            Opts::new("http_requests_total", "Count of all HTTP requests."),
            &LABELS,
        )?;
        let durations = HistogramVec::new(
            HistogramOpts::new(
                "request_duration_seconds",
                "A histogram of latencies for requests.",
            )
            .buckets(vec![0.25, 0.5, 1.0, 2.5, 5.0, 10.0]),
            &LABELS,
        )?;
        let sizes = HistogramVec::new(
            HistogramOpts::new(
                "response_size_bytes",
                "A histogram of response sizes for requests.",
            )
            .buckets(vec![200.0, 500.0, 900.0, 1500.0]),
            &LABELS,
        )?;
        registry.register(Box::new(build_info))?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(durations.clone()))?;
        registry.register(Box::new(sizes.clone()))?;
        #[cfg(target_os = "linux")]
        registry.register(Box::new(
            prometheus::process_collector::ProcessCollector::for_self(),
        ))?;
        Ok(Arc::new(Self {
            registry,
            requests,
            durations,
            sizes,
        }))
    }

    /// The text format; of the families named `names` only, unless there are none.
    pub(crate) fn text(&self, names: &[String]) -> prometheus::Result<String> {
        let mut families = self.registry.gather();
        if !names.is_empty() {
            families.retain(|family| names.iter().any(|name| name == family.name()));
        }
        TextEncoder::new().encode_to_string(&families)
    }

    fn count(&self, method: &Method, started: Instant, response: &Response<Body>) {
        let Some(MatchedRoute(route)) = response.extensions().get() else {
            return; // Static files and paths that nothing serves are not counted.
        };
        let status = response.status();
        let labels = [status.as_str(), method_label(method), route];
        self.requests.with_label_values(&labels).inc();
        self.durations
            .with_label_values(&labels)
            .observe(started.elapsed().as_secs_f64());
        let size = response.body().size_hint().lower();
        #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
        self.sizes.with_label_values(&labels).observe(size as f64);
    }
}

/// Methods anybody may invent share one label.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "get",
        "POST" => "post",
        "HEAD" => "head",
        "PUT" => "put",
        "DELETE" => "delete",
        "OPTIONS" => "options",
        "PATCH" => "patch",
        "CONNECT" => "connect",
        "TRACE" => "trace",
        _ => "unknown",
    }
}

/// Serves through `inner` and counts.
#[derive(Debug, Clone)]
pub(crate) struct Counted<H> {
    pub(crate) inner: H,
    pub(crate) metrics: Arc<Metrics>,
}

impl<H: Handler> Handler for Counted<H> {
    async fn handle(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let (started, method) = (Instant::now(), request.method().clone());
        let response = self.inner.handle(request, peer).await;
        self.metrics.count(&method, started, &response);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_matched_routes_are_counted() {
        let metrics = Metrics::new().unwrap();
        let mut response = Response::new(Body::from("12345"));
        metrics.count(&Method::GET, Instant::now(), &response);
        assert!(!metrics.text(&[]).unwrap().contains("http_requests_total"));
        response.extensions_mut().insert(MatchedRoute("/keys"));
        metrics.count(&Method::GET, Instant::now(), &response);
        let text = metrics
            .text(&[
                "http_requests_total".to_owned(),
                "response_size_bytes".to_owned(),
            ])
            .unwrap();
        assert!(
            text.contains(r#"http_requests_total{code="200",handler="/keys",method="get"} 1"#),
            "{text}"
        );
        assert!(
            text.contains(
                r#"response_size_bytes_bucket{code="200",handler="/keys",method="get",le="200"} 1"#
            ),
            "{text}"
        );
        assert!(!text.contains("dex_build_info"));
        assert!(metrics.text(&[]).unwrap().contains("dex_build_info{"));
    }

    #[test]
    fn invented_methods_share_a_label() {
        assert_eq!(
            method_label(&Method::from_bytes(b"BREW").unwrap()),
            "unknown"
        );
    }
}
