//! What log lines say of the request they belong to (compat: `web.md` §3 and §4).

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use dex_http::{ClientAddressPolicy, PeerAddress};
use http::Request;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::support::TestProvider;

/// Collects log lines.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn lines(&self) -> Vec<Value> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap());
        String::from_utf8(bytes)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn listen() -> (Log, tracing::subscriber::DefaultGuard) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_writer(move || writer.clone())
        .finish();
    (log, tracing::subscriber::set_default(subscriber))
}

/// A refused token request, which is logged, from a peer; gives the span of its line.
async fn refused(op: &TestProvider, log: &Log, peer: &str, headers: &[(&str, &str)]) -> Value {
    let mut request = Request::post(op.path("/token"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let peer: SocketAddr = peer.parse().unwrap();
    let request = request
        .extension(PeerAddress(peer))
        .body(Body::empty())
        .unwrap();
    let response = op.issuer.clone().into_service().oneshot(request).await;
    let response = response.unwrap();
    assert_eq!(response.status(), 400);
    assert!(!response.headers().contains_key("x-request-id"));
    let lines = log.lines();
    let line = lines
        .iter()
        .find(|line| line["fields"]["message"] == "request refused")
        .unwrap_or_else(|| panic!("{lines:?}"));
    line["span"].clone()
}

async fn behind(header: &str, trusted: &[&str]) -> TestProvider {
    TestProvider::for_tokens()
        .policy(|policy| {
            policy.client_address = Some(ClientAddressPolicy {
                header: header.parse().unwrap(),
                trusted_proxies: trusted.iter().map(|net| net.parse().unwrap()).collect(),
            });
        })
        .build()
        .await
}

#[tokio::test]
async fn web_38_the_clients_address_is_logged_as_trusted_proxies_tell_it() {
    let (log, _guard) = listen();
    let op = behind("X-Forwarded-For", &["127.0.0.0/8"]).await;
    for (peer, value, client) in [
        ("127.0.0.1:1", "203.0.113.9, 127.0.0.5", "203.0.113.9"),
        ("127.0.0.1:1", "garbage", "127.0.0.1"),
        ("[::ffff:127.0.0.1]:1", "203.0.113.9", "203.0.113.9"),
        ("198.51.100.7:1", "203.0.113.9", "198.51.100.7"),
    ] {
        let span = refused(&op, &log, peer, &[("x-forwarded-for", value)]).await;
        assert_eq!(span["client_remote_addr"], client, "{peer} {value}");
    }
    let op = behind("X-Forwarded-For", &[]).await;
    let span = refused(
        &op,
        &log,
        "127.0.0.1:1",
        &[("x-forwarded-for", "203.0.113.9")],
    )
    .await;
    assert_eq!(span["client_remote_addr"], "127.0.0.1");
    let op = TestProvider::for_tokens().build().await;
    let span = refused(&op, &log, "127.0.0.1:1", &[]).await;
    assert!(span.get("client_remote_addr").is_none());
}

#[tokio::test]
async fn web_39_each_request_has_an_id_of_its_own() {
    let (log, _guard) = listen();
    let op = TestProvider::for_tokens().build().await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let span = refused(&op, &log, "127.0.0.1:1", &[("x-request-id", "mine")]).await;
        ids.push(span["request_id"].as_str().unwrap().to_owned());
    }
    assert_ne!(ids[0], ids[1]);
    assert!(ids.iter().all(|id| id.len() == 36));
}

#[tokio::test]
async fn no_secret_is_logged() {
    let (log, _guard) = listen();
    let op = TestProvider::for_tokens().build().await;
    let token = op.refresh_token("openid").await;
    op.refresh(&token).await.assert_ok();
    op.clock.advance(std::time::Duration::from_hours(1));
    assert_eq!(op.refresh(&token).await.status, 400);
    let code = op.code("openid", |_| {}).await;
    op.grant_as(
        "app",
        "a wrong secret",
        &[("grant_type", "authorization_code"), ("code", &code)],
    )
    .await;
    op.grant_as(
        "app",
        "app-secret",
        &[("grant_type", "authorization_code"), ("code", &code)],
    )
    .await;
    let lines = format!("{:?}", log.lines());
    assert!(lines.contains("its family is revoked"));
    for secret in [&token, &code, "a wrong secret", "app-secret", "foobar"] {
        assert!(!lines.contains(secret), "{secret} in {lines}");
    }
}
