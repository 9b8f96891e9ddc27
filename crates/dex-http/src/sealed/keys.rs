//! The keys that seal: one record in storage, the same for all replicas, rotated by compare-and-set, cached.
//!
//! A new key opens at once but seals only after every replica has read it; a retired one opens for as long as a request may live.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dex_core::Timestamp;
use dex_core::clock::Clock;
use dex_core::entropy::Entropy;
use dex_core::records::{Json, Record as _, SealingKeys, StoredSealingKey};
use dex_storage::{Storage, StorageError, StorageExt as _, UpdateError, Write};
use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use tokio::sync::Mutex;

/// Length of a key's public name, in bytes.
pub(super) const KEY_ID_LEN: usize = 6;

/// The sealing keys, as this process knows them.
#[derive(Debug)]
pub(crate) struct SealingKeyring {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// How long a sealed request lives.
    requests_live_for: Duration,
    cached: ArcSwapOption<Loaded>,
    /// Held while storage is asked; when it was last asked for an unknown key.
    reloading: Mutex<Timestamp>,
}

/// One key, ready for use.
pub(super) struct SealingKey {
    pub(super) id: [u8; KEY_ID_LEN],
    pub(super) aead: LessSafeKey,
    created_at: Timestamp,
}

/// There is no key to seal with.
#[derive(Debug, thiserror::Error)]
#[error("no sealing key")]
pub(crate) struct NoSealingKey(#[from] StorageError);

struct Loaded {
    at: Timestamp,
    next_rotation: Timestamp,
    /// Newest first.
    keys: Vec<Arc<SealingKey>>,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded")
            .field("at", &self.at)
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

impl SealingKeyring {
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        requests_live_for: Duration,
    ) -> Self {
        Self {
            storage,
            clock,
            entropy,
            requests_live_for,
            cached: ArcSwapOption::empty(),
            reloading: Mutex::new(Timestamp::ZERO),
        }
    }

    /// The key that seals now.
    pub(super) async fn sealing_key(&self) -> Result<Arc<SealingKey>, NoSealingKey> {
        let now = self.clock.now();
        let loaded = self.current(now).await?;
        loaded
            .sealing_key(now)
            .ok_or(NoSealingKey(StorageError::NotFound))
    }

    /// The key of this name, if it still opens. Storage is asked again for an unknown one, but not more than once a second.
    pub(super) async fn opening_key(
        &self,
        id: &[u8],
    ) -> Result<Option<Arc<SealingKey>>, NoSealingKey> {
        let now = self.clock.now();
        if let Some(key) = self.current(now).await?.key(id) {
            return Ok(Some(key));
        }
        let mut asked_at = self.reloading.lock().await;
        if now.since(*asked_at) < ASK_AGAIN_AFTER {
            return Ok(self.cached.load_full().and_then(|loaded| loaded.key(id)));
        }
        *asked_at = now;
        Ok(self.reload(now).await?.key(id))
    }

    /// The keys, not older than the cache may be. A store that does not answer leaves the keys that are known in use.
    async fn current(&self, now: Timestamp) -> Result<Arc<Loaded>, NoSealingKey> {
        let cached = self.cached.load_full();
        if let Some(loaded) = &cached {
            if loaded.is_fresh(now) {
                return Ok(Arc::clone(loaded));
            }
            // Somebody else is asking: what is known serves until the answer comes.
            let Ok(_turn) = self.reloading.try_lock() else {
                return Ok(Arc::clone(loaded));
            };
            return match self.reload(now).await {
                Ok(fresh) => Ok(fresh),
                Err(error) => {
                    tracing::warn!(%error, "cannot read the sealing keys; the known ones stay in use");
                    Ok(Arc::clone(loaded))
                }
            };
        }
        let _turn = self.reloading.lock().await;
        if let Some(loaded) = self.cached.load_full() {
            return Ok(loaded);
        }
        Ok(self.reload(now).await?)
    }

    /// Reads the record, or makes or rotates it when that is due.
    async fn reload(&self, now: Timestamp) -> Result<Arc<Loaded>, StorageError> {
        let stored = self.storage.find::<SealingKeys>(SealingKeys::ID).await?;
        let record = match stored {
            Some(record) if record.next_rotation > now => record,
            _ => self.rotate(now).await?,
        };
        let loaded = Arc::new(Loaded::of(&record, now));
        self.cached.store(Some(Arc::clone(&loaded)));
        Ok(loaded)
    }

    async fn rotate(&self, now: Timestamp) -> Result<SealingKeys, StorageError> {
        let fresh = self.generate(now);
        let keep_for = self.requests_live_for;
        let rotated = self
            .storage
            .decide::<_, std::convert::Infallible, _>(
                vec![SealingKeys::record_key(SealingKeys::ID)],
                move |mut rows| {
                    let old = rows
                        .pop()
                        .flatten()
                        .map(SealingKeys::from_row)
                        .transpose()
                        .map_err(StorageError::from)?;
                    Ok(match rotate(old.as_ref(), fresh.clone(), keep_for, now) {
                        Some(new) => (vec![Write::put(&new)], new),
                        None => (Vec::new(), old.unwrap_or_default()),
                    })
                },
            )
            .await;
        match rotated {
            Ok(record) => Ok(record),
            Err(UpdateError::Storage(error)) => Err(error),
            Err(_) => Err(StorageError::Aborted),
        }
    }

    fn generate(&self, now: Timestamp) -> StoredSealingKey {
        let (mut id, mut key) = ([0; KEY_ID_LEN], [0; 32]);
        self.entropy.fill(&mut id);
        self.entropy.fill(&mut key);
        StoredSealingKey {
            id: URL_SAFE_NO_PAD.encode(id),
            key: URL_SAFE_NO_PAD.encode(key),
            created_at: now,
        }
    }
}

/// The record with `fresh` as its newest key; `None` when no rotation is due. Keys that nothing sealed with them can still need are
/// dropped.
fn rotate(
    old: Option<&SealingKeys>,
    fresh: StoredSealingKey,
    requests_live_for: Duration,
    now: Timestamp,
) -> Option<SealingKeys> {
    if old.is_some_and(|old| old.next_rotation > now) {
        return None;
    }
    let opens_for = requests_live_for
        .saturating_add(SEALS_AFTER)
        .saturating_add(CACHED_FOR);
    let mut keys = vec![fresh];
    for key in old
        .and_then(|old| old.keys.0.as_deref())
        .unwrap_or_default()
    {
        // The key before it in the list took over when it was made.
        let successor_made_at = keys.last().map_or(now, |newer| newer.created_at);
        if successor_made_at.saturating_add(opens_for) > now {
            keys.push(key.clone());
        }
    }
    Some(SealingKeys {
        id: SealingKeys::ID.to_owned(),
        keys: Json(Some(keys)),
        next_rotation: now.saturating_add(ROTATED_EVERY),
    })
}

impl Loaded {
    fn of(record: &SealingKeys, now: Timestamp) -> Self {
        let stored = record.keys.0.as_deref().unwrap_or_default();
        Self {
            at: now,
            next_rotation: record.next_rotation,
            keys: stored.iter().filter_map(read).map(Arc::new).collect(),
        }
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        now.since(self.at) < CACHED_FOR && now < self.next_rotation
    }

    fn key(&self, id: &[u8]) -> Option<Arc<SealingKey>> {
        self.keys.iter().find(|key| key.id == id).cloned()
    }

    /// The newest key that every replica knows by now; the oldest if all are new.
    fn sealing_key(&self, now: Timestamp) -> Option<Arc<SealingKey>> {
        self.keys
            .iter()
            .find(|key| key.created_at.saturating_add(SEALS_AFTER) <= now)
            .or(self.keys.last())
            .cloned()
    }
}

/// A stored key that is malformed opens nothing; the others still do.
fn read(stored: &StoredSealingKey) -> Option<SealingKey> {
    let id = URL_SAFE_NO_PAD.decode(&stored.id).ok()?;
    let key = URL_SAFE_NO_PAD.decode(&stored.key).ok()?;
    Some(SealingKey {
        id: id.try_into().ok()?,
        aead: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).ok()?),
        created_at: stored.created_at,
    })
}

const ROTATED_EVERY: Duration = Duration::from_hours(24);
const CACHED_FOR: Duration = Duration::from_secs(30);
/// Longer than any replica's cache.
const SEALS_AFTER: Duration = Duration::from_mins(1);
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, at: Timestamp) -> StoredSealingKey {
        StoredSealingKey {
            id: id.to_owned(),
            key: String::new(),
            created_at: at,
        }
    }

    fn ids(record: &SealingKeys) -> Vec<&str> {
        record
            .keys
            .0
            .as_deref()
            .unwrap_or_default()
            .iter()
            .map(|key| key.id.as_str())
            .collect()
    }

    #[test]
    fn a_retired_key_opens_for_the_life_of_a_request() {
        let start = Timestamp::from_unix(1_786_017_600, 0).unwrap();
        let day = Duration::from_hours(24);
        let at = |days: u32| start.saturating_add(day * days);
        let first = rotate(None, key("a", at(0)), day, at(0)).unwrap();
        assert_eq!(ids(&first), ["a"]);
        assert!(rotate(Some(&first), key("x", at(0)), day, at(0)).is_none());
        let second = rotate(Some(&first), key("b", at(1)), day, at(1)).unwrap();
        assert_eq!(ids(&second), ["b", "a"]);
        // What `a` sealed a moment before `b` took over lives a little longer than a day.
        let third = rotate(Some(&second), key("c", at(2)), day, at(2)).unwrap();
        assert_eq!(ids(&third), ["c", "b", "a"]);
        let fourth = rotate(Some(&third), key("d", at(3)), day, at(3)).unwrap();
        assert_eq!(ids(&fourth), ["d", "c", "b"]);
        let long = rotate(Some(&third), key("d", at(3)), day * 30, at(3)).unwrap();
        assert_eq!(ids(&long), ["d", "c", "b", "a"]);
    }
}
