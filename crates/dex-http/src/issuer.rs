//! [`Issuer`]: what an embedder builds and mounts.

use std::fmt;
use std::sync::Arc;

use dex_connectors::upstream::UpstreamSettings;
use dex_connectors::{Connector, OpenContext, Registry};
use dex_core::clock::{Clock, SystemClock};
use dex_core::entropy::{Entropy, SystemEntropy};
use dex_signer::Signer;
use dex_storage::{Storage, StorageError};

use crate::connectors::{ConnectorInfo, Connectors, OpenConnector, OpenError, RegistryOpener};
use crate::cors::Cors;
use crate::discovery::Discovery;
use crate::health::Health;
use crate::keyed_lock::KeyedLock;
use crate::pages::{FrontendOptions, Pages, PagesError};
use crate::password_directory::StoredPasswords;
use crate::provider::Provider;
use crate::sealed::SealingKeyring;
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
            health: Health::default(),
            connectors: Vec::new(),
            frontend: FrontendOptions::default(),
            registry: Registry::with_all(),
            upstream: UpstreamSettings::default(),
        }
    }

    /// Opens every connector now instead of at its first use, all at once, and says how each went, by id. One that failed is retried
    /// at its next use; whether the provider serves without it is the caller's decision.
    ///
    /// # Errors
    /// [`StorageError`] when the connectors cannot be listed.
    pub async fn open_connectors(
        &self,
    ) -> Result<Vec<(String, Result<(), OpenError>)>, StorageError> {
        let connectors = &self.provider.connectors;
        let all = connectors.list().await?;
        Ok(
            futures_util::future::join_all(all.into_iter().map(|about| async move {
                let outcome = connectors.open(&about.id).await.map(drop);
                (about.id, outcome)
            }))
            .await,
        )
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
    health: Health,
    connectors: Vec<OpenConnector>,
    frontend: FrontendOptions,
    registry: Registry,
    upstream: UpstreamSettings,
}

impl IssuerBuilder {
    /// What the operator decided. Default: [`Policy::default`], which is Dex's.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// What `/healthz` tells; whoever checks the storage keeps a clone and records each outcome. Default: always well.
    #[must_use]
    pub fn health(mut self, health: Health) -> Self {
        self.health = health;
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

    /// Offers an already open connector besides the stored ones; it wins over a stored one of the same `id`. `name` is shown to people.
    #[must_use]
    pub fn connector(
        mut self,
        id: impl Into<String>,
        name: impl Into<String>,
        connector: Arc<dyn Connector>,
    ) -> Self {
        self.connectors.push(OpenConnector {
            about: ConnectorInfo {
                id: id.into(),
                name: name.into(),
                kind: "custom".to_owned(),
                grant_types: Vec::new(),
            },
            connector,
        });
        self
    }

    /// How pages look and where their files come from. Default: the embedded ones. The issuer's path is filled in.
    #[must_use]
    pub fn frontend(mut self, frontend: FrontendOptions) -> Self {
        self.frontend = frontend;
        self
    }

    /// The connectors that stored records can name by type. Default: all of this build.
    #[must_use]
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// How connectors reach their upstreams. Default: [`UpstreamSettings::default`].
    #[must_use]
    pub fn upstream(mut self, upstream: UpstreamSettings) -> Self {
        self.upstream = upstream;
        self
    }

    /// Puts the provider together.
    ///
    /// # Errors
    /// Everything that does not fit together, at once.
    pub fn build(mut self) -> Result<Issuer, BuildError> {
        let mut faults = Vec::new();
        let issuer = IssuerUrl::parse(&self.url)
            .map_err(|fault| faults.push(fault.into()))
            .ok();
        if let Some(issuer) = &issuer {
            issuer.prefix().clone_into(&mut self.frontend.issuer_path);
        }
        let pages = Pages::embedded(self.frontend)
            .map_err(|fault| faults.push(fault.into()))
            .ok();
        let (Some(issuer), Some(pages)) = (issuer, pages) else {
            return Err(BuildError { faults });
        };
        let opener = RegistryOpener {
            registry: self.registry,
            context: OpenContext::new(Arc::clone(&self.clock), Arc::clone(&self.entropy))
                .with_passwords(Arc::new(StoredPasswords(Arc::clone(&self.storage))))
                .with_upstream(self.upstream),
        };
        Ok(Issuer {
            provider: Arc::new(Provider {
                issuer,
                connectors: Connectors::new(
                    Arc::clone(&self.storage),
                    Arc::clone(&self.clock),
                    Arc::new(opener),
                    self.connectors,
                ),
                pages,
                sealing_keys: SealingKeyring::new(
                    Arc::clone(&self.storage),
                    Arc::clone(&self.clock),
                    Arc::clone(&self.entropy),
                    self.policy.auth_requests_valid_for,
                ),
                storage: self.storage,
                signer: self.signer,
                clock: self.clock,
                entropy: self.entropy,
                cors: Cors::new(&self.policy),
                discovery: Discovery::default(),
                health: self.health,
                refresh_turns: KeyedLock::default(),
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
    #[error(transparent)]
    Pages(#[from] PagesError),
}
