//! The one thread that writes.
//!
//! SQLite allows one writer at a time, and a commit waits for the disk. Instead of queueing for the lock, callers queue here: the
//! thread takes up to [`MAX_BATCH`] waiting jobs into one transaction, each in its own savepoint so that a refused one leaves nothing,
//! commits once, and only then answers. Nothing is acknowledged that is not on disk; one flush serves the whole batch.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, Error};
use tokio::sync::{mpsc, oneshot};

use super::failure::{Failure, closed, unavailable};
use crate::StorageError;

/// A handle to the writing thread. Dropping it finishes what is queued, then releases the file.
#[derive(Debug)]
pub(super) struct Writer {
    file: Arc<str>,
    /// `None` only while dropping.
    queue: Option<mpsc::Sender<Message>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread on its connection.
    pub(super) fn start(
        connection: Connection,
        file: Arc<str>,
        leave: Journal,
    ) -> std::io::Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let shown = Arc::clone(&file);
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || {
                serve(&connection, jobs, &shown);
                release(connection, &shown, leave);
            })?;
        Ok(Self {
            file,
            queue: Some(queue),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Runs `work` inside the writer's transaction and answers when it is committed.
    ///
    /// # Errors
    /// What `work` says; [`StorageError::Unavailable`] when it is not known to have taken effect.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Task {
            work: Some(work),
            value: None,
            reply,
        };
        let queue = self.queue.as_ref().ok_or_else(|| closed(&self.file))?;
        if queue.send(Message::Job(Box::new(job))).await.is_err() {
            return Err(closed(&self.file));
        }
        answer.await.unwrap_or_else(|_| Err(closed(&self.file)))
    }

    /// Finishes what is queued before this call and releases the file.
    pub(super) async fn stop(&self) {
        if let Some(queue) = &self.queue {
            // An error means that it has stopped already.
            let _ = queue.send(Message::Stop).await;
        }
        if let Some(thread) = self.take_thread() {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    fn take_thread(&self) -> Option<JoinHandle<()>> {
        self.thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        // The last handle may be dropped by a job, on the thread itself.
        if let Some(thread) = self.take_thread()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

enum Message {
    Job(Box<dyn Job>),
    Stop,
}

/// A job, whatever its answer.
trait Job: Send {
    /// Nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool;

    /// Does the work and keeps the answer.
    fn run(&mut self, connection: &Connection, file: &str) -> Outcome;

    /// Tells the caller, given how the commit went.
    fn answer(self: Box<Self>, committed: Result<(), StorageError>);
}

/// How a job went.
enum Outcome {
    Done,
    /// Its changes must be undone.
    Refused,
    /// Its changes must be undone, and perhaps SQLite has undone the whole transaction already.
    Failed(Arc<Error>),
}

struct Task<T, F> {
    work: Option<F>,
    value: Option<Result<T, StorageError>>,
    reply: oneshot::Sender<Result<T, StorageError>>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, Failure> + Send,
{
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn run(&mut self, connection: &Connection, file: &str) -> Outcome {
        let Some(work) = self.work.take() else {
            return Outcome::Refused;
        };
        // A decision that panics must not take the store down for everybody else.
        let (value, outcome) = match catch_unwind(AssertUnwindSafe(|| work(connection))) {
            Ok(Ok(value)) => (Ok(value), Outcome::Done),
            Ok(Err(Failure::Refused(error))) => (Err(error), Outcome::Refused),
            Ok(Err(Failure::Sqlite(error))) => {
                let error = Arc::new(error);
                (Err(unavailable(file, &error)), Outcome::Failed(error))
            }
            Err(_) => (
                Err(StorageError::Unavailable {
                    context: "the decision inside the transaction panicked".to_owned(),
                    source: None,
                }),
                Outcome::Refused,
            ),
        };
        self.value = Some(value);
        outcome
    }

    fn answer(self: Box<Self>, committed: Result<(), StorageError>) {
        let answer = match (committed, self.value) {
            // A refusal counts only once what it saw is committed.
            (Ok(()), Some(value)) => value,
            (Ok(()), None) => Err(StorageError::Unavailable {
                context: "the writer did not run the job".to_owned(),
                source: None,
            }),
            (Err(error), _) => Err(error),
        };
        // The caller may be gone by now.
        let _ = self.reply.send(answer);
    }
}

fn serve(connection: &Connection, mut jobs: mpsc::Receiver<Message>, file: &str) {
    let mut messages = Vec::with_capacity(MAX_BATCH);
    let mut batch: Vec<Box<dyn Job>> = Vec::with_capacity(MAX_BATCH);
    let mut stopping = false;
    while !stopping && jobs.blocking_recv_many(&mut messages, MAX_BATCH) > 0 {
        for message in messages.drain(..) {
            match message {
                Message::Job(job) if !stopping && !job.is_abandoned() => batch.push(job),
                // What came after the stop is answered by being dropped.
                Message::Job(_) => {}
                Message::Stop => stopping = true,
            }
        }
        if batch.is_empty() {
            continue;
        }
        let committed = run_batch(connection, &mut batch, file);
        if let Err(error) = &committed {
            tracing::error!(%error, file, jobs = batch.len(), "sqlite3 transaction failed");
        }
        for job in batch.drain(..) {
            let committed = committed.as_ref().copied();
            job.answer(committed.map_err(|error| unavailable(file, error)));
        }
    }
    jobs.close();
}

/// One transaction. On an error none of the batch has taken effect.
fn run_batch(
    connection: &Connection,
    batch: &mut [Box<dyn Job>],
    file: &str,
) -> Result<(), Arc<Error>> {
    if !connection.is_autocommit() {
        // The rollback of a failed batch failed itself.
        execute(connection, "ROLLBACK")?;
    }
    let outcome = run_jobs(connection, batch, file);
    if outcome.is_err() && !connection.is_autocommit() {
        execute(connection, "ROLLBACK")?;
    }
    outcome
}

fn run_jobs(
    connection: &Connection,
    batch: &mut [Box<dyn Job>],
    file: &str,
) -> Result<(), Arc<Error>> {
    execute(connection, "BEGIN IMMEDIATE")?;
    for job in batch {
        execute(connection, "SAVEPOINT job")?;
        match job.run(connection, file) {
            Outcome::Done => {}
            // A full or failing disk ends the whole transaction, with the jobs before this one.
            Outcome::Failed(error) if connection.is_autocommit() => return Err(error),
            Outcome::Refused | Outcome::Failed(_) => execute(connection, "ROLLBACK TO job")?,
        }
        execute(connection, "RELEASE job")?;
    }
    execute(connection, "COMMIT")
}

fn execute(connection: &Connection, sql: &str) -> Result<(), Arc<Error>> {
    connection.prepare_cached(sql)?.raw_execute()?;
    Ok(())
}

/// How a database file is left when it is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Journal {
    /// As Dex makes them.
    Rollback,
    WriteAhead,
}

/// Leaves one file behind, with nothing beside it. If another process has it open, that one does so.
fn release(connection: Connection, file: &str, leave: Journal) {
    let _ = connection.busy_timeout(Duration::ZERO);
    let mut flushed = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    if leave == Journal::Rollback {
        flushed = flushed
            .and_then(|()| connection.query_row("PRAGMA journal_mode=DELETE", [], |_| Ok(())));
    }
    if let Err(error) = flushed {
        tracing::debug!(%error, file, "the sqlite3 file is not left as it was found");
    }
    if let Err((_, error)) = connection.close() {
        tracing::warn!(%error, file, "closing the sqlite3 database failed");
    }
}

/// More jobs per flush hardly pay; fewer callers wait for the slowest of their batch.
const MAX_BATCH: usize = 64;

/// Callers beyond this wait for a place, holding nothing.
const QUEUE: usize = 1024;
