//! Connections that only read.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::location::Location;

/// A fixed number of reading connections. Waiting for one never blocks a thread.
#[derive(Debug)]
pub(super) struct Readers {
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
    size: u32,
}

impl Readers {
    /// Opens `size` connections.
    pub(super) fn open(location: &Location, size: u32) -> rusqlite::Result<Self> {
        let mut idle = Vec::new();
        for _ in 0..size {
            let connection = Connection::open_with_flags(
                &location.read_name,
                OpenFlags::SQLITE_OPEN_READ_ONLY
                    | OpenFlags::SQLITE_OPEN_URI
                    | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            )?;
            connection.busy_timeout(Duration::ZERO)?;
            connection.set_prepared_statement_cache_capacity(super::CACHED_STATEMENTS);
            idle.push(connection);
        }
        Ok(Self {
            permits: Arc::new(Semaphore::new(idle.len())),
            idle: Arc::new(Mutex::new(idle)),
            size,
        })
    }

    /// Takes a connection until the lease is dropped; `None` after [`close`](Self::close).
    pub(super) async fn lease(&self) -> Option<Lease> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
        let connection = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        Some(Lease {
            connection: Some(connection?),
            idle: Arc::clone(&self.idle),
            _permit: permit,
        })
    }

    /// Waits for running reads, then closes the connections.
    pub(super) async fn close(&self) {
        if let Ok(all) = self.permits.acquire_many(self.size).await {
            self.permits.close();
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clear();
            all.forget();
        }
    }
}

/// A borrowed connection. It goes back before its permit does.
#[derive(Debug)]
pub(super) struct Lease {
    /// `None` only while dropping.
    connection: Option<Connection>,
    idle: Arc<Mutex<Vec<Connection>>>,
    _permit: OwnedSemaphorePermit,
}

impl Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
            .as_ref()
            .expect("a lease holds its connection until it is dropped")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(connection);
        }
    }
}
