//! All of a transaction takes effect or none of it.

use std::sync::Arc;

use dex_core::records::{AuthCode, AuthRequest, Client, Entity, Record, RefreshToken};

use super::samples::{auth_code, client, refresh_token};
use crate::{Abort, Storage, StorageError, StorageExt, Transaction, UpdateError, Write};

type Store = Arc<dyn Storage>;

/// The write that must be unique comes first and fails: nothing after it happens.
pub async fn a_failing_first_write_leaves_nothing(store: Store) {
    store.create(&client("taken")).await.unwrap();
    let outcome = store
        .transact(Transaction::of(vec![
            Write::create(&client("taken")),
            Write::create(&client("other")),
        ]))
        .await;
    assert!(matches!(outcome, Err(StorageError::AlreadyExists)));
    let outcome = store
        .transact(Transaction::of(vec![
            Write::delete::<AuthCode>("redeemed"),
            Write::create(&refresh_token("token")),
        ]))
        .await;
    assert!(matches!(outcome, Err(StorageError::NotFound)));
    assert_eq!(store.all::<Client>().await.unwrap().len(), 1);
    assert!(store.all::<RefreshToken>().await.unwrap().is_empty());
}

/// A later write fails: those before it are undone.
pub async fn a_failing_later_write_leaves_nothing(store: Store) {
    store.create(&client("taken")).await.unwrap();
    store.create(&auth_code("code")).await.unwrap();
    let changed = Client {
        name: "changed".into(),
        ..client("taken")
    };
    let outcome = store
        .transact(Transaction::new(vec![changed.key()], move |_| {
            Ok(vec![
                Write::create(&client("other")),
                Write::put(&changed),
                Write::delete::<AuthCode>("code"),
                Write::create(&client("taken")),
            ])
        }))
        .await;
    assert!(matches!(outcome, Err(StorageError::AlreadyExists)));
    let outcome = store
        .transact(Transaction::of(vec![
            Write::create(&refresh_token("token")),
            Write::delete::<AuthCode>("redeemed"),
        ]))
        .await;
    assert!(matches!(outcome, Err(StorageError::NotFound)));
    let clients = store.all::<Client>().await.unwrap();
    assert!(clients == [client("taken")]);
    assert!(store.find::<AuthCode>("code").await.unwrap().is_some());
    assert!(store.all::<RefreshToken>().await.unwrap().is_empty());
}

/// A decision that refuses writes nothing.
pub async fn a_refused_decision_leaves_nothing(store: Store) {
    store.create(&client("a")).await.unwrap();
    let outcome = store
        .transact(Transaction::new(vec![Client::record_key("a")], |seen| {
            assert!(seen.iter().all(Option::is_some));
            Err(Abort)
        }))
        .await;
    assert!(matches!(outcome, Err(StorageError::Aborted)));
    assert!(store.all::<Client>().await.unwrap() == [client("a")]);
}

/// The refusal of a typed update reaches its caller.
pub async fn a_refused_update_hands_back_the_refusal(store: Store) {
    store.create(&client("a")).await.unwrap();
    let outcome: Result<Client, _> = store
        .update("a", |old: Client| Err(format!("no to {}", old.id)))
        .await;
    assert!(matches!(outcome, Err(UpdateError::Refused(reason)) if reason == "no to a"));
    assert!(store.all::<Client>().await.unwrap() == [client("a")]);
}

/// Updating what is not there is an error and makes nothing.
pub async fn updating_what_is_missing_creates_nothing(store: Store) {
    let outcome: Result<Client, UpdateError<()>> = store.update("a", Ok).await;
    assert!(matches!(
        outcome,
        Err(UpdateError::Storage(StorageError::NotFound))
    ));
    assert!(store.all::<Client>().await.unwrap().is_empty());
}

/// Reads come in the order in which they were asked for, missing ones as `None`.
pub async fn a_decision_sees_its_reads_in_order(store: Store) {
    for id in ["a", "b"] {
        store.create(&client(id)).await.unwrap();
    }
    let reads = ["b", "missing", "a", "b"].map(Client::record_key).to_vec();
    let seen: Result<Vec<Option<String>>, UpdateError<()>> = store
        .decide(reads, |seen| {
            let ids = seen
                .into_iter()
                .map(|row| row.map(|row| Client::from_row(row).unwrap().id))
                .collect();
            Ok((vec![], ids))
        })
        .await;
    let expected = [Some("b"), None, Some("a"), Some("b")].map(|id| id.map(str::to_owned));
    assert_eq!(seen.unwrap(), expected);
}

/// [`Write::Put`] makes a record or replaces it whole.
pub async fn a_put_creates_and_replaces(store: Store) {
    for name in ["first", "second"] {
        let record = Client {
            name: name.into(),
            ..client("a")
        };
        let expected = record.clone();
        store
            .transact(Transaction::new(vec![record.key()], move |_| {
                Ok(vec![Write::put(&record)])
            }))
            .await
            .unwrap();
        assert!(store.all::<Client>().await.unwrap() == [expected]);
    }
}

/// A record may be deleted and made anew, or made and changed, in one transaction.
pub async fn writes_of_one_transaction_build_on_each_other(store: Store) {
    store.create(&client("a")).await.unwrap();
    let changed = Client {
        name: "changed".into(),
        ..client("a")
    };
    let expected = changed.clone();
    store
        .transact(Transaction::of(vec![
            Write::delete::<Client>("a"),
            Write::create(&changed),
        ]))
        .await
        .unwrap();
    assert!(store.all::<Client>().await.unwrap() == [expected]);
    let outcome = store
        .transact(Transaction::of(vec![
            Write::create(&client("twice")),
            Write::create(&client("twice")),
        ]))
        .await;
    assert!(matches!(outcome, Err(StorageError::AlreadyExists)));
    let outcome = store
        .transact(Transaction::of(vec![
            Write::delete::<Client>("a"),
            Write::delete::<Client>("a"),
        ]))
        .await;
    assert!(matches!(outcome, Err(StorageError::NotFound)));
    assert_eq!(store.all::<Client>().await.unwrap().len(), 1);
}

/// However often a decision ran, what it decided last is written once.
pub async fn only_the_last_run_of_a_decision_counts(store: Store) {
    store.create(&client("a")).await.unwrap();
    let mut runs = 0;
    let ran: Result<u32, UpdateError<()>> = store
        .decide(vec![Client::record_key("a")], move |_| {
            runs += 1;
            let record = Client {
                name: runs.to_string(),
                ..client("a")
            };
            Ok((vec![Write::put(&record)], runs))
        })
        .await;
    let found = store.find::<Client>("a").await.unwrap().unwrap();
    assert_eq!(found.name, ran.unwrap().to_string());
}

/// The health check passes on a store that works and leaves nothing behind.
pub async fn health_leaves_nothing(store: Store) {
    store.check_health().await.unwrap();
    for entity in Entity::ALL {
        assert!(store.list(entity).await.unwrap().is_empty(), "{entity:?}");
    }
    store.check_health().await.unwrap();
    assert!(store.all::<AuthRequest>().await.unwrap().is_empty());
}
