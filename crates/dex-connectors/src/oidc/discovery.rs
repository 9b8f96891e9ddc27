//! What the provider says of itself (OpenID Connect Discovery 1.0 §3), with the configuration's overrides.

use http::{Request, StatusCode};
use serde::Deserialize;
use url::Url;

use super::Config;
use super::jws::Algorithm;
use crate::ConnectorError;
use crate::upstream::{UpstreamClient, shown};

/// A provider as we use it.
#[derive(Debug, Clone)]
pub(super) struct Provider {
    /// What `iss` must be in tokens.
    pub(super) issuer: String,
    /// What `iss` may be in authorization responses: the same, or what discovery says where the operator set an alias.
    pub(super) discovered_issuer: String,
    pub(super) authorization_endpoint: Url,
    pub(super) token_endpoint: Url,
    pub(super) jwks_uri: Url,
    pub(super) userinfo_endpoint: Option<Url>,
    pub(super) end_session_endpoint: Option<Url>,
    /// What ID tokens may be signed with; never empty.
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) challenge_methods: Vec<String>,
    /// Empty: not said.
    pub(super) token_endpoint_auth_methods: Vec<String>,
    /// Authorization responses carry `iss` (RFC 9207).
    pub(super) names_itself: bool,
}

/// The members of the discovery document that matter here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Document {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    jwks_uri: Option<String>,
    userinfo_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    id_token_signing_alg_values_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    authorization_response_iss_parameter_supported: Option<bool>,
}

/// Fetches and checks the document, then applies the overrides; everything they do not name stays as discovered.
pub(super) async fn discover(
    http: &UpstreamClient,
    config: &Config,
) -> Result<Provider, ConnectorError> {
    let document = fetch(http, &config.issuer).await?;
    if config.issuer_alias.is_empty() && document.issuer != config.issuer {
        return Err(ConnectorError::Config(format!(
            "oidc: issuer did not match the issuer returned by provider, expected {:?} got {:?}",
            config.issuer,
            shown(&document.issuer)
        )));
    }
    provider(document, config)
}

async fn fetch(http: &UpstreamClient, issuer: &str) -> Result<Document, ConnectorError> {
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    let request = Request::get(format!("{base}/.well-known/openid-configuration"))
        .body(Vec::new())
        .map_err(|_| {
            ConnectorError::Config(format!("oidc: issuer {:?} is not a URL", shown(issuer)))
        })?;
    let response = http.send("failed to get provider", request).await?;
    if response.status != StatusCode::OK {
        return Err(ConnectorError::Upstream {
            context: format!("failed to get provider: {}", response.status),
            source: None,
        });
    }
    serde_json::from_slice(&response.body).map_err(|error| {
        ConnectorError::upstream(
            "failed to get provider: cannot decode the discovery document",
            error,
        )
    })
}

fn provider(document: Document, config: &Config) -> Result<Provider, ConnectorError> {
    let overrides = &config.provider_discovery_overrides;
    let chosen = |overriding: &str, discovered: Option<String>| {
        Some(overriding)
            .filter(|url| !url.is_empty())
            .map(str::to_owned)
            .or(discovered)
            .filter(|url| !url.is_empty())
    };
    let required = |name: &str, overriding: &str, discovered: Option<String>| {
        let text = chosen(overriding, discovered)
            .ok_or_else(|| ConnectorError::Config(format!("oidc: the provider has no {name}")))?;
        endpoint(name, &text)
    };
    let optional = |name: &str, overriding: &str, discovered: Option<String>| {
        chosen(overriding, discovered)
            .map(|text| endpoint(name, &text))
            .transpose()
    };
    Ok(Provider {
        issuer: if config.issuer_alias.is_empty() {
            document.issuer.clone()
        } else {
            config.issuer_alias.clone()
        },
        discovered_issuer: document.issuer,
        authorization_endpoint: required(
            "authorization_endpoint",
            &overrides.auth_url,
            document.authorization_endpoint,
        )?,
        token_endpoint: required(
            "token_endpoint",
            &overrides.token_url,
            document.token_endpoint,
        )?,
        jwks_uri: required("jwks_uri", &overrides.jwks_url, document.jwks_uri)?,
        userinfo_endpoint: optional(
            "userinfo_endpoint",
            &overrides.user_info_url,
            document.userinfo_endpoint,
        )?,
        end_session_endpoint: optional(
            "end_session_endpoint",
            &overrides.end_session_url,
            document.end_session_endpoint,
        )?,
        algorithms: algorithms(document.id_token_signing_alg_values_supported),
        challenge_methods: document
            .code_challenge_methods_supported
            .unwrap_or_default(),
        token_endpoint_auth_methods: document
            .token_endpoint_auth_methods_supported
            .unwrap_or_default(),
        names_itself: document
            .authorization_response_iss_parameter_supported
            .unwrap_or_default(),
    })
}

/// The advertised ones that we accept; RS256, which every provider has, if that leaves none.
fn algorithms(advertised: Option<Vec<String>>) -> Vec<Algorithm> {
    let accepted: Vec<_> = advertised
        .unwrap_or_default()
        .iter()
        .filter_map(|name| Algorithm::from_name(name))
        .collect();
    if accepted.is_empty() {
        vec![Algorithm::Rs256]
    } else {
        accepted
    }
}

fn endpoint(name: &str, text: &str) -> Result<Url, ConnectorError> {
    let url = Url::parse(text)
        .map_err(|error| ConnectorError::Config(format!("oidc: {name} is not a URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(ConnectorError::Config(format!(
            "oidc: {name} must use http or https scheme, got {:?}",
            shown(url.scheme())
        )));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(document: Value, config: Value) -> Result<Provider, String> {
        let mut full = json!({
            "issuer": "https://op.example",
            "authorization_endpoint": "https://op.example/auth",
            "token_endpoint": "https://op.example/token",
            "jwks_uri": "https://op.example/keys",
        });
        let (Value::Object(full_members), Value::Object(changes)) = (&mut full, document) else {
            panic!("not objects");
        };
        full_members.extend(changes);
        provider(
            serde_json::from_value(full).unwrap(),
            &Config::from_json(config).unwrap(),
        )
        .map_err(|error| error.to_string())
    }

    #[test]
    fn overrides_replace_single_endpoints_and_nothing_else() {
        let provider = of(
            json!({
                "code_challenge_methods_supported": ["S256"],
                "id_token_signing_alg_values_supported": ["ES256", "none", "HS256"],
                "end_session_endpoint": "https://op.example/end",
            }),
            json!({
                "issuerAlias": "https://alias.example",
                "providerDiscoveryOverrides": {"tokenURL": "https://inner.example/token"},
            }),
        )
        .unwrap();
        assert_eq!(
            provider.token_endpoint.as_str(),
            "https://inner.example/token"
        );
        assert_eq!(provider.jwks_uri.as_str(), "https://op.example/keys");
        assert_eq!(provider.issuer, "https://alias.example");
        assert_eq!(provider.challenge_methods, ["S256"]);
        assert_eq!(provider.algorithms, [Algorithm::Es256]);
        assert!(provider.end_session_endpoint.is_some());
    }

    #[test]
    fn only_asymmetric_algorithms_are_taken_over() {
        for (advertised, expected) in [
            (json!(null), vec![Algorithm::Rs256]),
            (json!([]), vec![Algorithm::Rs256]),
            (json!(["none", "HS256"]), vec![Algorithm::Rs256]),
            (
                json!(["HS256", "PS512", "EdDSA"]),
                vec![Algorithm::Ps512, Algorithm::EdDsa],
            ),
        ] {
            let document = json!({"id_token_signing_alg_values_supported": advertised});
            assert_eq!(of(document, json!({})).unwrap().algorithms, expected);
        }
    }

    #[test]
    fn connectors_1_48_endpoints_must_be_http() {
        for (document, config, expected) in [
            (
                json!({"end_session_endpoint": "ftp://op.example/end"}),
                json!({}),
                r#"oidc: end_session_endpoint must use http or https scheme, got "ftp""#,
            ),
            (
                json!({}),
                json!({"providerDiscoveryOverrides": {"endSessionURL": "javascript:alert(1)"}}),
                r#"oidc: end_session_endpoint must use http or https scheme, got "javascript""#,
            ),
            (
                json!({"jwks_uri": "keys"}),
                json!({}),
                "oidc: jwks_uri is not a URL: relative URL without a base",
            ),
            (
                json!({"token_endpoint": null}),
                json!({}),
                "oidc: the provider has no token_endpoint",
            ),
        ] {
            assert_eq!(of(document, config).unwrap_err(), expected);
        }
    }
}
