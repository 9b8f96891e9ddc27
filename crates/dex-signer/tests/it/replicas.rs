//! Several servers on one store.

use std::sync::Arc;

use dex_signer::{Algorithm, Signer};

use crate::support::{HOUR, SECOND, World, kids, sign, signing_kid};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signer_21_two_instances_on_an_empty_store_end_up_with_one_key() {
    let world = World::new(Algorithm::Rs256);
    let (one, other) = (world.open().await, world.open().await);
    let started: Vec<_> = [&one, &other]
        .map(|signer| {
            let signer = Arc::clone(signer);
            tokio::spawn(async move { signer.check().await })
        })
        .into_iter()
        .collect();
    for start in started {
        start.await.unwrap().unwrap();
    }
    assert_eq!(kids(&one).await.len(), 1);
    assert_eq!(kids(&one).await, kids(&other).await);
    assert_eq!(signing_kid(&one).await, signing_kid(&other).await);
}

#[tokio::test]
async fn a_first_use_by_many_makes_one_key() {
    let world = World::new(Algorithm::Rs256);
    let signer = world.open().await;
    let uses: Vec<_> = (0..20)
        .map(|_| {
            let signer = Arc::clone(&signer);
            tokio::spawn(async move { sign(&signer, "x").await })
        })
        .collect();
    for used in uses {
        assert!(signer.verify(&used.await.unwrap()).await.unwrap().is_ok());
    }
    assert_eq!(kids(&signer).await.len(), 1);
}

#[tokio::test]
async fn replicas_agree_over_many_rotations() {
    let world = World::new(Algorithm::EdDsa);
    let signers = [
        world.start().await,
        world.start().await,
        world.start().await,
    ];
    let all: Vec<_> = signers.iter().collect();
    let mut tokens = Vec::new();
    let mut seen = Vec::new();
    for _ in 0..40 {
        world.run(&all, HOUR).await;
        let kid = signing_kid(&signers[0]).await;
        if seen.last() != Some(&kid) {
            seen.push(kid.clone());
        }
        for signer in &signers {
            assert_eq!(signing_kid(signer).await, kid);
            tokens.push(sign(signer, "x").await);
        }
        // A day's tokens verify everywhere.
        let from = tokens.len().saturating_sub(23 * signers.len());
        for token in &tokens[from..] {
            for signer in &signers {
                assert!(signer.verify(token).await.unwrap().is_ok());
            }
        }
    }
    // One rotation in six hours, each a little late because the lead must be over: 6 or 7 keys in 40 hours.
    assert!((6..=7).contains(&seen.len()), "{}", seen.len());
    assert!(kids(&signers[0]).await.len() <= 6);
}

#[tokio::test]
async fn a_replica_that_has_not_looked_yet_accepts_what_the_others_sign() {
    let world = World::new(Algorithm::EdDsa);
    let (active, sleepy) = (world.start().await, world.start().await);
    let before = signing_kid(&sleepy).await;
    world.run(&[&active], 6 * HOUR + 60 * SECOND).await;
    assert_ne!(signing_kid(&active).await, before);
    let token = sign(&active, "x").await;
    assert_eq!(sleepy.verify(&token).await.unwrap().unwrap().bytes(), b"x");
}
