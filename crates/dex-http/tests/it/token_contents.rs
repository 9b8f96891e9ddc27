//! What tokens say (compat: `tokens.md` §5 and §14).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dex_core::records::{AuthCode, Client};
use dex_signer::Algorithm;
use serde_json::{Value, json};

use crate::support::{CLIENT_ID, TestProvider, part, payload};

async fn issue(scopes: &str, change: impl FnOnce(&mut AuthCode)) -> (Value, String) {
    let op = TestProvider::for_tokens().build().await;
    let code = op.code(scopes, change).await;
    (op.redeem_code(&code).await.assert_ok(), code)
}

#[tokio::test]
async fn tokens_13_headers_name_algorithm_and_key_only() {
    for algorithm in [
        Algorithm::Es256,
        Algorithm::EdDsa,
        Algorithm::Ps256,
        Algorithm::Rs256,
    ] {
        let op = TestProvider::for_tokens()
            .algorithm(algorithm)
            .build()
            .await;
        let code = op.code("openid", |_| {}).await;
        let tokens = op.redeem_code(&code).await.assert_ok();
        let keys = op.fetch("/keys", &[]).await.json();
        for token in [&tokens["access_token"], &tokens["id_token"]] {
            let header = part(token, 0);
            assert_eq!(
                header,
                json!({ "alg": algorithm.name(), "kid": keys["keys"][0]["kid"] })
            );
        }
        // tokens_59: what we sign, our own endpoints accept.
        let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
        let userinfo = op.fetch("/userinfo", &[("authorization", &bearer)]).await;
        assert_eq!(userinfo.assert_ok(), payload(&tokens["access_token"]));
    }
}

#[tokio::test]
async fn tokens_14_the_subject_is_user_and_connector() {
    let (tokens, _) = issue("openid", |_| {}).await;
    for token in [&tokens["access_token"], &tokens["id_token"]] {
        assert_eq!(payload(token)["sub"], "Cg0wLTM4NS0yODA4OS0wEgRtb2Nr");
    }
}

#[tokio::test]
async fn tokens_15_hashes_bind_the_id_token() {
    let half = |text: &str| {
        let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16])
    };
    let (tokens, code) = issue("openid", |_| {}).await;
    let id = payload(&tokens["id_token"]);
    assert_eq!(
        id["at_hash"],
        half(tokens["access_token"].as_str().unwrap())
    );
    assert_eq!(id["c_hash"], half(&code));
    let access = payload(&tokens["access_token"]);
    assert_ne!(access["at_hash"], id["at_hash"]);
    assert_eq!(access["at_hash"].as_str().unwrap().len(), 22);
    assert!(access.get("c_hash").is_none());
    assert_ne!(access["jti"], id["jti"]);
}

#[tokio::test]
async fn tokens_16_claims_follow_the_scopes() {
    let personal = [
        "email",
        "email_verified",
        "name",
        "preferred_username",
        "groups",
        "federated_claims",
    ];
    for (scopes, shown) in [
        ("openid", &[][..]),
        ("openid email", &["email", "email_verified"]),
        ("openid profile", &["name"]),
        ("openid groups", &["groups"]),
    ] {
        let (tokens, _) = issue(scopes, |_| {}).await;
        for token in [&tokens["access_token"], &tokens["id_token"]] {
            let claims = payload(token);
            for claim in personal {
                assert_eq!(
                    claims.get(claim).is_some(),
                    shown.contains(&claim),
                    "{scopes}: {claim}"
                );
            }
        }
    }
}

#[tokio::test]
async fn tokens_17_18_audiences_follow_cross_client_scopes() {
    for (scopes, aud, azp) in [
        ("openid", json!("app"), Value::Null),
        (
            "openid audience:server:client_id:peer",
            json!(["peer", "app"]),
            json!("app"),
        ),
        (
            "openid audience:server:client_id:app",
            json!("app"),
            Value::Null,
        ),
    ] {
        let (tokens, _) = issue(scopes, |_| {}).await;
        for token in [&tokens["access_token"], &tokens["id_token"]] {
            let claims = payload(token);
            assert_eq!((&claims["aud"], &claims["azp"]), (&aud, &azp), "{scopes}");
        }
    }
}

#[tokio::test]
async fn a_peer_that_does_not_trust_spends_no_code() {
    let op = TestProvider::for_tokens().build().await;
    for peer in ["pub", "nobody", ""] {
        let scopes = format!("openid offline_access audience:server:client_id:{peer}");
        let code = op.code(&scopes, |_| {}).await;
        op.redeem_code(&code)
            .await
            .assert_error(500, "server_error", "");
        if peer == "pub" {
            op.put(&Client {
                id: "pub".into(),
                public: true,
                trusted_peers: vec![CLIENT_ID.into()],
                ..Client::default()
            })
            .await;
            op.redeem_code(&code).await.assert_ok();
        }
    }
}

#[tokio::test]
async fn tokens_19_federated_claims_name_connector_and_user() {
    let (tokens, _) = issue("openid federated:id", |_| {}).await;
    assert_eq!(
        payload(&tokens["id_token"])["federated_claims"],
        json!({ "connector_id": "mock", "user_id": "0-385-28089-0" })
    );
}

#[tokio::test]
async fn times_nonce_and_session_come_from_the_code() {
    let (tokens, _) = issue("openid", |code| code.session_id = "s1".into()).await;
    for token in [&tokens["access_token"], &tokens["id_token"]] {
        let claims = payload(token);
        assert_eq!(claims["iss"], "http://127.0.0.1:5556/dex");
        assert_eq!(claims["nonce"], "n-1");
        assert_eq!(claims["sid"], "s1", "tokens_58");
        assert_eq!(claims["auth_time"], claims["iat"]);
        assert_eq!(
            claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
            86_400
        );
    }
    let (tokens, _) = issue("openid", |code| {
        code.nonce.clear();
        code.auth_time = dex_core::Timestamp::from_unix(0, 0).unwrap();
    })
    .await;
    let claims = payload(&tokens["id_token"]);
    assert!(claims.get("nonce").is_none());
    assert!(claims.get("auth_time").is_none());
    assert!(claims.get("sid").is_none());
}

#[tokio::test]
async fn without_openid_there_is_no_id_token() {
    let (tokens, _) = issue("email", |_| {}).await;
    assert!(tokens.get("id_token").is_none());
    assert!(tokens["access_token"].is_string());
}

#[tokio::test]
async fn o18_what_a_connector_says_never_becomes_a_reserved_claim() {
    let hostile = r#"x","iss":"https://evil","sub":"admin","aud":"all"#;
    let (tokens, _) = issue("openid email profile groups federated:id", |code| {
        code.claims.user_id = hostile.into();
        code.claims.username = hostile.into();
        code.claims.preferred_username = hostile.into();
        code.claims.email = hostile.into();
        code.claims.groups = vec![hostile.into(), "iss".into()];
        code.nonce = hostile.into();
    })
    .await;
    for token in [&tokens["access_token"], &tokens["id_token"]] {
        let claims = payload(token);
        assert_eq!(claims["iss"], "http://127.0.0.1:5556/dex");
        assert_eq!(claims["aud"], "app");
        assert_eq!(claims["name"], hostile);
        assert_ne!(claims["sub"], "admin");
    }
}
