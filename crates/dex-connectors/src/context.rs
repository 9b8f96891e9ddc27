//! What a connector is given when it is opened.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use dex_core::clock::{Clock, SystemClock};
use dex_core::entropy::{Entropy, SystemEntropy};
use dex_core::records::Password;
use serde::de::DeserializeOwned;

use crate::hashing::HashingPool;
use crate::upstream::UpstreamSettings;
use crate::{Connector, ConnectorError};

/// A connector's configuration: what its users write, and how it becomes an open connector.
#[async_trait]
pub trait ConnectorConfig: DeserializeOwned + Send + 'static {
    /// What opening will refuse in any case, found without asking the upstream.
    fn check(&self) -> Result<(), ConnectorError> {
        Ok(())
    }

    /// Opens the connector named `id`. A failure is not remembered anywhere: callers try again later.
    async fn open(
        self,
        id: &str,
        context: &OpenContext,
    ) -> Result<Arc<dyn Connector>, ConnectorError>;
}

/// Why a password directory could not answer.
pub type PasswordLookupError = Box<dyn std::error::Error + Send + Sync>;

/// Where the `local` connector looks people up.
#[async_trait]
pub trait PasswordDirectory: Send + Sync + 'static {
    /// The entry with this address, compared without regard to case; `None` if there is none.
    async fn find(&self, email: &str) -> Result<Option<Password>, PasswordLookupError>;
}

/// A directory without entries, for those who use connectors without a password database.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPasswords;

#[async_trait]
impl PasswordDirectory for NoPasswords {
    async fn find(&self, _email: &str) -> Result<Option<Password>, PasswordLookupError> {
        Ok(None)
    }
}

/// The outside world, as connectors may use it.
#[derive(Clone)]
pub struct OpenContext {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    passwords: Arc<dyn PasswordDirectory>,
    upstream: UpstreamSettings,
    hashing: Arc<HashingPool>,
}

impl OpenContext {
    /// A context with these sources of time and randomness, no password database, and default upstream settings.
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            clock,
            entropy,
            passwords: Arc::new(NoPasswords),
            upstream: UpstreamSettings::default(),
            hashing: Arc::new(HashingPool::sized_for_this_machine()),
        }
    }

    /// A context over the operating system's clock and generator.
    pub fn system() -> Self {
        Self::new(Arc::new(SystemClock), Arc::new(SystemEntropy::new()))
    }

    /// Sets where the `local` connector looks people up. Default: [`NoPasswords`].
    #[must_use]
    pub fn with_passwords(mut self, passwords: Arc<dyn PasswordDirectory>) -> Self {
        self.passwords = passwords;
        self
    }

    /// Sets how upstreams are reached. Default: [`UpstreamSettings::default`].
    #[must_use]
    pub fn with_upstream(mut self, upstream: UpstreamSettings) -> Self {
        self.upstream = upstream;
        self
    }

    /// Sets the pool that checks passwords. Default: a pool of its own, one thread less than there are cores.
    #[must_use]
    pub fn with_hashing(mut self, hashing: Arc<HashingPool>) -> Self {
        self.hashing = hashing;
        self
    }

    /// The clock.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// The source of randomness.
    pub fn entropy(&self) -> Arc<dyn Entropy> {
        Arc::clone(&self.entropy)
    }

    /// The password database.
    pub fn passwords(&self) -> Arc<dyn PasswordDirectory> {
        Arc::clone(&self.passwords)
    }

    /// How upstreams are reached.
    pub fn upstream(&self) -> &UpstreamSettings {
        &self.upstream
    }

    /// The pool that checks passwords.
    pub fn hashing(&self) -> Arc<HashingPool> {
        Arc::clone(&self.hashing)
    }
}

impl fmt::Debug for OpenContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenContext")
            .field("upstream", &self.upstream)
            .finish_non_exhaustive()
    }
}
