//! The cached key set.

use std::time::Duration;

use dex_connectors::oidc::fake::{Behaviour, Signature};
use serde_json::json;

use super::Upstream;

impl Upstream {
    fn key_requests(&self) -> usize {
        self.provider.requests("/keys").len()
    }
}

#[tokio::test]
async fn concurrent_logins_share_one_request_for_keys() {
    let upstream = Upstream::start(Behaviour::default()).await;
    let connector = upstream.open(json!({})).await;
    let logins = (0..20).map(|_| upstream.login(&*connector));
    for outcome in futures_util::future::join_all(logins).await {
        outcome.unwrap();
    }
    assert_eq!(upstream.key_requests(), 1);
}

#[tokio::test]
async fn new_keys_are_found_when_first_used() {
    let upstream = Upstream::start(Behaviour::default().algorithm("ES256")).await;
    let connector = upstream.open(json!({})).await;
    upstream.login(&*connector).await.unwrap();
    upstream.clock.advance(Duration::from_secs(11));
    upstream.provider.rotate_keys();
    upstream.login(&*connector).await.unwrap();
    upstream.login(&*connector).await.unwrap();
    assert_eq!(upstream.key_requests(), 2);
}

#[tokio::test]
async fn unknown_keys_cause_few_requests() {
    let upstream = Upstream::start(Behaviour::default().algorithm("ES256")).await;
    let connector = upstream.open(json!({})).await;
    upstream.login(&*connector).await.unwrap();
    upstream
        .provider
        .change(|b| b.signature(Signature::Unpublished).header("kid", "made up"));
    for round in 1..4 {
        upstream.clock.advance(Duration::from_secs(10));
        let logins = (0..10).map(|_| upstream.login(&*connector));
        for outcome in futures_util::future::join_all(logins).await {
            outcome.unwrap_err();
        }
        assert_eq!(upstream.key_requests(), 1 + round);
    }
}

#[tokio::test]
async fn cache_headers_decide_when_keys_are_fetched_again() {
    let behaviour = Behaviour::default().keys_cache_control("public, max-age=600");
    let upstream = Upstream::start(behaviour).await;
    let connector = upstream.open(json!({})).await;
    for (advance, requests) in [(0, 1), (599, 1), (1, 2), (0, 2)] {
        upstream.clock.advance(Duration::from_secs(advance));
        upstream.login(&*connector).await.unwrap();
        assert_eq!(upstream.key_requests(), requests, "after {advance} s");
    }
}

#[tokio::test]
async fn old_keys_serve_while_new_ones_cannot_be_had() {
    let upstream = Upstream::start(Behaviour::default()).await;
    let connector = upstream.open(json!({})).await;
    upstream.login(&*connector).await.unwrap();
    upstream.provider.change(|b| b.status("/keys", 503));
    upstream.clock.advance(Duration::from_hours(2));
    upstream.login(&*connector).await.unwrap();
}

#[tokio::test]
async fn without_keys_nobody_signs_in_until_they_come() {
    let upstream = Upstream::start(Behaviour::default().status("/keys", 500)).await;
    let connector = upstream.open(json!({})).await;
    let error = upstream.login(&*connector).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "oidc: get keys failed: 500 Internal Server Error"
    );
    upstream.provider.change(|b| b.status("/keys", 200));
    upstream.login(&*connector).await.unwrap();
}
