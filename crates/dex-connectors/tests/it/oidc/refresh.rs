//! Re-reading an identity.

use dex_connectors::oidc::fake::Behaviour;
use dex_connectors::{Connector, ConnectorError, Identity};
use dex_core::records::Blob;
use serde_json::json;

use super::{Upstream, offline};

async fn refresh(connector: &dyn Connector, known: Identity) -> Result<Identity, ConnectorError> {
    connector.refresh().unwrap().refresh(offline(), known).await
}

#[tokio::test]
async fn a_refresh_reads_the_claims_again_and_keeps_the_new_token() {
    let upstream = Upstream::start(Behaviour::default()).await;
    let connector = upstream.open(json!({})).await;
    let first = upstream.login(&*connector).await.unwrap();
    upstream.provider.change(|b| b.claim("name", "Jane Roe"));
    let second = refresh(&*connector, first.clone()).await.unwrap();
    assert_eq!(second.claims.username, "Jane Roe");
    assert_ne!(second.connector_data, first.connector_data);
    refresh(&*connector, second).await.unwrap();
    // The provider rotates: the first token is spent.
    let error = refresh(&*connector, first).await.unwrap_err();
    assert!(matches!(error, ConnectorError::Rejected(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        r#"oidc: failed to get refresh token: oauth2: "invalid_grant" "" """#
    );
}

#[tokio::test]
async fn the_old_token_is_kept_when_no_new_one_comes() {
    let upstream = Upstream::start(Behaviour::default()).await;
    let connector = upstream.open(json!({})).await;
    let first = upstream.login(&*connector).await.unwrap();
    upstream
        .provider
        .change(|b| b.token_answer("refresh_token", json!(null)));
    let second = refresh(&*connector, first.clone()).await.unwrap();
    assert_eq!(second.connector_data, first.connector_data);
    let request = upstream.provider.requests("/token").pop().unwrap();
    assert_eq!(request.parameter("grant_type"), Some("refresh_token"));
    assert_eq!(request.parameter("scope"), None);
}

#[tokio::test]
async fn another_user_is_refused() {
    let upstream = Upstream::start(Behaviour::default()).await;
    let connector = upstream.open(json!({})).await;
    let known = upstream.login(&*connector).await.unwrap();
    upstream.provider.change(|b| b.claim("sub", "upstream-43"));
    let error = refresh(&*connector, known).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "oidc: the refreshed identity is another user"
    );
}

#[tokio::test]
async fn d17_o9_group_rules_hold_at_refresh() {
    let upstream =
        Upstream::start(Behaviour::default().claim("groups", json!(["staff", "x"]))).await;
    let connector = upstream
        .open(json!({"insecureEnableGroups": true, "allowedGroups": ["staff"]}))
        .await;
    let known = upstream.login(&*connector).await.unwrap();
    let known = refresh(&*connector, known).await.unwrap();
    assert_eq!(known.claims.groups, ["staff"]);
    upstream
        .provider
        .change(|b| b.claim("groups", json!(["x"])));
    let error = refresh(&*connector, known).await.unwrap_err();
    assert!(
        matches!(error, ConnectorError::NotInRequiredGroups { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn without_an_id_token_userinfo_must_say_who_it_is() {
    let behaviour = Behaviour::default()
        .userinfo("name", "Jane of Userinfo")
        .userinfo("email", "jane@example.com")
        .userinfo("email_verified", true);
    let upstream = Upstream::start(behaviour).await;
    for (config, expected) in [
        (json!({}), Err(r#"missing "sub" claim"#.to_owned())),
        (
            json!({"getUserInfo": true}),
            Ok("Jane of Userinfo".to_owned()),
        ),
    ] {
        let connector = upstream.open(config).await;
        let known = upstream.login(&*connector).await.unwrap();
        upstream
            .provider
            .change(|b| b.token_answer("id_token", json!(null)));
        let outcome = refresh(&*connector, known)
            .await
            .map(|identity| identity.claims.username)
            .map_err(|error| error.to_string());
        assert_eq!(outcome, expected);
        upstream.provider.change(Behaviour::with_id_token);
    }
}

#[tokio::test]
async fn what_dex_kept_can_be_refreshed() {
    let upstream = Upstream::start(Behaviour::default()).await;
    let connector = upstream.open(json!({})).await;
    let mut known = upstream.login(&*connector).await.unwrap();
    // The fake's third token, as Dex writes it.
    known.connector_data = Blob::from(br#"{"RefreshToken":"cmVmcmVzaC0z"}"#.to_vec());
    refresh(&*connector, known).await.unwrap();
}

#[tokio::test]
async fn without_a_kept_token_there_is_no_refresh() {
    let upstream = Upstream::start(Behaviour::default()).await;
    let connector = upstream.open(json!({})).await;
    for (data, expected) in [
        ("", "oidc: failed to unmarshal connector data"),
        (
            r#"{"RefreshToken":""}"#,
            "oidc: failed to get refresh token: oauth2: token expired and refresh token is not set",
        ),
    ] {
        let known = Identity {
            connector_data: Blob::from(data.as_bytes().to_vec()),
            ..Identity::default()
        };
        let error = refresh(&*connector, known).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    assert!(upstream.provider.requests("/token").is_empty());
}
