//! What we sign, another implementation verifies, and the reverse.

use dex_signer::{Algorithm, KeySet};
use josekit::jwk::Jwk;
use josekit::jws::alg::ecdsa::EcdsaJwsAlgorithm;
use josekit::jws::alg::eddsa::EddsaJwsAlgorithm;
use josekit::jws::alg::rsassa::RsassaJwsAlgorithm;
use josekit::jws::alg::rsassa_pss::RsassaPssJwsAlgorithm;
use josekit::jws::{self, JwsHeader, JwsSigner, JwsVerifier};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Verifier;
use ring::signature;
use serde_json::Value;

use crate::support::{World, jwks, part, sign};

fn verifier(jwk: &Jwk) -> Box<dyn JwsVerifier> {
    match jwk.algorithm().unwrap() {
        "RS256" => Box::new(jws::RS256.verifier_from_jwk(jwk).unwrap()),
        "PS256" => Box::new(jws::PS256.verifier_from_jwk(jwk).unwrap()),
        "ES256" => Box::new(jws::ES256.verifier_from_jwk(jwk).unwrap()),
        _ => Box::new(jws::EdDSA.verifier_from_jwk(jwk).unwrap()),
    }
}

#[tokio::test]
async fn josekit_verifies_what_we_sign() {
    for algorithm in Algorithm::LOCAL {
        let signer = World::new(algorithm).start().await;
        let token = sign(&signer, "{\"sub\":\"x\"}").await;
        let published = jwks(&signer).await["keys"][0].as_object().unwrap().clone();
        let jwk = Jwk::from_map(published).unwrap();
        let (payload, header) = jws::deserialize_compact(&token, &*verifier(&jwk)).unwrap();
        assert_eq!(payload, b"{\"sub\":\"x\"}");
        assert_eq!(header.key_id(), jwk.key_id());
    }
}

/// An implementation that shares no code with the signer.
#[tokio::test]
async fn ring_verifies_what_we_sign() {
    for (algorithm, params) in [
        (
            Algorithm::Es256,
            &signature::ECDSA_P256_SHA256_FIXED as &dyn signature::VerificationAlgorithm,
        ),
        (Algorithm::EdDsa, &signature::ED25519),
    ] {
        let signer = World::new(algorithm).start().await;
        let token = sign(&signer, "{}").await;
        let key = jwks(&signer).await["keys"][0].clone();
        let mut public = Vec::new();
        if algorithm == Algorithm::Es256 {
            public.push(4);
        }
        for member in ["x", "y"] {
            if let Some(text) = key[member].as_str() {
                public.extend(part(text, 0));
            }
        }
        let input = token.rsplit_once('.').unwrap().0;
        signature::UnparsedPublicKey::new(params, public)
            .verify(input.as_bytes(), &part(&token, 2))
            .unwrap();
    }
    for (algorithm, params) in [
        (Algorithm::Rs256, &signature::RSA_PKCS1_2048_8192_SHA256),
        (Algorithm::Ps256, &signature::RSA_PSS_2048_8192_SHA256),
    ] {
        let signer = World::new(algorithm).start().await;
        let token = sign(&signer, "{}").await;
        let key = jwks(&signer).await["keys"][0].clone();
        let public = signature::RsaPublicKeyComponents {
            n: part(key["n"].as_str().unwrap(), 0),
            e: part(key["e"].as_str().unwrap(), 0),
        };
        let input = token.rsplit_once('.').unwrap().0;
        public
            .verify(params, input.as_bytes(), &part(&token, 2))
            .unwrap();
    }
}

fn signed_by_josekit(signer: &dyn JwsSigner) -> String {
    let mut header = JwsHeader::new();
    header.set_token_type("JWT");
    jws::serialize_compact(b"{\"sub\":\"x\"}", &header, signer).unwrap()
}

/// The published form of a josekit key pair.
fn published(mut jwk: Jwk, algorithm: &str) -> Value {
    jwk.set_key_id("k");
    jwk.set_key_use("sig");
    jwk.set_algorithm(algorithm);
    Value::Object(jwk.into())
}

#[test]
fn we_verify_what_josekit_signs() {
    let mut made: Vec<(String, Value)> = Vec::new();
    for (algorithm, name) in [
        (RsassaJwsAlgorithm::Rs256, "RS256"),
        (RsassaJwsAlgorithm::Rs384, "RS384"),
        (RsassaJwsAlgorithm::Rs512, "RS512"),
    ] {
        let pair = algorithm.generate_key_pair(2048).unwrap();
        let signer = algorithm.signer_from_jwk(&pair.to_jwk_key_pair()).unwrap();
        made.push((
            signed_by_josekit(&signer),
            published(pair.to_jwk_public_key(), name),
        ));
    }
    for (algorithm, name) in [
        (RsassaPssJwsAlgorithm::Ps256, "PS256"),
        (RsassaPssJwsAlgorithm::Ps384, "PS384"),
        (RsassaPssJwsAlgorithm::Ps512, "PS512"),
    ] {
        let pair = algorithm.generate_key_pair(2048).unwrap();
        let signer = algorithm.signer_from_jwk(&pair.to_jwk_key_pair()).unwrap();
        made.push((
            signed_by_josekit(&signer),
            published(pair.to_jwk_public_key(), name),
        ));
    }
    for (algorithm, name) in [
        (EcdsaJwsAlgorithm::Es256, "ES256"),
        (EcdsaJwsAlgorithm::Es384, "ES384"),
        (EcdsaJwsAlgorithm::Es512, "ES512"),
    ] {
        let pair = algorithm.generate_key_pair().unwrap();
        let signer = algorithm.signer_from_jwk(&pair.to_jwk_key_pair()).unwrap();
        made.push((
            signed_by_josekit(&signer),
            published(pair.to_jwk_public_key(), name),
        ));
    }
    let eddsa = EddsaJwsAlgorithm::Eddsa;
    let pair = eddsa
        .generate_key_pair(josekit::jwk::alg::ed::EdCurve::Ed25519)
        .unwrap();
    let signer = eddsa.signer_from_jwk(&pair.to_jwk_key_pair()).unwrap();
    made.push((
        signed_by_josekit(&signer),
        published(pair.to_jwk_public_key(), "EdDSA"),
    ));

    assert_eq!(made.len(), 10);
    for (token, jwk) in &made {
        let set = KeySet::from_jwks([jwk]).unwrap();
        let verified = set.verify(token).unwrap_or_else(|e| panic!("{e}: {jwk}"));
        assert_eq!(verified.bytes(), b"{\"sub\":\"x\"}");
        assert_eq!(verified.typ(), Some("JWT"));
    }
    // All keys share one id: only the one that fits verifies.
    let all = KeySet::from_jwks(made.iter().map(|(_, jwk)| jwk)).unwrap();
    for (token, _) in &made {
        assert!(all.verify(token).is_ok());
    }
}

/// A relying party that takes the modulus and calls OpenSSL itself.
#[tokio::test]
async fn openssl_verifies_rs256() {
    let signer = World::new(Algorithm::Rs256).start().await;
    let token = sign(&signer, "{}").await;
    let key = jwks(&signer).await["keys"][0].clone();
    let number = |member: &str| {
        openssl::bn::BigNum::from_slice(&part(key[member].as_str().unwrap(), 0)).unwrap()
    };
    let rsa = openssl::rsa::Rsa::from_public_components(number("n"), number("e")).unwrap();
    let key = PKey::from_rsa(rsa).unwrap();
    let mut verifier = Verifier::new(MessageDigest::sha256(), &key).unwrap();
    verifier
        .update(token.rsplit_once('.').unwrap().0.as_bytes())
        .unwrap();
    assert!(verifier.verify(&part(&token, 2)).unwrap());
}
