//! How we show the token endpoint who we are.

use dex_connectors::ConnectorError;
use dex_connectors::oidc::fake::{Behaviour, Received};
use serde_json::json;

use super::Upstream;

fn styles(requests: &[Received]) -> Vec<&'static str> {
    requests
        .iter()
        .map(|request| {
            match (
                request.authorization.is_some(),
                request.parameter("client_secret").is_some(),
            ) {
                (true, false) => "basic",
                (false, true) => "body",
                (false, false) => "none",
                (true, true) => "both",
            }
        })
        .collect()
}

#[tokio::test]
async fn connectors_1_49_the_body_is_tried_after_basic_and_remembered() {
    let upstream = Upstream::start(Behaviour::default().refuse_basic()).await;
    let connector = upstream.open(json!({})).await;
    upstream.login(&*connector).await.unwrap();
    upstream.login(&*connector).await.unwrap();
    assert_eq!(
        styles(&upstream.provider.requests("/token")),
        ["basic", "body", "body"]
    );
}

#[tokio::test]
async fn metadata_and_configuration_are_believed_before_anything_is_tried() {
    let methods = "token_endpoint_auth_methods_supported";
    for (advertised, config, expected) in [
        (json!(["client_secret_post"]), json!({}), "body"),
        (json!(["client_secret_basic"]), json!({}), "basic"),
        (json!(null), json!({}), "basic"),
        (json!(null), json!({"basicAuthUnsupported": true}), "body"),
        (json!(null), json!({"basicAuthUnsupported": false}), "basic"),
    ] {
        let behaviour = Behaviour::default().discovery(methods, advertised);
        let upstream = Upstream::start(behaviour).await;
        let connector = upstream.open(config).await;
        upstream.login(&*connector).await.unwrap();
        assert_eq!(styles(&upstream.provider.requests("/token")), [expected]);
    }
}

#[tokio::test]
async fn a_client_without_a_secret_only_names_itself() {
    let upstream = Upstream::start(Behaviour::default().client("public app", "")).await;
    let connector = upstream.open(json!({})).await;
    upstream.login(&*connector).await.unwrap();
    let requests = upstream.provider.requests("/token");
    assert_eq!(styles(&requests), ["none"]);
    assert_eq!(requests[0].parameter("client_id"), Some("public app"));
}

#[tokio::test]
async fn odd_characters_survive_http_basic() {
    let upstream = Upstream::start(Behaviour::default().client("a:b c", "pä%ss+word&")).await;
    let connector = upstream.open(json!({})).await;
    upstream.login(&*connector).await.unwrap();
    assert_eq!(styles(&upstream.provider.requests("/token")), ["basic"]);
}

#[tokio::test]
async fn a_refused_code_is_not_sent_again() {
    let upstream = Upstream::start(Behaviour::default()).await;
    let connector = upstream.open(json!({})).await;
    let redirect = super::begin(&*connector, super::offline()).await;
    let answer = super::pairs(&[("code", "made up"), ("state", super::STATE)]);
    let error = super::complete(&*connector, &redirect.connector_data, &answer)
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectorError::Rejected(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        r#"oidc: failed to get token: oauth2: "invalid_grant" "" """#
    );
    assert_eq!(styles(&upstream.provider.requests("/token")), ["basic"]);
}

#[tokio::test]
async fn a_broken_token_endpoint_is_the_upstreams_fault() {
    let upstream = Upstream::start(Behaviour::default().status("/token", 502)).await;
    let connector = upstream.open(json!({})).await;
    let error = upstream.login(&*connector).await.unwrap_err();
    assert!(
        matches!(error, ConnectorError::Upstream { .. }),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "oidc: failed to get token: oauth2: cannot fetch token: 502 Bad Gateway"
    );
    assert_eq!(upstream.provider.requests("/token").len(), 1);
}
