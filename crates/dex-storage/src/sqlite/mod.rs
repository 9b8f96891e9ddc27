//! Records in an SQLite file, shared with Dex's classic SQL engine (compat: `storage.md` §7).
//!
//! One thread writes (`writer`), a few connections read beside it (`readers`); both follow from write-ahead logging, in which readers
//! and the writer do not wait for each other. Closing returns the file to the form in which Dex keeps it.

mod failure;
mod location;
mod migrate;
mod readers;
mod rows;
mod schema;
mod statements;
mod time_text;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dex_core::Timestamp;
use dex_core::records::{AuthRequest, Entity, Record, RecordKey, Row};
use rusqlite::{Connection, OpenFlags};

use self::failure::{Failure, closed, is_busy, unavailable};
use self::location::Location;
use self::migrate::MigrationError;
use self::readers::{Lease, Readers};
use self::writer::{Journal, Writer};
use crate::{Collected, Storage, StorageError, Transaction, Write};

/// How to open a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// A path, a `file:` URI, `:memory:`, or nothing for a private temporary database. Driver parameters after `?` are accepted; those
    /// that only SQLite knows count in URIs, the driver's own (their names begin with `_`) do not: nothing that Dex can set there
    /// changes what is stored.
    pub file: String,
    /// How long to wait for another process that is writing. Default: 5 seconds, as in Dex's driver.
    pub busy_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            file: String::new(),
            busy_timeout: Duration::from_secs(5),
        }
    }
}

/// The SQLite backend.
#[derive(Debug)]
pub struct Sqlite {
    file: Arc<str>,
    busy_timeout: Duration,
    /// `None`: nobody but the writer can see the database (it is private to its connection, or has no write-ahead log).
    readers: Option<ReaderPools>,
    /// Last, so that dropping closes the readers first: only the last connection can tidy up.
    writer: Writer,
}

/// Lists take their time; point reads must not wait for them.
#[derive(Debug)]
struct ReaderPools {
    point: Readers,
    list: Readers,
}

impl Sqlite {
    /// Opens and, if needed, creates or migrates a database. Blocks; call it before serving or on a blocking thread.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] with one line that names the file and what is wrong with it.
    pub fn open(options: &Options) -> Result<Self, StorageError> {
        let location = Location::parse(&options.file);
        let file: Arc<str> = location.shown.as_str().into();
        let explain = |error| unavailable(&file, &Arc::new(error));
        let mut connection = open_writer(&location, options.busy_timeout).map_err(explain)?;
        let leave = journal_of(&connection).map_err(explain)?;
        let steps = migrate::migrate(&mut connection).map_err(|error| match error {
            MigrationError::Sqlite(error) => explain(error),
            error => StorageError::unavailable(format!("sqlite3 database {file} {error}"), error),
        })?;
        if steps > 0 {
            tracing::info!(file = &*file, steps, "migrated the sqlite3 database");
        }
        let has_log = !location.is_private
            && write_ahead(&connection, options.busy_timeout).map_err(explain)?;
        let readers = has_log
            .then(|| ReaderPools::open(&location))
            .transpose()
            .map_err(explain)?;
        let writer = Writer::start(connection, Arc::clone(&file), leave).map_err(|error| {
            StorageError::unavailable(
                format!("sqlite3 database {file}: cannot start the writing thread: {error}"),
                error,
            )
        })?;
        Ok(Self {
            file,
            busy_timeout: options.busy_timeout,
            readers,
            writer,
        })
    }

    /// Row ids of expired records of `entity`.
    async fn expired(
        &self,
        entity: Entity,
        now: &str,
        limit: usize,
    ) -> Result<Vec<i64>, StorageError> {
        let now = now.to_owned();
        let find =
            move |connection: &Connection| rows::find_expired(connection, entity, &now, limit);
        match &self.readers {
            Some(readers) => self.read_blocking(&readers.list, find).await,
            None => self.writer.run(move |c| Ok(find(c)?)).await,
        }
    }

    /// A long read, on a thread that may wait.
    async fn read_blocking<T, F>(&self, readers: &Readers, read: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let lease = readers.lease().await.ok_or_else(|| closed(&self.file))?;
        self.blocking(lease, read).await
    }

    async fn blocking<T, F>(&self, lease: Lease, read: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let busy_timeout = self.busy_timeout;
        let outcome = tokio::task::spawn_blocking(move || {
            lease.busy_timeout(busy_timeout)?;
            let outcome = read(&lease);
            lease.busy_timeout(Duration::ZERO)?;
            outcome
        })
        .await;
        match outcome {
            Ok(outcome) => outcome.map_err(|error| unavailable(&self.file, &Arc::new(error))),
            Err(error) => Err(StorageError::unavailable(
                format!("sqlite3 database {}: a read did not finish", self.file),
                error,
            )),
        }
    }
}

#[async_trait]
impl Storage for Sqlite {
    #[tracing::instrument(name = "sqlite.get", level = "debug", skip_all, fields(entity = ?key.entity))]
    async fn get(&self, key: &RecordKey) -> Result<Option<Row>, StorageError> {
        let Some(readers) = &self.readers else {
            let key = key.clone();
            return self.writer.run(move |c| Ok(rows::find(c, &key)?)).await;
        };
        let lease = readers
            .point
            .lease()
            .await
            .ok_or_else(|| closed(&self.file))?;
        // On the worker itself: reading one row from the page cache takes about 6 µs, handing the job to another thread and back
        // about 20 µs (measured). Readers never wait for the writer; the rare moments when SQLite asks to wait go to a thread.
        match rows::find(&lease, key) {
            Err(error) if is_busy(&error) => {
                let key = key.clone();
                self.blocking(lease, move |c| rows::find(c, &key)).await
            }
            outcome => outcome.map_err(|error| unavailable(&self.file, &Arc::new(error))),
        }
    }

    #[tracing::instrument(name = "sqlite.list", level = "debug", skip_all, fields(entity = ?entity))]
    async fn list(&self, entity: Entity) -> Result<Vec<Row>, StorageError> {
        match &self.readers {
            Some(readers) => {
                self.read_blocking(&readers.list, move |c| rows::list(c, entity))
                    .await
            }
            None => self.writer.run(move |c| Ok(rows::list(c, entity)?)).await,
        }
    }

    #[tracing::instrument(name = "sqlite.transact", level = "debug", skip_all)]
    async fn transact(&self, mut transaction: Transaction) -> Result<(), StorageError> {
        self.writer
            .run(move |connection| {
                let mut seen = Vec::with_capacity(transaction.reads.len());
                for key in &transaction.reads {
                    seen.push(rows::find(connection, key)?);
                }
                let writes = (transaction.decide)(seen).map_err(|_| StorageError::Aborted)?;
                for write in &writes {
                    rows::write(connection, write)?;
                }
                Ok(())
            })
            .await
    }

    #[tracing::instrument(name = "sqlite.collect_garbage", level = "debug", skip_all)]
    async fn collect_garbage(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Collected, StorageError> {
        let mut collected = Collected::default();
        let now: Arc<str> = time_text::encode(now).into();
        for entity in Entity::ALL {
            if entity.description().expires.is_empty() {
                continue;
            }
            let expired = self.expired(entity, &now, limit).await?;
            for step in expired.chunks(GARBAGE_STEP) {
                let (step, now) = (step.to_vec(), Arc::clone(&now));
                let count = self
                    .writer
                    .run(move |c| Ok(rows::delete_expired(c, entity, &now, &step)?))
                    .await?;
                collected.add(entity, count);
            }
        }
        Ok(collected)
    }

    #[tracing::instrument(name = "sqlite.check_health", level = "debug", skip_all)]
    async fn check_health(&self) -> Result<(), StorageError> {
        let probe = async {
            self.writer.run(probe_write).await?;
            let key = AuthRequest::record_key(HEALTH_ID);
            self.get(&key).await.map(|_| ())
        };
        tokio::time::timeout(HEALTH_DEADLINE, probe)
            .await
            .unwrap_or_else(|elapsed| {
                Err(StorageError::unavailable(
                    format!("sqlite3 database {} does not answer", self.file),
                    elapsed,
                ))
            })
    }

    async fn close(&self) {
        if let Some(readers) = &self.readers {
            readers.point.close().await;
            readers.list.close().await;
        }
        self.writer.stop().await;
    }
}

impl ReaderPools {
    fn open(location: &Location) -> rusqlite::Result<Self> {
        let workers = std::thread::available_parallelism()
            .ok()
            .and_then(|n| u32::try_from(n.get()).ok())
            .unwrap_or(1);
        Ok(Self {
            point: Readers::open(location, workers.clamp(2, 16))?,
            list: Readers::open(location, 1)?,
        })
    }
}

fn open_writer(location: &Location, busy_timeout: Duration) -> rusqlite::Result<Connection> {
    make_private_file(location);
    let connection = Connection::open_with_flags(
        &location.name,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    // What is acknowledged must survive a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// Makes a new file readable for its owner only: it will hold client secrets and the signing key. SQLite gives the files that it
/// makes beside it the same mode. A file that exists keeps its mode; what cannot be made is reported when SQLite opens it.
fn make_private_file(location: &Location) {
    #[cfg(unix)]
    if !location.is_private && !location.name.starts_with("file:") {
        use std::os::unix::fs::OpenOptionsExt;
        let _ = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&location.name);
    }
}

/// How the file is found, and how it will be left: Dex's files with a rollback journal, new ones and our own with a write-ahead log,
/// which spares the next start four flushes. Dex reads both.
fn journal_of(connection: &Connection) -> rusqlite::Result<Journal> {
    let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let is_log = pages == 0 || mode.eq_ignore_ascii_case("wal");
    Ok(if is_log {
        Journal::WriteAhead
    } else {
        Journal::Rollback
    })
}

/// Turns write-ahead logging on; `false` where the file system has no shared memory for it.
fn write_ahead(connection: &Connection, busy_timeout: Duration) -> rusqlite::Result<bool> {
    let mut waited = Duration::ZERO;
    loop {
        let mode =
            connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get::<_, String>(0));
        match mode {
            // The change of mode does not wait for the lock by itself.
            Err(error) if is_busy(&error) && waited < busy_timeout => {
                std::thread::sleep(RETRY_PAUSE);
                waited += RETRY_PAUSE;
            }
            outcome => return Ok(outcome?.eq_ignore_ascii_case("wal")),
        }
    }
}

/// Writes, reads back and removes a record. The commit goes to disk; nobody ever sees the record.
fn probe_write(connection: &Connection) -> Result<(), Failure> {
    let record = AuthRequest {
        id: HEALTH_ID.to_owned(),
        ..AuthRequest::default()
    };
    let key = record.key();
    rows::write(connection, &Write::create(&record))?;
    if rows::find(connection, &key)?.is_none() {
        return Err(Failure::Refused(StorageError::NotFound));
    }
    rows::write(connection, &Write::Delete(key))
}

/// Four statements per entity and the transaction's own.
const CACHED_STATEMENTS: usize = 96;

/// How many expired records one job removes, so that other jobs come in between.
const GARBAGE_STEP: usize = 64;

/// Not an identifier that anybody draws: it has hyphens.
const HEALTH_ID: &str = "storage-health-check";

/// Longer than any healthy commit, shorter than the pause between two checks.
const HEALTH_DEADLINE: Duration = Duration::from_secs(8);

const RETRY_PAUSE: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests;
