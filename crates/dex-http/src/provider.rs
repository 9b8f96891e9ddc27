//! What every handler gets a reference to.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dex_core::clock::Clock;
use dex_core::entropy::Entropy;
use dex_core::refresh::RefreshPolicy;
use dex_signer::Signer;
use dex_storage::Storage;
use http::HeaderName;
use ipnet::IpNet;

use crate::IssuerUrl;
use crate::connectors::Connectors;
use crate::cors::Cors;
use crate::discovery::Discovery;
use crate::health::Health;
use crate::keyed_lock::KeyedLock;
use crate::pages::Pages;
use crate::sealed::SealingKeyring;

/// The provider: everything an endpoint may use. Handlers take `&Provider` and name what they need.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) issuer: IssuerUrl,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) connectors: Connectors,
    pub(crate) pages: Pages,
    pub(crate) sealing_keys: SealingKeyring,
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) policy: Policy,
    pub(crate) cors: Cors,
    pub(crate) discovery: Discovery,
    pub(crate) health: Health,
    /// Refreshes under way, by the refresh token's id.
    pub(crate) refresh_turns: KeyedLock,
}

/// What the operator decided. Defaults are Dex's.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Policy {
    /// Life of ID and access tokens. Default 24 hours.
    pub id_tokens_valid_for: Duration,
    /// Life of an authorization request. Default 24 hours.
    pub auth_requests_valid_for: Duration,
    /// Life of an authorization code. Default 30 minutes, as in Dex.
    pub auth_codes_valid_for: Duration,
    /// Rotation and lifetimes of refresh tokens.
    pub refresh: RefreshPolicy,
    /// No consent page unless the request forces one. Default false.
    pub skip_approval_screen: bool,
    /// Show the connector page even when there is one connector. Default false.
    pub always_show_login_screen: bool,
    /// Grants that are served. Default `authorization_code` and `refresh_token`.
    pub grant_types: Vec<String>,
    /// `code_challenge` is mandatory (RFC 9700 §2.1.1). Default false.
    pub pkce_required: bool,
    /// Accepted `code_challenge_method`s, as advertised. Default `S256`, `plain`.
    pub pkce_methods: Vec<String>,
    /// How authorization requests travel. Default sealed.
    pub auth_requests: AuthRequestMode,
    /// Origins that may read answers of the CORS routes; empty: CORS is off.
    pub allowed_origins: Vec<String>,
    /// Request headers allowed in preflights. Default `Authorization`.
    pub allowed_headers: Vec<String>,
    /// Response headers set by the operator (`web.headers`); they override ours.
    pub headers: http::HeaderMap,
    /// Header that carries the client's address, and the peers that are believed.
    pub client_address: Option<ClientAddressPolicy>,
}

impl Default for Policy {
    fn default() -> Self {
        const DAY: Duration = Duration::from_hours(24);
        Self {
            id_tokens_valid_for: DAY,
            auth_requests_valid_for: DAY,
            auth_codes_valid_for: Duration::from_mins(30),
            refresh: RefreshPolicy::default(),
            skip_approval_screen: false,
            always_show_login_screen: false,
            grant_types: vec!["authorization_code".to_owned(), "refresh_token".to_owned()],
            pkce_required: false,
            pkce_methods: vec!["S256".to_owned(), "plain".to_owned()],
            auth_requests: AuthRequestMode::Sealed,
            allowed_origins: Vec::new(),
            allowed_headers: vec!["Authorization".to_owned()],
            headers: http::HeaderMap::new(),
            client_address: None,
        }
    }
}

/// How an authorization request travels until somebody is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthRequestMode {
    /// Sealed in a cookie of the browser; nothing is written before a login succeeds.
    Sealed,
    /// As a stored record, like Dex: for sharing a database with running Dex replicas and for scripts without a cookie jar.
    Stored,
}

/// Where the client's address comes from (compat: `web.md` §4).
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "built by operators' code")]
pub struct ClientAddressPolicy {
    /// The header, such as `X-Forwarded-For`.
    pub header: HeaderName,
    /// Peers whose header is believed.
    pub trusted_proxies: Vec<IpNet>,
}

impl ClientAddressPolicy {
    /// Whether `address` is a trusted proxy.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies
            .iter()
            .any(|net| net.contains(&address))
    }
}
