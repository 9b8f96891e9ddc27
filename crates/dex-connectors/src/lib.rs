//! Connectors: how a person proves who they are at an upstream.
//!
//! A [`Connector`] exposes its capabilities as methods: how a login goes ([`Connector::login`]), and, where the upstream has such a
//! notion, re-reading an identity at refresh, vouching for a token, logging out. It knows neither the issuer nor its storage: use
//! one alone with `examples/login_with_oidc.rs` as the pattern.
//!
//! # Adding a connector
//! 1. A folder `src/<name>/` with a `Config` (serde, `#[serde(default)]`, Dex's key names) and the type that implements
//!    [`Connector`].
//! 2. `impl ConnectorConfig for Config`: turn the configuration into an open connector, or say why not. Everything it needs of the
//!    outside (clock, randomness, HTTP) is in the [`OpenContext`]; it talks to its upstream only through
//!    [`upstream::UpstreamClient`], which brings timeouts, size limits, roots and proxies.
//! 3. A cargo feature of its name, and one line in [`Registry::with_all`]: `registry.add::<github::Config>("github")`.
//! 4. A fake of its upstream beside it, and the observable checks as tests against that fake.

use std::fmt;

use async_trait::async_trait;
use dex_core::records::{Blob, Claims};
use secrecy::SecretString;
use url::Url;

mod config;
mod context;
mod error;
pub mod hashing;
#[cfg(feature = "local")]
pub mod local;
#[cfg(feature = "mock")]
pub mod mock;
#[cfg(feature = "oidc")]
pub mod oauth2;
#[cfg(feature = "oidc")]
pub mod oidc;
mod registry;
pub mod upstream;

pub use config::UnknownKeys;
pub use context::{
    ConnectorConfig, NoPasswords, OpenContext, PasswordDirectory, PasswordLookupError,
};
pub use error::ConnectorError;
pub use registry::Registry;

/// A way to an upstream identity provider.
pub trait Connector: Send + Sync + fmt::Debug + 'static {
    /// How a person signs in through this connector.
    fn login(&self) -> Login<'_>;

    /// Re-reads an identity at refresh time; `None` if the upstream has no such notion, and then no refresh token is issued.
    fn refresh(&self) -> Option<&dyn RefreshIdentity> {
        None
    }

    /// Vouches for a token of the upstream (RFC 8693); `None` if it cannot.
    fn token_identity(&self) -> Option<&dyn TokenIdentity> {
        None
    }

    /// Ends the upstream's session; `None` if it cannot.
    fn logout(&self) -> Option<&dyn UpstreamLogout> {
        None
    }
}

/// How a login goes.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Login<'a> {
    /// The browser is sent to the upstream and comes back.
    Redirect(&'a dyn RedirectLogin),
    /// Name and password are typed into our own form.
    Password(&'a dyn PasswordLogin),
}

/// The parts of the downstream request that matter to a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "all that reaches a connector, by design"
)]
pub struct Scopes {
    /// `offline_access` was asked for: keep what a later refresh needs.
    pub offline_access: bool,
    /// `groups` was asked for.
    pub groups: bool,
}

/// Who somebody is, as the upstream says, and what the connector wants kept for a later refresh.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "what Dex's connectors return")]
pub struct Identity {
    /// The claims.
    pub claims: Claims,
    /// Kept by the caller, never shown: upstream refresh tokens and the like.
    pub connector_data: Blob,
}

/// Login by redirect.
#[async_trait]
pub trait RedirectLogin: Send + Sync + fmt::Debug {
    /// Where to send the browser.
    async fn begin(&self, request: BeginLogin<'_>) -> Result<LoginRedirect, ConnectorError>;

    /// Turns what the browser brought back into an identity.
    async fn complete(&self, callback: Callback<'_>) -> Result<Identity, ConnectorError>;
}

/// What a redirect login starts from.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "built by callers of a connector")]
pub struct BeginLogin<'a> {
    /// What the downstream client asked for.
    pub scopes: Scopes,
    /// Where the upstream must send the browser back to.
    pub callback_url: &'a Url,
    /// Opaque, comes back unchanged; ties the answer to the request.
    pub state: &'a str,
    /// The downstream `login_hint`, if any (OpenID Connect Core 1.0 §3.1.2.1).
    pub login_hint: Option<&'a str>,
}

/// Where a redirect login goes on.
#[derive(Debug, Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by connectors, ours or not"
)]
pub struct LoginRedirect {
    /// The upstream's authorization endpoint, parameters included.
    pub url: Url,
    /// Kept with the request and handed to [`RedirectLogin::complete`]: a PKCE verifier, say.
    pub connector_data: Blob,
}

/// What came back from the upstream.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "built by callers of a connector")]
pub struct Callback<'a> {
    /// What the downstream client asked for.
    pub scopes: Scopes,
    /// The same as in [`BeginLogin`].
    pub callback_url: &'a Url,
    /// The same as in [`BeginLogin`].
    pub state: &'a str,
    /// What [`RedirectLogin::begin`] wanted kept.
    pub connector_data: &'a Blob,
    /// The callback's parameters, decoded, in order.
    pub parameters: &'a [(String, String)],
    /// The callback's request headers.
    pub headers: &'a http::HeaderMap,
}

impl Callback<'_> {
    /// The first value of a parameter; empty counts as absent.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}

/// Login by name and password.
#[async_trait]
pub trait PasswordLogin: Send + Sync + fmt::Debug {
    /// Label of the name field, such as `Email Address`.
    #[expect(
        clippy::unnecessary_literal_bound,
        reason = "other connectors have it in their configuration"
    )]
    fn prompt(&self) -> &str {
        "Username"
    }

    /// Checks the credentials; `None` when they are wrong. Takes the same time whether or not the user exists.
    async fn login(
        &self,
        scopes: Scopes,
        username: &str,
        password: &SecretString,
    ) -> Result<Option<Identity>, ConnectorError>;
}

/// Re-reads an identity at refresh time.
#[async_trait]
pub trait RefreshIdentity: Send + Sync + fmt::Debug {
    /// The identity now, given what was known and kept. The user id must be the same; callers refuse another one.
    async fn refresh(&self, scopes: Scopes, identity: Identity)
    -> Result<Identity, ConnectorError>;
}

/// Vouches for a token of the upstream.
#[async_trait]
pub trait TokenIdentity: Send + Sync + fmt::Debug {
    /// The identity a token stands for.
    async fn token_identity(
        &self,
        kind: SubjectTokenType,
        token: &SecretString,
    ) -> Result<Identity, ConnectorError>;
}

/// Kinds of tokens that can be exchanged (RFC 8693 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubjectTokenType {
    /// `urn:ietf:params:oauth:token-type:id_token`
    IdToken,
    /// `urn:ietf:params:oauth:token-type:access_token`
    AccessToken,
}

/// Ends the upstream's session.
#[async_trait]
pub trait UpstreamLogout: Send + Sync + fmt::Debug {
    /// Where to send the browser; `None` when the upstream has no logout.
    async fn logout_url(
        &self,
        post_logout_redirect_uri: Option<&Url>,
    ) -> Result<Option<Url>, ConnectorError>;
}
