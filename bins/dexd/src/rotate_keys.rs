//! `dexd rotate-keys`: a new signing key, now.

use std::sync::Arc;

use dex_core::clock::SystemClock;
use dex_core::entropy::SystemEntropy;
use dex_http::StorageKeyStore;
use dex_signer::{OldKeys, rotate_now};

use crate::config::{self, Overrides, Settings, StorageSettings};
use crate::flags::Environment;
use crate::{open, process};

/// Rotates in the store of the configuration and says which key signs now.
pub(crate) fn run(
    file: &str,
    drop_old_keys: bool,
    environment: &Environment,
) -> anyhow::Result<()> {
    let settings = config::load(file, &Overrides::default(), environment)?;
    anyhow::ensure!(
        settings.storage != StorageSettings::Memory,
        "{file}: storage type \"memory\" keeps the keys in the server's process: restart it instead"
    );
    let old = if drop_old_keys {
        OldKeys::Drop
    } else {
        OldKeys::Keep
    };
    process::block_on(rotate(&settings, old))
}

async fn rotate(settings: &Settings, old: OldKeys) -> anyhow::Result<()> {
    let storage = open::storage(&settings.storage).await?;
    let rotated = rotate_now(
        &StorageKeyStore::new(Arc::clone(&storage)),
        &open::signer_config(settings),
        old,
        &SystemClock,
        Arc::new(SystemEntropy::new()),
    )
    .await;
    storage.close().await;
    let rotated = rotated
        .map_err(|error| anyhow::anyhow!("failed to rotate keys: {}", open::chain(&error)))?;
    process::print(&format!(
        "new signing key {}, next rotation {}\n",
        rotated.key_id, rotated.next_rotation
    ))
}
