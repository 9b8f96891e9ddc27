//! A few threads that do nothing but sign, in order of arrival.
//!
//! An RSA signature takes a quarter to three quarters of a millisecond: on an async worker it would hold up every connection of
//! that worker, and the runtime's own blocking pool would answer a burst with hundreds of threads that fight for the same cores.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// As many threads as there are cores. They end when the pool is dropped.
pub(super) struct SigningPool {
    jobs: Sender<Job>,
    threads: usize,
}

impl SigningPool {
    pub(super) fn start() -> std::io::Result<Self> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let (jobs, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..threads {
            let queue = Arc::clone(&queue);
            thread::Builder::new()
                .name(format!("signer-{number}"))
                // OpenSSL needs little; the default of 2 MiB would only be reserved.
                .stack_size(256 * 1024)
                .spawn(move || work(&queue))?;
        }
        Ok(Self { jobs, threads })
    }

    /// Runs `job` on a signing thread. `None` if the job panicked. A job whose caller has gone away is skipped.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(move || {
            if !reply.is_closed() {
                let _ = reply.send(job());
            }
        });
        self.jobs.send(job).ok()?;
        answer.await.ok()
    }
}

impl fmt::Debug for SigningPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningPool[{} threads]", self.threads)
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // The caller sees its reply channel close; the thread lives on.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panicking_job_does_not_cost_a_thread() {
        let pool = SigningPool::start().unwrap();
        for _ in 0..pool.threads * 2 {
            assert_eq!(pool.run(|| panic!("on purpose")).await, None::<()>);
        }
        assert_eq!(pool.run(|| 7).await, Some(7));
    }

    #[tokio::test]
    async fn many_jobs_are_all_answered() {
        let pool = Arc::new(SigningPool::start().unwrap());
        let jobs: Vec<_> = (0..200)
            .map(|number| {
                let pool = Arc::clone(&pool);
                tokio::spawn(async move { pool.run(move || number).await })
            })
            .collect();
        for (number, job) in jobs.into_iter().enumerate() {
            assert_eq!(job.await.unwrap(), Some(number));
        }
    }
}
