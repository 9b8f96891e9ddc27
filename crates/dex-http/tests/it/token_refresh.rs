//! `/token`: refreshing (compat: `tokens.md` §6 and §14).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use dex_connectors::{
    BeginLogin, Callback, Connector, ConnectorError, Identity, Login, LoginRedirect, RedirectLogin,
    RefreshIdentity, Scopes,
};
use dex_core::opaque::RefreshTokenValue;
use dex_core::records::{Blob, OfflineSession, RefreshToken};
use dex_core::refresh::RefreshRejected;
use dex_http::IdentityChanged;
use serde_json::Value;

use crate::support::{Answer, CLIENT_ID, CLIENT_SECRET, TestBuilder, TestProvider, payload};

const INVALID: &str = "Refresh token is invalid or has already been claimed by another client.";

fn token_of(answer: &Answer) -> String {
    let tokens = answer.assert_ok();
    tokens["refresh_token"].as_str().unwrap().to_owned()
}

fn reuse_interval(secs: u64) -> TestBuilder {
    TestProvider::for_tokens()
        .policy(|policy| policy.refresh.reuse_interval = Duration::from_secs(secs))
}

async fn family(op: &TestProvider) -> RefreshToken {
    let families = op.all::<RefreshToken>().await;
    assert_eq!(families.len(), 1);
    families.into_iter().next().unwrap()
}

#[tokio::test]
async fn tokens_23_a_refresh_rotates() {
    let op = TestProvider::for_tokens().build().await;
    let first = op.refresh_token("openid email profile").await;
    op.clock.advance(Duration::from_mins(1));
    let answer = op.refresh(&first).await;
    let tokens = answer.assert_ok();
    let second = tokens["refresh_token"].as_str().unwrap();
    assert_ne!(first, second);
    assert!(second.starts_with("Chl"));
    assert_eq!(answer.header("cache-control"), "no-store");
    let claims = payload(&tokens["id_token"]);
    assert_eq!(claims["nonce"], "n-1");
    assert_eq!(claims["email"], "kilgore@kilgore.trout");
    assert!(claims.get("c_hash").is_none());
    assert!(claims.get("auth_time").is_none(), "tokens_58");
    assert!(claims.get("sid").is_none());
    let replayed = op.refresh(&first).await;
    replayed.assert_error(400, "invalid_request", INVALID);
    assert_eq!(
        replayed.cause::<RefreshRejected>(),
        RefreshRejected::Superseded
    );
    op.refresh(second).await.assert_ok();
}

#[tokio::test]
async fn tokens_24_within_the_reuse_interval_the_answer_is_the_same() {
    let op = reuse_interval(30).build().await;
    let first = op.refresh_token("openid").await;
    op.clock.advance(Duration::from_secs(31));
    let second = token_of(&op.refresh(&first).await);
    assert_ne!(first, second);
    op.clock.advance(Duration::from_secs(30));
    op.storage.forget_writes();
    assert_eq!(token_of(&op.refresh(&first).await), second);
    assert_eq!(token_of(&op.refresh(&second).await), second);
    assert_eq!(
        op.storage.writes(),
        0,
        "nothing changes, nothing is written"
    );
    op.clock.advance(Duration::from_secs(1));
    op.refresh(&first)
        .await
        .assert_error(400, "invalid_request", INVALID);
    assert_eq!(op.all::<RefreshToken>().await.len(), 0, "31 s: a replay");
}

#[tokio::test]
async fn right_after_the_login_a_reuse_interval_repeats_the_first_token() {
    let op = reuse_interval(30).build().await;
    let first = op.refresh_token("openid").await;
    assert_eq!(token_of(&op.refresh(&first).await), first);
}

#[tokio::test]
async fn tokens_25_without_rotation_the_token_stays() {
    let op = TestProvider::for_tokens()
        .policy(|policy| policy.refresh.rotate = false)
        .build()
        .await;
    let token = op.refresh_token("openid").await;
    let before = family(&op).await;
    for _ in 0..3 {
        op.clock.advance(Duration::from_mins(1));
        assert_eq!(token_of(&op.refresh(&token).await), token);
    }
    let after = family(&op).await;
    assert_eq!(after.token, before.token);
    assert_eq!(
        after.last_used,
        before.last_used.saturating_add(Duration::from_mins(3))
    );
    let sessions = op.all::<OfflineSession>().await;
    assert_eq!(sessions[0].refresh[CLIENT_ID].last_used, after.last_used);
}

#[tokio::test]
async fn without_rotation_a_reuse_interval_touches_only_the_reference() {
    let op = TestProvider::for_tokens()
        .policy(|policy| {
            policy.refresh.rotate = false;
            policy.refresh.reuse_interval = Duration::from_mins(1);
        })
        .build()
        .await;
    let token = op.refresh_token("openid").await;
    let before = family(&op).await;
    op.clock.advance(Duration::from_secs(10));
    assert_eq!(token_of(&op.refresh(&token).await), token);
    assert_eq!(family(&op).await, before);
    let sessions = op.all::<OfflineSession>().await;
    assert_eq!(
        sessions[0].refresh[CLIENT_ID].last_used,
        before.last_used.saturating_add(Duration::from_secs(10))
    );
}

#[tokio::test]
async fn tokens_26_lifetimes_end() {
    let second = Some(Duration::from_secs(1));
    for (absolute, idle, cause) in [
        (second, None, RefreshRejected::Expired),
        (None, second, RefreshRejected::Idle),
    ] {
        let op = TestProvider::for_tokens()
            .policy(|policy| {
                policy.refresh.absolute_lifetime = absolute;
                policy.refresh.valid_if_not_used_for = idle;
            })
            .build()
            .await;
        let token = op.refresh_token("openid").await;
        op.clock.advance(Duration::from_secs(1));
        let token = token_of(&op.refresh(&token).await);
        op.clock.advance(Duration::from_secs(2));
        let answer = op.refresh(&token).await;
        answer.assert_error(400, "invalid_request", "Refresh token expired.");
        assert_eq!(answer.cause::<RefreshRejected>(), cause);
        assert_eq!(op.all::<RefreshToken>().await.len(), 1);
    }
}

#[tokio::test]
async fn tokens_27_scopes_cannot_be_widened() {
    let op = TestProvider::for_tokens().build().await;
    let token = op.refresh_token("openid email").await;
    let refresh = async |token: &str, scope| {
        op.grant_as(
            CLIENT_ID,
            CLIENT_SECRET,
            &[
                ("grant_type", "refresh_token"),
                ("refresh_token", token),
                ("scope", scope),
            ],
        )
        .await
    };
    refresh(&token, "x").await.assert_error(
        400,
        "invalid_request",
        r#"Requested scopes contain unauthorized scope(s): ["x"]."#,
    );
    refresh(&token, "openid x groups").await.assert_error(
        400,
        "invalid_request",
        r#"Requested scopes contain unauthorized scope(s): ["x" "groups"]."#,
    );
    let answer = refresh(&token, " openid ").await;
    let tokens = answer.assert_ok();
    assert!(payload(&tokens["id_token"]).get("email").is_none());
    assert!(tokens.get("scope").is_none(), "what was asked for");
    let next = token_of(&answer);
    let tokens = refresh(&next, "").await.assert_ok();
    assert!(payload(&tokens["id_token"]).get("email").is_some());
    assert_eq!(tokens["scope"], "openid email offline_access");
}

#[tokio::test]
async fn tokens_28_o07_a_refresh_token_is_for_its_client_only() {
    let op = TestProvider::for_tokens().build().await;
    let token = op.refresh_token("openid").await;
    let answer = op
        .grant_as(
            "peer",
            "p",
            &[("grant_type", "refresh_token"), ("refresh_token", &token)],
        )
        .await;
    answer.assert_error(400, "invalid_grant", INVALID);
    assert_eq!(
        answer.cause::<RefreshRejected>(),
        RefreshRejected::OtherClient
    );
    op.refresh(&token).await.assert_ok();
}

#[tokio::test]
async fn tokens_29_a_refresh_token_is_required() {
    let op = TestProvider::for_tokens().build().await;
    for fields in [
        &[("grant_type", "refresh_token")][..],
        &[("grant_type", "refresh_token"), ("refresh_token", "")],
    ] {
        op.grant_as(CLIENT_ID, CLIENT_SECRET, fields)
            .await
            .assert_error(
                400,
                "invalid_request",
                "No refresh token is found in request.",
            );
    }
}

#[tokio::test]
async fn a_replayed_token_ends_its_family_and_no_other() {
    let op = TestProvider::for_tokens().build().await;
    let other = op.refresh_token("openid").await;
    let first = op.refresh_token("openid").await;
    let second = token_of(&op.refresh(&first).await);
    op.clock.advance(Duration::from_secs(31));
    let answer = op.refresh(&first).await;
    answer.assert_error(400, "invalid_request", INVALID);
    assert_eq!(answer.cause::<RefreshRejected>(), RefreshRejected::Reused);
    let answer = op.refresh(&second).await;
    answer.assert_error(400, "invalid_request", INVALID);
    assert_eq!(answer.cause::<RefreshRejected>(), RefreshRejected::Unknown);
    let sessions = op.all::<OfflineSession>().await;
    assert!(sessions[0].refresh.is_empty());
    op.refresh(&other).await.assert_ok();
    assert_eq!(op.all::<RefreshToken>().await.len(), 1);
}

#[tokio::test]
async fn a_token_replaced_twice_ends_the_family_at_once() {
    let op = TestProvider::for_tokens().build().await;
    let first = op.refresh_token("openid").await;
    let second = token_of(&op.refresh(&first).await);
    token_of(&op.refresh(&second).await);
    assert_eq!(
        op.refresh(&first).await.cause::<RefreshRejected>(),
        RefreshRejected::Reused
    );
    assert!(op.all::<RefreshToken>().await.is_empty());
}

#[tokio::test]
async fn o11_a_replay_stays_refused_after_a_restart() {
    let op = TestProvider::for_tokens().build().await;
    let first = op.refresh_token("openid").await;
    token_of(&op.refresh(&first).await);
    op.clock.advance(Duration::from_secs(31));
    let restarted = TestProvider::for_tokens().replica_of(&op).build().await;
    for provider in [&restarted, &op] {
        provider
            .refresh(&first)
            .await
            .assert_error(400, "invalid_request", INVALID);
    }
    assert!(op.all::<RefreshToken>().await.is_empty());
}

#[tokio::test]
async fn o17_a_mangled_refresh_token_is_invalid_and_ends_nothing() {
    let op = TestProvider::for_tokens().build().await;
    let first = op.refresh_token("openid").await;
    let token = token_of(&op.refresh(&first).await);
    op.clock.advance(Duration::from_hours(1));
    let RefreshTokenValue { refresh_id, secret } = RefreshTokenValue::parse(&token);
    let with = |secret: &str| {
        RefreshTokenValue {
            refresh_id: refresh_id.clone(),
            secret: secret.to_owned(),
        }
        .encode()
    };
    for mangled in [
        token[..token.len() - 1].to_owned(),
        token[..10].to_owned(),
        format!("{token}A"),
        format!("{token}="),
        with(&secret[..25]),
        with(&secret[..32]),
        with(&format!("{secret}a")),
        with(""),
        refresh_id.clone(),
        "not a token".to_owned(),
        "\0".to_owned(),
        "A".repeat(100_000),
        with(&"x".repeat(1000)),
    ] {
        op.refresh(&mangled)
            .await
            .assert_error(400, "invalid_request", INVALID);
    }
    op.refresh(&token).await.assert_ok();
}

#[tokio::test]
async fn a_refresh_reads_the_family_and_its_user_and_writes_once() {
    let op = TestProvider::for_tokens().build().await;
    let token = op.refresh_token("openid").await;
    op.storage.forget_writes();
    op.refresh(&token).await.assert_ok();
    assert_eq!(op.storage.writes(), 1);
    // The client, the token, what is kept of its user (`sid`), the connector: the first and last are in memory for those of the
    // configuration file.
    assert_eq!(op.storage.reads(), 4);
}

#[tokio::test]
async fn a_failing_store_rotates_nothing() {
    let op = TestProvider::for_tokens().build().await;
    let token = op.refresh_token("openid").await;
    op.storage.fail_writes(true);
    op.refresh(&token)
        .await
        .assert_error(500, "invalid_request", "");
    op.storage.fail_writes(false);
    op.refresh(&token).await.assert_ok();
}

#[tokio::test]
async fn a_missing_offline_session_or_reference_fails_nothing() {
    let op = TestProvider::for_tokens().build().await;
    let token = op.refresh_token("openid").await;
    let mut session = op.all::<OfflineSession>().await.remove(0);
    session.refresh.clear();
    op.put(&session).await;
    let token = token_of(&op.refresh(&token).await);
    let key = (session.user_id.as_str(), session.conn_id.as_str());
    dex_storage::StorageExt::delete::<OfflineSession>(op.storage.as_ref(), key)
        .await
        .unwrap();
    op.refresh(&token).await.assert_ok();
    assert!(op.all::<OfflineSession>().await.is_empty());
}

#[tokio::test]
async fn tokens_issued_by_dex_are_refreshed() {
    let op = TestProvider::for_tokens().build().await;
    op.refresh_token("openid").await;
    let mut record = family(&op).await;
    // As Dex writes them: short secrets, connector data moved to the offline session at the first refresh.
    record.token = "mzxw6ytbojtg633cmfzgm33pa".into();
    record.obsolete_token = "azxw6ytbojtg633cmfzgm33pa".into();
    record.connector_data = Blob::default();
    op.put(&record).await;
    let value = RefreshTokenValue {
        refresh_id: record.id.clone(),
        secret: record.token.expose().to_owned(),
    }
    .encode();
    assert_eq!(value.len(), 72);
    op.refresh(&value).await.assert_ok();
    assert_eq!(family(&op).await.obsolete_token, record.token);
}

#[tokio::test]
async fn an_untrusting_peer_ends_the_refresh_and_rotates_nothing() {
    let op = TestProvider::for_tokens().build().await;
    let token = op
        .refresh_token("openid audience:server:client_id:peer")
        .await;
    let token = token_of(&op.refresh(&token).await);
    let mut peer =
        dex_storage::StorageExt::find::<dex_core::records::Client>(op.storage.as_ref(), "peer")
            .await
            .unwrap()
            .unwrap();
    let trusted = std::mem::take(&mut peer.trusted_peers);
    op.put(&peer).await;
    op.refresh(&token)
        .await
        .assert_error(500, "invalid_request", "");
    peer.trusted_peers = trusted;
    op.put(&peer).await;
    op.refresh(&token).await.assert_ok();
}

/// An upstream whose answers a test chooses, and that remembers what it was asked.
#[derive(Debug, Default, Clone)]
struct Upstream(Arc<UpstreamState>);

#[derive(Debug, Default)]
struct UpstreamState {
    asked: Mutex<Vec<(Scopes, Identity)>>,
    answers: AtomicUsize,
    next: Mutex<Option<Identity>>,
    broken: std::sync::atomic::AtomicBool,
}

impl Upstream {
    fn answer(&self, identity: Identity) {
        *self.0.next.lock().unwrap() = Some(identity);
    }

    fn last_asked(&self) -> (Scopes, Identity) {
        self.0.asked.lock().unwrap().last().unwrap().clone()
    }
}

impl Connector for Upstream {
    fn login(&self) -> Login<'_> {
        Login::Redirect(self)
    }

    fn refresh(&self) -> Option<&dyn RefreshIdentity> {
        Some(self)
    }
}

#[async_trait]
impl RedirectLogin for Upstream {
    async fn begin(&self, _: BeginLogin<'_>) -> Result<LoginRedirect, ConnectorError> {
        Err(ConnectorError::Denied("not in this test".to_owned()))
    }

    async fn complete(&self, _: Callback<'_>) -> Result<Identity, ConnectorError> {
        Err(ConnectorError::Denied("not in this test".to_owned()))
    }
}

#[async_trait]
impl RefreshIdentity for Upstream {
    async fn refresh(
        &self,
        scopes: Scopes,
        identity: Identity,
    ) -> Result<Identity, ConnectorError> {
        self.0.answers.fetch_add(1, Ordering::Relaxed);
        let unchanged = Identity {
            connector_data: Blob::default(),
            ..identity.clone()
        };
        self.0.asked.lock().unwrap().push((scopes, identity));
        if self.0.broken.load(Ordering::Relaxed) {
            return Err(ConnectorError::Denied("the user is gone".to_owned()));
        }
        // Long enough for parallel requests to pile up.
        tokio::task::yield_now().await;
        Ok(self.0.next.lock().unwrap().clone().unwrap_or(unchanged))
    }
}

async fn with_upstream(builder: TestBuilder) -> (TestProvider, Upstream, String) {
    let upstream = Upstream::default();
    let op = builder
        .open_connector("up", "Upstream", upstream.clone())
        .build()
        .await;
    let code = op
        .code("openid profile groups offline_access", |code| {
            code.connector_id = "up".into();
            code.claims.user_id = "u".into();
            code.connector_data = b"first".to_vec().into();
        })
        .await;
    let tokens = op.redeem_code(&code).await.assert_ok();
    let token = tokens["refresh_token"].as_str().unwrap().to_owned();
    (op, upstream, token)
}

#[tokio::test]
async fn the_identity_is_read_again_and_kept() {
    let (op, upstream, token) = with_upstream(TestProvider::for_tokens()).await;
    let mut identity = Identity::default();
    identity.claims.user_id = "u".into();
    identity.claims.username = "New Name".into();
    identity.claims.groups = vec!["new".into()];
    identity.connector_data = b"second".to_vec().into();
    upstream.answer(identity);
    let answer = op.refresh(&token).await;
    let (scopes, asked) = upstream.last_asked();
    assert!(scopes.offline_access && scopes.groups);
    assert_eq!(asked.connector_data.expose(), b"first");
    assert_eq!(asked.claims.username, "Kilgore Trout");
    let claims = payload(&answer.assert_ok()["id_token"]);
    assert_eq!(claims["name"], "New Name");
    assert_eq!(claims["groups"], serde_json::json!(["new"]));
    let record = family(&op).await;
    assert_eq!(record.claims.username, "New Name");
    assert_eq!(record.connector_data.expose(), b"second");
    let sessions = op.all::<OfflineSession>().await;
    assert_eq!(sessions[0].connector_data.expose(), b"second");
    op.refresh(&token_of(&answer)).await.assert_ok();
    assert_eq!(upstream.last_asked().1.connector_data.expose(), b"second");
}

#[tokio::test]
async fn each_family_keeps_its_own_upstream_credentials() {
    let (op, upstream, first) = with_upstream(TestProvider::for_tokens()).await;
    let code = op
        .code("openid offline_access", |code| {
            code.connector_id = "up".into();
            code.claims.user_id = "u".into();
            code.connector_data = b"of the second login".to_vec().into();
        })
        .await;
    op.redeem_code(&code).await.assert_ok();
    op.refresh(&first).await.assert_ok();
    assert_eq!(upstream.last_asked().1.connector_data.expose(), b"first");
}

#[tokio::test]
async fn connector_data_that_dex_moved_is_found() {
    let (op, upstream, token) = with_upstream(TestProvider::for_tokens()).await;
    let mut record = family(&op).await;
    record.connector_data = Blob::default();
    op.put(&record).await;
    op.refresh(&token).await.assert_ok();
    assert_eq!(upstream.last_asked().1.connector_data.expose(), b"first");
}

#[tokio::test]
async fn another_user_is_never_let_in() {
    let (op, upstream, token) = with_upstream(TestProvider::for_tokens()).await;
    let mut identity = Identity::default();
    identity.claims.user_id = "somebody else".into();
    upstream.answer(identity);
    let before = family(&op).await;
    let answer = op.refresh(&token).await;
    answer.assert_error(400, "invalid_grant", INVALID);
    assert_eq!(answer.cause::<IdentityChanged>(), IdentityChanged);
    assert_eq!(family(&op).await, before);
}

#[tokio::test]
async fn an_upstream_that_refuses_rotates_nothing() {
    let (op, upstream, token) = with_upstream(TestProvider::for_tokens()).await;
    upstream.0.broken.store(true, Ordering::Relaxed);
    let before = family(&op).await;
    let answer = op.refresh(&token).await;
    answer.assert_error(500, "invalid_request", "");
    assert!(!answer.text().contains("gone"));
    assert_eq!(family(&op).await, before);
    upstream.0.broken.store(false, Ordering::Relaxed);
    op.refresh(&token).await.assert_ok();
}

#[tokio::test]
async fn within_the_reuse_interval_the_upstream_is_asked_once() {
    let (op, upstream, token) = with_upstream(reuse_interval(30)).await;
    op.clock.advance(Duration::from_secs(31));
    let answers = futures_util::future::join_all((0..20).map(|_| op.refresh(&token))).await;
    let tokens: Vec<Value> = answers.iter().map(Answer::assert_ok).collect();
    assert!(
        tokens
            .windows(2)
            .all(|pair| pair[0]["refresh_token"] == pair[1]["refresh_token"])
    );
    assert_eq!(upstream.0.answers.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_connector_without_the_notion_keeps_the_stored_identity() {
    let op = TestProvider::for_tokens()
        .open_connector("silent", "Silent", crate::support::Denying)
        .build()
        .await;
    let code = op
        .code("openid profile offline_access", |code| {
            code.connector_id = "silent".into();
        })
        .await;
    let tokens = op.redeem_code(&code).await.assert_ok();
    assert!(tokens.get("refresh_token").is_none(), "it cannot refresh");
    // Dex may have issued one when the connector was another.
    let token = op.refresh_token("openid profile").await;
    let mut record = family(&op).await;
    record.connector_id = "silent".into();
    op.put(&record).await;
    let claims = payload(&op.refresh(&token).await.assert_ok()["id_token"]);
    assert_eq!(claims["name"], "Kilgore Trout");
    assert_eq!(claims["iss"], crate::support::ISSUER);
}
