//! Many at once: nothing is lost, nothing happens twice.

use std::collections::BTreeSet;
use std::sync::Arc;

use dex_core::records::{AuthCode, Client, Record, RefreshToken, SigningKeys};
use tokio::task::JoinSet;

use super::samples::{auth_code, client, refresh_token, signing_keys};
use crate::{Storage, StorageError, StorageExt, UpdateError, Write};

type Store = Arc<dyn Storage>;

/// A hundred parallel increments: every number is written once.
pub async fn no_parallel_update_is_lost(store: Store) {
    let record = RefreshToken {
        token: "0".into(),
        ..refresh_token("token")
    };
    store.create(&record).await.unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..MANY {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let updated: Result<RefreshToken, UpdateError<()>> = store
                .update("token", |mut old: RefreshToken| {
                    let count: usize = old.token.expose().parse().unwrap();
                    old.token = (count + 1).to_string().into();
                    Ok(old)
                })
                .await;
            updated.unwrap().token.expose().parse::<usize>().unwrap()
        });
    }
    let written: BTreeSet<usize> = tasks.join_all().await.into_iter().collect();
    assert_eq!(written, (1..=MANY).collect());
    let found = store.find::<RefreshToken>("token").await.unwrap().unwrap();
    assert_eq!(found.token.expose(), MANY.to_string());
}

/// Parallel updates do not touch each other's records.
pub async fn parallel_updates_of_different_records_all_succeed(store: Store) {
    let mut tasks = JoinSet::new();
    for index in 0..MANY {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let id = format!("client{index}");
            store.create(&client(&id)).await.unwrap();
            let updated: Result<Client, UpdateError<()>> = store
                .update(id.as_str(), |mut old: Client| {
                    old.name.clone_from(&old.id);
                    Ok(old)
                })
                .await;
            updated.unwrap();
            let found = store.find::<Client>(&id).await.unwrap().unwrap();
            assert_eq!(found.name, id);
        });
    }
    tasks.join_all().await;
    assert_eq!(store.all::<Client>().await.unwrap().len(), MANY);
}

/// Two updates that both want to be the first: one is, and the other sees it.
pub async fn of_two_racing_updates_the_second_sees_the_first(store: Store) {
    for round in 0..20 {
        let id = format!("client{round}");
        store.create(&client(&id)).await.unwrap();
        let mut racers = JoinSet::new();
        for name in ["left", "right"] {
            let (store, id) = (Arc::clone(&store), id.clone());
            racers.spawn(async move {
                let outcome: Result<Client, UpdateError<String>> = store
                    .update(id.as_str(), move |mut old: Client| {
                        if old.name == "left" || old.name == "right" {
                            return Err(old.name);
                        }
                        name.clone_into(&mut old.name);
                        Ok(old)
                    })
                    .await;
                match outcome {
                    Ok(new) => Ok(new.name),
                    Err(UpdateError::Refused(other)) => Err(other),
                    Err(UpdateError::Storage(error)) => unexpected(&error),
                }
            });
        }
        let outcomes = racers.join_all().await;
        let winners: Vec<_> = outcomes.iter().filter_map(|o| o.as_ref().ok()).collect();
        let seen: Vec<_> = outcomes.iter().filter_map(|o| o.as_ref().err()).collect();
        assert_eq!((winners.len(), seen.len()), (1, 1));
        assert_eq!(winners, seen);
        let found = store.find::<Client>(&id).await.unwrap().unwrap();
        assert_eq!(winners, [&found.name]);
    }
}

/// Of many that redeem a code one succeeds; the others learn that it is gone.
pub async fn a_code_is_deleted_by_one_of_many(store: Store) {
    store.create(&auth_code("code")).await.unwrap();
    let mut tries = JoinSet::new();
    for index in 0..20 {
        let store = Arc::clone(&store);
        tries.spawn(async move {
            let writes = vec![
                Write::delete::<AuthCode>("code"),
                Write::create(&refresh_token(&format!("token{index}"))),
            ];
            match store.transact(crate::Transaction::of(writes)).await {
                Ok(()) => true,
                Err(StorageError::NotFound) => false,
                Err(error) => unexpected(&error),
            }
        });
    }
    let won = tries
        .join_all()
        .await
        .into_iter()
        .filter(|won| *won)
        .count();
    assert_eq!(won, 1);
    assert_eq!(store.all::<RefreshToken>().await.unwrap().len(), 1);
}

/// The first keys are made by one of two replicas, completely.
pub async fn keys_are_created_by_one_of_two(store: Store) {
    let winner = race_for_keys(&store, None).await;
    let stored = store.find::<SigningKeys>(SigningKeys::ID).await.unwrap();
    assert!(stored == Some(signing_keys(&winner)));
}

/// Existing keys are replaced by one of two replicas, completely.
pub async fn keys_are_rotated_by_one_of_two(store: Store) {
    store.create(&signing_keys("old")).await.unwrap();
    let winner = race_for_keys(&store, Some("old")).await;
    let stored = store.find::<SigningKeys>(SigningKeys::ID).await.unwrap();
    assert!(stored == Some(signing_keys(&winner)));
}

/// Two replicas replace the keys unless they are no longer those of `before`; returns who did.
async fn race_for_keys(store: &Store, before: Option<&'static str>) -> String {
    let mut racers = JoinSet::new();
    for kid in ["left", "right"] {
        let store = Arc::clone(store);
        racers.spawn(async move {
            let reads = vec![SigningKeys::record_key(SigningKeys::ID)];
            let outcome: Result<(), UpdateError<()>> = store
                .decide(reads, move |mut seen| {
                    let seen = seen.pop().flatten();
                    if seen != before.map(|kid| signing_keys(kid).to_row()) {
                        return Err(UpdateError::Refused(()));
                    }
                    Ok((vec![Write::put(&signing_keys(kid))], ()))
                })
                .await;
            match outcome {
                Ok(()) => Some(kid.to_owned()),
                // A backend may notice the other one only when it writes.
                Err(UpdateError::Refused(())) => None,
                Err(UpdateError::Storage(error)) => unexpected(&error),
            }
        });
    }
    let mut winners: Vec<_> = racers.join_all().await.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    winners.pop().unwrap()
}

fn unexpected<T>(error: &StorageError) -> T {
    unreachable!("a race ends in success or refusal, not in: {error}")
}

const MANY: usize = 100;
