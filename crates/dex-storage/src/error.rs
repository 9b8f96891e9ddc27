//! What can go wrong in a store.

use dex_core::records::DecodeError;

/// A storage operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// A record with this key exists already.
    #[error("ID already exists")]
    AlreadyExists,
    /// There is no record with this key.
    #[error("not found")]
    NotFound,
    /// The decision inside the transaction refused; nothing was written.
    #[error("aborted by the caller")]
    Aborted,
    /// The record belongs to the configuration file and cannot be written.
    #[error("static {entity}: read-only cannot {verb}")]
    ReadOnly {
        /// `clients`, `passwords` or `connectors`.
        entity: &'static str,
        /// What was tried, such as `create client`.
        verb: &'static str,
    },
    /// A stored record is malformed.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// The store does not answer, is full, is corrupt or has been closed.
    #[error("{context}")]
    Unavailable {
        /// What was being done.
        context: String,
        /// The backend's own error.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl StorageError {
    /// An [`Unavailable`](Self::Unavailable) that keeps the backend's error.
    pub fn unavailable(
        context: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Unavailable {
            context: context.into(),
            source: Some(source.into()),
        }
    }
}

/// A typed update failed: the caller's own refusal, or the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError<E> {
    /// The decision refused; nothing was written.
    #[error("update refused")]
    Refused(E),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
