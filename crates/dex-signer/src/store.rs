//! Where the local signer keeps its keys.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use dex_core::records::{NextSigningKey, SigningKeys};

use crate::SignerError;

/// What is to be written.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a store must handle every kind of change"
)]
pub enum KeyChange {
    /// Nothing.
    Keep,
    /// Both records, atomically.
    Write {
        /// Replaces the keys, or creates them.
        keys: Box<SigningKeys>,
        /// Replaces the next key or creates it; `None` removes it if there is one.
        next: Option<Box<NextSigningKey>>,
    },
}

/// Sees both records as they are and says what to write. Pure, synchronous, and called again if another writer was faster.
pub type DecideKeys =
    Box<dyn FnMut(Option<SigningKeys>, Option<NextSigningKey>) -> KeyChange + Send>;

/// Where the signing keys live: the record Dex shares, and the private half of the key that will sign next.
///
/// `dex-http` implements it over its storage. A store without transactions over several records writes `keys` first; that write
/// decides who wins.
#[async_trait]
pub trait KeyStore: Send + Sync + fmt::Debug + 'static {
    /// Reads both records.
    async fn load(&self) -> Result<(Option<SigningKeys>, Option<NextSigningKey>), SignerError>;

    /// Reads both records, lets `decide` choose, and writes, as one step: no other writer comes between.
    async fn update(&self, decide: DecideKeys) -> Result<(), SignerError>;
}

/// Keys in this process's memory, for tests and for embedders that can do without keeping them.
#[derive(Default)]
pub struct MemoryKeyStore(Mutex<(Option<SigningKeys>, Option<NextSigningKey>)>);

impl MemoryKeyStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A store that holds `keys`.
    pub fn with(keys: SigningKeys, next: Option<NextSigningKey>) -> Self {
        Self(Mutex::new((Some(keys), next)))
    }

    fn records(&self) -> MutexGuard<'_, (Option<SigningKeys>, Option<NextSigningKey>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keys are secrets: only whether there are any is shown.
impl fmt::Debug for MemoryKeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryKeyStore")
            .field("has_keys", &self.records().0.is_some())
            .finish()
    }
}

#[async_trait]
impl KeyStore for MemoryKeyStore {
    async fn load(&self) -> Result<(Option<SigningKeys>, Option<NextSigningKey>), SignerError> {
        Ok(self.records().clone())
    }

    async fn update(&self, mut decide: DecideKeys) -> Result<(), SignerError> {
        let mut records = self.records();
        let (keys, next) = records.clone();
        if let KeyChange::Write { keys, next } = decide(keys, next) {
            *records = (Some(*keys), next.map(|next| *next));
        }
        Ok(())
    }
}
