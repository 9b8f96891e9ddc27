//! What is collected, when, and what never is (compat: `storage.md` §5).

use std::sync::Arc;
use std::time::Duration;

use dex_core::Timestamp;
use dex_core::records::{
    AuthCode, AuthRequest, AuthSession, Client, Connector, DeviceRequest, DeviceToken, Entity,
    OfflineSession, Password, RefreshToken, SigningKeys, UserIdentity,
};

use super::samples::{
    at, auth_code, auth_request, auth_session, client, connector, device_request, device_token,
    offline_session, password, refresh_token, signing_keys, user_identity,
};
use crate::{Collected, Storage, StorageExt};

type Store = Arc<dyn Storage>;

/// An hour before its expiry a record stays, an hour after it goes; a record that expires this instant stays.
pub async fn expired_records_are_collected(store: Store) {
    // Midnight in New York, given there.
    let expiry: Timestamp = "2026-08-06T00:00:00-04:00".parse().unwrap();
    create_one_of_each(&store, expiry).await;
    for now in [
        "2026-08-06T03:00:00Z",
        "2026-08-05T23:00:00-04:00",
        "2026-08-05T20:00:00-07:00",
        "2026-08-06T00:00:00-04:00",
    ] {
        let collected = store.collect_garbage(now.parse().unwrap(), 100).await;
        assert_eq!(collected.unwrap(), Collected::default(), "{now}");
    }
    assert_eq!(counts(&store).await, [1; 5]);
    let collected = store
        .collect_garbage(expiry.saturating_add(HOUR), 100)
        .await;
    assert_eq!(by_entity(collected.unwrap()), [1; 5]);
    assert_eq!(counts(&store).await, [0; 5]);
    let collected = store
        .collect_garbage(expiry.saturating_add(HOUR), 100)
        .await;
    assert!(collected.unwrap().is_empty());
}

/// Whether an expired record still counts is not the store's business.
pub async fn expired_records_are_read_until_collected(store: Store) {
    create_one_of_each(&store, Timestamp::from_unix(1_000, 0).unwrap()).await;
    assert!(store.find::<AuthCode>("code").await.unwrap().is_some());
    assert_eq!(counts(&store).await, [1; 5]);
}

/// The earlier of a session's two expiries ends it.
pub async fn sessions_are_collected_by_either_expiry(store: Store) {
    let (past, future) = (at(-1_000), at(3_600_000));
    for (id, absolute_expiry, idle_expiry) in [
        ("absolute", past, future),
        ("idle", future, past),
        ("alive", future, future),
    ] {
        let session = AuthSession {
            absolute_expiry,
            idle_expiry,
            ..auth_session(id)
        };
        store.create(&session).await.unwrap();
    }
    let collected = store.collect_garbage(at(0), 100).await.unwrap();
    assert_eq!(collected.auth_sessions, 2);
    let left = store.all::<AuthSession>().await.unwrap();
    assert!(matches!(left.as_slice(), [session] if session.id == "alive"));
}

/// One call removes no more than it was asked to; the rest goes with the next ones.
pub async fn a_collection_is_bounded(store: Store) {
    for index in 0..150 {
        store
            .create(&auth_request(&format!("request{index}")))
            .await
            .unwrap();
    }
    store.create(&auth_code("code")).await.unwrap();
    let late = at(1_000_000);
    for (requests, codes) in [(70, 1), (70, 0), (10, 0), (0, 0)] {
        let collected = store.collect_garbage(late, 70).await.unwrap();
        assert_eq!(
            (collected.auth_requests, collected.auth_codes),
            (requests, codes)
        );
    }
}

/// Tokens, identities, passwords, clients, connectors and keys stay whatever their times say.
pub async fn what_does_not_expire_is_never_collected(store: Store) {
    store.create(&refresh_token("token")).await.unwrap();
    store.create(&offline_session()).await.unwrap();
    store.create(&user_identity()).await.unwrap();
    store
        .create(&password("jane@example.com", None))
        .await
        .unwrap();
    store.create(&client("client")).await.unwrap();
    store.create(&connector("connector", &[])).await.unwrap();
    store.create(&signing_keys("kid")).await.unwrap();
    let late = at(0).saturating_add(HOUR * 24 * 365 * 50);
    assert!(store.collect_garbage(late, 100).await.unwrap().is_empty());
    assert_eq!(store.all::<RefreshToken>().await.unwrap().len(), 1);
    assert_eq!(store.all::<OfflineSession>().await.unwrap().len(), 1);
    assert_eq!(store.all::<UserIdentity>().await.unwrap().len(), 1);
    assert_eq!(store.all::<Password>().await.unwrap().len(), 1);
    assert_eq!(store.all::<Client>().await.unwrap().len(), 1);
    assert_eq!(store.all::<Connector>().await.unwrap().len(), 1);
    assert_eq!(store.all::<SigningKeys>().await.unwrap().len(), 1);
}

async fn create_one_of_each(store: &Store, expiry: Timestamp) {
    let request = AuthRequest {
        expiry,
        ..auth_request("request")
    };
    let code = AuthCode {
        expiry,
        ..auth_code("code")
    };
    let device_request = DeviceRequest {
        expiry,
        ..device_request("BCDF-GHJK")
    };
    let device_token = DeviceToken {
        expiry,
        ..device_token("device")
    };
    let session = AuthSession {
        absolute_expiry: expiry,
        idle_expiry: expiry,
        ..auth_session("session")
    };
    store.create(&request).await.unwrap();
    store.create(&code).await.unwrap();
    store.create(&device_request).await.unwrap();
    store.create(&device_token).await.unwrap();
    store.create(&session).await.unwrap();
}

async fn counts(store: &Store) -> [usize; 5] {
    let mut counts = [0; 5];
    for (count, entity) in counts.iter_mut().zip(EXPIRING) {
        *count = store.list(entity).await.unwrap().len();
    }
    counts
}

fn by_entity(collected: Collected) -> [usize; 5] {
    [
        collected.auth_requests,
        collected.auth_codes,
        collected.device_requests,
        collected.device_tokens,
        collected.auth_sessions,
    ]
}

const EXPIRING: [Entity; 5] = [
    Entity::AuthRequest,
    Entity::AuthCode,
    Entity::DeviceRequest,
    Entity::DeviceToken,
    Entity::AuthSession,
];

const HOUR: Duration = Duration::from_hours(1);
