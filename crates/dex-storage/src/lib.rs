//! Storage of a federated OpenID Connect provider.
//!
//! [`Storage`] is small on purpose: read a record, list an entity, and run one atomic [`Transaction`]. What may be written is decided
//! by pure functions of `dex-core` that run *inside* the transaction; a backend knows columns, never a rule of the protocol.
//! Records are typed for callers through [`StorageExt`].
//!
//! # Adding a backend
//! A file or folder here that implements [`Storage`] over [`dex_core::records::Row`], one [`conformance::suite!`](conformance) line in its tests, one
//! line where `dexd` picks the backend by name.

pub mod conformance;
mod error;
mod ext;
pub mod garbage;
pub mod memory;
pub mod sqlite;
pub mod static_overlay;
mod transaction;

use std::fmt;

use async_trait::async_trait;
use dex_core::Timestamp;
use dex_core::records::{Entity, RecordKey, Row};

pub use error::{StorageError, UpdateError};
pub use ext::StorageExt;
pub use transaction::{Abort, Decide, Transaction, Write};

/// Where records live. Object-safe; use [`StorageExt`] for typed access.
#[async_trait]
pub trait Storage: Send + Sync + fmt::Debug + 'static {
    /// Reads one record; `None` if there is none. Expired records are returned until they are collected.
    async fn get(&self, key: &RecordKey) -> Result<Option<Row>, StorageError>;

    /// Reads all records of an entity, in no particular order.
    async fn list(&self, entity: Entity) -> Result<Vec<Row>, StorageError>;

    /// Reads, decides and writes as one step: no other writer comes between the reads and the writes.
    ///
    /// The decision is synchronous and may be called again with fresher records when another writer was faster. All writes take
    /// effect or none does. (A backend without transactions over several records writes in the listed order, and the first write
    /// decides who wins; callers list the write that must be unique first.)
    ///
    /// # Errors
    /// [`StorageError::Aborted`] when the decision refused; [`StorageError::AlreadyExists`] and [`StorageError::NotFound`] for a
    /// [`Write::Create`] or [`Write::Delete`] that does not fit; [`StorageError::Unavailable`] when the outcome is not known to
    /// have taken effect.
    async fn transact(&self, transaction: Transaction) -> Result<(), StorageError>;

    /// Deletes records that expired before `now`, at most `limit` of each entity, in small steps that do not hold up other work.
    async fn collect_garbage(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Collected, StorageError>;

    /// Whether reads and writes work right now. Leaves nothing behind.
    async fn check_health(&self) -> Result<(), StorageError>;

    /// Finishes what was acknowledged and releases the backend. Later calls fail with [`StorageError::Unavailable`].
    async fn close(&self);
}

/// How many records a garbage collection removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Collected {
    /// Authorization requests.
    pub auth_requests: usize,
    /// Authorization codes.
    pub auth_codes: usize,
    /// Device requests.
    pub device_requests: usize,
    /// Device tokens.
    pub device_tokens: usize,
    /// Browser sessions.
    pub auth_sessions: usize,
}

impl Collected {
    /// Adds `count` removed records of `entity`.
    pub fn add(&mut self, entity: Entity, count: usize) {
        match entity {
            Entity::AuthRequest => self.auth_requests += count,
            Entity::AuthCode => self.auth_codes += count,
            Entity::DeviceRequest => self.device_requests += count,
            Entity::DeviceToken => self.device_tokens += count,
            Entity::AuthSession => self.auth_sessions += count,
            _ => {}
        }
    }

    /// Adds what another step removed.
    pub fn merge(&mut self, step: Self) {
        self.auth_requests += step.auth_requests;
        self.auth_codes += step.auth_codes;
        self.device_requests += step.device_requests;
        self.device_tokens += step.device_tokens;
        self.auth_sessions += step.auth_sessions;
    }

    /// How many were removed of the entity of which most were.
    pub fn most(&self) -> usize {
        self.auth_requests
            .max(self.auth_codes)
            .max(self.device_requests)
            .max(self.device_tokens)
            .max(self.auth_sessions)
    }

    /// Whether nothing was removed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
