//! Ending the provider's session.

use dex_connectors::oidc::fake::Behaviour;
use serde_json::json;
use url::Url;

use super::Upstream;

#[tokio::test]
async fn connectors_1_47_the_browser_is_sent_to_the_end_session_endpoint() {
    let upstream = Upstream::start(Behaviour::default()).await;
    let issuer = upstream.provider.issuer();
    let back = Url::parse("http://127.0.0.1/dex/logout/callback").unwrap();
    let back_encoded = "http%3A%2F%2F127.0.0.1%2Fdex%2Flogout%2Fcallback";
    for (config, redirect, expected) in [
        (
            json!({}),
            Some(&back),
            format!("{issuer}/logout?client_id=dexd&post_logout_redirect_uri={back_encoded}"),
        ),
        (json!({}), None, format!("{issuer}/logout")),
        (
            json!({"providerDiscoveryOverrides": {"endSessionURL": "https://op.example/end?a=1&z=2"}}),
            Some(&back),
            format!(
                "https://op.example/end?a=1&client_id=dexd&post_logout_redirect_uri={back_encoded}&z=2"
            ),
        ),
    ] {
        let connector = upstream.open(config).await;
        let url = connector.logout().unwrap().logout_url(redirect).await;
        assert_eq!(url.unwrap().unwrap().as_str(), expected);
    }
}

#[tokio::test]
async fn a_provider_without_logout_gives_no_url() {
    let behaviour = Behaviour::default().discovery("end_session_endpoint", json!(null));
    let upstream = Upstream::start(behaviour).await;
    let connector = upstream.open(json!({})).await;
    let url = connector.logout().unwrap().logout_url(None).await;
    assert_eq!(url.unwrap(), None);
}
