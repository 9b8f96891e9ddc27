//! Which ID tokens are believed.

use dex_connectors::oidc::fake::{Behaviour, Signature};
use serde_json::{Value, json};

use super::Upstream;

#[tokio::test]
async fn every_asymmetric_algorithm_is_verified() {
    for algorithm in [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
    ] {
        let upstream = Upstream::start(Behaviour::default().algorithm(algorithm)).await;
        let connector = upstream.open(json!({})).await;
        let outcome = upstream.login(&*connector).await;
        assert!(outcome.is_ok(), "{algorithm}: {outcome:?}");
        upstream
            .provider
            .change(|b| b.signature(Signature::Unpublished));
        let outcome = upstream.login(&*connector).await;
        assert!(outcome.is_err(), "{algorithm}");
    }
}

#[tokio::test]
async fn connectors_1_42_o16_tokens_for_others_of_others_or_of_the_past_are_refused() {
    let expired = crate::now().unix_secs() - 1;
    for (claim, value, expected) in [
        ("aud", json!("another"), "the token is for another audience"),
        ("aud", json!(null), "the token is for another audience"),
        (
            "aud",
            json!(["dexd", "another"]),
            "the token was issued to another party",
        ),
        (
            "azp",
            json!("another"),
            "the token was issued to another party",
        ),
        (
            "iss",
            json!("https://evil.example"),
            r#"the token was issued by "https://evil.example""#,
        ),
        ("iss", json!(null), r#"the token was issued by """#),
        ("exp", json!(expired), "the token is expired"),
        ("exp", json!(null), "the token has no usable `exp`"),
        ("nbf", json!(expired + 400), "the token is not valid yet"),
        ("iat", json!(expired + 400), "the token is not valid yet"),
    ] {
        let upstream = Upstream::start(Behaviour::default().claim(claim, value)).await;
        assert_eq!(
            upstream.refusal().await,
            format!("oidc: failed to verify ID Token: {expected}")
        );
    }
}

#[tokio::test]
async fn jose_confusions_are_refused() {
    for (signature, expected) in [
        (
            Signature::Missing,
            "the token is signed with an algorithm that is not expected",
        ),
        (
            Signature::HmacOfPublicKey,
            "the token is signed with an algorithm that is not expected",
        ),
        (
            Signature::Unpublished,
            "none of the provider's keys made the signature",
        ),
    ] {
        // Even a provider that advertises them all.
        let behaviour = Behaviour::default().signature(signature).discovery(
            "id_token_signing_alg_values_supported",
            json!(["none", "HS256", "RS256"]),
        );
        let upstream = Upstream::start(behaviour).await;
        assert_eq!(
            upstream.refusal().await,
            format!("oidc: failed to verify ID Token: {expected}")
        );
    }
}

#[tokio::test]
async fn keys_that_a_token_brings_along_are_not_looked_at() {
    let attacker = josekit::jwk::Jwk::generate_rsa_key(2048).unwrap();
    let public = Value::Object(attacker.to_public_key().unwrap().as_ref().clone());
    let upstream = Upstream::start(Behaviour::default().signature(Signature::Unpublished)).await;
    let elsewhere = format!("{}/attacker-keys", upstream.provider.issuer());
    upstream.provider.change(|b| {
        b.header("jwk", public)
            .header("jku", elsewhere.clone())
            .header("x5u", elsewhere)
    });
    assert!(
        upstream
            .refusal()
            .await
            .contains("none of the provider's keys")
    );
    assert!(upstream.provider.requests("/attacker-keys").is_empty());
}

#[tokio::test]
async fn an_algorithm_that_is_not_advertised_is_refused() {
    let upstream = Upstream::start(
        Behaviour::default().discovery("id_token_signing_alg_values_supported", json!(["ES256"])),
    )
    .await;
    assert_eq!(
        upstream.refusal().await,
        "oidc: failed to verify ID Token: the token is signed with an algorithm that is not expected"
    );
}

#[tokio::test]
async fn an_access_token_of_another_login_is_refused() {
    let upstream = Upstream::start(Behaviour::default().claim("at_hash", "AAAA")).await;
    assert_eq!(
        upstream.refusal().await,
        "oidc: at_hash does not match the access token"
    );
    let upstream = Upstream::start(Behaviour::default().claim("at_hash", json!(null))).await;
    let connector = upstream.open(json!({})).await;
    upstream.login(&*connector).await.unwrap();
}

#[tokio::test]
async fn a_login_needs_an_id_token() {
    for value in [json!(null), json!(7)] {
        let upstream = Upstream::start(Behaviour::default().token_answer("id_token", value)).await;
        assert_eq!(
            upstream.refusal().await,
            "oidc: no id_token in token response"
        );
    }
    let upstream = Upstream::start(Behaviour::default().token_answer("id_token", "garbage")).await;
    assert_eq!(
        upstream.refusal().await,
        "oidc: failed to verify ID Token: the token does not consist of three base64url parts"
    );
}

#[tokio::test]
async fn connectors_1_43_email_verified_end_to_end() {
    let upstream = Upstream::start(Behaviour::default().claim("email_verified", json!(null))).await;
    assert_eq!(
        upstream.refusal().await,
        r#"missing "email_verified" claim"#
    );
    let connector = upstream
        .open(json!({"insecureSkipEmailVerified": true}))
        .await;
    let verified = |identity: dex_connectors::Identity| identity.claims.email_verified;
    assert!(verified(upstream.login(&*connector).await.unwrap()));
    upstream
        .provider
        .change(|b| b.claim("email_verified", false));
    assert!(!verified(upstream.login(&*connector).await.unwrap()));
}
