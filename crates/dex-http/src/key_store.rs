//! Signing keys in the provider's storage, where Dex keeps them (compat: `signer.md` §3).

use std::sync::Arc;

use async_trait::async_trait;
use dex_core::records::{NextSigningKey, Record as _, SigningKeys};
use dex_signer::{DecideKeys, KeyChange, KeyStore, SignerError};
use dex_storage::{Storage, StorageError, StorageExt as _, UpdateError, Write};

/// The keys of a local signer, kept in a [`Storage`].
#[derive(Debug, Clone)]
pub struct StorageKeyStore(Arc<dyn Storage>);

impl StorageKeyStore {
    /// Keys in `storage`.
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self(storage)
    }
}

#[async_trait]
impl KeyStore for StorageKeyStore {
    async fn load(&self) -> Result<(Option<SigningKeys>, Option<NextSigningKey>), SignerError> {
        let keys = self.0.find::<SigningKeys>(SigningKeys::ID).await;
        let next = self.0.find::<NextSigningKey>(NextSigningKey::ID).await;
        Ok((keys.map_err(read_failed)?, next.map_err(read_failed)?))
    }

    async fn update(&self, mut decide: DecideKeys) -> Result<(), SignerError> {
        let reads = vec![
            SigningKeys::record_key(SigningKeys::ID),
            NextSigningKey::record_key(NextSigningKey::ID),
        ];
        self.0
            .decide::<_, std::convert::Infallible, _>(reads, move |rows| {
                let mut rows = rows.into_iter();
                let keys = rows.next().flatten().map(SigningKeys::from_row);
                let next = rows.next().flatten().map(NextSigningKey::from_row);
                let had_next = next.is_some();
                let (keys, next) = (
                    keys.transpose().map_err(StorageError::from)?,
                    next.transpose().map_err(StorageError::from)?,
                );
                let writes = match decide(keys, next) {
                    KeyChange::Keep => Vec::new(),
                    KeyChange::Write { keys, next } => {
                        let mut writes = vec![Write::put(&*keys)];
                        match next {
                            Some(next) => writes.push(Write::put(&*next)),
                            None if had_next => {
                                writes.push(Write::delete::<NextSigningKey>(NextSigningKey::ID));
                            }
                            None => {}
                        }
                        writes
                    }
                };
                Ok((writes, ()))
            })
            .await
            .map_err(|error| match error {
                UpdateError::Storage(error) => failed("write the signing keys", error),
                UpdateError::Refused(never) => match never {},
                _ => failed("write the signing keys", StorageError::Aborted),
            })
    }
}

fn read_failed(error: StorageError) -> SignerError {
    failed("read the signing keys", error)
}

fn failed(context: &str, source: StorageError) -> SignerError {
    SignerError::Unavailable {
        context: context.to_owned(),
        source: Some(Box::new(source)),
    }
}

#[cfg(test)]
mod tests {
    use dex_core::Timestamp;
    use dex_storage::memory::Memory;
    use serde_json::json;

    use super::*;

    fn keys(kid: &str) -> SigningKeys {
        SigningKeys {
            id: SigningKeys::ID.into(),
            signing_key: json!({ "kid": kid }).into(),
            ..Default::default()
        }
    }

    fn next(kid: &str) -> NextSigningKey {
        NextSigningKey {
            id: NextSigningKey::ID.into(),
            signing_key: json!({ "kid": kid }).into(),
            published_at: Timestamp::from_unix(1, 0).unwrap(),
        }
    }

    async fn write(
        store: &StorageKeyStore,
        kid: &'static str,
        next_kid: Option<&'static str>,
    ) -> (Option<SigningKeys>, Option<NextSigningKey>) {
        store
            .update(Box::new(move |_, _| KeyChange::Write {
                keys: Box::new(keys(kid)),
                next: next_kid.map(next).map(Box::new),
            }))
            .await
            .unwrap();
        store.load().await.unwrap()
    }

    #[tokio::test]
    async fn both_records_are_written_replaced_and_removed() {
        let store = StorageKeyStore::new(Arc::new(Memory::new()));
        assert_eq!(store.load().await.unwrap(), (None, None));
        assert_eq!(write(&store, "a", None).await, (Some(keys("a")), None));
        assert_eq!(
            write(&store, "a", Some("b")).await,
            (Some(keys("a")), Some(next("b")))
        );
        assert_eq!(
            write(&store, "b", Some("c")).await,
            (Some(keys("b")), Some(next("c")))
        );
        assert_eq!(write(&store, "c", None).await, (Some(keys("c")), None));
    }

    #[tokio::test]
    async fn a_decision_sees_what_is_stored_and_may_keep_it() {
        let store = StorageKeyStore::new(Arc::new(Memory::new()));
        write(&store, "a", Some("b")).await;
        store
            .update(Box::new(|seen, seen_next| {
                assert_eq!((seen, seen_next), (Some(keys("a")), Some(next("b"))));
                KeyChange::Keep
            }))
            .await
            .unwrap();
        assert_eq!(
            store.load().await.unwrap(),
            (Some(keys("a")), Some(next("b")))
        );
    }

    #[tokio::test]
    async fn a_closed_store_is_an_error_not_a_missing_key() {
        let storage = Arc::new(Memory::new());
        storage.close().await;
        let store = StorageKeyStore::new(storage);
        assert!(matches!(
            store.load().await,
            Err(SignerError::Unavailable { .. })
        ));
        assert!(
            store
                .update(Box::new(|_, _| KeyChange::Keep))
                .await
                .is_err()
        );
    }
}
