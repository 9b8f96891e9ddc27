//! Signing keys of a federated OpenID Connect provider: who signs, which public keys verify, and when they rotate.
//!
//! [`Signer`] hands out the key of the moment and the published [`KeySet`]. It knows no storage: [`LocalSigner`] keeps its keys
//! behind [`KeyStore`], which `dex-http` implements over its storage.
//!
//! ```
//! # use std::sync::Arc;
//! # use dex_core::{clock::SystemClock, entropy::SystemEntropy};
//! # use dex_signer::{Algorithm, LocalConfig, LocalSigner, MemoryKeyStore, Signer};
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = LocalConfig::default();
//! config.algorithm = Algorithm::Es256;
//! let signer = LocalSigner::open(
//!     Arc::new(MemoryKeyStore::new()),
//!     config,
//!     Arc::new(SystemClock),
//!     Arc::new(SystemEntropy::new()),
//! )
//! .await?;
//! let token = signer.signing_key().await?.sign(None, b"{}".to_vec()).await?;
//! assert_eq!(signer.verify(&token).await??.bytes(), b"{}");
//! # Ok(()) }
//! ```
//!
//! # Adding a signer
//! Implement [`Signer`] and [`SigningKey`]; build the published keys with [`KeySet::from_jwks`]. Signing that takes longer than some
//! tens of microseconds must leave the async workers alone.

mod algorithm;
mod generate;
mod jwk;
mod key_set;
mod local;
mod store;
mod token;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use jwk::InvalidKey;
pub use key_set::KeySet;
pub use local::{Checked, LocalConfig, LocalSigner, OldKeys, RotatedNow, rotate_now};
pub use store::{DecideKeys, KeyChange, KeyStore, MemoryKeyStore};
pub use token::{MAX_TOKEN_LEN, VerifiedPayload, VerifyError};

/// A source of signatures and of the keys that verify them.
#[async_trait]
pub trait Signer: Send + Sync + fmt::Debug + 'static {
    /// The key that signs now. Hold on to it while making tokens that refer to each other (`at_hash`), so that one algorithm serves
    /// all of them.
    async fn signing_key(&self) -> Result<Arc<dyn SigningKey>, SignerError>;

    /// The keys that verify, as published: the signing key first.
    async fn key_set(&self) -> Result<Arc<KeySet>, SignerError>;

    /// The published keys again, read anew because a token named a `kid` that [`key_set`](Self::key_set) did not have. Rate-limited;
    /// may return the same set.
    async fn refreshed_key_set(&self) -> Result<Arc<KeySet>, SignerError> {
        self.key_set().await
    }

    /// The algorithm tokens are signed with, as far as it is known without waiting: the one to announce while
    /// [`key_set`](Self::key_set) is not there yet.
    fn expected_algorithm(&self) -> Algorithm;

    /// Checks a token of ours against the published keys, read anew once if the token names a key that is not among them.
    ///
    /// # Errors
    /// Outside: the keys cannot be had, the token may be good. Inside: the token is not acceptable.
    async fn verify(
        &self,
        token: &str,
    ) -> Result<Result<VerifiedPayload, VerifyError>, SignerError> {
        match self.key_set().await?.verify(token) {
            Err(VerifyError::UnknownKey) => Ok(self.refreshed_key_set().await?.verify(token)),
            verdict => Ok(verdict),
        }
    }
}

/// A private key, or a handle to one.
#[async_trait]
pub trait SigningKey: Send + Sync + fmt::Debug + 'static {
    /// The `kid` (RFC 7515 §4.1.4).
    fn id(&self) -> &str;

    /// The algorithm this key signs with.
    fn algorithm(&self) -> Algorithm;

    /// Signs `payload` into a compact JWS (RFC 7515 §7.1) whose header is exactly `alg`, `kid` and, if given, `typ`.
    ///
    /// Does not block the async workers.
    async fn sign(&self, typ: Option<&str>, payload: Vec<u8>) -> Result<String, SignerError>;

    /// Signs `first`, then `second` with the hash of the first token in its place: an access token and the ID token that is bound
    /// to it (`at_hash`, OpenID Connect Core 1.0 §3.1.3.6). One hand-over where there are signing threads.
    async fn sign_pair(
        &self,
        first: Vec<u8>,
        second: HashedPayload,
    ) -> Result<(String, String), SignerError> {
        let first = self.sign(None, first).await?;
        let second = second.with_hash(&self.algorithm().half_hash(&first));
        let second = self.sign(None, second).await?;
        Ok((first, second))
    }
}

/// A JSON payload that lacks one thing: the hash of a token that is signed just before it.
#[derive(Debug)]
pub struct HashedPayload {
    before: Vec<u8>,
    after: Vec<u8>,
}

impl HashedPayload {
    /// The payload around the place of the hash, which needs no escaping in JSON: it is base64url.
    pub fn around(before: Vec<u8>, after: Vec<u8>) -> Self {
        Self { before, after }
    }

    /// The whole payload.
    pub fn with_hash(self, hash: &str) -> Vec<u8> {
        let mut payload = self.before;
        payload.extend_from_slice(hash.as_bytes());
        payload.extend_from_slice(&self.after);
        payload
    }
}

/// A signer failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// There is no key to sign with.
    #[error("no signing key")]
    NoKey,
    /// The keys cannot be read or written.
    #[error("{context}")]
    Unavailable {
        /// What was being done.
        context: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The stored signing key cannot be used.
    #[error("the stored signing key cannot be used")]
    Key(#[from] InvalidKey),
    /// Signing or making a key failed.
    #[error("{context} failed")]
    Failed {
        /// What was being done.
        context: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The settings make no sense.
    #[error("{0}")]
    InvalidConfig(String),
}
