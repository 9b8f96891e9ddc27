//! Keys and tokens that Dex itself wrote (compat: `signer.md` §3).

use dex_core::records::{Json, SecretJson, SigningKeys};
use dex_signer::{Algorithm, Signer};
use serde_json::Value;

use crate::support::{HOUR, TestStore, World, header, kids, sign, signing_kid, start};

const RSA: &str = include_str!("../data/dex-v2.45.1-rs256.json");
const ES256: &str = include_str!("../data/dex-master-es256.json");

fn stored(fixture: &Value) -> SigningKeys {
    SigningKeys {
        id: "keys".to_owned(),
        verification_keys: Json(
            serde_json::from_value(fixture["verification_keys"].clone()).unwrap(),
        ),
        signing_key: SecretJson::from(fixture["signing_key"].clone()),
        signing_key_pub: Json(Some(fixture["signing_key_pub"].clone())),
        next_rotation: start().saturating_add(1000 * HOUR),
    }
}

#[tokio::test]
async fn signer_14_keys_written_by_dex_are_kept_and_used() {
    for (text, algorithm) in [(RSA, Algorithm::Rs256), (ES256, Algorithm::Es256)] {
        let fixture: Value = serde_json::from_str(text).unwrap();
        let keys = stored(&fixture);
        let world = World::new(algorithm).on(TestStore::with(keys.clone()));
        let signer = world.start().await;
        let served: Value =
            serde_json::from_slice(&signer.key_set().await.unwrap().jwks()).unwrap();
        assert_eq!(served, fixture["jwks"]);
        assert_eq!(signing_kid(&signer).await, fixture["signing_key"]["kid"]);
        let tokens = fixture["id_tokens"].as_array().unwrap();
        assert!(tokens.len() >= 3);
        for token in tokens {
            let token = token.as_str().unwrap();
            assert!(signer.verify(token).await.unwrap().is_ok());
        }
        let ours = sign(&signer, "{}").await;
        assert!(signer.verify(&ours).await.unwrap().is_ok());
        assert_eq!(world.store.keys().await, keys);
    }
}

#[tokio::test]
async fn signer_15_a_missing_algorithm_is_that_of_the_key_type() {
    for (text, algorithm) in [(RSA, Algorithm::Rs256), (ES256, Algorithm::Es256)] {
        let fixture: Value = serde_json::from_str(text).unwrap();
        let mut private = fixture["signing_key"].clone();
        private.as_object_mut().unwrap().shift_remove("alg");
        let mut keys = stored(&fixture);
        keys.signing_key = SecretJson::from(private);
        let signer = World::new(Algorithm::EdDsa)
            .on(TestStore::with(keys))
            .start()
            .await;
        let token = sign(&signer, "{}").await;
        assert!(header(&token).contains(algorithm.name()));
        assert!(signer.verify(&token).await.unwrap().is_ok());
        let set = signer.key_set().await.unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&set.jwks()).unwrap(),
            fixture["jwks"]
        );
    }
}

#[tokio::test]
async fn an_rsa_key_without_its_optional_members_signs() {
    let fixture: Value = serde_json::from_str(RSA).unwrap();
    let mut private = fixture["signing_key"].clone();
    for member in ["dp", "dq", "qi"] {
        private.as_object_mut().unwrap().shift_remove(member);
    }
    let mut keys = stored(&fixture);
    keys.signing_key = SecretJson::from(private);
    let signer = World::new(Algorithm::Rs256)
        .on(TestStore::with(keys))
        .start()
        .await;
    let token = sign(&signer, "{}").await;
    assert!(signer.verify(&token).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_private_key_of_another_pair_is_an_error_not_a_bad_token() {
    let fixture: Value = serde_json::from_str(RSA).unwrap();
    let mut keys = stored(&fixture);
    let mut private = fixture["signing_key"].clone();
    private["n"] = fixture["verification_keys"][0]["publicKey"]["n"].clone();
    keys.signing_key = SecretJson::from(private);
    let signer = World::new(Algorithm::Rs256)
        .on(TestStore::with(keys))
        .open()
        .await;
    assert!(signer.check().await.is_err());
    assert!(signer.signing_key().await.is_err());
}

#[tokio::test]
async fn a_damaged_verification_key_does_not_hide_the_others() {
    let fixture: Value = serde_json::from_str(RSA).unwrap();
    let mut keys = stored(&fixture);
    keys.verification_keys.0.as_mut().unwrap()[0].public_key["n"] = Value::from("!");
    let signer = World::new(Algorithm::Rs256)
        .on(TestStore::with(keys))
        .start()
        .await;
    assert_eq!(kids(&signer).await.len(), 2);
}
