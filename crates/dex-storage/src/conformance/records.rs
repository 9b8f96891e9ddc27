//! Each entity is created once, read back equal, listed, updated and deleted once.

use std::fmt::Debug;
use std::sync::Arc;

use dex_core::records::{
    AuthCode, AuthRequest, AuthSession, Claims, Client, Connector, DeviceToken, NextSigningKey,
    OfflineSession, Password, Record, RefreshToken, SealingKeys, SigningKeys, StoredSealingKey,
    UserIdentity,
};
use serde_json::json;

use super::samples::{
    at, auth_code, auth_request, auth_session, client, client_state, connector, device_request,
    device_token, offline_session, password, refresh_token, refresh_token_ref, signing_keys, texts,
    user_identity,
};
use crate::{Storage, StorageError, StorageExt, UpdateError};

type Store = Arc<dyn Storage>;

/// Authorization codes.
pub async fn auth_codes(store: Store) {
    let records = [auth_code("code1"), auth_code("code2")];
    is_created_once(&store, &records, |record| record.id.expose()).await;
    is_deleted_once(&store, &records, |record| record.id.expose()).await;
}

/// Authorization requests.
pub async fn auth_requests(store: Store) {
    let records = [auth_request("request1"), auth_request("request2")];
    is_created_once(&store, &records, |record| &record.id).await;
    let changed = update(&store, "request1", |mut old: AuthRequest| {
        old.claims = Claims {
            email: "foobar".into(),
            ..Claims::default()
        };
        old.connector_id = "connID".into();
        old
    })
    .await;
    let expected = AuthRequest {
        claims: Claims {
            email: "foobar".into(),
            ..Claims::default()
        },
        connector_id: "connID".into(),
        ..auth_request("request1")
    };
    assert!(changed == expected);
    let records = [changed, auth_request("request2")];
    are_stored(&store, &records, |record| &record.id).await;
    is_deleted_once(&store, &records, |record| &record.id).await;
}

/// Clients.
pub async fn clients(store: Store) {
    let missing = store.delete::<Client>("client1").await;
    assert!(matches!(missing, Err(StorageError::NotFound)));
    let records = [client("client1"), client("CLIENT1"), Client::default()];
    let records = records.map(|record| Client {
        // An empty identifier is no name for a record.
        id: if record.id.is_empty() {
            "bare".into()
        } else {
            record.id.clone()
        },
        ..record
    });
    is_created_once(&store, &records, |record| &record.id).await;
    let changed = update(&store, "client1", |mut old: Client| {
        old.secret = "barfoo".into();
        old.allowed_connectors = vec![];
        old.backchannel_logout_uri = "https://other.example.com/".into();
        old.refresh_token_lifetime = "standalone".into();
        old
    })
    .await;
    assert!(changed.secret.matches("barfoo"));
    assert_eq!(changed.redirect_uris, client("client1").redirect_uris);
    let [_, upper, bare] = records;
    let records = [changed, upper, bare];
    are_stored(&store, &records, |record| &record.id).await;
    is_deleted_once(&store, &records, |record| &record.id).await;
}

/// Nobody and the server's default are told apart.
pub async fn sso_sharing_with_nobody_is_not_the_default(store: Store) {
    store.create(&client("client")).await.unwrap();
    for shared in [Some(vec![]), None, Some(texts(&["a", "b"]))] {
        let expected = shared.clone();
        update(&store, "client", move |mut old: Client| {
            old.sso_shared_with.clone_from(&shared);
            old.mfa_chain.clone_from(&shared);
            old
        })
        .await;
        let found = store.find::<Client>("client").await.unwrap().unwrap();
        assert_eq!(found.sso_shared_with, expected);
        assert_eq!(found.mfa_chain, expected);
        // An unrelated change keeps it.
        update(&store, "client", |mut old: Client| {
            old.name.push('x');
            old
        })
        .await;
        let found = store.find::<Client>("client").await.unwrap().unwrap();
        assert_eq!(found.sso_shared_with, expected);
    }
}

/// Refresh tokens.
pub async fn refresh_tokens(store: Store) {
    let records = [refresh_token("token1"), refresh_token("token2")];
    is_created_once(&store, &records, |record| &record.id).await;
    let changed = update(&store, "token1", |mut old: RefreshToken| {
        old.obsolete_token = old.token.clone();
        old.token = "spam".into();
        old.last_used = at(5_000);
        old
    })
    .await;
    assert!(changed.obsolete_token.matches("bar") && changed.token.matches("spam"));
    let records = [changed, refresh_token("token2")];
    are_stored(&store, &records, |record| &record.id).await;
    is_deleted_once(&store, &records, |record| &record.id).await;
}

/// Passwords: the address in any letter case.
pub async fn passwords(store: Store) {
    let records = [
        password("jane@example.com", Some(true)),
        password("john@example.com", Some(false)),
        password("unset@example.com", None),
    ];
    is_created_once(&store, &records, |record| &record.email).await;
    let again = password("JANE@Example.com", None);
    let duplicate = store.create(&again).await;
    assert!(matches!(duplicate, Err(StorageError::AlreadyExists)));
    let found = store.find::<Password>("Jane@EXAMPLE.com").await.unwrap();
    assert!(found.is_some_and(|found| found == password("jane@example.com", Some(true))));

    store
        .create(&password("Mixed@Example.com", None))
        .await
        .unwrap();
    let changed = update(&store, "mixed@example.COM", |mut old: Password| {
        old.username = "changed".into();
        old
    })
    .await;
    assert!(changed.email.eq_ignore_ascii_case("mixed@example.com"));
    assert_eq!(store.all::<Password>().await.unwrap().len(), 4);
    store.delete::<Password>("MIXED@example.com").await.unwrap();
    is_deleted_once(&store, &records, |record| &record.email).await;
}

/// The signing keys: absent at first, then replaced as a whole.
pub async fn keys(store: Store) {
    assert!(
        store
            .find::<SigningKeys>(SigningKeys::ID)
            .await
            .unwrap()
            .is_none()
    );
    store.create(&signing_keys("kid1")).await.unwrap();
    for kid in ["kid1", "kid2", "kid3"] {
        let new = signing_keys(kid);
        update(&store, SigningKeys::ID, move |_| new.clone()).await;
        are_stored(&store, &[signing_keys(kid)], |record| &record.id).await;
    }
}

/// Records that Dex does not have.
pub async fn own_records(store: Store) {
    let next = NextSigningKey {
        id: NextSigningKey::ID.into(),
        signing_key: json!({"kty": "EC", "d": "ZA"}).into(),
        published_at: at(7),
    };
    is_created_once(&store, std::slice::from_ref(&next), |record| &record.id).await;
    is_deleted_once(&store, &[next], |record| &record.id).await;
    let sealing = SealingKeys {
        id: SealingKeys::ID.into(),
        keys: dex_core::records::Json(Some(vec![StoredSealingKey {
            id: "k1".into(),
            key: "AAAA".into(),
            created_at: at(8),
        }])),
        next_rotation: at(9),
    };
    is_created_once(&store, std::slice::from_ref(&sealing), |record| &record.id).await;
    is_deleted_once(&store, &[sealing], |record| &record.id).await;
}

/// Offline sessions: two key parts that do not run together.
pub async fn offline_sessions(store: Store) {
    let records = [
        offline_session(),
        OfflineSession {
            user_id: "User|".into(),
            conn_id: "1Conn1".into(),
            ..offline_session()
        },
        OfflineSession {
            user_id: "user|1".into(),
            ..offline_session()
        },
    ];
    let key = |record: &OfflineSession| (record.user_id.clone(), record.conn_id.clone());
    for record in &records {
        store.create(record).await.unwrap();
        let again = store.create(record).await;
        assert!(matches!(again, Err(StorageError::AlreadyExists)));
    }
    let changed = store
        .update::<OfflineSession, (), _>(("User|1", "Conn1"), |mut old| {
            old.refresh
                .insert("client".into(), refresh_token_ref("r1", "client"));
            Ok(old)
        })
        .await
        .unwrap();
    assert_eq!(changed.refresh.len(), 1);
    let [_, second, third] = records;
    for record in [changed, second, third] {
        let (user, conn) = key(&record);
        let found = store.find::<OfflineSession>((&user, &conn)).await.unwrap();
        assert!(found.is_some_and(|found| found == record));
        store
            .delete::<OfflineSession>((&user, &conn))
            .await
            .unwrap();
        let again = store.delete::<OfflineSession>((&user, &conn)).await;
        assert!(matches!(again, Err(StorageError::NotFound)));
    }
}

/// Connectors.
pub async fn connectors(store: Store) {
    let records = [
        connector("c1", &["urn:ietf:params:oauth:grant-type:token-exchange"]),
        connector("c2", &[]),
    ];
    is_created_once(&store, &records, |record| &record.id).await;
    let changed = update(&store, "c1", |mut old: Connector| {
        old.kind = "oidc".into();
        old.grant_types = texts(&["authorization_code"]);
        old.resource_version = "2".into();
        old
    })
    .await;
    let records = [changed, connector("c2", &[])];
    are_stored(&store, &records, |record| &record.id).await;
    is_deleted_once(&store, &records, |record| &record.id).await;
}

/// Device requests.
pub async fn device_requests(store: Store) {
    let records = [device_request("BCDF-GHJK"), device_request("LMNP-QRST")];
    is_created_once(&store, &records, |record| &record.user_code).await;
    is_deleted_once(&store, &records, |record| &record.user_code).await;
}

/// Device tokens.
pub async fn device_tokens(store: Store) {
    let records = [device_token("device1"), device_token("device2")];
    is_created_once(&store, &records, |record| record.device_code.expose()).await;
    let changed = update(&store, "device1", |mut old: DeviceToken| {
        old.status = "complete".into();
        old.token = br#"{"access_token":"x"}"#.to_vec().into();
        old
    })
    .await;
    assert_eq!(changed.token.expose(), br#"{"access_token":"x"}"#);
    let records = [changed, device_token("device2")];
    are_stored(&store, &records, |record| record.device_code.expose()).await;
    is_deleted_once(&store, &records, |record| record.device_code.expose()).await;
}

/// User identities.
pub async fn user_identities(store: Store) {
    let record = user_identity();
    store.create(&record).await.unwrap();
    let again = store.create(&record).await;
    assert!(matches!(again, Err(StorageError::AlreadyExists)));
    let changed = store
        .update::<UserIdentity, (), _>(("user", "conn"), |mut old| {
            old.consents
                .insert("client1".into(), texts(&["openid", "email"]));
            Ok(old)
        })
        .await
        .unwrap();
    let all = store.all::<UserIdentity>().await.unwrap();
    assert!(all == [changed]);
    store
        .delete::<UserIdentity>(("user", "conn"))
        .await
        .unwrap();
    let gone = store.find::<UserIdentity>(("user", "conn")).await.unwrap();
    assert!(gone.is_none());
}

/// Browser sessions.
pub async fn auth_sessions(store: Store) {
    let records = [auth_session("session1"), auth_session("session2")];
    is_created_once(&store, &records, |record| &record.id).await;
    let changed = update(&store, "session1", |mut old: AuthSession| {
        old.client_states
            .insert("client2".into(), client_state(false));
        old.last_activity = at(60_000);
        old.idle_expiry = at(7_200_000);
        old.logout_state = dex_core::records::Json(None);
        old
    })
    .await;
    assert_eq!(changed.client_states.len(), 2);
    let records = [changed, auth_session("session2")];
    are_stored(&store, &records, |record| &record.id).await;
    is_deleted_once(&store, &records, |record| &record.id).await;
}

/// An instant given in any zone is the same instant when read, to the millisecond.
pub async fn times_keep_the_instant(store: Store) {
    let expiry = "2026-12-31T20:30:15.987-05:00".parse().unwrap();
    let record = AuthCode {
        expiry,
        ..auth_code("code")
    };
    store.create(&record).await.unwrap();
    let found = store.find::<AuthCode>("code").await.unwrap().unwrap();
    assert_eq!(found.expiry, expiry);
    assert_eq!(found.expiry.to_string(), "2027-01-01T01:30:15.987Z");
}

/// Texts of every script, quotes and long ones are values, never syntax.
pub async fn values_of_any_text_survive(store: Store) {
    for (index, text) in [
        "'; DROP TABLE client; --",
        "\"quoted\" \\ back\tslash\nline",
        "日本語 🔐 ĳ ﬁ İ",
        "%_*?[]{}|/..",
        &"long ".repeat(700),
    ]
    .into_iter()
    .enumerate()
    {
        let record = Client {
            name: text.into(),
            redirect_uris: texts(&[text]),
            ..client(&format!("client{index}"))
        };
        store.create(&record).await.unwrap();
        are_stored(&store, &[record], |record| &record.id).await;
    }
}

/// Creates each record once; a second time is refused and changes nothing; all are read and listed as given.
async fn is_created_once<R>(store: &Store, records: &[R], key: impl Fn(&R) -> &str)
where
    R: for<'a> Record<Key<'a> = &'a str> + Debug,
{
    for record in records {
        assert!(store.find::<R>(key(record)).await.unwrap().is_none());
        store.create(record).await.unwrap();
        let again = store.create(record).await;
        assert!(
            matches!(again, Err(StorageError::AlreadyExists)),
            "{again:?}"
        );
    }
    are_stored(store, records, &key).await;
    assert_eq!(store.all::<R>().await.unwrap().len(), records.len());
}

async fn are_stored<R>(store: &Store, records: &[R], key: impl Fn(&R) -> &str)
where
    R: for<'a> Record<Key<'a> = &'a str> + Debug,
{
    let all = store.all::<R>().await.unwrap();
    for record in records {
        let found = store.find::<R>(key(record)).await.unwrap();
        assert!(
            found.as_ref() == Some(record),
            "{found:?} is not {record:?}"
        );
        assert!(all.contains(record), "{record:?} is not listed");
    }
}

async fn is_deleted_once<R>(store: &Store, records: &[R], key: impl Fn(&R) -> &str)
where
    R: for<'a> Record<Key<'a> = &'a str>,
{
    for record in records {
        store.delete::<R>(key(record)).await.unwrap();
        let again = store.delete::<R>(key(record)).await;
        assert!(matches!(again, Err(StorageError::NotFound)), "{again:?}");
        assert!(store.find::<R>(key(record)).await.unwrap().is_none());
    }
}

async fn update<R>(store: &Store, key: &str, change: impl Fn(R) -> R + Send + 'static) -> R
where
    R: for<'a> Record<Key<'a> = &'a str>,
{
    let updated: Result<R, UpdateError<()>> = store.update(key, move |old| Ok(change(old))).await;
    updated.unwrap()
}
