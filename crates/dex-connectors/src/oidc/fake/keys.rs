//! The provider's keys and signatures.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use josekit::JoseError;
use josekit::jwk::Jwk;
use josekit::jwk::alg::ec::EcCurve;
use josekit::jwk::alg::ed::EdCurve;
use josekit::jws::alg::ecdsa::EcdsaJwsAlgorithm;
use josekit::jws::alg::eddsa::EddsaJwsAlgorithm;
use josekit::jws::alg::hmac::HmacJwsAlgorithm;
use josekit::jws::alg::rsassa::RsassaJwsAlgorithm;
use josekit::jws::alg::rsassa_pss::RsassaPssJwsAlgorithm;
use josekit::jws::{JwsHeader, JwsSigner, serialize_compact};
use serde_json::{Map, Value, json};

use super::Signature;

/// A compact JWS over `payload`.
pub(super) fn sign(
    algorithm: &str,
    generation: u32,
    signature: Signature,
    extra_header: &Map<String, Value>,
    payload: &Value,
) -> String {
    let key = key(algorithm, generation);
    let payload = payload.to_string();
    let signer = match signature {
        Signature::Missing => {
            let header = json!({"alg": "none", "typ": "JWT"}).to_string();
            return format!(
                "{}.{}.",
                URL_SAFE_NO_PAD.encode(header),
                URL_SAFE_NO_PAD.encode(payload)
            );
        }
        Signature::Published => signer(algorithm, &key),
        Signature::Unpublished => signer(algorithm, &self::key(algorithm, UNPUBLISHED)),
        Signature::HmacOfPublicKey => HmacJwsAlgorithm::Hs256
            .signer_from_bytes(public(&key).to_string())
            .map(|signer| Box::new(signer) as Box<dyn JwsSigner>),
    };
    let mut header = JwsHeader::new();
    header.set_token_type("JWT");
    header.set_key_id(key.key_id().unwrap_or_default());
    for (name, value) in extra_header {
        header
            .set_claim(name, Some(value.clone()))
            .expect("a fitting header member");
    }
    signer
        .and_then(|signer| serialize_compact(payload.as_bytes(), &header, &*signer))
        .expect("a signature with our own key")
}

/// The key set (RFC 7517 §5).
pub(super) fn published(algorithm: &str, generation: u32) -> Value {
    json!({"keys": [public(&key(algorithm, generation)).as_ref()]})
}

/// No provider rotates as often.
const UNPUBLISHED: u32 = u32::MAX;

fn public(key: &Jwk) -> Jwk {
    let mut public = key.to_public_key().expect("a key pair has a public half");
    public.set_key_id(key.key_id().unwrap_or_default());
    public
}

/// Keys are made once per process: RSA keys take their time.
fn key(algorithm: &str, generation: u32) -> Jwk {
    static KEYS: LazyLock<Mutex<HashMap<(&'static str, u32), Jwk>>> = LazyLock::new(Mutex::default);
    let family = match algorithm {
        "ES256" => "P-256",
        "ES384" => "P-384",
        "ES512" => "P-521",
        "EdDSA" => "Ed25519",
        _ => "RSA",
    };
    let mut keys = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    keys.entry((family, generation))
        .or_insert_with(|| {
            let mut key = match family {
                "P-256" => Jwk::generate_ec_key(EcCurve::P256),
                "P-384" => Jwk::generate_ec_key(EcCurve::P384),
                "P-521" => Jwk::generate_ec_key(EcCurve::P521),
                "Ed25519" => Jwk::generate_ed_key(EdCurve::Ed25519),
                _ => Jwk::generate_rsa_key(2048),
            }
            .expect("a new key");
            key.set_key_id(format!("{family}-{generation}"));
            key.set_key_use("sig");
            key
        })
        .clone()
}

fn signer(algorithm: &str, key: &Jwk) -> Result<Box<dyn JwsSigner>, JoseError> {
    fn boxed(signer: impl JwsSigner + 'static) -> Box<dyn JwsSigner> {
        Box::new(signer)
    }
    match algorithm {
        "RS384" => RsassaJwsAlgorithm::Rs384.signer_from_jwk(key).map(boxed),
        "RS512" => RsassaJwsAlgorithm::Rs512.signer_from_jwk(key).map(boxed),
        "PS256" => RsassaPssJwsAlgorithm::Ps256.signer_from_jwk(key).map(boxed),
        "PS384" => RsassaPssJwsAlgorithm::Ps384.signer_from_jwk(key).map(boxed),
        "PS512" => RsassaPssJwsAlgorithm::Ps512.signer_from_jwk(key).map(boxed),
        "ES256" => EcdsaJwsAlgorithm::Es256.signer_from_jwk(key).map(boxed),
        "ES384" => EcdsaJwsAlgorithm::Es384.signer_from_jwk(key).map(boxed),
        "ES512" => EcdsaJwsAlgorithm::Es512.signer_from_jwk(key).map(boxed),
        "EdDSA" => EddsaJwsAlgorithm::Eddsa.signer_from_jwk(key).map(boxed),
        _ => RsassaJwsAlgorithm::Rs256.signer_from_jwk(key).map(boxed),
    }
}
