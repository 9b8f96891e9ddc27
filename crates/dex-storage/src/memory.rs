//! Records in this process's memory: for tests and first tries. Everything is lost at exit.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use dex_core::Timestamp;
use dex_core::records::{Entity, RecordKey, Row};

use crate::{Collected, Storage, StorageError, Transaction, Write};

/// The in-memory backend. Transactions run one after the other.
#[derive(Default)]
pub struct Memory(Mutex<BTreeMap<RecordKey, Row>>);

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn records(&self) -> MutexGuard<'_, BTreeMap<RecordKey, Row>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("records", &self.records().len())
            .finish()
    }
}

#[async_trait]
impl Storage for Memory {
    async fn get(&self, key: &RecordKey) -> Result<Option<Row>, StorageError> {
        Ok(self.records().get(key).cloned())
    }

    async fn list(&self, entity: Entity) -> Result<Vec<Row>, StorageError> {
        let records = self.records();
        Ok(records
            .values()
            .filter(|row| row.entity == entity)
            .cloned()
            .collect())
    }

    async fn transact(&self, mut transaction: Transaction) -> Result<(), StorageError> {
        let mut records = self.records();
        let seen = transaction
            .reads
            .iter()
            .map(|key| records.get(key).cloned())
            .collect();
        let writes = (transaction.decide)(seen).map_err(|_| StorageError::Aborted)?;
        for write in &writes {
            match write {
                Write::Create(row) if records.contains_key(&row.key()) => {
                    return Err(StorageError::AlreadyExists);
                }
                Write::Delete(key) if !records.contains_key(key) => {
                    return Err(StorageError::NotFound);
                }
                _ => {}
            }
        }
        for write in writes {
            match write {
                Write::Create(row) | Write::Put(row) => {
                    records.insert(row.key(), row);
                }
                Write::Delete(key) => {
                    records.remove(&key);
                }
            }
        }
        Ok(())
    }

    async fn collect_garbage(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Collected, StorageError> {
        let mut collected = Collected::default();
        let mut records = self.records();
        for entity in Entity::ALL {
            let expired: Vec<_> = records
                .values()
                .filter(|row| row.entity == entity && row.is_expired(now))
                .take(limit)
                .map(Row::key)
                .collect();
            collected.add(entity, expired.len());
            for key in expired {
                records.remove(&key);
            }
        }
        Ok(collected)
    }

    async fn check_health(&self) -> Result<(), StorageError> {
        Ok(())
    }

    async fn close(&self) {}
}
