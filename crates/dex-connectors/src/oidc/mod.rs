//! `oidc`: login at any OpenID Connect provider.
//!
//! | File | Idea |
//! |---|---|
//! | `config` | what its users write |
//! | `discovery` | what the provider says of itself |
//! | `login` | sending the browser there and taking the answer |
//! | `jws`, `keys`, `id_token` | which tokens are believed |
//! | `data` | what callers keep for us |
//! | `userinfo` | the endpoint of that name |
//! | `identity` | from claims to an identity, group rules included |
//! | `refresh`, `exchange`, `logout` | the other capabilities |
//!
//! The module `fake` (feature `fakes`) is a small provider for tests.

mod config;
mod data;
mod discovery;
mod exchange;
#[cfg(feature = "fakes")]
pub mod fake;
mod id_token;
mod identity;
mod jws;
mod keys;
mod login;
mod logout;
mod refresh;
mod userinfo;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use dex_core::entropy::Entropy;
use dex_core::records::SecretText;
use serde_json::{Map, Value};

pub use config::{
    ClaimMapping, ClaimModifications, Config, DiscoveryOverrides, FilterGroups, ModifyGroupNames,
    NewGroup,
};

use discovery::Provider;
use id_token::TokenVerifier;
use identity::ClaimRules;
use login::PkceMethod;

use crate::oauth2::{AuthStyle, OAuth2Client};
use crate::upstream::{Trust, UpstreamClient};
use crate::{
    Connector, ConnectorConfig, ConnectorError, Identity, Login, OpenContext, RefreshIdentity,
    TokenIdentity, UpstreamLogout,
};

/// An open connector to one provider.
pub struct Oidc {
    id: String,
    provider: Provider,
    http: UpstreamClient,
    oauth2: OAuth2Client,
    verifier: TokenVerifier,
    rules: ClaimRules,
    entropy: Arc<dyn Entropy>,
    redirect_uri: String,
    scope: String,
    acr_values: Vec<String>,
    prompt: String,
    pkce: Option<PkceMethod>,
    pkce_is_configured: bool,
    asks_userinfo: bool,
    exchange_audiences: Vec<String>,
    /// An ID token with a nonce was seen.
    returns_nonce: AtomicBool,
    warned_of_audience: AtomicBool,
}

impl Oidc {
    /// Discovers the provider and opens a connector to it.
    ///
    /// # Errors
    /// [`ConnectorError::Config`] for a configuration that cannot work, [`ConnectorError::Upstream`] when the provider cannot be
    /// reached now.
    pub async fn open(
        config: Config,
        id: &str,
        context: &OpenContext,
    ) -> Result<Self, ConnectorError> {
        config.check()?;
        let trust = Trust::with_roots(&config.root_cas)
            .await?
            .dangerously_accept_any_certificate(config.insecure_skip_verify);
        let http = UpstreamClient::new(context.upstream(), &trust)?;
        let provider = discovery::discover(&http, &config).await?;
        warn(&config, id, &provider);
        let oauth2 = OAuth2Client::new(
            http.clone(),
            provider.token_endpoint.clone(),
            config.client_id.clone(),
            config.client_secret.clone(),
            auth_style(&config, &provider),
        );
        let verifier = TokenVerifier::new(
            http.clone(),
            &provider,
            config.client_id.clone(),
            context.clock(),
        );
        Ok(Self {
            id: id.to_owned(),
            oauth2,
            verifier,
            rules: ClaimRules::new(&config, id),
            entropy: context.entropy(),
            scope: config.scopes().join(" "),
            prompt: config.prompt_type.unwrap_or_else(|| "consent".into()),
            pkce: PkceMethod::choose(&config.pkce_challenge, &provider.challenge_methods),
            pkce_is_configured: !config.pkce_challenge.is_empty(),
            redirect_uri: config.redirect_uri,
            acr_values: config.acr_values,
            asks_userinfo: config.get_user_info,
            exchange_audiences: config.token_exchange_audiences,
            provider,
            http,
            returns_nonce: AtomicBool::new(false),
            warned_of_audience: AtomicBool::new(false),
        })
    }

    /// The identity behind these claims, with the refresh token kept for later.
    fn identity(
        &self,
        claims: &Map<String, Value>,
        refresh_token: &SecretText,
    ) -> Result<Identity, ConnectorError> {
        Ok(Identity {
            claims: self.rules.identity(claims)?,
            connector_data: data::kept(refresh_token)?,
        })
    }
}

#[async_trait]
impl ConnectorConfig for Config {
    fn check(&self) -> Result<(), ConnectorError> {
        Config::check(self)
    }

    async fn open(
        self,
        id: &str,
        context: &OpenContext,
    ) -> Result<Arc<dyn Connector>, ConnectorError> {
        Ok(Arc::new(Oidc::open(self, id, context).await?))
    }
}

impl Connector for Oidc {
    fn login(&self) -> Login<'_> {
        Login::Redirect(self)
    }

    fn refresh(&self) -> Option<&dyn RefreshIdentity> {
        Some(self)
    }

    fn token_identity(&self) -> Option<&dyn TokenIdentity> {
        Some(self)
    }

    fn logout(&self) -> Option<&dyn UpstreamLogout> {
        Some(self)
    }
}

impl fmt::Debug for Oidc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oidc")
            .field("id", &self.id)
            .field("issuer", &self.provider.issuer)
            .finish_non_exhaustive()
    }
}

/// The configuration's word first, then the provider's, else it is found out.
fn auth_style(config: &Config, provider: &Provider) -> AuthStyle {
    let in_body = config
        .basic_auth_unsupported
        .unwrap_or_else(|| is_okta(&config.issuer));
    if in_body {
        return AuthStyle::Body;
    }
    let methods = &provider.token_endpoint_auth_methods;
    let offers = |method: &str| methods.iter().any(|name| name == method);
    match (offers("client_secret_basic"), offers("client_secret_post")) {
        (true, false) => AuthStyle::Basic,
        (false, true) => AuthStyle::Body,
        (true, true) | (false, false) => AuthStyle::Auto,
    }
}

/// Okta's token endpoints want the secret in the body.
fn is_okta(issuer: &str) -> bool {
    let host = url::Url::parse(issuer)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_default();
    ["okta.com", "oktapreview.com"].iter().any(|domain| {
        host.strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

fn warn(config: &Config, connector_id: &str, provider: &Provider) {
    if config.provider_discovery_overrides != DiscoveryOverrides::default() {
        tracing::warn!(
            connector_id,
            "overrides for connector are set, this can be a vulnerability when not properly configured"
        );
    }
    let method = &config.pkce_challenge;
    if !method.is_empty() && !provider.challenge_methods.contains(method) {
        tracing::warn!(
            connector_id,
            method,
            "provided PKCEChallenge method not supported by the connector"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn okta_is_recognised_by_its_hosts_only() {
        for (issuer, expected) in [
            ("https://okta.com", true),
            ("https://dev-1.okta.com/oauth2/default", true),
            ("https://x.oktapreview.com", true),
            ("https://notokta.com", false),
            ("https://okta.com.example.org", false),
            ("https://example.org/okta.com", false),
            ("not a URL", false),
        ] {
            assert_eq!(is_okta(issuer), expected, "{issuer}");
        }
    }

    #[test]
    fn pkce_prefers_s256_and_does_what_is_configured() {
        let both = ["plain".to_owned(), "S256".to_owned()];
        let plain = ["plain".to_owned()];
        for (configured, advertised, expected) in [
            ("", &both[..], Some(PkceMethod::S256)),
            ("", &plain, Some(PkceMethod::Plain)),
            ("", &[], None),
            ("S256", &plain, Some(PkceMethod::S256)),
            ("plain", &both, Some(PkceMethod::Plain)),
        ] {
            assert_eq!(PkceMethod::choose(configured, advertised), expected);
        }
    }
}
