//! Typed access to any [`Storage`].

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use dex_core::records::Record;

use crate::{Abort, Storage, StorageError, Transaction, UpdateError, Write};

/// Typed access, implemented for every [`Storage`].
#[async_trait]
pub trait StorageExt: Storage {
    /// Reads one record; `None` if there is none.
    async fn find<R: Record>(&self, key: R::Key<'_>) -> Result<Option<R>, StorageError> {
        let key = R::record_key(key);
        Ok(self.get(&key).await?.map(R::from_row).transpose()?)
    }

    /// Reads all records of an entity. One malformed record fails the call.
    async fn all<R: Record>(&self) -> Result<Vec<R>, StorageError> {
        let rows = self.list(R::ENTITY).await?;
        Ok(rows
            .into_iter()
            .map(R::from_row)
            .collect::<Result<_, _>>()?)
    }

    /// Creates a record.
    ///
    /// # Errors
    /// [`StorageError::AlreadyExists`] when the key is taken; the stored record is unchanged.
    async fn create<R: Record>(&self, record: &R) -> Result<(), StorageError> {
        self.transact(Transaction::of(vec![Write::create(record)]))
            .await
    }

    /// Deletes a record. Of several concurrent deletes exactly one succeeds.
    ///
    /// # Errors
    /// [`StorageError::NotFound`] when there is none.
    async fn delete<R: Record>(&self, key: R::Key<'_>) -> Result<(), StorageError> {
        self.transact(Transaction::of(vec![Write::delete::<R>(key)]))
            .await
    }

    /// Replaces a record by what `change` makes of it; returns the new one. `change` may run again.
    ///
    /// # Errors
    /// [`UpdateError::Refused`] with the refusal of `change`; [`StorageError::NotFound`] when there is no such record.
    async fn update<R, E, F>(&self, key: R::Key<'_>, mut change: F) -> Result<R, UpdateError<E>>
    where
        R: Record,
        E: Send + 'static,
        F: FnMut(R) -> Result<R, E> + Send + 'static,
    {
        self.decide(vec![R::record_key(key)], move |mut rows| {
            let Some(row) = rows.pop().flatten() else {
                return Err(UpdateError::Storage(StorageError::NotFound));
            };
            let old = R::from_row(row).map_err(StorageError::from)?;
            let new = change(old).map_err(UpdateError::Refused)?;
            Ok((vec![Write::put(&new)], new))
        })
        .await
    }

    /// Runs a transaction whose decision also yields a value, or a refusal of its own.
    ///
    /// # Errors
    /// What the decision of the last run said, or the store's failure.
    async fn decide<T, E, F>(
        &self,
        reads: Vec<dex_core::records::RecordKey>,
        mut decide: F,
    ) -> Result<T, UpdateError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: FnMut(Vec<Option<dex_core::records::Row>>) -> Result<(Vec<Write>, T), UpdateError<E>>
            + Send
            + 'static,
    {
        let outcome: Arc<Mutex<Option<Result<T, UpdateError<E>>>>> = Arc::default();
        let slot = Arc::clone(&outcome);
        let transaction = Transaction::new(reads, move |rows| {
            let (result, writes) = match decide(rows) {
                Ok((writes, value)) => (Ok(value), Ok(writes)),
                Err(refusal) => (Err(refusal), Err(Abort)),
            };
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
            writes
        });
        let stored = self.transact(transaction).await;
        let decided = outcome
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match (stored, decided) {
            (Ok(()), Some(Ok(value))) => Ok(value),
            (Err(StorageError::Aborted), Some(Err(refusal))) => Err(refusal),
            (Err(error), _) => Err(error.into()),
            (Ok(()), _) => Err(StorageError::Unavailable {
                context: "the store did not run the decision".to_owned(),
                source: None,
            }
            .into()),
        }
    }
}

impl<S: Storage + ?Sized> StorageExt for S {}
