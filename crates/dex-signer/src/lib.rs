//! Signing keys of a federated OpenID Connect provider: who signs, which public keys verify, and when they rotate.
//!
//! [`Signer`] hands out the key of the moment and the published key set. It knows no storage: the local signer keeps its keys behind
//! `KeyStore`, which `dex-http` implements over its storage.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

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
}

/// Signature algorithms of JWS (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// Ed25519.
    EdDsa,
}

/// The published keys, ready to be served and to verify with. (Filled in by the signer's author: prepared JWKS bytes and ETag,
/// `verify(token) -> payload` for all algorithms, keys by `kid`.)
#[derive(Debug)]
pub struct KeySet {}

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
}
