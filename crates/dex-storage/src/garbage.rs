//! The loop that removes expired records (compat: `storage.md` §5).

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use dex_core::clock::Clock;
use dex_core::entropy::Entropy;

use crate::{Collected, Storage, StorageError};

/// Removes expired records every few minutes. Replicas need not agree on who does it: a record is removed once.
pub struct GarbageCollector {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    interval: Duration,
}

impl GarbageCollector {
    /// A collector that runs every five minutes, as in Dex.
    pub fn new(
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            storage,
            clock,
            entropy,
            interval: Duration::from_mins(5),
        }
    }

    /// The longest pause between two runs. Each pause is up to a fifth shorter, so that replicas drift apart.
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Waits, collects and logs until `shutdown` resolves. A run that is under way then stops between two steps.
    pub async fn run_until(self, shutdown: impl Future<Output = ()> + Send) {
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                () = tokio::time::sleep(self.pause()) => {}
            }
            tokio::select! {
                () = &mut shutdown => return,
                () = self.collect_and_log() => {}
            }
        }
    }

    /// Removes everything that has expired by now, in bounded steps.
    pub async fn collect(&self) -> Result<Collected, StorageError> {
        let now = self.clock.now();
        let mut total = Collected::default();
        loop {
            let step = self.storage.collect_garbage(now, STEP).await?;
            total.merge(step);
            if step.most() < STEP {
                return Ok(total);
            }
            tokio::task::yield_now().await;
        }
    }

    async fn collect_and_log(&self) {
        match self.collect().await {
            Ok(collected) if collected.is_empty() => {}
            Ok(collected) => tracing::info!(
                requests = collected.auth_requests,
                auth_codes = collected.auth_codes,
                device_requests = collected.device_requests,
                device_tokens = collected.device_tokens,
                auth_sessions = collected.auth_sessions,
                "garbage collection run, delete auth"
            ),
            Err(error) => tracing::error!(%error, "garbage collection failed"),
        }
    }

    fn pause(&self) -> Duration {
        let mut random = [0_u8; 1];
        self.entropy.fill(&mut random);
        let [random] = random;
        let shortest_step = self.interval / (5 * 255);
        self.interval
            .saturating_sub(shortest_step * u32::from(random))
    }
}

impl std::fmt::Debug for GarbageCollector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GarbageCollector")
            .field("storage", &self.storage)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

/// Records of each entity per step.
const STEP: usize = 500;

#[cfg(test)]
mod tests {
    use dex_core::Timestamp;
    use dex_core::clock::ManualClock;
    use dex_core::entropy::SeededEntropy;
    use dex_core::records::{AuthRequest, Client};

    use super::*;
    use crate::StorageExt;
    use crate::memory::Memory;

    fn request(id: usize, expiry: Timestamp) -> AuthRequest {
        AuthRequest {
            id: id.to_string(),
            expiry,
            ..AuthRequest::default()
        }
    }

    async fn fixture(expired: usize) -> (Arc<Memory>, ManualClock, GarbageCollector) {
        let start = Timestamp::from_unix(1_786_017_600, 0).unwrap();
        let memory = Arc::new(Memory::new());
        for id in 0..expired {
            memory.create(&request(id, start)).await.unwrap();
        }
        memory.create(&Client::default()).await.unwrap();
        let clock = ManualClock::at(start);
        let collector = GarbageCollector::new(
            Arc::<Memory>::clone(&memory),
            Arc::new(clock.clone()),
            Arc::new(SeededEntropy::new(1)),
        );
        (memory, clock, collector)
    }

    #[tokio::test]
    async fn more_records_than_a_step_holds_are_all_removed() {
        let (memory, clock, collector) = fixture(2 * STEP + 7).await;
        assert!(collector.collect().await.unwrap().is_empty());
        clock.advance(Duration::from_nanos(1));
        let collected = collector.collect().await.unwrap();
        assert_eq!(collected.auth_requests, 2 * STEP + 7);
        assert!(memory.all::<AuthRequest>().await.unwrap().is_empty());
        assert_eq!(memory.all::<Client>().await.unwrap().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn storage_22_expired_records_go_within_five_minutes_and_the_loop_ends_at_shutdown() {
        let (memory, clock, collector) = fixture(3).await;
        clock.advance(Duration::from_secs(1));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let running = tokio::spawn(collector.run_until(async move {
            let _ = stopped.await;
        }));
        tokio::time::sleep(Duration::from_secs(239)).await;
        assert_eq!(memory.all::<AuthRequest>().await.unwrap().len(), 3);
        tokio::time::sleep(Duration::from_secs(62)).await;
        assert!(memory.all::<AuthRequest>().await.unwrap().is_empty());
        stop.send(()).unwrap();
        running.await.unwrap();
    }

    #[tokio::test]
    async fn pauses_are_between_four_and_five_minutes() {
        let (_, _, collector) = fixture(0).await;
        let pauses: Vec<_> = (0..200).map(|_| collector.pause().as_secs()).collect();
        assert!(pauses.iter().all(|secs| (240..=300).contains(secs)));
        assert_ne!(pauses.iter().min(), pauses.iter().max());
    }
}
