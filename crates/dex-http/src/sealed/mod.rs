//! Authorization requests sealed in the browser: nothing is stored before somebody is authenticated.
//!
//! A request under way is named by a random handle, which is also the upstream's `state`. The request itself travels encrypted in a
//! cookie of that handle's name, so that only the browser that began a login can finish it. A cookie has one of two stages:
//!
//! | Stage | Holds | From | Until |
//! |---|---|---|---|
//! | [`Pending`](PendingRequest) | the whole request | a connector is chosen | the login succeeds |
//! | [`Authenticated`] | a secret that the step links need | the login succeeds | the answer is sent |
//!
//! From the login on the request is a stored record. Value of a cookie: `<issue time, hex seconds>.<base64url of: version, stage,
//! key id, nonce, AES-256-GCM of the content>`; issuer, cookie name, stage and issue time are authenticated with it.

mod codec;
mod cookie;
mod keys;

use dex_core::Timestamp;
use dex_core::records::{Blob, PkceChallenge};

pub(crate) use cookie::{CookieJar, RequestCookies, is_handle};
pub(crate) use keys::{NoSealingKey, SealingKeyring};

/// An authorization request that nobody has logged in for yet, with the connector that was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PendingRequest {
    pub(crate) client_id: String,
    pub(crate) response_types: Vec<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) redirect_uri: String,
    pub(crate) nonce: String,
    pub(crate) state: String,
    pub(crate) pkce: PkceChallenge,
    /// Canonical.
    pub(crate) prompt: String,
    /// Seconds; -1: not given.
    pub(crate) max_age: i64,
    pub(crate) force_approval: bool,
    pub(crate) login_hint: String,
    pub(crate) connector_id: String,
    pub(crate) connector_data: Blob,
    pub(crate) expiry: Timestamp,
}

/// What the browser keeps of a request once somebody is authenticated.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Authenticated {
    /// Mixed into the key of the step links.
    pub(crate) browser_secret: [u8; 32],
}

impl std::fmt::Debug for Authenticated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authenticated")
    }
}

/// Entry for fuzzing: no bytes may panic the decoders behind the encryption.
pub fn decode_any(bytes: &[u8]) -> bool {
    codec::decode_pending(bytes).is_ok() | codec::decode_authenticated(bytes).is_ok()
}
