//! The life of local keys (compat: `signer.md` §2 and §8).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dex_core::entropy::SystemEntropy;
use dex_core::records::{Json, SecretJson};
use dex_signer::{
    Algorithm, LocalConfig, LocalSigner, MemoryKeyStore, OldKeys, Signer, SignerError, VerifyError,
    rotate_now,
};
use serde_json::Value;

use crate::support::{
    HOUR, SECOND, World, header, jwks, kids, part, settle, sign, signing_kid, start,
};

fn is_kid(kid: &str) -> bool {
    kid.len() == 40 && kid.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn members(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[tokio::test]
async fn signer_01_stock_config_publishes_one_rsa_key() {
    let signer = World::new(LocalConfig::default().algorithm).start().await;
    let jwks = jwks(&signer).await;
    let keys = jwks["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0]["kty"], "RSA");
    assert_eq!(keys[0]["alg"], "RS256");
    assert_eq!(keys[0]["use"], "sig");
    assert_eq!(keys[0]["e"], "AQAB");
    assert_eq!(keys[0]["n"].as_str().unwrap().len(), 342);
    assert!(is_kid(keys[0]["kid"].as_str().unwrap()));
}

#[tokio::test]
async fn signer_02_jwks_is_written_as_dex_writes_it() {
    let signer = World::new(Algorithm::Rs256).start().await;
    let set = signer.key_set().await.unwrap();
    let text = String::from_utf8(set.jwks().to_vec()).unwrap();
    let n = jwks(&signer).await["keys"][0]["n"].clone();
    let expected = format!(
        "{{\n  \"keys\": [\n    {{\n      \"use\": \"sig\",\n      \"kty\": \"RSA\",\n      \"kid\": \"{}\",\n      \
         \"alg\": \"RS256\",\n      \"n\": {n},\n      \"e\": \"AQAB\"\n    }}\n  ]\n}}",
        signing_kid(&signer).await,
    );
    assert_eq!(text, expected);
}

#[tokio::test]
async fn the_entity_tag_is_strong_and_follows_the_keys() {
    let mut world = World::new(Algorithm::EdDsa);
    world.config.rotation_period = HOUR;
    let signer = world.start().await;
    let before = signer.key_set().await.unwrap();
    assert!(before.etag().starts_with('"') && before.etag().ends_with('"'));
    world.run(&[&signer], 60 * SECOND).await;
    assert_eq!(signer.key_set().await.unwrap().etag(), before.etag());
    world.run(&[&signer], HOUR).await;
    assert_ne!(signer.key_set().await.unwrap().etag(), before.etag());
}

#[tokio::test]
async fn signer_04_header_is_alg_and_kid() {
    for algorithm in Algorithm::LOCAL {
        let signer = World::new(algorithm).start().await;
        let kid = signing_kid(&signer).await;
        let token = sign(&signer, "{\"sub\":\"x\"}").await;
        assert_eq!(
            header(&token),
            format!("{{\"alg\":\"{algorithm}\",\"kid\":\"{kid}\"}}")
        );
        assert_eq!(part(&token, 1), b"{\"sub\":\"x\"}");
        let key = signer.signing_key().await.unwrap();
        let typed = key.sign(Some("logout+jwt"), b"{}".to_vec()).await.unwrap();
        assert_eq!(
            header(&typed),
            format!("{{\"alg\":\"{algorithm}\",\"kid\":\"{kid}\",\"typ\":\"logout+jwt\"}}")
        );
        let verified = signer.verify(&typed).await.unwrap().unwrap();
        assert_eq!(verified.typ(), Some("logout+jwt"));
        assert_eq!(verified.into_bytes(), b"{}");
    }
}

#[tokio::test]
async fn signer_10_a_rotation_brings_a_new_first_key_and_keeps_the_old_one() {
    let mut world = World::new(Algorithm::Es256);
    world.config.rotation_period = 40 * SECOND;
    world.config.publication_lead = 20 * SECOND;
    let signer = world.start().await;
    let (old, old_token) = (signing_kid(&signer).await, sign(&signer, "old").await);
    world.run(&[&signer], 45 * SECOND).await;
    let (new, new_token) = (signing_kid(&signer).await, sign(&signer, "new").await);
    assert_ne!(new, old);
    assert_eq!(kids(&signer).await, [new.clone(), old]);
    assert!(header(&new_token).contains(&new));
    assert_eq!(
        signer.verify(&old_token).await.unwrap().unwrap().bytes(),
        b"old"
    );
    assert_eq!(
        signer.verify(&new_token).await.unwrap().unwrap().bytes(),
        b"new"
    );
}

#[tokio::test]
async fn signer_11_an_expired_key_goes_with_the_second_rotation() {
    let mut world = World::new(Algorithm::Es256);
    world.config.rotation_period = 40 * SECOND;
    world.config.publication_lead = 20 * SECOND;
    world.config.verification_lifetime = SECOND;
    let signer = world.start().await;
    let first = signing_kid(&signer).await;
    world.run(&[&signer], 45 * SECOND).await;
    let second = signing_kid(&signer).await;
    assert_eq!(kids(&signer).await, [second.clone(), first.clone()]);
    world.run(&[&signer], 45 * SECOND).await;
    assert!(!kids(&signer).await.contains(&first));
    assert!(kids(&signer).await.contains(&second));
}

#[tokio::test]
async fn an_expired_key_does_not_wait_for_the_next_rotation() {
    let mut world = World::new(Algorithm::Es256);
    world.config.verification_lifetime = 600 * SECOND;
    let signer = world.start().await;
    let token = sign(&signer, "x").await;
    let first = signing_kid(&signer).await;
    world.run(&[&signer], 6 * HOUR + 60 * SECOND).await;
    assert!(kids(&signer).await.contains(&first));
    // Lifetime and the grace for clocks that differ.
    world.run(&[&signer], 901 * SECOND).await;
    assert!(!kids(&signer).await.contains(&first));
    assert_eq!(
        signer.verify(&token).await.unwrap(),
        Err(VerifyError::UnknownKey)
    );
}

#[tokio::test]
async fn signer_12_a_restart_keeps_the_keys() {
    let world = World::new(Algorithm::Rs256);
    let before = world.start().await.key_set().await.unwrap();
    let after = world.start().await.key_set().await.unwrap();
    assert_eq!(before.jwks(), after.jwks());
    let elsewhere = World::new(Algorithm::Rs256).start().await;
    assert_ne!(elsewhere.key_set().await.unwrap().jwks(), before.jwks());
}

#[tokio::test]
async fn signer_13_stored_keys_have_dex_form() {
    for (algorithm, public, private) in [
        (
            Algorithm::Rs256,
            &["use", "kty", "kid", "alg", "n", "e"][..],
            &["d", "p", "q", "dp", "dq", "qi"][..],
        ),
        (
            Algorithm::Es256,
            &["use", "kty", "kid", "crv", "alg", "x", "y"],
            &["d"],
        ),
        (
            Algorithm::EdDsa,
            &["use", "kty", "kid", "crv", "alg", "x"],
            &["d"],
        ),
    ] {
        let world = World::new(algorithm);
        world.start().await;
        let keys = world.store.keys().await;
        assert_eq!(keys.id, "keys");
        assert_eq!(keys.verification_keys, Json(None));
        assert_eq!(keys.next_rotation, start().saturating_add(6 * HOUR));
        let stored_public = keys.signing_key_pub.0.as_ref().unwrap();
        let stored_private = keys.signing_key.expose().unwrap();
        assert_eq!(members(stored_public), public);
        assert_eq!(members(stored_private), [public, private].concat());
        for member in public {
            assert_eq!(stored_public[member], stored_private[member]);
        }
    }
}

#[tokio::test]
async fn signer_16_another_algorithm_waits_for_the_next_rotation() {
    let mut world = World::new(Algorithm::Rs256);
    let rsa = signing_kid(&*world.start().await).await;
    world.config.algorithm = Algorithm::Es256;
    let signer = world.start().await;
    assert_eq!(signer.expected_algorithm(), Algorithm::Rs256);
    assert_eq!(kids(&signer).await, std::slice::from_ref(&rsa));
    world.run(&[&signer], 5 * HOUR).await;
    assert!(header(&sign(&signer, "x").await).contains("RS256"));
    world.run(&[&signer], HOUR + 60 * SECOND).await;
    assert!(header(&sign(&signer, "x").await).contains("ES256"));
    assert_eq!(signer.expected_algorithm(), Algorithm::Es256);
    let set = signer.key_set().await.unwrap();
    assert_eq!(set.algorithms(), [Algorithm::Es256, Algorithm::Rs256]);
    assert_eq!(kids(&signer).await[1], rsa);
}

#[tokio::test]
async fn a_key_published_ahead_for_another_algorithm_is_replaced_at_the_start() {
    let mut world = World::new(Algorithm::EdDsa);
    let signer = world.start().await;
    world.run(&[&signer], 21_300 * SECOND).await;
    let ahead = kids(&signer).await[1].clone();
    world.config.algorithm = Algorithm::Es256;
    let signer = world.start().await;
    assert_eq!(kids(&signer).await.len(), 2);
    assert!(!kids(&signer).await.contains(&ahead));
    world.run(&[&signer], 700 * SECOND).await;
    assert!(header(&sign(&signer, "x").await).contains("ES256"));
}

#[tokio::test]
async fn signer_17_es256_has_dex_shape() {
    let signer = World::new(Algorithm::Es256).start().await;
    let jwks = jwks(&signer).await;
    let key = &jwks["keys"][0];
    assert_eq!(members(key), ["use", "kty", "kid", "crv", "alg", "x", "y"]);
    assert_eq!(key["x"].as_str().unwrap().len(), 43);
    assert_eq!(key["y"].as_str().unwrap().len(), 43);
    // Often enough to meet signatures whose numbers begin with zero bytes.
    for number in 0..600 {
        let token = sign(&signer, &number.to_string()).await;
        assert_eq!(token.rsplit('.').next().unwrap().len(), 86);
        assert!(signer.verify(&token).await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn signer_18_es256_from_an_empty_store_is_announced() {
    let world = World::new(Algorithm::Es256);
    let signer = world.open().await;
    assert_eq!(signer.expected_algorithm(), Algorithm::Es256);
    assert_eq!(
        signer.key_set().await.unwrap().algorithms(),
        [Algorithm::Es256]
    );
}

#[tokio::test]
async fn signer_19_the_hash_of_a_token_is_the_keys() {
    let signer = World::new(Algorithm::Es256).start().await;
    let key = signer.signing_key().await.unwrap();
    let token = "ya29.CjHSA1l5WUn8xZ6HanHFzzdHdbXm-14rxnC7JHch9eFIsZkQEGoWzaYG4o7k5f6BnPLj";
    assert_eq!(key.algorithm().half_hash(token), "piwt8oCH-K2D9pXlaS1Y-w");
}

#[tokio::test]
async fn signer_20_d18_tokens_of_every_algorithm_are_accepted() {
    for algorithm in Algorithm::LOCAL {
        let signer = World::new(algorithm).start().await;
        let token = sign(&signer, "{\"sub\":\"x\"}").await;
        let verified = signer.verify(&token).await.unwrap().unwrap();
        assert_eq!(verified.bytes(), b"{\"sub\":\"x\"}", "{algorithm}");
    }
}

#[tokio::test]
async fn signer_27_keys_come_back_with_the_store() {
    let world = World::new(Algorithm::EdDsa);
    world.store.is_down.store(true, Ordering::SeqCst);
    let signer = world.open().await;
    assert!(signer.check().await.is_err());
    assert!(matches!(
        signer.signing_key().await,
        Err(SignerError::Unavailable { .. })
    ));
    assert!(signer.key_set().await.is_err());
    assert_eq!(signer.expected_algorithm(), Algorithm::EdDsa);
    world.store.is_down.store(false, Ordering::SeqCst);
    world.clock.advance(SECOND);
    let token = sign(&signer, "x").await;
    assert!(signer.verify(&token).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_failing_store_is_not_asked_by_every_request() {
    let world = World::new(Algorithm::EdDsa);
    world.store.is_down.store(true, Ordering::SeqCst);
    let signer = world.open().await;
    for _ in 0..50 {
        assert!(signer.signing_key().await.is_err());
    }
    assert_eq!(world.store.loads.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn known_keys_go_on_serving_while_the_store_is_down() {
    let world = World::new(Algorithm::EdDsa);
    let signer = world.start().await;
    world.store.is_down.store(true, Ordering::SeqCst);
    world.clock.advance(HOUR);
    let token = sign(&signer, "x").await;
    assert!(signer.verify(&token).await.unwrap().is_ok());
}

#[tokio::test]
async fn keys_are_read_every_half_minute_and_not_more_often() {
    let world = World::new(Algorithm::EdDsa);
    let signer = world.start().await;
    let before = world.store.loads.load(Ordering::SeqCst);
    for _ in 0..100 {
        sign(&signer, "x").await;
    }
    assert_eq!(world.store.loads.load(Ordering::SeqCst), before);
    world.clock.advance(31 * SECOND);
    for _ in 0..100 {
        sign(&signer, "x").await;
    }
    assert_eq!(world.store.loads.load(Ordering::SeqCst), before + 1);
}

#[tokio::test]
async fn unknown_key_ids_cause_one_read_a_second() {
    let world = World::new(Algorithm::EdDsa);
    let signer = world.start().await;
    let foreign = sign(&*World::new(Algorithm::EdDsa).start().await, "x").await;
    world.clock.advance(5 * SECOND);
    let before = world.store.loads.load(Ordering::SeqCst);
    for _ in 0..100 {
        assert_eq!(
            signer.verify(&foreign).await.unwrap(),
            Err(VerifyError::UnknownKey)
        );
    }
    assert_eq!(world.store.loads.load(Ordering::SeqCst), before + 1);
}

#[tokio::test]
async fn the_next_key_is_published_for_the_lead_before_it_signs() {
    let world = World::new(Algorithm::EdDsa);
    let signer = world.start().await;
    let first = signing_kid(&signer).await;
    world.run(&[&signer], 20_939 * SECOND).await;
    assert_eq!(kids(&signer).await, std::slice::from_ref(&first));
    assert_eq!(world.store.next().await, None);
    world.run(&[&signer], 26 * SECOND).await;
    let published = kids(&signer).await;
    assert_eq!(published.len(), 2);
    assert_eq!(signing_kid(&signer).await, first);
    // Dex on the same database publishes it too: it is an ordinary verification key there.
    let stored = world.store.keys().await.verification_keys.0.unwrap();
    assert_eq!(stored[0].public_key["kid"], *published[1]);
    assert!(stored[0].public_key.get("d").is_none());
    assert!(
        world
            .store
            .next()
            .await
            .unwrap()
            .signing_key
            .expose()
            .unwrap()
            .get("d")
            .is_some()
    );
    // Dex's time of rotation comes a little before the lead is over.
    world.run(&[&signer], 645 * SECOND).await;
    assert_eq!(signing_kid(&signer).await, first);
    world.run(&[&signer], 25 * SECOND).await;
    assert_eq!(signing_kid(&signer).await, published[1]);
    assert_eq!(kids(&signer).await, [published[1].clone(), first]);
    assert_eq!(world.store.next().await, None);
}

#[tokio::test]
async fn a_period_shorter_than_the_lead_is_stretched_to_the_lead() {
    let mut world = World::new(Algorithm::EdDsa);
    world.config.rotation_period = 40 * SECOND;
    let signer = world.start().await;
    let published = kids(&signer).await;
    assert_eq!(published.len(), 2);
    world.run(&[&signer], 650 * SECOND).await;
    assert_eq!(signing_kid(&signer).await, published[0]);
    world.run(&[&signer], 25 * SECOND).await;
    assert_eq!(signing_kid(&signer).await, published[1]);
}

#[tokio::test]
async fn an_overdue_start_rotates_at_once_and_makes_one_key() {
    let world = World::new(Algorithm::EdDsa);
    let old = signing_kid(&*world.start().await).await;
    world.clock.advance(7 * HOUR);
    let signer = world.start().await;
    let now = kids(&signer).await;
    assert_eq!(now.len(), 2);
    assert_eq!(now[1], old);
    assert_eq!(signing_kid(&signer).await, now[0]);
    world.run(&[&signer], HOUR).await;
    assert_eq!(kids(&signer).await, now);
}

#[tokio::test]
async fn an_overdue_start_waits_for_a_key_published_too_short() {
    let world = World::new(Algorithm::EdDsa);
    let signer = world.start().await;
    world.run(&[&signer], 20_960 * SECOND).await;
    let published = kids(&signer).await;
    assert_eq!(published.len(), 2);
    world.clock.advance(645 * SECOND);
    let restarted = world.start().await;
    assert_eq!(signing_kid(&restarted).await, published[0]);
    world.run(&[&restarted], 25 * SECOND).await;
    assert_eq!(signing_kid(&restarted).await, published[1]);
}

#[tokio::test]
async fn a_server_that_slept_over_the_rotation_still_publishes_first() {
    let world = World::new(Algorithm::EdDsa);
    let signer = world.start().await;
    let old = signing_kid(&signer).await;
    world.clock.advance(20 * HOUR);
    settle(&signer).await;
    assert_eq!(signing_kid(&signer).await, old);
    assert_eq!(kids(&signer).await.len(), 2);
    world.run(&[&signer], 675 * SECOND).await;
    assert_ne!(signing_kid(&signer).await, old);
}

#[tokio::test]
async fn a_rotation_by_dex_keeps_the_published_key_for_the_next_one() {
    let world = World::new(Algorithm::EdDsa);
    let signer = world.start().await;
    world.run(&[&signer], 21_000 * SECOND).await;
    let published = kids(&signer).await;
    // What Dex writes: the old key retired, its own new key signing, the next rotation one period on.
    let mut dex = world.store.keys().await;
    let foreign = World::new(Algorithm::EdDsa);
    foreign.start().await;
    let foreign = foreign.store.keys().await;
    let list = dex.verification_keys.0.get_or_insert_default();
    list.push(dex_core::records::VerificationKey {
        public_key: dex.signing_key_pub.0.take().unwrap(),
        expiry: start().saturating_add(40 * HOUR),
    });
    dex.signing_key = foreign.signing_key.clone();
    dex.signing_key_pub = foreign.signing_key_pub.clone();
    dex.next_rotation = start().saturating_add(12 * HOUR);
    let written = dex.clone();
    rewrite(&world, dex).await;

    world.run(&[&signer], 660 * SECOND).await;
    let by_dex = foreign.signing_key_pub.0.unwrap()["kid"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(signing_kid(&signer).await, by_dex);
    assert_eq!(
        kids(&signer).await,
        [by_dex.clone(), published[1].clone(), published[0].clone()]
    );
    assert_eq!(world.store.keys().await, written);
    world.run(&[&signer], 6 * HOUR).await;
    assert_eq!(signing_kid(&signer).await, published[1]);
    assert!(kids(&signer).await.contains(&by_dex));
}

async fn rewrite(world: &World, keys: dex_core::records::SigningKeys) {
    use dex_signer::{KeyChange, KeyStore as _};
    world
        .store
        .update(Box::new(move |_, next| KeyChange::Write {
            keys: Box::new(keys.clone()),
            next: next.map(Box::new),
        }))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_published_key_that_dex_pruned_is_published_again_for_the_whole_lead() {
    let world = World::new(Algorithm::EdDsa);
    let signer = world.start().await;
    world.run(&[&signer], 21_300 * SECOND).await;
    let published = kids(&signer).await;
    let mut pruned = world.store.keys().await;
    pruned.verification_keys = Json(None);
    rewrite(&world, pruned).await;
    world.run(&[&signer], 400 * SECOND).await;
    assert_eq!(kids(&signer).await, published);
    assert_eq!(signing_kid(&signer).await, published[0]);
    world.run(&[&signer], 400 * SECOND).await;
    assert_eq!(signing_kid(&signer).await, published[1]);
}

#[tokio::test]
async fn an_unusable_next_key_is_replaced() {
    let world = World::new(Algorithm::EdDsa);
    let signer = world.start().await;
    world.run(&[&signer], 21_300 * SECOND).await;
    let damaged = kids(&signer).await[1].clone();
    let keys = world.store.keys().await;
    let mut next = world.store.next().await.unwrap();
    let mut jwk = next.signing_key.expose().unwrap().clone();
    jwk["d"] = Value::Null;
    next.signing_key = SecretJson::from(jwk);
    let store = Arc::new(crate::support::TestStore {
        inner: MemoryKeyStore::with(keys, Some(next)),
        ..Default::default()
    });
    let clock = world.clock.clone();
    let mut world = World::new(Algorithm::EdDsa).on(store);
    world.clock = clock;
    let signer = world.start().await;
    assert_eq!(kids(&signer).await.len(), 2);
    assert!(!kids(&signer).await.contains(&damaged));
}

#[tokio::test]
async fn an_emergency_rotation_signs_at_once() {
    for old_keys in [OldKeys::Keep, OldKeys::Drop] {
        let world = World::new(Algorithm::EdDsa);
        let signer = world.start().await;
        world.run(&[&signer], 21_300 * SECOND).await;
        let before = kids(&signer).await;
        let old_token = sign(&signer, "x").await;
        let done = rotate_now(
            &*world.store,
            &world.config,
            old_keys,
            &world.clock,
            Arc::new(SystemEntropy::new()),
        )
        .await
        .unwrap();
        assert_eq!(world.store.next().await, None);
        world.run(&[&signer], 25 * SECOND).await;
        assert_eq!(signing_kid(&signer).await, done.key_id);
        assert_eq!(world.store.keys().await.next_rotation, done.next_rotation);
        let verdict = signer.verify(&old_token).await.unwrap();
        match old_keys {
            OldKeys::Keep => {
                assert_eq!(kids(&signer).await, [done.key_id, before[0].clone()]);
                assert!(verdict.is_ok());
            }
            OldKeys::Drop => {
                assert_eq!(kids(&signer).await, [done.key_id]);
                assert_eq!(verdict, Err(VerifyError::UnknownKey));
                assert_eq!(world.store.keys().await.verification_keys, Json(None));
            }
        }
    }
}

#[tokio::test]
async fn senseless_settings_are_refused() {
    for (period, algorithm, text) in [
        (
            Duration::ZERO,
            Algorithm::Rs256,
            "the key rotation period must be positive",
        ),
        (
            HOUR,
            Algorithm::Es512,
            "unsupported local signer algorithm \"ES512\"",
        ),
    ] {
        let world = World::new(algorithm);
        let mut config = world.config.clone();
        config.rotation_period = period;
        let opened = LocalSigner::open(
            Arc::new(MemoryKeyStore::new()),
            config.clone(),
            Arc::new(world.clock.clone()),
            Arc::new(SystemEntropy::new()),
        )
        .await;
        assert_eq!(opened.unwrap_err().to_string(), text);
        let rotated = rotate_now(
            &MemoryKeyStore::new(),
            &config,
            OldKeys::Keep,
            &world.clock,
            Arc::new(SystemEntropy::new()),
        )
        .await;
        assert_eq!(rotated.unwrap_err().to_string(), text);
    }
}

#[tokio::test]
async fn run_makes_the_first_key_and_stops_when_told() {
    let world = World::new(Algorithm::EdDsa);
    let signer = world.open().await;
    let cancel = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn({
        let (signer, cancel) = (Arc::clone(&signer), cancel.clone());
        async move { signer.run(cancel).await }
    });
    assert_eq!(kids(&signer).await.len(), 1);
    cancel.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn nothing_shown_contains_a_private_key() {
    let world = World::new(Algorithm::EdDsa);
    let signer = world.start().await;
    let keys = world.store.keys().await;
    let secret = keys.signing_key.expose().unwrap()["d"]
        .as_str()
        .unwrap()
        .to_owned();
    let key = signer.signing_key().await.unwrap();
    let set = signer.key_set().await.unwrap();
    for text in [
        format!("{signer:?}"),
        format!("{key:?}"),
        format!("{set:?}"),
        format!("{keys:?}"),
        String::from_utf8(set.jwks().to_vec()).unwrap(),
    ] {
        assert!(!text.contains(&secret), "{text}");
    }
}
