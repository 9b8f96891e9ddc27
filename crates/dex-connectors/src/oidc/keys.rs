//! The provider's published keys, cached.
//!
//! They are fetched when first needed, again when the cache headers say so, and once more when a token is signed by a key we do
//! not know: at most every [`REFETCH_PAUSE`], because anybody can make up a key id. Concurrent needs share one request.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dex_core::Timestamp;
use dex_core::clock::Clock;
use http::{HeaderMap, Request, StatusCode, header};
use josekit::jwk::Jwk;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::jws::CompactJws;
use crate::ConnectorError;
use crate::upstream::UpstreamClient;

/// A provider's key set.
pub(super) struct KeyCache {
    http: UpstreamClient,
    jwks_uri: Url,
    clock: Arc<dyn Clock>,
    cached: Mutex<Option<Cached>>,
    /// Held while fetching.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Cached {
    keys: Arc<[Jwk]>,
    fetched_at: Timestamp,
    fresh_until: Timestamp,
}

impl KeyCache {
    pub(super) fn new(http: UpstreamClient, jwks_uri: Url, clock: Arc<dyn Clock>) -> Self {
        Self {
            http,
            jwks_uri,
            clock,
            cached: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        }
    }

    /// Whether one of the provider's keys made this signature.
    pub(super) async fn has_signed(&self, jws: &CompactJws<'_>) -> Result<bool, ConnectorError> {
        let known = self.fresh().await?;
        if jws.is_signed_by_one_of(&known.keys) {
            return Ok(true);
        }
        // Perhaps the provider has rotated.
        let now = self.clock.now();
        let renewed = self
            .fetch_unless(|cached| {
                cached.fetched_at > known.fetched_at || now.since(cached.fetched_at) < REFETCH_PAUSE
            })
            .await?;
        Ok(jws.is_signed_by_one_of(&renewed.keys))
    }

    async fn fresh(&self) -> Result<Cached, ConnectorError> {
        let now = self.clock.now();
        let is_fresh = |cached: &Cached| now < cached.fresh_until;
        let stale = match self.cached() {
            Some(cached) if is_fresh(&cached) => return Ok(cached),
            stale => stale,
        };
        match (self.fetch_unless(is_fresh).await, stale) {
            // Keys do not change often: better an old set than nobody signing in while the provider recovers.
            (Err(error), Some(stale)) => {
                tracing::warn!(%error, "cannot renew the provider's keys, using those we have");
                Ok(stale)
            }
            (outcome, _) => outcome,
        }
    }

    /// Fetches, unless what is cached by the time it is our turn is `good_enough`.
    async fn fetch_unless(
        &self,
        good_enough: impl Fn(&Cached) -> bool,
    ) -> Result<Cached, ConnectorError> {
        let _turn = self.fetching.lock().await;
        if let Some(cached) = self.cached().filter(good_enough) {
            return Ok(cached);
        }
        let fetched = self.fetch().await?;
        *self.cached.lock().unwrap_or_else(PoisonError::into_inner) = Some(fetched.clone());
        Ok(fetched)
    }

    fn cached(&self) -> Option<Cached> {
        self.cached
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn fetch(&self) -> Result<Cached, ConnectorError> {
        let request = Request::get(self.jwks_uri.as_str())
            .body(Vec::new())
            .map_err(|error| ConnectorError::upstream("oidc: get keys failed", error))?;
        let response = self.http.send("oidc: get keys failed", request).await?;
        if response.status != StatusCode::OK {
            return Err(ConnectorError::Upstream {
                context: format!("oidc: get keys failed: {}", response.status),
                source: None,
            });
        }
        let keys = parse(&response.body)
            .map_err(|error| ConnectorError::upstream("oidc: failed to decode keys", error))?;
        let now = self.clock.now();
        Ok(Cached {
            keys,
            fetched_at: now,
            fresh_until: now.saturating_add(freshness(&response.headers)),
        })
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyCache")
            .field("jwks_uri", &self.jwks_uri.as_str())
            .finish_non_exhaustive()
    }
}

/// How soon an unknown key may cause another request.
const REFETCH_PAUSE: Duration = Duration::from_secs(10);
/// Freshness when the answer says nothing of it.
const DEFAULT_FRESHNESS: Duration = Duration::from_hours(1);
/// Even `no-store` and `max-age=0` do not make every login fetch.
const MIN_FRESHNESS: Duration = Duration::from_mins(1);
const MAX_FRESHNESS: Duration = Duration::from_hours(24);
/// More keys than this would only slow down tokens without a key id.
const MAX_KEYS: usize = 100;

/// `max-age` less `Age` (RFC 9111 §4.2), within bounds.
fn freshness(headers: &HeaderMap) -> Duration {
    let directives: Vec<_> = headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|directive| directive.trim().to_ascii_lowercase())
        .collect();
    if directives
        .iter()
        .any(|directive| directive == "no-store" || directive == "no-cache")
    {
        return MIN_FRESHNESS;
    }
    let max_age = directives
        .iter()
        .filter_map(|directive| directive.strip_prefix("max-age="))
        .find_map(|seconds| seconds.trim_matches('"').parse().ok());
    let age = headers
        .get(header::AGE)
        .and_then(|value| value.to_str().ok())
        .and_then(|seconds| seconds.trim().parse().ok())
        .unwrap_or(0_u64);
    max_age
        .map_or(DEFAULT_FRESHNESS, |seconds: u64| {
            Duration::from_secs(seconds.saturating_sub(age))
        })
        .clamp(MIN_FRESHNESS, MAX_FRESHNESS)
}

/// RFC 7517 §5: keys that we cannot read are skipped.
fn parse(body: &[u8]) -> Result<Arc<[Jwk]>, serde_json::Error> {
    #[derive(Deserialize)]
    struct JwkSet {
        keys: Vec<Map<String, Value>>,
    }
    let set: JwkSet = serde_json::from_slice(body)?;
    Ok(set
        .keys
        .into_iter()
        .take(MAX_KEYS)
        .filter_map(|members| Jwk::from_map(members).ok())
        .collect())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn cache_headers_are_honoured_within_bounds() {
        for (cache_control, age, expected) in [
            (None, None, DEFAULT_FRESHNESS),
            (Some("public, max-age=600"), None, Duration::from_mins(10)),
            (Some("Max-Age=600"), Some("300"), Duration::from_mins(5)),
            (Some("max-age=600"), Some("900"), MIN_FRESHNESS),
            (Some("max-age=0"), None, MIN_FRESHNESS),
            (Some("no-store, max-age=600"), None, MIN_FRESHNESS),
            (Some("max-age=99999999999999"), None, MAX_FRESHNESS),
            (Some("max-age=soon"), Some("x"), DEFAULT_FRESHNESS),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(value) = cache_control {
                headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(value));
            }
            if let Some(value) = age {
                headers.insert(header::AGE, HeaderValue::from_static(value));
            }
            assert_eq!(freshness(&headers), expected, "{cache_control:?} {age:?}");
        }
    }

    #[test]
    fn unreadable_keys_are_skipped() {
        let keys = parse(br#"{"keys":[{"kty":7},{"kty":"unheard-of","kid":"a"},{}]}"#).unwrap();
        assert!(keys.len() <= 1);
        assert!(parse(br#"{"keys":{}}"#).is_err());
        assert!(parse(b"[]").is_err());
    }
}
