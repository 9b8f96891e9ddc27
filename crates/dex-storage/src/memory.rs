//! Records in this process's memory: for tests and first tries. Everything is lost at exit.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use dex_core::Timestamp;
use dex_core::records::{Entity, RecordKey, Row};

use crate::{Collected, Storage, StorageError, Transaction, Write};

/// The in-memory backend. Transactions run one after the other.
pub struct Memory(Mutex<Option<Records>>);

/// Ordered by entity, then by key.
type Records = BTreeMap<RecordKey, Row>;

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Self(Mutex::new(Some(Records::new())))
    }

    /// `None` after [`Storage::close`]. A decision that panicked has changed nothing, so poison means nothing.
    fn lock(&self) -> MutexGuard<'_, Option<Records>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&mut Records) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        match self.lock().as_mut() {
            Some(records) => work(records),
            None => Err(StorageError::Unavailable {
                context: "the store in memory has been closed".to_owned(),
                source: None,
            }),
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("records", &self.lock().as_ref().map(BTreeMap::len))
            .finish()
    }
}

#[async_trait]
impl Storage for Memory {
    async fn get(&self, key: &RecordKey) -> Result<Option<Row>, StorageError> {
        self.with(|records| Ok(records.get(key).cloned()))
    }

    async fn list(&self, entity: Entity) -> Result<Vec<Row>, StorageError> {
        self.with(|records| {
            Ok(of_entity(records, entity)
                .map(|(_, row)| row.clone())
                .collect())
        })
    }

    async fn transact(&self, mut transaction: Transaction) -> Result<(), StorageError> {
        self.with(|records| {
            let seen = transaction
                .reads
                .iter()
                .map(|key| records.get(key).cloned())
                .collect();
            let writes = (transaction.decide)(seen).map_err(|_| StorageError::Aborted)?;
            let changes = stage(records, writes)?;
            for (key, row) in changes {
                match row {
                    Some(row) => records.insert(key, row),
                    None => records.remove(&key),
                };
            }
            Ok(())
        })
    }

    async fn collect_garbage(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Collected, StorageError> {
        self.with(|records| {
            let mut collected = Collected::default();
            for entity in Entity::ALL {
                if entity.description().expires.is_empty() {
                    continue;
                }
                let expired: Vec<_> = of_entity(records, entity)
                    .filter(|(_, row)| row.is_expired(now))
                    .take(limit)
                    .map(|(key, _)| key.clone())
                    .collect();
                collected.add(entity, expired.len());
                for key in expired {
                    records.remove(&key);
                }
            }
            Ok(collected)
        })
    }

    async fn check_health(&self) -> Result<(), StorageError> {
        self.with(|_| Ok(()))
    }

    async fn close(&self) {
        *self.lock() = None;
    }
}

fn of_entity(records: &Records, entity: Entity) -> impl Iterator<Item = (&RecordKey, &Row)> {
    let first = RecordKey {
        entity,
        parts: Vec::new(),
    };
    records
        .range(first..)
        .take_while(move |(key, _)| key.entity == entity)
}

/// What the writes change, one after the other as a database would do them; an error changes nothing.
fn stage(
    records: &Records,
    writes: Vec<Write>,
) -> Result<BTreeMap<RecordKey, Option<Row>>, StorageError> {
    let mut changes: BTreeMap<RecordKey, Option<Row>> = BTreeMap::new();
    for write in writes {
        let key = match &write {
            Write::Create(row) | Write::Put(row) => row.key(),
            Write::Delete(key) => key.clone(),
        };
        let exists = match changes.get(&key) {
            Some(change) => change.is_some(),
            None => records.contains_key(&key),
        };
        let change = match write {
            Write::Create(_) if exists => return Err(StorageError::AlreadyExists),
            Write::Delete(_) if !exists => return Err(StorageError::NotFound),
            Write::Create(row) | Write::Put(row) => Some(row),
            Write::Delete(_) => None,
        };
        changes.insert(key, change);
    }
    Ok(changes)
}
