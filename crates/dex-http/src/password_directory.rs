//! The built-in password database: the `local` connector looks people up in the provider's storage.

use std::sync::Arc;

use async_trait::async_trait;
use dex_connectors::{PasswordDirectory, PasswordLookupError};
use dex_core::records::Password;
use dex_storage::{Storage, StorageExt as _};

/// Passwords in a [`Storage`].
pub(crate) struct StoredPasswords(pub(crate) Arc<dyn Storage>);

#[async_trait]
impl PasswordDirectory for StoredPasswords {
    async fn find(&self, email: &str) -> Result<Option<Password>, PasswordLookupError> {
        Ok(self.0.find::<Password>(email).await?)
    }
}
