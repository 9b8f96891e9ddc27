//! The connectors we have, by the names that configurations use.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;

use crate::config::{self, UnknownKeys};
use crate::{Connector, ConnectorConfig, ConnectorError, OpenContext};

/// Connectors by type name.
pub struct Registry {
    entries: BTreeMap<&'static str, Entry>,
}

impl Registry {
    /// A registry without connectors.
    pub fn empty() -> Self {
        Self {
            entries: BTreeMap::new(),
        }
    }

    /// Every connector this build has.
    pub fn with_all() -> Self {
        #[cfg_attr(
            not(any(feature = "local", feature = "mock", feature = "oidc")),
            expect(unused_mut, reason = "a build without connectors adds none")
        )]
        let mut registry = Self::empty();
        #[cfg(feature = "local")]
        registry.add_implicit::<crate::local::Config>("local");
        #[cfg(feature = "mock")]
        registry.add::<crate::mock::CallbackConfig>("mockCallback");
        #[cfg(feature = "mock")]
        registry.add::<crate::mock::PasswordConfig>("mockPassword");
        #[cfg(feature = "oidc")]
        registry.add::<crate::oidc::Config>("oidc");
        registry
    }

    /// Adds a connector that configurations name `kind`; an earlier one of that name is replaced.
    pub fn add<C: ConnectorConfig>(&mut self, kind: &'static str) {
        self.entries.insert(kind, Entry::of::<C>(true));
    }

    /// Adds a connector that can be opened but not written into a configuration file: `local`, which has its own switch there.
    pub fn add_implicit<C: ConnectorConfig>(&mut self, kind: &'static str) {
        self.entries.insert(kind, Entry::of::<C>(false));
    }

    /// The types a configuration file may name, sorted.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.entries
            .iter()
            .filter(|(_, entry)| entry.configurable)
            .map(|(kind, _)| *kind)
    }

    /// Whether a connector of this type can be opened. Letter case matters.
    pub fn contains(&self, kind: &str) -> bool {
        self.entries.contains_key(kind)
    }

    /// Opens a connector from its stored configuration (JSON; nothing at all means an empty one). Unknown keys are ignored.
    ///
    /// The error's text is the reason alone; callers say which connector it was.
    pub async fn open(
        &self,
        kind: &str,
        id: &str,
        config: &[u8],
        context: &OpenContext,
    ) -> Result<Arc<dyn Connector>, ConnectorError> {
        let entry = self.entries.get(kind).ok_or_else(|| unknown(kind))?;
        let config = if config.trim_ascii().is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(config).map_err(|error| {
                ConnectorError::Config(format!("parse connector config: {error}"))
            })?
        };
        (entry.open)(id, config, context).await
    }

    /// Whether the configuration file may hold this: a known type and a configuration of the right shape. Opens nothing.
    pub fn check_config(
        &self,
        kind: &str,
        config: &Value,
        unknown_keys: UnknownKeys,
    ) -> Result<(), ConnectorError> {
        let entry = self
            .entries
            .get(kind)
            .filter(|entry| entry.configurable)
            .ok_or_else(|| unknown(kind))?;
        (entry.check)(config, unknown_keys)
    }

    /// Whether opening would refuse these values in any case: what can be said without asking the upstream. The type and shape were
    /// checked before.
    pub fn check_values(&self, kind: &str, config: &Value) -> Result<(), ConnectorError> {
        let entry = self.entries.get(kind).ok_or_else(|| unknown(kind))?;
        (entry.check_values)(config)
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::with_all()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries.keys()).finish()
    }
}

type Opening<'a> =
    Pin<Box<dyn Future<Output = Result<Arc<dyn Connector>, ConnectorError>> + Send + 'a>>;

/// What the registry knows of a type, without the type.
struct Entry {
    configurable: bool,
    check: fn(&Value, UnknownKeys) -> Result<(), ConnectorError>,
    check_values: fn(&Value) -> Result<(), ConnectorError>,
    open: for<'a> fn(&'a str, Value, &'a OpenContext) -> Opening<'a>,
}

impl Entry {
    fn of<C: ConnectorConfig>(configurable: bool) -> Self {
        Self {
            configurable,
            check: |config, unknown_keys| {
                config::parse::<C>(config.clone(), unknown_keys).map(drop)
            },
            check_values: |config| config::parse::<C>(config.clone(), UnknownKeys::Ignore)?.check(),
            open: |id, config, context| {
                Box::pin(async move {
                    config::parse::<C>(config, UnknownKeys::Ignore)?
                        .open(id, context)
                        .await
                })
            },
        }
    }
}

fn unknown(kind: &str) -> ConnectorError {
    if DEX_KINDS.contains(&kind) {
        ConnectorError::Config(format!("connector type {kind:?} is not part of this build"))
    } else {
        ConnectorError::Config(format!("unknown connector type {kind:?}"))
    }
}

/// The types Dex has; what we lack of them deserves a better word than "unknown".
const DEX_KINDS: [&str; 18] = [
    "atlassian-crowd",
    "authproxy",
    "bitbucket-cloud",
    "gitea",
    "github",
    "gitlab",
    "google",
    "keystone",
    "ldap",
    "linkedin",
    "microsoft",
    "mockCallback",
    "mockPassword",
    "oauth",
    "oidc",
    "openshift",
    "saml",
    "samlExperimental",
];
