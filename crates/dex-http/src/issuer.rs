//! [`Issuer`]: what an embedder builds and mounts.

use std::fmt;
use std::sync::Arc;

use dex_core::clock::{Clock, SystemClock};
use dex_core::entropy::{Entropy, SystemEntropy};
use dex_signer::Signer;
use dex_storage::Storage;

use crate::provider::Provider;
use crate::{InvalidIssuer, IssuerService, IssuerUrl, Policy};

/// A federated OpenID Connect provider, ready to be mounted.
#[derive(Debug, Clone)]
pub struct Issuer {
    provider: Arc<Provider>,
}

impl Issuer {
    /// Begins to build a provider. `url` is its public identity, also the prefix of its routes; records go to `storage`, tokens are
    /// signed by `signer`.
    pub fn builder(url: &str, storage: Arc<dyn Storage>, signer: Arc<dyn Signer>) -> IssuerBuilder {
        IssuerBuilder {
            url: url.to_owned(),
            storage,
            signer,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy::new()),
            policy: Policy::default(),
        }
    }

    /// The provider as a service. It expects whole request paths; nested in an axum router it finds them by itself.
    pub fn into_service(self) -> IssuerService {
        IssuerService::new(self.provider)
    }
}

/// Collects what a provider needs. Every setter has a default; [`build`](Self::build) reports what does not fit together.
pub struct IssuerBuilder {
    url: String,
    storage: Arc<dyn Storage>,
    signer: Arc<dyn Signer>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    policy: Policy,
}

impl IssuerBuilder {
    /// What the operator decided. Default: [`Policy::default`], which is Dex's.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The clock. Default: the operating system's. Tests hand in a [`dex_core::clock::ManualClock`].
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The generator of codes, tokens and identifiers. Default: the operating system's.
    #[must_use]
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// Puts the provider together.
    ///
    /// # Errors
    /// Everything that does not fit together, at once.
    pub fn build(self) -> Result<Issuer, BuildError> {
        let issuer = IssuerUrl::parse(&self.url).map_err(|cause| BuildError {
            faults: vec![cause.into()],
        })?;
        Ok(Issuer {
            provider: Arc::new(Provider {
                issuer,
                storage: self.storage,
                signer: self.signer,
                clock: self.clock,
                entropy: self.entropy,
                policy: self.policy,
            }),
        })
    }
}

impl fmt::Debug for IssuerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerBuilder")
            .field("url", &self.url)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// The provider cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct BuildError {
    faults: Vec<Fault>,
}

/// One thing that does not fit.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Issuer(#[from] InvalidIssuer),
}
