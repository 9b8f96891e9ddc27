//! The connectors of this provider: listed from storage, opened once, retried when their upstream was away.
//!
//! A record is opened at its first use and kept until the record changes. An open that failed is retried with growing pauses; until
//! then every look-up gets the last failure at once, so that a dead upstream costs nobody time. Opens of one connector never run
//! side by side. Connectors that an embedder hands in are listed behind the stored ones and win over a record of the same id.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use dex_connectors::{Connector, ConnectorError, OpenContext, Registry};
use dex_core::Timestamp;
use dex_core::clock::Clock;
use dex_core::records;
use dex_storage::{Storage, StorageError, StorageExt as _};

/// Turns a stored connector into a working one.
#[async_trait]
pub(crate) trait Opener: Send + Sync + fmt::Debug {
    async fn open(&self, record: &records::Connector)
    -> Result<Arc<dyn Connector>, ConnectorError>;
}

/// Opens connectors by their type name.
#[derive(Debug)]
pub(crate) struct RegistryOpener {
    pub(crate) registry: Registry,
    pub(crate) context: OpenContext,
}

#[async_trait]
impl Opener for RegistryOpener {
    async fn open(
        &self,
        record: &records::Connector,
    ) -> Result<Arc<dyn Connector>, ConnectorError> {
        self.registry
            .open(
                &record.kind,
                &record.id,
                record.config.expose(),
                &self.context,
            )
            .await
    }
}

/// A connector ready for use.
#[derive(Debug, Clone)]
pub(crate) struct OpenConnector {
    pub(crate) about: ConnectorInfo,
    pub(crate) connector: Arc<dyn Connector>,
}

/// What is known of a connector without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConnectorInfo {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    /// Grants that may use it; empty: all.
    pub(crate) grant_types: Vec<String>,
}

impl ConnectorInfo {
    /// Whether `grant` may use this connector.
    pub(crate) fn allows_grant(&self, grant: &str) -> bool {
        self.grant_types.is_empty() || self.grant_types.iter().any(|listed| listed == grant)
    }
}

/// Why there is no connector to use.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No connector has this id.
    #[error("there is no connector {0:?}")]
    Unknown(String),
    /// The record cannot be read.
    #[error("failed to get connector object from storage")]
    Storage(#[source] Arc<StorageError>),
    /// The connector refuses its configuration, or its upstream does not answer.
    #[error("failed to open connector: failed to create connector {id}")]
    Failed {
        /// The connector.
        id: String,
        /// What it says.
        #[source]
        source: Arc<ConnectorError>,
    },
}

/// All connectors.
#[derive(Debug)]
pub(crate) struct Connectors {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    opener: Arc<dyn Opener>,
    handed_in: Vec<OpenConnector>,
    opened: Mutex<HashMap<String, Opened>>,
    /// Held while a connector is being opened.
    opening: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// How the last open of a record went.
#[derive(Debug, Clone)]
struct Opened {
    record: records::Connector,
    outcome: Outcome,
}

#[derive(Debug, Clone)]
enum Outcome {
    Ready(Arc<dyn Connector>),
    Failed {
        cause: Arc<ConnectorError>,
        retry_at: Timestamp,
        attempts: u32,
    },
}

impl Connectors {
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        opener: Arc<dyn Opener>,
        handed_in: Vec<OpenConnector>,
    ) -> Self {
        Self {
            storage,
            clock,
            opener,
            handed_in,
            opened: Mutex::default(),
            opening: Mutex::default(),
        }
    }

    /// Every connector, whether or not it can be opened, by id.
    pub(crate) async fn list(&self) -> Result<Vec<ConnectorInfo>, StorageError> {
        let mut all: Vec<_> = self
            .storage
            .all::<records::Connector>()
            .await?
            .into_iter()
            .filter(|record| self.handed_in(&record.id).is_none())
            .map(info)
            .collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all.extend(self.handed_in.iter().map(|open| open.about.clone()));
        Ok(all)
    }

    /// The connector `id`, opened now if need be.
    ///
    /// # Errors
    /// By cause. A failure is remembered for a while and answered at once.
    pub(crate) async fn open(&self, id: &str) -> Result<OpenConnector, OpenError> {
        if let Some(open) = self.handed_in(id) {
            return Ok(open.clone());
        }
        let record = self
            .storage
            .find::<records::Connector>(id)
            .await
            .map_err(|error| OpenError::Storage(Arc::new(error)))?
            .ok_or_else(|| OpenError::Unknown(id.to_owned()))?;
        if let Some(known) = self.remembered(&record) {
            return known;
        }
        let turn = Arc::clone(lock(&self.opening).entry(id.to_owned()).or_default());
        let _turn = turn.lock().await;
        // Whoever had the turn before us may have opened it.
        if let Some(known) = self.remembered(&record) {
            return known;
        }
        let outcome = self.try_open(&record).await;
        let opened = Opened { record, outcome };
        let answer = opened.answer();
        lock(&self.opened).insert(id.to_owned(), opened);
        answer
    }

    fn handed_in(&self, id: &str) -> Option<&OpenConnector> {
        self.handed_in.iter().find(|open| open.about.id == id)
    }

    /// The outcome of an earlier open of this very record; `None` when it is time to open.
    fn remembered(&self, record: &records::Connector) -> Option<Result<OpenConnector, OpenError>> {
        let opened = lock(&self.opened);
        let known = opened
            .get(&record.id)
            .filter(|known| known.record == *record)?;
        match known.outcome {
            Outcome::Failed { retry_at, .. } if retry_at <= self.clock.now() => None,
            _ => Some(known.answer()),
        }
    }

    async fn try_open(&self, record: &records::Connector) -> Outcome {
        let attempts = match lock(&self.opened).get(&record.id) {
            Some(Opened {
                record: known,
                outcome: Outcome::Failed { attempts, .. },
            }) if known == record => *attempts,
            _ => 0,
        };
        match self.opener.open(record).await {
            Ok(connector) => Outcome::Ready(connector),
            Err(cause) => Outcome::Failed {
                cause: Arc::new(cause),
                retry_at: self.clock.now().saturating_add(pause_after(attempts)),
                attempts: attempts.saturating_add(1),
            },
        }
    }
}

impl Opened {
    fn answer(&self) -> Result<OpenConnector, OpenError> {
        match &self.outcome {
            Outcome::Ready(connector) => Ok(OpenConnector {
                about: info(self.record.clone()),
                connector: Arc::clone(connector),
            }),
            Outcome::Failed { cause, .. } => Err(OpenError::Failed {
                id: self.record.id.clone(),
                source: Arc::clone(cause),
            }),
        }
    }
}

fn info(record: records::Connector) -> ConnectorInfo {
    ConnectorInfo {
        id: record.id,
        name: record.name,
        kind: record.kind,
        grant_types: record.grant_types,
    }
}

/// 1 s, 2 s, 4 s … 32 s: an operator who repairs the upstream does not wait long.
fn pause_after(attempts: u32) -> Duration {
    Duration::from_secs(1 << attempts.min(5))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
