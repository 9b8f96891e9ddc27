//! `/userinfo` (compat: `tokens.md` §9 and §14).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dex_http::BearerRejected;
use serde_json::{Value, json};

use crate::support::{Answer, TestProvider, payload};

const INVALID: &str = "Invalid bearer token.";

async fn tokens(op: &TestProvider, scopes: &str) -> Value {
    let code = op.code(scopes, |_| {}).await;
    op.redeem_code(&code).await.assert_ok()
}

async fn userinfo(op: &TestProvider, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    op.fetch("/userinfo", &[("authorization", &bearer)]).await
}

#[tokio::test]
async fn tokens_52_the_answer_is_the_tokens_payload() {
    let op = TestProvider::for_tokens().build().await;
    let answer = op.fetch("/userinfo", &[]).await;
    answer.assert_error(401, "access_denied", INVALID);
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    let answer = op
        .fetch("/userinfo", &[("authorization", "bearer garbage")])
        .await;
    answer.assert_error(403, "access_denied", INVALID);
    assert_eq!(answer.header("www-authenticate"), "");

    let tokens = tokens(&op, "openid email profile groups").await;
    let access = tokens["access_token"].as_str().unwrap();
    let answer = userinfo(&op, access).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    let signed = URL_SAFE_NO_PAD
        .decode(access.split('.').nth(1).unwrap())
        .unwrap();
    assert_eq!(answer.body, signed);
    for method in ["POST", "PUT", "HEAD"] {
        let bearer = format!("bEaReR {access}");
        let answer = op
            .call(method, "/userinfo", &[("authorization", &bearer)], "")
            .await;
        assert_eq!(answer.status, 200, "{method}");
    }
}

#[tokio::test]
async fn d18_only_access_tokens_open_userinfo() {
    let op = TestProvider::for_tokens().build().await;
    let tokens = tokens(&op, "openid offline_access").await;
    let refreshed = op
        .refresh(tokens["refresh_token"].as_str().unwrap())
        .await
        .assert_ok();
    for tokens in [&tokens, &refreshed] {
        let answer = userinfo(&op, tokens["id_token"].as_str().unwrap()).await;
        answer.assert_error(403, "access_denied", INVALID);
        assert_eq!(answer.cause::<BearerRejected>(), BearerRejected::NotAccess);
        userinfo(&op, tokens["access_token"].as_str().unwrap())
            .await
            .assert_ok();
    }
}

#[tokio::test]
async fn tokens_end() {
    let op = TestProvider::for_tokens().build().await;
    let tokens = tokens(&op, "openid").await;
    let access = tokens["access_token"].as_str().unwrap();
    op.clock.advance(Duration::from_hours(24));
    userinfo(&op, access).await.assert_ok();
    op.clock.advance(Duration::from_secs(1));
    let answer = userinfo(&op, access).await;
    answer.assert_error(403, "access_denied", INVALID);
    assert_eq!(answer.cause::<BearerRejected>(), BearerRejected::NotValid);
}

#[tokio::test]
async fn tokens_of_others_open_nothing() {
    let op = TestProvider::for_tokens().build().await;
    let stranger = TestProvider::for_tokens().build().await;
    let foreign = tokens(&stranger, "openid").await;
    let answer = userinfo(&op, foreign["access_token"].as_str().unwrap()).await;
    answer.assert_error(403, "access_denied", INVALID);

    let own = tokens(&op, "openid").await;
    let access = own["access_token"].as_str().unwrap();
    let [header, _, signature] = access.split('.').collect::<Vec<_>>()[..] else {
        panic!("{access}");
    };
    let mut claims = payload(&own["access_token"]);
    claims["sub"] = json!("somebody else");
    let forged = URL_SAFE_NO_PAD.encode(claims.to_string());
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    for token in [
        format!("{header}.{forged}.{signature}"),
        format!("{none}.{forged}."),
        format!("{access}x"),
        access[..access.len() - 4].to_owned(),
        "a".repeat(100_000),
        String::new(),
    ] {
        userinfo(&op, &token)
            .await
            .assert_error(403, "access_denied", INVALID);
    }
}
