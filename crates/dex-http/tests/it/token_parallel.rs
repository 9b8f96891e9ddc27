//! Races that money rides on: one code, one refresh token, a hundred requests at once; over memory and SQLite, one replica and two.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use dex_core::records::{AuthCode, Entity, OfflineSession, RefreshToken};
use dex_core::refresh::RefreshRejected;
use dex_storage::memory::Memory;
use dex_storage::{Storage, sqlite};
use futures_util::future::join_all;

use crate::support::{Answer, TestProvider};

const REQUESTS: usize = 100;

/// A name, the store, and what has to live as long as the store.
fn stores() -> Vec<(&'static str, Arc<dyn Storage>, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let options = sqlite::Options {
        file: folder.path().join("dex.db").to_str().unwrap().to_owned(),
        ..sqlite::Options::default()
    };
    let sqlite = sqlite::Sqlite::open(&options).unwrap();
    vec![
        ("memory", Arc::new(Memory::new()), None),
        ("sqlite", Arc::new(sqlite), Some(folder)),
    ]
}

/// Sends `REQUESTS` requests at once, in turn to each replica, from several threads.
async fn flood<F: Future<Output = Answer> + Send + 'static>(
    replicas: &[Arc<TestProvider>],
    request: impl Fn(Arc<TestProvider>) -> F,
) -> Vec<Answer> {
    let requests = (0..REQUESTS).map(|turn| {
        let replica = Arc::clone(&replicas[turn % replicas.len()]);
        tokio::spawn(request(replica))
    });
    join_all(requests)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect()
}

fn successes(answers: &[Answer]) -> Vec<&Answer> {
    for answer in answers {
        assert!(
            matches!(answer.status.as_u16(), 200 | 400),
            "{}",
            answer.text()
        );
    }
    answers
        .iter()
        .filter(|answer| answer.status == 200)
        .collect()
}

fn refresh_token(answer: &Answer) -> String {
    let tokens = answer.assert_ok();
    tokens["refresh_token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_code_redeemed_a_hundred_times_at_once_gives_tokens_once() {
    for (name, storage, _folder) in stores() {
        for one_per_client in [false, true] {
            let with_policy = || {
                TestProvider::for_tokens()
                    .policy(|policy| policy.refresh.one_per_client = one_per_client)
            };
            let op = with_policy().storage(Arc::clone(&storage)).build().await;
            let families = op.rows(Entity::RefreshToken).await.len();
            let code = op.code("openid offline_access", |_| {}).await;
            let other = with_policy().replica_of(&op).build().await;
            let replicas = [Arc::new(op), Arc::new(other)];
            let answers = flood(&replicas, |op| {
                let code = code.clone();
                async move { op.redeem_code(&code).await }
            })
            .await;
            assert_eq!(successes(&answers).len(), 1, "{name}");
            for answer in answers.iter().filter(|answer| answer.status != 200) {
                answer.assert_error(400, "invalid_grant", "Invalid or expired code parameter.");
            }
            let op = &replicas[0];
            assert!(op.all::<AuthCode>().await.is_empty(), "{name}");
            let expected = if one_per_client { 1 } else { families + 1 };
            assert_eq!(
                op.rows(Entity::RefreshToken).await.len(),
                expected,
                "{name}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn o11_a_token_refreshed_a_hundred_times_at_once_leaves_one_live_token() {
    for (name, storage, _folder) in stores() {
        let op = TestProvider::for_tokens().storage(storage).build().await;
        let token = op.refresh_token("openid").await;
        let other = TestProvider::for_tokens().replica_of(&op).build().await;
        let replicas = [Arc::new(op), Arc::new(other)];
        let answers = flood(&replicas, |op| {
            let token = token.clone();
            async move { op.refresh(&token).await }
        })
        .await;
        let won = successes(&answers);
        assert_eq!(won.len(), 1, "{name}");
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            assert_eq!(
                answer.cause::<RefreshRejected>(),
                RefreshRejected::Superseded,
                "{name}"
            );
        }
        let op = &replicas[0];
        assert_eq!(
            op.all::<RefreshToken>().await.len(),
            1,
            "{name}: one family"
        );
        assert_eq!(op.all::<OfflineSession>().await.len(), 1, "{name}");
        op.refresh(&refresh_token(won[0])).await.assert_ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn within_the_reuse_interval_a_hundred_refreshes_get_the_same_token() {
    for (name, storage, _folder) in stores() {
        let with_reuse = || {
            TestProvider::for_tokens()
                .policy(|policy| policy.refresh.reuse_interval = Duration::from_secs(30))
        };
        let op = with_reuse().storage(storage).build().await;
        let token = op.refresh_token("openid").await;
        op.clock.advance(Duration::from_secs(31));
        let other = with_reuse().replica_of(&op).build().await;
        let replicas = [Arc::new(op), Arc::new(other)];
        let answers = flood(&replicas, |op| {
            let token = token.clone();
            async move { op.refresh(&token).await }
        })
        .await;
        let tokens: BTreeSet<_> = answers.iter().map(refresh_token).collect();
        assert_eq!(tokens.len(), 1, "{name}");
        assert!(!tokens.contains(&token), "{name}");
        assert_eq!(replicas[0].all::<RefreshToken>().await.len(), 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_logins_with_one_token_per_client_leave_one() {
    for (name, storage, _folder) in stores() {
        let op = Arc::new(
            TestProvider::for_tokens()
                .policy(|policy| policy.refresh.one_per_client = true)
                .storage(storage)
                .build()
                .await,
        );
        let mut codes = Vec::new();
        for _ in 0..8 {
            codes.push(op.code("openid offline_access", |_| {}).await);
        }
        let logins = codes.into_iter().map(|code| {
            let op = Arc::clone(&op);
            tokio::spawn(async move { op.redeem_code(&code).await })
        });
        for answer in join_all(logins).await {
            answer.unwrap().assert_ok();
        }
        let families = op.all::<RefreshToken>().await;
        assert_eq!(families.len(), 1, "{name}");
        let sessions = op.all::<OfflineSession>().await;
        assert_eq!(sessions[0].refresh["app"].id, families[0].id, "{name}");
    }
}
