//! One turn at a time per key, within this process: so that parallel requests about one thing ask an upstream once.
//!
//! Correctness never rests on it; other replicas are kept in check by storage.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// The turns under way. An entry lives as long as somebody has, or waits for, the turn.
#[derive(Debug, Default, Clone)]
pub(crate) struct KeyedLock(Arc<Mutex<Turns>>);

type Turns = HashMap<String, Arc<AsyncMutex<()>>>;

impl KeyedLock {
    /// Waits for the turn of `key` and takes it.
    pub(crate) async fn turn(&self, key: &str) -> Turn {
        let place = Place {
            locks: self.clone(),
            key: key.to_owned(),
            turn: Arc::clone(self.turns().entry(key.to_owned()).or_default()),
        };
        let held = Arc::clone(&place.turn).lock_owned().await;
        Turn {
            _held: held,
            _place: place,
        }
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn of a key; given back when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    // Dropped first: the turn is free before the place in the queue is left.
    _held: OwnedMutexGuard<()>,
    _place: Place,
}

/// A place in the queue of a key, held while waiting too, so that a cancelled request leaves nothing behind.
#[derive(Debug)]
struct Place {
    locks: KeyedLock,
    key: String,
    turn: Arc<AsyncMutex<()>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut turns = self.locks.turns();
        // The map's own reference and ours: nobody else is in the queue.
        if Arc::strong_count(&self.turn) == 2 {
            turns.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_of_one_key_follow_each_other_and_leave_nothing_behind() {
        let locks = KeyedLock::default();
        let first = locks.turn("a").await;
        let other = locks.turn("b").await;
        let mut second = Box::pin(locks.turn("a"));
        assert!(futures_util::poll!(&mut second).is_pending());
        let mut cancelled = Box::pin(locks.turn("a"));
        assert!(futures_util::poll!(&mut cancelled).is_pending());
        drop(cancelled);
        drop(first);
        let second = second.await;
        assert_eq!(locks.turns().len(), 2);
        drop(second);
        drop(other);
        assert!(locks.turns().is_empty());
    }
}
