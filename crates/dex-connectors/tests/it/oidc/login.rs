//! Sending the browser away and taking the answer.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dex_connectors::oidc::fake::Behaviour;
use dex_connectors::{BeginLogin, ConnectorError, Scopes};
use dex_core::records::{Blob, Claims};
use ring::digest::{SHA256, digest};
use serde_json::json;
use url::Url;

use super::{CALLBACK, STATE, Upstream, begin, complete, offline, pairs, query, redirect_login};

#[tokio::test]
async fn a_login_gives_the_identity_and_keeps_the_refresh_token() {
    let upstream = Upstream::start(Behaviour::default()).await;
    let connector = upstream.open(json!({})).await;
    let identity = upstream.login(&*connector).await.unwrap();
    assert_eq!(
        identity.claims,
        Claims {
            user_id: "upstream-42".into(),
            username: "Jane Doe".into(),
            preferred_username: "jane".into(),
            email: "jane@example.com".into(),
            email_verified: true,
            groups: Vec::new(),
        }
    );
    // "refresh-3" in base64: code, access token, refresh token are numbered.
    assert_eq!(
        identity.connector_data,
        Blob::from(br#"{"RefreshToken":"cmVmcmVzaC0z"}"#.to_vec())
    );
}

#[tokio::test]
async fn connectors_1_40_the_login_url_has_sorted_parameters() {
    let upstream = Upstream::start(Behaviour::default()).await;
    let connector = upstream.open(json!({})).await;
    let url = begin(&*connector, Scopes::default()).await.url;
    let names: Vec<_> = url
        .query_pairs()
        .map(|(name, _)| name.into_owned())
        .collect();
    assert_eq!(
        names,
        [
            "client_id",
            "nonce",
            "redirect_uri",
            "response_type",
            "scope",
            "state"
        ]
    );
    assert!(url.query().unwrap().contains("scope=openid+profile+email"));
    let parameters = query(&url);
    assert_eq!(parameters["state"], STATE);
    assert_eq!(parameters["redirect_uri"], CALLBACK);
    assert_eq!(parameters["client_id"], "dexd");
    // Better than Dex: tied to the state, and not the state itself.
    assert_eq!(parameters["nonce"].len(), 43);

    let url = begin(&*connector, offline()).await.url;
    let parameters = query(&url);
    assert_eq!(parameters["access_type"], "offline");
    assert_eq!(parameters["prompt"], "consent");
    assert!(
        url.query()
            .unwrap()
            .starts_with("access_type=offline&client_id=")
    );
}

#[tokio::test]
async fn scopes_prompt_acr_values_and_hint_go_along() {
    let upstream = Upstream::start(Behaviour::default()).await;
    let connector = upstream
        .open(json!({
            "scopes": ["email", "openid", "groups"],
            "promptType": "",
            "acrValues": ["gold", "silver"],
        }))
        .await;
    let redirect = redirect_login(&*connector)
        .begin(BeginLogin {
            scopes: offline(),
            callback_url: &CALLBACK.parse().unwrap(),
            state: STATE,
            login_hint: Some("jane@example.com"),
        })
        .await
        .unwrap();
    let parameters = query(&redirect.url);
    assert_eq!(parameters["scope"], "openid email groups");
    assert_eq!(parameters["prompt"], "");
    assert_eq!(parameters["acr_values"], "gold silver");
    assert_eq!(parameters["login_hint"], "jane@example.com");
}

#[tokio::test]
async fn connectors_1_41_pkce_follows_the_metadata() {
    let behaviour = || {
        Behaviour::default().discovery("code_challenge_methods_supported", json!(["plain", "S256"]))
    };
    let upstream = Upstream::start(behaviour()).await;
    let issuer = upstream.provider.issuer();
    // Better than Dex: an override does not lose the metadata.
    let overriding = json!({"providerDiscoveryOverrides": {"tokenURL": format!("{issuer}/token")}});
    for config in [json!({}), overriding] {
        let connector = upstream.open(config).await;
        let redirect = begin(&*connector, Scopes::default()).await;
        let parameters = query(&redirect.url);
        assert_eq!(parameters["code_challenge"].len(), 43);
        assert_eq!(parameters["code_challenge_method"], "S256");
        let answer = upstream.provider.sign_in(&redirect.url);
        complete(&*connector, &redirect.connector_data, &answer)
            .await
            .unwrap();
        let requests = upstream.provider.requests("/token");
        let verifier = requests.last().unwrap().parameter("code_verifier").unwrap();
        assert_eq!(verifier.len(), 43);
        assert_eq!(
            URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())),
            parameters["code_challenge"]
        );
    }
}

#[tokio::test]
async fn pkce_plain_sends_the_verifier_as_its_challenge() {
    let upstream = Upstream::start(Behaviour::default()).await;
    let connector = upstream.open(json!({"pkceChallenge": "plain"})).await;
    let redirect = begin(&*connector, Scopes::default()).await;
    let parameters = query(&redirect.url);
    assert_eq!(parameters["code_challenge_method"], "plain");
    assert!(!parameters.contains_key("code_verifier"));
    let answer = upstream.provider.sign_in(&redirect.url);
    complete(&*connector, &redirect.connector_data, &answer)
        .await
        .unwrap();
    // Configured PKCE is not optional.
    let error = complete(&*connector, &Blob::default(), &answer)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "oidc: invalid PKCE CodeChallenge");
}

#[tokio::test]
async fn a_login_begun_by_dex_can_be_completed() {
    let upstream = Upstream::start(
        Behaviour::default().discovery("code_challenge_methods_supported", json!(["S256"])),
    )
    .await;
    let connector = upstream.open(json!({})).await;
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let issuer = upstream.provider.issuer();
    let with_pkce =
        "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
    for (pkce, data) in [
        (
            with_pkce,
            format!(r#"{{"codeChallenge":"{verifier}","codeChallengeMethod":"S256"}}"#),
        ),
        ("", String::new()),
    ] {
        // A provider that is known to return nonces: Dex sends none.
        upstream.login(&*connector).await.unwrap();
        let url = format!(
            "{issuer}/authorize?client_id=dexd&response_type=code&redirect_uri={CALLBACK}&state={STATE}{pkce}"
        );
        let answer = upstream.provider.sign_in(&Url::parse(&url).unwrap());
        complete(&*connector, &Blob::from(data.into_bytes()), &answer)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn connectors_1_10_an_error_of_the_provider_is_an_error() {
    let upstream =
        Upstream::start(Behaviour::default().deny("access_denied", "user said\nno")).await;
    let connector = upstream.open(json!({})).await;
    let error = upstream.login(&*connector).await.unwrap_err();
    assert!(
        matches!(&error, ConnectorError::Denied(text) if text == "access_denied: user said no"),
        "{error:?}"
    );
    upstream.provider.change(|b| b.deny("server_error", ""));
    let error = upstream.login(&*connector).await.unwrap_err();
    assert!(
        matches!(&error, ConnectorError::Rejected(text) if text == "server_error"),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_callback_url_must_be_the_configured_one() {
    let upstream = Upstream::start(Behaviour::default()).await;
    let connector = upstream
        .open(json!({"redirectURI": "http://127.0.0.1/other"}))
        .await;
    let error = redirect_login(&*connector)
        .begin(BeginLogin {
            scopes: Scopes::default(),
            callback_url: &CALLBACK.parse().unwrap(),
            state: STATE,
            login_hint: None,
        })
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"expected callback URL "http://127.0.0.1/dex/callback" did not match the URL in the config "http://127.0.0.1/other""#
    );
}

#[tokio::test]
async fn o14_o24_strange_answers_are_refused_before_the_code_is_used() {
    let upstream = Upstream::start(
        Behaviour::default().discovery("authorization_response_iss_parameter_supported", true),
    )
    .await;
    let issuer = upstream.provider.issuer();
    let connector = upstream.open(json!({})).await;
    for (answer, expected) in [
        (
            pairs(&[("code", "a"), ("code", "b")]),
            "oidc: the callback has more than one code",
        ),
        (
            pairs(&[("code", "a"), ("state", "another")]),
            "oidc: the callback is for another login",
        ),
        (
            pairs(&[("code", "a"), ("state", STATE)]),
            "oidc: the callback does not name its issuer",
        ),
        (
            pairs(&[("code", "a"), ("iss", "https://evil.example")]),
            r#"oidc: the callback comes from issuer "https://evil.example""#,
        ),
        (
            pairs(&[("iss", &issuer)]),
            "oidc: the callback has neither a code nor an error",
        ),
        (
            pairs(&[("iss", &issuer), ("code", "")]),
            "oidc: the callback has neither a code nor an error",
        ),
    ] {
        let error = complete(&*connector, &Blob::default(), &answer)
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    assert!(upstream.provider.requests("/token").is_empty());
}

#[tokio::test]
async fn o24_an_id_token_of_another_login_is_refused() {
    let upstream = Upstream::start(Behaviour::default().claim("nonce", "stolen")).await;
    assert_eq!(
        upstream.refusal().await,
        "oidc: the ID token's nonce is of another login"
    );
}

#[tokio::test]
async fn o24_a_missing_nonce_is_fine_until_the_provider_has_sent_one() {
    let upstream = Upstream::start(Behaviour::default().ignore_nonce()).await;
    let connector = upstream.open(json!({})).await;
    upstream.login(&*connector).await.unwrap();
    upstream.login(&*connector).await.unwrap();

    let upstream = Upstream::start(Behaviour::default()).await;
    let connector = upstream.open(json!({})).await;
    upstream.login(&*connector).await.unwrap();
    upstream.provider.change(Behaviour::ignore_nonce);
    let error = upstream.login(&*connector).await.unwrap_err();
    assert_eq!(error.to_string(), "oidc: the ID token has no nonce");
}

#[tokio::test]
async fn o24_any_replica_can_complete_a_login() {
    let upstream = Upstream::start(
        Behaviour::default().discovery("code_challenge_methods_supported", json!(["S256"])),
    )
    .await;
    let (here, there) = (
        upstream.open(json!({})).await,
        upstream.open(json!({})).await,
    );
    let redirect = begin(&*here, Scopes::default()).await;
    let answer = upstream.provider.sign_in(&redirect.url);
    complete(&*there, &redirect.connector_data, &answer)
        .await
        .unwrap();
    // The code is spent.
    let error = complete(&*there, &redirect.connector_data, &answer)
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectorError::Rejected(_)), "{error:?}");
}

#[tokio::test]
async fn connectors_1_03_keys_may_be_written_in_any_letter_case() {
    let upstream = Upstream::start(Behaviour::default()).await;
    let connector = upstream
        .open(json!({
            "clientID": null,
            "clientid": "dexd",
            "USERIDKEY": "email",
            "Unknown": {"is": "ignored"},
        }))
        .await;
    let identity = upstream.login(&*connector).await.unwrap();
    assert_eq!(identity.claims.user_id, "jane@example.com");
}

#[tokio::test]
async fn d17_allowed_groups_hold_at_login() {
    let upstream = Upstream::start(Behaviour::default().claim("groups", json!(["a", "b"]))).await;
    let config = |allowed| json!({"insecureEnableGroups": true, "allowedGroups": [allowed]});
    let connector = upstream.open(config("b")).await;
    let identity = upstream.login(&*connector).await.unwrap();
    assert_eq!(identity.claims.groups, ["b"]);
    let connector = upstream.open(config("c")).await;
    let error = upstream.login(&*connector).await.unwrap_err();
    assert!(
        matches!(&error, ConnectorError::NotInRequiredGroups { user_id, required }
            if user_id == "upstream-42" && *required == ["c"]),
        "{error:?}"
    );
}

#[tokio::test]
async fn nothing_secret_is_shown() {
    let upstream = Upstream::start(Behaviour::default()).await;
    let connector = upstream.open(json!({})).await;
    let redirect = begin(&*connector, Scopes::default()).await;
    let identity = upstream.login(&*connector).await.unwrap();
    for shown in [
        format!("{connector:?}"),
        format!("{:?}", redirect.connector_data),
        format!("{:?}", identity.connector_data),
    ] {
        assert!(!shown.contains("upstream-secret"), "{shown}");
        assert!(!shown.contains("efresh"), "{shown}");
    }
}
