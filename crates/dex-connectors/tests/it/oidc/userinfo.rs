//! `getUserInfo`.

use dex_connectors::ConnectorError;
use dex_connectors::oidc::fake::Behaviour;
use serde_json::json;

use super::Upstream;

#[tokio::test]
async fn userinfo_wins_over_the_id_token() {
    for signed in [false, true] {
        let mut behaviour = Behaviour::default()
            .userinfo("name", "Jane of Userinfo")
            .userinfo("email_verified", false);
        if signed {
            behaviour = behaviour.sign_userinfo();
        }
        let upstream = Upstream::start(behaviour).await;
        let connector = upstream.open(json!({"getUserInfo": true})).await;
        let claims = upstream.login(&*connector).await.unwrap().claims;
        assert_eq!(claims.username, "Jane of Userinfo");
        assert_eq!(claims.email, "jane@example.com");
        assert!(!claims.email_verified);
        let requests = upstream.provider.requests("/userinfo");
        let bearer = requests[0].authorization.as_deref().unwrap();
        assert!(bearer.starts_with("Bearer access-"));
    }
}

#[tokio::test]
async fn userinfo_is_not_asked_unless_configured() {
    let upstream = Upstream::start(Behaviour::default()).await;
    let connector = upstream.open(json!({})).await;
    upstream.login(&*connector).await.unwrap();
    assert!(upstream.provider.requests("/userinfo").is_empty());
}

#[tokio::test]
async fn userinfo_about_somebody_else_is_refused() {
    for (sub, expected) in [
        (
            json!("upstream-43"),
            "oidc: userinfo is about another subject than the ID token",
        ),
        (json!(null), "oidc: userinfo has no subject"),
        (json!(42), "oidc: userinfo has no subject"),
    ] {
        let upstream = Upstream::start(Behaviour::default().userinfo("sub", sub)).await;
        let connector = upstream.open(json!({"getUserInfo": true})).await;
        let error = upstream.login(&*connector).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn signed_userinfo_for_another_client_or_of_another_issuer_is_refused() {
    for (claim, value, expected) in [
        ("aud", "another", "the token is for another audience"),
        (
            "iss",
            "https://evil.example",
            r#"the token was issued by "https://evil.example""#,
        ),
    ] {
        let behaviour = Behaviour::default().sign_userinfo().userinfo(claim, value);
        let upstream = Upstream::start(behaviour).await;
        let connector = upstream.open(json!({"getUserInfo": true})).await;
        let error = upstream.login(&*connector).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("oidc: failed to verify userinfo: {expected}")
        );
    }
}

#[tokio::test]
async fn email_verified_of_userinfo_is_a_truth_value_or_the_text_of_one() {
    for (value, expected) in [
        (json!(true), Ok(true)),
        // Text passes here but does not count as a statement.
        (
            json!("true"),
            Err(r#"missing "email_verified" claim"#.to_owned()),
        ),
        (
            json!("yes"),
            Err("oidc: userinfo has a malformed email_verified".to_owned()),
        ),
        (
            json!(1),
            Err("oidc: userinfo has a malformed email_verified".to_owned()),
        ),
    ] {
        let upstream =
            Upstream::start(Behaviour::default().userinfo("email_verified", value)).await;
        let connector = upstream.open(json!({"getUserInfo": true})).await;
        let outcome = upstream.login(&*connector).await;
        assert_eq!(
            outcome
                .map(|identity| identity.claims.email_verified)
                .map_err(|error| error.to_string()),
            expected
        );
    }
}

#[tokio::test]
async fn a_failing_userinfo_endpoint_fails_the_login() {
    let upstream = Upstream::start(Behaviour::default().status("/userinfo", 500)).await;
    let connector = upstream.open(json!({"getUserInfo": true})).await;
    let error = upstream.login(&*connector).await.unwrap_err();
    assert!(
        matches!(error, ConnectorError::Upstream { .. }),
        "{error:?}"
    );
    upstream.provider.change(|b| b.status("/userinfo", 401));
    let error = upstream.login(&*connector).await.unwrap_err();
    assert!(matches!(error, ConnectorError::Rejected(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        "oidc: error loading userinfo: 401 Unauthorized"
    );
}
