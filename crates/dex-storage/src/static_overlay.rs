//! Clients, passwords and connectors of the configuration file, laid over any store (compat: `storage.md` §11).
//!
//! Reads prefer the static record, also inside a transaction; writing one is refused. A stored record with the same key is shadowed, not
//! touched. Nothing static is ever written to the store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use dex_core::Timestamp;
use dex_core::records::{Client, Connector, Entity, Password, Record, RecordKey, Row};

use crate::{Abort, Collected, Storage, StorageError, Transaction, Write};

/// A store with static records over it.
#[derive(Debug)]
pub struct StaticOverlay {
    inner: Arc<dyn Storage>,
    statics: Arc<Statics>,
}

impl StaticOverlay {
    /// Lays the records over `inner`. Of several with one key the last is found; lists show them all, as Dex does.
    pub fn new(
        inner: Arc<dyn Storage>,
        clients: Vec<Client>,
        passwords: Vec<Password>,
        connectors: Vec<Connector>,
    ) -> Self {
        let mut statics = Statics::default();
        statics.add(clients);
        statics.add(passwords);
        statics.add(connectors);
        Self {
            inner,
            statics: Arc::new(statics),
        }
    }
}

#[async_trait]
impl Storage for StaticOverlay {
    async fn get(&self, key: &RecordKey) -> Result<Option<Row>, StorageError> {
        match self.statics.by_key.get(key) {
            Some(row) => Ok(Some(row.clone())),
            None => self.inner.get(key).await,
        }
    }

    async fn list(&self, entity: Entity) -> Result<Vec<Row>, StorageError> {
        let mut rows = self.inner.list(entity).await?;
        rows.retain(|row| !self.statics.by_key.contains_key(&row.key()));
        let own = self.statics.in_order.iter();
        rows.extend(own.filter(|row| row.entity == entity).cloned());
        Ok(rows)
    }

    async fn transact(&self, mut transaction: Transaction) -> Result<(), StorageError> {
        let refusal: Arc<Mutex<Option<StorageError>>> = Arc::default();
        let (slot, statics) = (Arc::clone(&refusal), Arc::clone(&self.statics));
        let keys = transaction.reads.clone();
        let overlaid = Transaction::new(transaction.reads, move |mut seen| {
            for (key, row) in keys.iter().zip(&mut seen) {
                if let Some(own) = statics.by_key.get(key) {
                    *row = Some(own.clone());
                }
            }
            let writes = (transaction.decide)(seen)?;
            let refused = writes.iter().find_map(|write| statics.refuse(write));
            let is_refused = refused.is_some();
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = refused;
            if is_refused { Err(Abort) } else { Ok(writes) }
        });
        let outcome = self.inner.transact(overlaid).await;
        match outcome {
            Err(StorageError::Aborted) => {
                let refused = refusal
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take();
                Err(refused.unwrap_or(StorageError::Aborted))
            }
            outcome => outcome,
        }
    }

    async fn collect_garbage(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Collected, StorageError> {
        self.inner.collect_garbage(now, limit).await
    }

    async fn check_health(&self) -> Result<(), StorageError> {
        self.inner.check_health().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[derive(Debug, Default)]
struct Statics {
    by_key: BTreeMap<RecordKey, Row>,
    in_order: Vec<Row>,
}

impl Statics {
    fn add(&mut self, records: Vec<impl Record>) {
        for record in records {
            let row = record.to_row();
            let replaced = self.by_key.insert(row.key(), row.clone());
            if replaced.is_some() && row.entity == Entity::Password {
                tracing::error!("attempting to create StaticPasswords with the same email id");
            }
            self.in_order.push(row);
        }
    }

    /// Why `write` must not be done, if it must not.
    fn refuse(&self, write: &Write) -> Option<StorageError> {
        let key = match write {
            Write::Create(row) | Write::Put(row) => row.key(),
            Write::Delete(key) => key.clone(),
        };
        if !self.by_key.contains_key(&key) {
            return None;
        }
        let (entity, [create, update, delete]) = match key.entity {
            Entity::Client => (
                "clients",
                ["create client", "update client", "delete client"],
            ),
            Entity::Password => (
                "passwords",
                ["create password", "update password", "delete password"],
            ),
            _ => (
                "connectors",
                ["create connector", "update connector", "delete connector"],
            ),
        };
        let verb = match write {
            Write::Create(_) => create,
            Write::Put(_) => update,
            Write::Delete(_) => delete,
        };
        Some(StorageError::ReadOnly { entity, verb })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use crate::{StorageExt, UpdateError};

    fn client(id: &str, name: &str) -> Client {
        Client {
            id: id.into(),
            name: name.into(),
            ..Client::default()
        }
    }

    fn password(email: &str, user_id: &str) -> Password {
        Password {
            email: email.into(),
            user_id: user_id.into(),
            ..Password::default()
        }
    }

    fn connector(id: &str) -> Connector {
        Connector {
            id: id.into(),
            ..Connector::default()
        }
    }

    async fn overlay() -> (Arc<Memory>, StaticOverlay) {
        let memory = Arc::new(Memory::new());
        for record in [client("web", "stored"), client("stored", "stored")] {
            memory.create(&record).await.unwrap();
        }
        memory
            .create(&password("alice@example.com", "stored"))
            .await
            .unwrap();
        let overlay = StaticOverlay::new(
            Arc::<Memory>::clone(&memory),
            vec![client("web", "first"), client("web", "last")],
            vec![password("Alice@Example.com", "static")],
            vec![connector("github")],
        );
        (memory, overlay)
    }

    #[tokio::test]
    async fn the_last_static_record_is_found_and_all_are_listed() {
        let (_, overlay) = overlay().await;
        let found = overlay.find::<Client>("web").await.unwrap().unwrap();
        assert_eq!(found.name, "last");
        let names: Vec<_> = overlay
            .all::<Client>()
            .await
            .unwrap()
            .into_iter()
            .map(|c| c.name)
            .collect();
        assert_eq!(names, ["stored", "first", "last"]);
        assert!(overlay.find::<Connector>("github").await.unwrap().is_some());
    }

    #[tokio::test]
    async fn storage_21_a_static_password_hides_the_stored_one_and_is_listed_once() {
        let (_, overlay) = overlay().await;
        let listed = overlay.all::<Password>().await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(
            (listed[0].email.as_str(), listed[0].user_id.as_str()),
            ("Alice@Example.com", "static")
        );
        let found = overlay.find::<Password>("ALICE@example.com").await.unwrap();
        assert_eq!(found.unwrap().email, "Alice@Example.com");
    }

    #[tokio::test]
    async fn storage_19_and_20_writes_to_static_records_are_refused_with_dex_texts() {
        let (memory, overlay) = overlay().await;
        let update = overlay
            .update::<Client, (), _>("web", |mut client| {
                // The decision sees the static record.
                assert_eq!(client.name, "last");
                client.name = "changed".into();
                Ok(client)
            })
            .await;
        let Err(UpdateError::Storage(update)) = update else {
            panic!("{update:?}")
        };
        for (error, text) in [
            (update, "static clients: read-only cannot update client"),
            (
                overlay.create(&client("web", "")).await.unwrap_err(),
                "static clients: read-only cannot create client",
            ),
            (
                overlay.delete::<Client>("web").await.unwrap_err(),
                "static clients: read-only cannot delete client",
            ),
            (
                overlay
                    .delete::<Password>("alice@EXAMPLE.com")
                    .await
                    .unwrap_err(),
                "static passwords: read-only cannot delete password",
            ),
            (
                overlay
                    .create(&password("alice@EXAMPLE.com", ""))
                    .await
                    .unwrap_err(),
                "static passwords: read-only cannot create password",
            ),
            (
                overlay.create(&connector("github")).await.unwrap_err(),
                "static connectors: read-only cannot create connector",
            ),
        ] {
            assert_eq!(error.to_string(), text);
        }
        assert_eq!(
            memory.find::<Client>("web").await.unwrap().unwrap().name,
            "stored"
        );
    }

    #[tokio::test]
    async fn a_transaction_with_one_refused_write_does_none() {
        let (memory, overlay) = overlay().await;
        let writes = vec![
            Write::create(&client("new", "")),
            Write::create(&connector("github")),
        ];
        let outcome = overlay.transact(Transaction::of(writes)).await;
        assert!(matches!(outcome, Err(StorageError::ReadOnly { .. })));
        assert!(memory.find::<Client>("new").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn stored_records_are_written_through() {
        let (memory, overlay) = overlay().await;
        overlay.delete::<Client>("stored").await.unwrap();
        overlay.create(&connector("other")).await.unwrap();
        assert!(memory.find::<Client>("stored").await.unwrap().is_none());
        assert_eq!(overlay.all::<Connector>().await.unwrap().len(), 2);
        assert_eq!(memory.all::<Connector>().await.unwrap().len(), 1);
        let aborted = overlay.transact(Transaction::new(vec![], |_| Err(Abort)));
        assert!(matches!(aborted.await, Err(StorageError::Aborted)));
    }
}
