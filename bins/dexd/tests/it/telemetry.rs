//! The telemetry listener.

use crate::harness::{Run, get, minimal_with};

fn run() -> Run {
    Run::serve(&minimal_with("telemetry: {http: 127.0.0.1:0}"))
}

#[tokio::test]
async fn config_42_health_and_metrics_are_served() {
    let mut dexd = run().start();
    let url = dexd.url("telemetry", "");
    assert_eq!(
        get(&format!("{url}/healthz/live")).await,
        (200, "ok".to_owned())
    );
    for path in ["/healthz", "/healthz/ready"] {
        let (status, body) = get(&format!("{url}{path}")).await;
        assert_eq!(status, 200);
        let report: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(report["storage"]["contiguousFailures"], 0);
        assert!(report["storage"]["timestamp"].is_string());
    }
    let (_, short) = get(&format!("{url}/healthz?type=short")).await;
    let short: String = short.split_whitespace().collect();
    assert_eq!(short, r#"{"storage":"PASS"}"#);
    let (status, metrics) = get(&format!("{url}/metrics")).await;
    assert_eq!(status, 200);
    let build = metrics
        .lines()
        .find(|line| line.starts_with("dex_build_info{"))
        .unwrap();
    assert!(build.ends_with("} 1"), "{build}");
    assert!(metrics.contains("process_resident_memory_bytes "));
    assert_eq!(get(&format!("{url}/debug/pprof/")).await.0, 404);
    dexd.stop();
}

#[tokio::test]
async fn config_43_matched_requests_are_counted_by_route() {
    let mut dexd = run().start();
    let (main, telemetry) = (dexd.url("http", "/dex"), dexd.url("telemetry", "/metrics"));
    assert_eq!(get(&format!("{main}/nosuch")).await.0, 404);
    assert!(!get(&telemetry).await.1.contains("http_requests_total"));
    assert_eq!(get(&format!("{main}/keys")).await.0, 200);
    let metrics = get(&telemetry).await.1;
    assert!(
        metrics.contains(r#"http_requests_total{code="200",handler="/keys",method="get"} 1"#),
        "{metrics}"
    );
    for family in [
        "request_duration_seconds_bucket",
        "response_size_bytes_bucket",
    ] {
        assert!(metrics.contains(family), "{family}");
    }
    dexd.stop();
}
