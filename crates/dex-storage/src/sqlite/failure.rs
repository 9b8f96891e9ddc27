//! What SQLite says when something is wrong, as one line that names the file.

use std::sync::Arc;

use rusqlite::{Error, ErrorCode, ffi};

use crate::StorageError;

/// A job in the writer's transaction failed: by a rule of the trait, or in SQLite.
#[derive(Debug)]
pub(super) enum Failure {
    /// The trait's own refusals: exists already, not found, aborted.
    Refused(StorageError),
    /// SQLite failed.
    Sqlite(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Refused(error)
    }
}

/// One line: which file, what is wrong, what to do about it. The error may belong to several callers, hence the `Arc`.
pub(super) fn unavailable(file: &str, error: &Arc<Error>) -> StorageError {
    let what = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => "is not an SQLite database".to_owned(),
        Some(ErrorCode::DatabaseCorrupt) => "is corrupt; restore it from a backup".to_owned(),
        Some(ErrorCode::CannotOpen) => {
            "cannot be opened or created; check the path and its permissions".to_owned()
        }
        Some(ErrorCode::ReadOnly) => {
            "cannot be written; check the permissions of the file and of its directory".to_owned()
        }
        Some(ErrorCode::PermissionDenied) => "cannot be accessed; check its permissions".to_owned(),
        Some(ErrorCode::DiskFull) => "cannot grow; the disk is full".to_owned(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "is locked by another process".to_owned()
        }
        Some(ErrorCode::SystemIoFailure) => format!("cannot be read or written ({error})"),
        _ => format!("failed: {error}"),
    };
    StorageError::unavailable(format!("sqlite3 database {file} {what}"), Arc::clone(error))
}

/// The store was closed, or its writer is gone.
pub(super) fn closed(file: &str) -> StorageError {
    StorageError::Unavailable {
        context: format!("sqlite3 database {file} has been closed"),
        source: None,
    }
}

/// Whether an insert met a row with the same key.
pub(super) fn is_duplicate(error: &Error) -> bool {
    error.sqlite_error().is_some_and(|error| {
        matches!(
            error.extended_code,
            ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_UNIQUE
        )
    })
}

/// Whether another connection holds what is needed just now.
pub(super) fn is_busy(error: &Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}
