//! Opening a connector.

use dex_connectors::ConnectorError;
use dex_connectors::oidc::fake::Behaviour;
use serde_json::json;

use super::Upstream;

const DISCOVERY: &str = "/.well-known/openid-configuration";

#[tokio::test]
async fn connectors_1_04_a_provider_that_comes_up_later_is_opened_later() {
    let upstream = Upstream::start(Behaviour::default().status(DISCOVERY, 503)).await;
    let error = upstream.try_open(json!({})).await.unwrap_err();
    assert!(
        matches!(error, ConnectorError::Upstream { .. }),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "failed to get provider: 503 Service Unavailable"
    );
    upstream.provider.change(|b| b.status(DISCOVERY, 200));
    let connector = upstream.open(json!({})).await;
    upstream.login(&*connector).await.unwrap();
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_the_upstreams_fault() {
    let upstream = Upstream::start(Behaviour::default()).await;
    let issuer = upstream.provider.issuer();
    drop(upstream);
    let upstream = Upstream::start(Behaviour::default()).await;
    let error = upstream
        .try_open(json!({"issuer": issuer}))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, ConnectorError::Upstream { context, .. } if context == "failed to get provider"),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_issuer_must_be_the_one_asked_for_unless_it_has_an_alias() {
    let upstream =
        Upstream::start(Behaviour::default().discovery("issuer", "https://other.example")).await;
    let issuer = upstream.provider.issuer();
    let error = upstream.try_open(json!({})).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            r#"oidc: issuer did not match the issuer returned by provider, expected "{issuer}" got "https://other.example""#
        )
    );
    let aliased = json!({"issuerAlias": "https://alias.example"});
    let connector = upstream.open(aliased.clone()).await;
    let error = upstream.login(&*connector).await.unwrap_err();
    assert!(error.to_string().contains("was issued by"), "{error}");
    upstream
        .provider
        .change(|b| b.claim("iss", "https://alias.example"));
    // Better than Dex: the alias counts with overrides, too.
    let overriding = json!({
        "issuerAlias": "https://alias.example",
        "providerDiscoveryOverrides": {"jwksURL": format!("{issuer}/keys")},
    });
    for config in [aliased, overriding] {
        let connector = upstream.open(config).await;
        upstream.login(&*connector).await.unwrap();
    }
}

#[tokio::test]
async fn one_trailing_slash_of_the_issuer_is_not_doubled() {
    let upstream = Upstream::start(Behaviour::default()).await;
    let issuer = format!("{}/", upstream.provider.issuer());
    upstream
        .provider
        .change(|b| b.discovery("issuer", issuer.clone()));
    upstream.open(json!({"issuer": issuer})).await;
}

#[tokio::test]
async fn connectors_1_48_configurations_that_cannot_be_meant_are_refused() {
    let upstream = Upstream::start(
        Behaviour::default().discovery("end_session_endpoint", "ftp://op.example/end"),
    )
    .await;
    for (config, expected) in [
        (
            json!({"hostedDomains": ["example.com"]}),
            "support for the Hosted domains option had been deprecated and removed, consider switching to the Google connector",
        ),
        (
            json!({}),
            r#"oidc: end_session_endpoint must use http or https scheme, got "ftp""#,
        ),
        (json!({"clientID": ""}), "oidc: no clientID"),
        (
            json!({"allowedGroups": ["a"]}),
            "oidc: allowedGroups has no effect without insecureEnableGroups: true",
        ),
        (
            json!({"pkceChallenge": "S512"}),
            "oidc: unknown challenge method (S512)",
        ),
        (
            json!({"issuer": "not a URL"}),
            r#"oidc: issuer "not a URL" is not a URL"#,
        ),
        (
            json!({"rootCAs": ["", "/nowhere.pem"]}),
            "rootCAs.0 is not in PEM format, certificate must be a PEM encoded string, a base64 encoded bytes that contain PEM encoded string, or a path to a PEM encoded certificate",
        ),
        (
            json!({"scopes": "email"}),
            "parse connector config: json: cannot unmarshal string into Go struct field Config.scopes of type",
        ),
    ] {
        let error = upstream.try_open(config).await.unwrap_err();
        assert!(matches!(error, ConnectorError::Config(_)), "{error:?}");
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}
