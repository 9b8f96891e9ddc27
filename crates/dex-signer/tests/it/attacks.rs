//! Tokens that must not verify (SECURITY-TESTS section 4, JOSE).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dex_signer::{Algorithm, KeySet, Signer, VerifyError};
use josekit::jws::{self, JwsHeader, JwsSigner};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{World, jwks, part, sign, signing_kid};

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A private key, the set that publishes it, and tokens with any header.
struct Forge {
    signer: Box<dyn JwsSigner>,
    set: KeySet,
    jwk: Value,
}

impl Forge {
    fn rsa() -> Self {
        let pair = jws::RS256.generate_key_pair(2048).unwrap();
        let mut jwk = Value::Object(pair.to_jwk_public_key().into());
        jwk["kid"] = "k".into();
        Self {
            signer: Box::new(jws::RS256.signer_from_jwk(&pair.to_jwk_key_pair()).unwrap()),
            set: KeySet::from_jwks([&jwk]).unwrap(),
            jwk,
        }
    }

    fn ed25519() -> Self {
        let pair = jws::EdDSA
            .generate_key_pair(josekit::jwk::alg::ed::EdCurve::Ed25519)
            .unwrap();
        let mut jwk = Value::Object(pair.to_jwk_public_key().into());
        jwk["kid"] = "k".into();
        Self {
            signer: Box::new(jws::EdDSA.signer_from_jwk(&pair.to_jwk_key_pair()).unwrap()),
            set: KeySet::from_jwks([&jwk]).unwrap(),
            jwk,
        }
    }

    /// A valid signature over any header text.
    fn token(&self, header: &str) -> String {
        let mut token = format!("{}.{}", encode(header), encode("{\"sub\":\"x\"}"));
        let signature = self.signer.sign(token.as_bytes()).unwrap();
        write!(token, ".{}", encode(signature)).unwrap();
        token
    }

    fn verdict(&self, token: &str) -> Result<Vec<u8>, VerifyError> {
        self.set
            .verify(token)
            .map(dex_signer::VerifiedPayload::into_bytes)
    }
}

#[test]
fn alg_none_is_refused() {
    let forge = Forge::rsa();
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let head = encode(json!({"alg": alg, "kid": "k"}).to_string());
        let body = encode("{\"sub\":\"x\"}");
        for token in [
            format!("{head}.{body}."),
            format!("{head}.{body}.AAAA"),
            forge.token(&json!({"alg": alg, "kid": "k"}).to_string()),
        ] {
            assert_eq!(
                forge.verdict(&token),
                Err(VerifyError::UnsupportedAlgorithm)
            );
        }
        assert_eq!(
            forge.verdict(&format!("{head}.{body}")),
            Err(VerifyError::Malformed)
        );
    }
}

#[test]
fn a_public_key_is_no_hmac_secret() {
    let forge = Forge::rsa();
    let modulus = part(forge.jwk["n"].as_str().unwrap(), 0);
    let jwks = forge.set.jwks();
    for secret in [
        modulus.as_slice(),
        &jwks,
        forge.jwk["n"].as_str().unwrap().as_bytes(),
    ] {
        for alg in ["HS256", "HS384", "HS512"] {
            let signed = format!(
                "{}.{}",
                encode(json!({"alg": alg, "kid": "k"}).to_string()),
                encode("{}")
            );
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
            let token = format!(
                "{signed}.{}",
                encode(ring::hmac::sign(&key, signed.as_bytes()))
            );
            assert_eq!(
                forge.verdict(&token),
                Err(VerifyError::UnsupportedAlgorithm)
            );
        }
    }
}

#[test]
fn the_algorithm_is_the_keys_not_the_tokens() {
    let forge = Forge::rsa();
    for alg in ["RS384", "RS512", "PS256", "ES256", "EdDSA"] {
        let token = forge.token(&json!({"alg": alg, "kid": "k"}).to_string());
        assert_eq!(
            forge.verdict(&token),
            Err(VerifyError::WrongAlgorithm),
            "{alg}"
        );
    }
}

#[test]
fn extensions_that_must_be_understood_are_refused() {
    let forge = Forge::ed25519();
    for header in [
        json!({"alg": "EdDSA", "kid": "k", "crit": ["exp"], "exp": 1}),
        json!({"alg": "EdDSA", "kid": "k", "crit": []}),
        json!({"alg": "EdDSA", "kid": "k", "crit": null}),
        json!({"alg": "EdDSA", "kid": "k", "b64": false, "crit": ["b64"]}),
        json!({"alg": "EdDSA", "kid": "k", "b64": false}),
    ] {
        let token = forge.token(&header.to_string());
        assert_eq!(
            forge.verdict(&token),
            Err(VerifyError::UnknownExtension),
            "{header}"
        );
    }
}

#[test]
fn keys_in_the_header_are_ignored() {
    let (ours, theirs) = (Forge::rsa(), Forge::rsa());
    for header in [
        json!({"alg": "RS256", "kid": "k", "jwk": theirs.jwk}),
        json!({"alg": "RS256", "jwk": theirs.jwk}),
        json!({"alg": "RS256", "kid": "k", "jku": "http://127.0.0.1:1/keys"}),
        json!({"alg": "RS256", "kid": "k", "x5u": "http://127.0.0.1:1/cert", "x5c": ["AAAA"]}),
    ] {
        let header = header.to_string();
        assert_eq!(
            ours.verdict(&theirs.token(&header)),
            Err(VerifyError::BadSignature)
        );
        assert!(ours.verdict(&ours.token(&header)).is_ok());
    }
}

#[test]
fn signer_30_only_the_named_key_counts() {
    let (ours, theirs) = (Forge::rsa(), Forge::rsa());
    let named = r#"{"alg":"RS256","kid":"k"}"#;
    assert_eq!(
        ours.verdict(&theirs.token(named)),
        Err(VerifyError::BadSignature)
    );
    for unnamed in [
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"RS256","kid":""}"#,
        r#"{"alg":"RS256","kid":null}"#,
    ] {
        assert!(ours.verdict(&ours.token(unnamed)).is_ok());
        assert_eq!(
            ours.verdict(&theirs.token(unnamed)),
            Err(VerifyError::BadSignature)
        );
    }
    let other = r#"{"alg":"RS256","kid":"other"}"#;
    assert_eq!(
        ours.verdict(&ours.token(other)),
        Err(VerifyError::UnknownKey)
    );
}

#[test]
fn size_and_dots_are_bounded_before_anything_is_read() {
    let forge = Forge::ed25519();
    let long = format!(
        "{}.{}.AA",
        encode(r#"{"alg":"EdDSA"}"#),
        "A".repeat(16 * 1024)
    );
    assert_eq!(forge.verdict(&long), Err(VerifyError::TooLong));
    assert_eq!(
        forge.verdict(&"A".repeat(16 * 1024 + 1)),
        Err(VerifyError::TooLong)
    );
    assert_eq!(
        forge.verdict(&" ".repeat(10 << 20)),
        Err(VerifyError::TooLong)
    );
    for dots in [0, 1, 3, 4, 5, 16_000] {
        assert_eq!(
            forge.verdict(&".".repeat(dots)),
            Err(VerifyError::Malformed),
            "{dots}"
        );
    }
    // Five parts: an encrypted token.
    let header = encode(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#);
    assert_eq!(
        forge.verdict(&format!("{header}.a.b.c.d")),
        Err(VerifyError::Malformed)
    );
}

#[test]
fn headers_are_objects_with_the_right_types() {
    let forge = Forge::ed25519();
    for header in [
        "",
        "{}",
        "[]",
        "null",
        r#"["EdDSA","k"]"#,
        r#"{"alg":1}"#,
        r#"{"alg":null}"#,
        r#"{"alg":"EdDSA","kid":7}"#,
        r#"{"alg":"EdDSA","alg":"EdDSA"}"#,
        r#"{"alg":"EdDSA"} x"#,
        r#"{"alg":"EdDSA""#,
    ] {
        let token = forge.token(header);
        assert_eq!(
            forge.verdict(&token),
            Err(VerifyError::Malformed),
            "{header}"
        );
    }
}

#[test]
fn white_space_is_dropped_and_nothing_else_is() {
    let forge = Forge::ed25519();
    let token = forge.token(r#"{"alg":"EdDSA","kid":"k"}"#);
    for spaced in [
        format!(" {token}\n"),
        token.replace('.', " .\t"),
        format!("{}\r\n{}", &token[..9], &token[9..]),
        format!("\u{a0}{token}\u{2003}"),
    ] {
        assert_eq!(forge.verdict(&spaced), Ok(b"{\"sub\":\"x\"}".to_vec()));
    }
    for other in [
        format!("{token}="),
        format!("{token}\0"),
        format!("{token}\u{200b}"),
        token.replace('.', "。"),
    ] {
        assert!(forge.verdict(&other).is_err(), "{other}");
    }
}

#[tokio::test]
async fn ecdsa_signatures_have_one_form() {
    let signer = World::new(Algorithm::Es256).start().await;
    let set = signer.key_set().await.unwrap();
    let token = sign(&signer, "{}").await;
    let input = token.rsplit_once('.').unwrap().0;
    let raw = part(&token, 2);
    let der = openssl::ecdsa::EcdsaSig::from_private_components(
        openssl::bn::BigNum::from_slice(&raw[..32]).unwrap(),
        openssl::bn::BigNum::from_slice(&raw[32..]).unwrap(),
    )
    .unwrap()
    .to_der()
    .unwrap();
    let mut cases = vec![vec![], der, vec![0; 64], vec![0xff; 64], raw[..63].to_vec()];
    cases.push([&[0], raw.as_slice()].concat());
    cases.push([raw.as_slice(), &[0]].concat());
    cases.push([&raw[..32], &[0; 32]].concat());
    for signature in cases {
        let forged = format!("{input}.{}", encode(&signature));
        assert_eq!(
            set.verify(&forged),
            Err(VerifyError::BadSignature),
            "{signature:?}"
        );
    }
}

#[tokio::test]
async fn every_changed_bit_is_noticed() {
    for algorithm in Algorithm::LOCAL {
        let signer = World::new(algorithm).start().await;
        let set = signer.key_set().await.unwrap();
        let token = sign(&signer, "{\"sub\":\"x\"}").await;
        for at in (0..token.len())
            .filter(|at| token.as_bytes()[*at] != b'.')
            .step_by(7)
        {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(set.verify(&changed).is_err(), "{algorithm} {at}");
        }
    }
}

#[test]
fn depth_costs_nothing() {
    let forge = Forge::ed25519();
    let (open, close) = ("[".repeat(5000), "]".repeat(5000));
    let ignored = forge.token(&format!("{{\"alg\":\"EdDSA\",\"x\":{open}{close}}}"));
    assert!(forge.verdict(&ignored).is_ok());
    let named = forge.token(&format!("{{\"alg\":\"EdDSA\",\"kid\":{open}{close}}}"));
    assert_eq!(forge.verdict(&named), Err(VerifyError::Malformed));
}

/// Two texts must not be one token: unused bits at the end of a part count.
#[test]
fn base64_is_canonical() {
    let forge = Forge::ed25519();
    let token = forge.token(r#"{"alg":"EdDSA","kid":"k"}"#);
    // 64 bytes leave four unused bits in the last character.
    let (rest, last) = token.split_at(token.len() - 1);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let accepted: Vec<char> = alphabet
        .chars()
        .filter(|c| forge.verdict(&format!("{rest}{c}")).is_ok())
        .collect();
    assert_eq!(accepted.iter().collect::<String>(), last);
}

#[test]
fn short_rsa_keys_are_not_published() {
    let key = openssl::rsa::Rsa::generate(1024).unwrap();
    let jwk = json!({"kty": "RSA", "kid": "k", "n": encode(key.n().to_vec()), "e": "AQAB"});
    assert!(KeySet::from_jwks([&jwk]).is_err());
}

#[test]
fn private_members_are_never_published() {
    let pair = jws::ES256.generate_key_pair().unwrap();
    let jwk = Value::Object(pair.to_jwk_key_pair().into());
    let set = KeySet::from_jwks([&jwk]).unwrap();
    let served: Value = serde_json::from_slice(&set.jwks()).unwrap();
    assert!(served["keys"][0].get("d").is_none());
}

#[tokio::test]
async fn an_embedded_key_does_not_help_against_a_real_signer() {
    let signer = World::new(Algorithm::Rs256).start().await;
    let theirs = Forge::rsa();
    let mut header = JwsHeader::new();
    header.set_key_id(signing_kid(&signer).await);
    header
        .set_claim("jwk", Some(jwks(&signer).await["keys"][0].clone()))
        .unwrap();
    let token = jws::serialize_compact(b"{}", &header, &*theirs.signer).unwrap();
    assert_eq!(
        signer.verify(&token).await.unwrap(),
        Err(VerifyError::BadSignature)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_panics_the_verifier(text in ".*") {
        let set = any_set();
        let _ = set.verify(&text);
        let _ = set.verify(&format!("{}.{}", encode(r#"{"alg":"EdDSA"}"#), text));
    }

    #[test]
    fn no_parts_panic_the_verifier(
        header in proptest::collection::vec(any::<u8>(), 0..80),
        payload in proptest::collection::vec(any::<u8>(), 0..80),
        signature in proptest::collection::vec(any::<u8>(), 0..300),
        alg in "RS256|ES256|PS256|EdDSA|ES512",
    ) {
        let set = any_set();
        let raw = format!("{}.{}.{}", encode(header), encode(&payload), encode(&signature));
        prop_assert!(set.verify(&raw).is_err());
        let header = json!({"alg": alg}).to_string();
        let well_formed = format!("{}.{}.{}", encode(header), encode(payload), encode(signature));
        prop_assert!(set.verify(&well_formed).is_err());
    }
}

/// One key of each type; they need not be secret.
fn any_set() -> &'static KeySet {
    static SET: std::sync::LazyLock<KeySet> = std::sync::LazyLock::new(|| {
        let rsa = jws::RS256
            .generate_key_pair(2048)
            .unwrap()
            .to_jwk_public_key();
        let mut pss = rsa.clone();
        pss.set_algorithm("PS256");
        let ec = jws::ES256.generate_key_pair().unwrap().to_jwk_public_key();
        let ec521 = jws::ES512.generate_key_pair().unwrap().to_jwk_public_key();
        let curve = josekit::jwk::alg::ed::EdCurve::Ed25519;
        let ed = jws::EdDSA
            .generate_key_pair(curve)
            .unwrap()
            .to_jwk_public_key();
        let keys: Vec<Value> = [rsa, pss, ec, ec521, ed]
            .into_iter()
            .map(|jwk| Value::Object(jwk.into()))
            .collect();
        KeySet::from_jwks(&keys).unwrap()
    });
    &SET
}
