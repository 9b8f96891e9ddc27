//! The main job from end to end: a login in a browser, tokens, userinfo, refresh.

use dex_core::records::Password;
use dex_storage::StorageExt as _;

use crate::support::{AuthorizeRequest, Mount, REDIRECT_URI, TestProvider, USER_EMAIL, payload};

fn request() -> AuthorizeRequest {
    AuthorizeRequest::good()
        .with("scope", "openid email profile offline_access")
        .with("nonce", "n-2")
}

#[tokio::test]
async fn a_login_gives_tokens_that_work_and_refresh() {
    for mount in [Mount::Root, Mount::Nested] {
        let op = TestProvider::usual().mount(mount).build().await;
        let code = op.sign_in(&mut op.browser(), &request()).await;
        let mut tokens = op.exchange_code(&code).await;
        for _ in 0..3 {
            let id = payload(&tokens.0["id_token"]);
            assert_eq!(id["sub"], "Cg0wLTM4NS0yODA4OS0wEgRtb2Nr");
            assert_eq!(id["nonce"], "n-2");
            let bearer = format!("Bearer {}", tokens.text("access_token"));
            let userinfo = op.fetch("/userinfo", &[("authorization", &bearer)]).await;
            assert_eq!(userinfo.assert_ok()["email"], "kilgore@kilgore.trout");
            let answer = op.refresh(&tokens.text("refresh_token")).await;
            tokens.0 = answer.assert_ok();
        }
    }
}

#[tokio::test]
async fn tokens_20_the_proof_key_of_the_request_is_asked_for() {
    let op = TestProvider::usual().build().await;
    let request = request()
        .with(
            "code_challenge",
            "lyyl-X4a69qrqgEfUL8wodWic3Be9ZZ5eovBgIKKi-w",
        )
        .with("code_challenge_method", "S256");
    let code = op.sign_in(&mut op.browser(), &request).await;
    op.redeem_code(&code).await.assert_error(
        400,
        "invalid_grant",
        "Expecting parameter code_verifier in PKCE flow.",
    );
    op.grant_as(
        "app",
        "app-secret",
        &[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", "challenge123"),
        ],
    )
    .await
    .assert_ok();
}

#[tokio::test]
async fn connectors_2_50_a_deleted_person_cannot_refresh() {
    let op = TestProvider::with_password_db().build().await;
    let request = request().with("connector_id", "local");
    let code = op.sign_in(&mut op.browser(), &request).await;
    let tokens = op.exchange_code(&code).await;
    op.storage.forget_writes();
    let answer = op.refresh(&tokens.text("refresh_token")).await;
    let tokens = answer.assert_ok();
    assert_eq!(payload(&tokens["id_token"])["email"], USER_EMAIL);
    // The client, the token, what is kept of its user, the connector, the person.
    assert_eq!((op.storage.reads(), op.storage.writes()), (5, 1));
    op.storage.delete::<Password>(USER_EMAIL).await.unwrap();
    op.refresh(tokens["refresh_token"].as_str().unwrap())
        .await
        .assert_error(500, "invalid_request", "");
}
