//! Limits and proxies of upstream requests.

use std::fmt;
use std::time::Duration;

/// How upstreams are reached. Nothing is read from the process's environment here.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UpstreamSettings {
    /// From sending a request to the last byte of its answer. Default: 30 s; Dex has no limit and can hang forever.
    pub request_timeout: Duration,
    /// For name resolution, connection and TLS handshake together. Default: 10 s.
    pub connect_timeout: Duration,
    /// Largest answer that is read, in bytes. Default: 1 MiB.
    pub max_response_bytes: usize,
    /// How many redirects are followed. Default: 10, as Dex.
    pub max_redirects: usize,
    /// Proxies between us and the upstreams. Default: none.
    pub proxies: ProxySettings,
}

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            max_response_bytes: 1024 * 1024,
            max_redirects: 10,
            proxies: ProxySettings::default(),
        }
    }
}

/// Proxies by scheme of the upstream, with the meaning of the usual environment variables.
#[derive(Clone, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the three usual variables")]
pub struct ProxySettings {
    /// `HTTP_PROXY`: proxy for `http` upstreams.
    pub http: Option<String>,
    /// `HTTPS_PROXY`: proxy for `https` upstreams.
    pub https: Option<String>,
    /// `NO_PROXY`: hosts, domains and networks that are reached directly, separated by commas.
    pub no_proxy: Option<String>,
}

/// Proxy URLs may carry credentials: only whether there is one is shown.
impl fmt::Debug for ProxySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxySettings")
            .field("http", &self.http.is_some())
            .field("https", &self.https.is_some())
            .field("no_proxy", &self.no_proxy)
            .finish()
    }
}
