//! The HTTP client.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{NoProxy, Proxy};
use tracing::Instrument;

use super::{Trust, UpstreamSettings};
use crate::ConnectorError;

/// A bounded HTTP client for one connector. Clones share connections.
#[derive(Debug, Clone)]
pub struct UpstreamClient {
    http: reqwest::Client,
    max_response_bytes: usize,
}

/// A complete answer.
#[derive(Clone)]
#[expect(clippy::exhaustive_structs, reason = "what an HTTP answer consists of")]
pub struct UpstreamResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body, at most as large as the settings allow.
    pub body: Bytes,
}

impl UpstreamClient {
    /// A client with these limits and this trust.
    ///
    /// # Errors
    /// A proxy setting is not a URL.
    pub fn new(settings: &UpstreamSettings, trust: &Trust) -> Result<Self, ConnectorError> {
        let max_redirects = settings.max_redirects;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(trust.client_config()?)
            .http1_only()
            .no_proxy()
            .user_agent(concat!("dexd/", env!("CARGO_PKG_VERSION")))
            .timeout(settings.request_timeout)
            .connect_timeout(settings.connect_timeout)
            .referer(false)
            .redirect(Policy::custom(move |attempt| {
                follow(attempt, max_redirects)
            }));
        let proxies = &settings.proxies;
        // The URLs may hold a password: errors name the setting instead.
        if let Some(url) = proxies.http.as_deref().filter(|url| !url.is_empty()) {
            let proxy = Proxy::http(url).map_err(|_| not_a_url("HTTP_PROXY"))?;
            builder = builder.proxy(proxy.no_proxy(direct(proxies.no_proxy.as_deref())));
        }
        if let Some(url) = proxies.https.as_deref().filter(|url| !url.is_empty()) {
            let proxy = Proxy::https(url).map_err(|_| not_a_url("HTTPS_PROXY"))?;
            builder = builder.proxy(proxy.no_proxy(direct(proxies.no_proxy.as_deref())));
        }
        let http = builder
            .build()
            .map_err(|error| ConnectorError::upstream("HTTP client", error.without_url()))?;
        Ok(Self {
            http,
            max_response_bytes: settings.max_response_bytes,
        })
    }

    /// Sends a request and reads the whole answer, whatever its status. `purpose` names the request in errors and spans.
    ///
    /// # Errors
    /// [`ConnectorError::Upstream`]: not reached, too slow, or an answer larger than allowed.
    pub async fn send(
        &self,
        purpose: &'static str,
        request: http::Request<Vec<u8>>,
    ) -> Result<UpstreamResponse, ConnectorError> {
        let uri = request.uri();
        let span = tracing::debug_span!(
            "upstream",
            purpose,
            method = %request.method(),
            host = uri.host().unwrap_or_default(),
            path = uri.path(),
            status = tracing::field::Empty,
        );
        self.exchange(purpose, request).instrument(span).await
    }

    async fn exchange(
        &self,
        purpose: &'static str,
        request: http::Request<Vec<u8>>,
    ) -> Result<UpstreamResponse, ConnectorError> {
        let fail = |error: reqwest::Error| ConnectorError::upstream(purpose, error.without_url());
        let request = reqwest::Request::try_from(request).map_err(fail)?;
        let mut response = self.http.execute(request).await.map_err(fail)?;
        tracing::Span::current().record("status", response.status().as_u16());
        let announced = response.content_length().unwrap_or(0);
        if usize::try_from(announced).map_or(true, |len| len > self.max_response_bytes) {
            return Err(self.too_large(purpose));
        }
        // Counted again while reading: nothing may be announced, or less than what comes out of the decompressor.
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(fail)? {
            if body.len() + chunk.len() > self.max_response_bytes {
                return Err(self.too_large(purpose));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(UpstreamResponse {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body: body.freeze(),
        })
    }

    fn too_large(&self, purpose: &str) -> ConnectorError {
        ConnectorError::upstream(
            purpose,
            format!(
                "the answer is larger than {} bytes",
                self.max_response_bytes
            ),
        )
    }
}

impl UpstreamResponse {
    /// The media type in lower case, without parameters.
    pub fn media_type(&self) -> String {
        self.headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
    }
}

/// Bodies may hold tokens: only their length is shown.
impl std::fmt::Debug for UpstreamResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpstreamResponse")
            .field("status", &self.status)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Redirects within limits; never from TLS to plain text, and never one that would send a body (with credentials) to another origin.
fn follow(attempt: Attempt<'_>, max_redirects: usize) -> reqwest::redirect::Action {
    // The list begins with the first request's own URL.
    if attempt.previous().len() > max_redirects {
        return attempt.error("too many redirects");
    }
    let Some(from) = attempt.previous().last() else {
        return attempt.stop();
    };
    if from.scheme() == "https" && attempt.url().scheme() != "https" {
        return attempt.error("redirect from https to http");
    }
    let resends_body = matches!(
        attempt.status(),
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
    );
    if resends_body && from.origin() != attempt.url().origin() {
        return attempt.error("redirect of a request body to another origin");
    }
    attempt.follow()
}

fn not_a_url(setting: &str) -> ConnectorError {
    ConnectorError::Config(format!("{setting} is not a proxy URL"))
}

/// Loopback is always reached directly, as by Dex.
fn direct(no_proxy: Option<&str>) -> Option<NoProxy> {
    let listed = no_proxy.unwrap_or_default();
    NoProxy::from_string(&format!("localhost,127.0.0.0/8,::1,{listed}"))
}
