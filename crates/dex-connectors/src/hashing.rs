//! A few threads that check passwords, and nothing else.
//!
//! One check costs tens to hundreds of milliseconds of processor time by design. On the threads that serve requests, a flood of
//! logins would stop every other endpoint; here it fills a short queue and is then refused with [`ConnectorError::Busy`].

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use crate::ConnectorError;

/// A bounded pool of named threads. They start with the first job and end when the pool is dropped.
pub struct HashingPool {
    shared: Arc<Shared>,
    threads: NonZeroUsize,
}

impl HashingPool {
    /// A pool of `threads` threads where at most `waiting` jobs wait.
    pub fn new(threads: NonZeroUsize, waiting: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                wakeup: Condvar::new(),
                waiting,
                done: AtomicU64::new(0),
            }),
            threads,
        }
    }

    /// One thread less than there are cores, at least one, and 64 waiting jobs per thread: some seconds of work.
    pub fn sized_for_this_machine() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = NonZeroUsize::new(cores.saturating_sub(1)).unwrap_or(NonZeroUsize::MIN);
        Self::new(threads, 64 * threads.get())
    }

    /// How much has been computed since the pool was made, in the weights given to [`run`](Self::run).
    pub fn work_done(&self) -> u64 {
        self.shared.done.load(Ordering::SeqCst)
    }

    /// Runs `work` on a thread of the pool. It counts `weight` (rounds of a hash function, say) in [`work_done`](Self::work_done).
    ///
    /// # Errors
    /// [`ConnectorError::Busy`] if the queue is full. A caller that goes away while its job waits takes the job with it.
    pub async fn run<T: Send + 'static>(
        &self,
        weight: u64,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ConnectorError> {
        let (sender, receiver) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        self.submit(Box::new(move || {
            if !sender.is_closed() {
                let outcome = work();
                shared.done.fetch_add(weight, Ordering::SeqCst);
                let _caller_left = sender.send(outcome);
            }
        }))?;
        receiver
            .await
            .map_err(|error| ConnectorError::upstream("password check was abandoned", error))
    }

    fn submit(&self, job: Job) -> Result<(), ConnectorError> {
        let mut state = self.shared.lock();
        if state.queue.len() >= self.shared.waiting {
            return Err(ConnectorError::Busy);
        }
        while state.started < self.threads.get() {
            let shared = Arc::clone(&self.shared);
            let started = thread::Builder::new()
                .name(format!("password-check-{}", state.started))
                .spawn(move || shared.work());
            match started {
                Ok(_detached) => state.started += 1,
                Err(_) if state.started > 0 => break,
                Err(error) => {
                    return Err(ConnectorError::upstream(
                        "no thread for password checks",
                        error,
                    ));
                }
            }
        }
        state.queue.push_back(job);
        drop(state);
        self.shared.wakeup.notify_one();
        Ok(())
    }
}

impl Drop for HashingPool {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        state.queue.clear();
        drop(state);
        self.shared.wakeup.notify_all();
    }
}

impl fmt::Debug for HashingPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashingPool")
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

type Job = Box<dyn FnOnce() + Send>;

struct Shared {
    state: Mutex<State>,
    wakeup: Condvar,
    waiting: usize,
    done: AtomicU64,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    started: usize,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            // A job that panics drops its sender, which tells its caller; the thread lives on.
            let _outcome = catch_unwind(AssertUnwindSafe(job));
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.queue.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state = self
                .wakeup
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_job_runs_on_a_named_thread() {
        let pool = HashingPool::new(NonZeroUsize::MIN, 1);
        let name = pool
            .run(1, || thread::current().name().map(str::to_owned))
            .await
            .unwrap();
        assert_eq!(name.as_deref(), Some("password-check-0"));
        assert_eq!(pool.work_done(), 1);
    }

    #[tokio::test]
    async fn o23_a_full_queue_refuses_and_a_panic_ends_only_its_job() {
        let pool = HashingPool::new(NonZeroUsize::MIN, 1);
        let (entered, is_running) = mpsc::channel();
        let (release, gate) = mpsc::channel::<()>();
        let first = pool.run(1, move || {
            entered.send(()).unwrap();
            gate.recv().unwrap();
            1
        });
        let second = pool.run(1, || -> u32 { panic!("of this job only") });
        let third = pool.run(1, || 3);
        let mut first = Box::pin(first);
        let mut second = Box::pin(second);
        // Polling once submits.
        assert!(futures_poll(first.as_mut()).is_pending());
        is_running.recv().unwrap();
        assert!(futures_poll(second.as_mut()).is_pending());
        assert!(matches!(third.await, Err(ConnectorError::Busy)));
        release.send(()).unwrap();
        assert_eq!(first.await.unwrap(), 1);
        assert!(second.await.is_err());
        assert_eq!(pool.run(1, || 4).await.unwrap(), 4);
    }

    fn futures_poll<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
        future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
    }
}
