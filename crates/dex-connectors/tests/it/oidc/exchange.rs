//! Vouching for the provider's tokens.

use dex_connectors::oidc::fake::{Behaviour, Signature};
use dex_connectors::{Connector, SubjectTokenType};
use dex_core::records::Blob;
use serde_json::json;

use super::Upstream;

async fn exchange(
    connector: &dyn Connector,
    kind: SubjectTokenType,
    token: &str,
) -> Result<String, String> {
    let exchanger = connector.token_identity().unwrap();
    match exchanger.token_identity(kind, &token.into()).await {
        Ok(identity) => {
            assert_eq!(
                identity.connector_data,
                Blob::from(br#"{"RefreshToken":""}"#.to_vec())
            );
            Ok(identity.claims.user_id)
        }
        Err(error) => Err(error.to_string()),
    }
}

#[tokio::test]
async fn connectors_1_46_any_id_token_of_the_issuer_is_exchanged_by_default() {
    let upstream = Upstream::start(Behaviour::default()).await;
    let connector = upstream.open(json!({})).await;
    let token = upstream
        .provider
        .id_token(&json!({"aud": "another", "azp": "another"}));
    assert_eq!(
        exchange(&*connector, SubjectTokenType::IdToken, &token).await,
        Ok("upstream-42".into())
    );
    assert_eq!(
        exchange(
            &*connector,
            SubjectTokenType::AccessToken,
            &upstream.provider.access_token()
        )
        .await,
        Err("oidc: getUserInfo is required for access token exchange".into())
    );
}

#[tokio::test]
async fn o16_audiences_may_be_restricted() {
    let upstream = Upstream::start(Behaviour::default()).await;
    let connector = upstream
        .open(json!({"tokenExchangeAudiences": ["app"], "getUserInfo": true}))
        .await;
    let token = |aud| upstream.provider.id_token(&json!({"aud": aud}));
    assert_eq!(
        exchange(&*connector, SubjectTokenType::IdToken, &token("app")).await,
        Ok("upstream-42".into())
    );
    assert_eq!(
        exchange(&*connector, SubjectTokenType::IdToken, &token("dexd")).await,
        Err("oidc: failed to verify ID Token: the token is for another audience".into())
    );
    assert_eq!(
        exchange(
            &*connector,
            SubjectTokenType::AccessToken,
            &upstream.provider.access_token()
        )
        .await,
        Err("oidc: access tokens are not exchanged where tokenExchangeAudiences is set".into())
    );
}

#[tokio::test]
async fn o16_issuer_times_and_key_are_checked() {
    let upstream = Upstream::start(Behaviour::default()).await;
    let connector = upstream.open(json!({})).await;
    let now = crate::now().unix_secs();
    for claims in [
        json!({"iss": "https://evil.example"}),
        json!({"iss": null}),
        json!({"exp": now - 1}),
        json!({"exp": null}),
        json!({"iat": null}),
        json!({"iat": now + 301}),
        json!({"nbf": now + 301}),
        json!({"sub": null}),
    ] {
        let token = upstream.provider.id_token(&claims);
        let outcome = exchange(&*connector, SubjectTokenType::IdToken, &token).await;
        assert!(outcome.is_err(), "{claims}");
    }
    for signature in [
        Signature::Unpublished,
        Signature::Missing,
        Signature::HmacOfPublicKey,
    ] {
        upstream.provider.change(|b| b.signature(signature));
        let token = upstream.provider.id_token(&json!({}));
        let outcome = exchange(&*connector, SubjectTokenType::IdToken, &token).await;
        assert!(outcome.is_err(), "{signature:?}");
    }
}

#[tokio::test]
async fn large_tokens_are_refused_unread() {
    let upstream = Upstream::start(Behaviour::default()).await;
    let connector = upstream.open(json!({})).await;
    let token = upstream
        .provider
        .id_token(&json!({"padding": "x".repeat(20_000)}));
    assert_eq!(
        exchange(&*connector, SubjectTokenType::IdToken, &token).await,
        Err("oidc: the subject token is too large".into())
    );
    assert!(upstream.provider.requests("/keys").is_empty());
}

#[tokio::test]
async fn userinfo_is_the_proof_of_access_tokens_and_asked_about_id_tokens() {
    let behaviour = Behaviour::default()
        .userinfo("name", "Jane")
        .userinfo("email", "jane@example.com")
        .userinfo("email_verified", true);
    let upstream = Upstream::start(behaviour).await;
    let connector = upstream.open(json!({"getUserInfo": true})).await;
    let token = upstream.provider.access_token();
    assert_eq!(
        exchange(&*connector, SubjectTokenType::AccessToken, &token).await,
        Ok("upstream-42".into())
    );
    assert_eq!(
        exchange(&*connector, SubjectTokenType::AccessToken, "made-up").await,
        Err("oidc: error loading userinfo: 401 Unauthorized".into())
    );
    assert_eq!(
        exchange(&*connector, SubjectTokenType::AccessToken, "two\nlines").await,
        Err("oidc: the access token cannot be sent".into())
    );
    let token = upstream.provider.id_token(&json!({}));
    exchange(&*connector, SubjectTokenType::IdToken, &token)
        .await
        .unwrap();
    let request = upstream.provider.requests("/userinfo").pop().unwrap();
    assert_eq!(request.authorization, Some(format!("Bearer {token}")));
}

#[tokio::test]
async fn d17_group_rules_hold_at_exchange() {
    let upstream = Upstream::start(Behaviour::default().claim("groups", json!(["x"]))).await;
    let connector = upstream
        .open(json!({"insecureEnableGroups": true, "allowedGroups": ["staff"]}))
        .await;
    let token = upstream.provider.id_token(&json!({}));
    assert_eq!(
        exchange(&*connector, SubjectTokenType::IdToken, &token).await,
        Err(r#"user "upstream-42" is not in any of the required groups [staff]"#.into())
    );
}
