//! From settings to the parts they describe: storage, signer, pages.

use std::sync::Arc;

use anyhow::Context as _;
use dex_http::pages::FrontendOptions;
use dex_signer::{Algorithm, LocalConfig};
use dex_storage::Storage;
use dex_storage::memory::Memory;
use dex_storage::sqlite::{Options, Sqlite};
use dex_storage::static_overlay::StaticOverlay;

use crate::config::{Settings, SigningAlgorithm, StorageSettings};

/// Opens the store by the name the configuration gives it. A backend is one line here.
///
/// # Errors
/// In Dex's words, one line.
pub(crate) async fn storage(settings: &StorageSettings) -> anyhow::Result<Arc<dyn Storage>> {
    match settings {
        StorageSettings::Memory => Ok(Arc::new(Memory::new())),
        StorageSettings::Sqlite { file } => {
            let options = Options {
                file: file.clone(),
                ..Options::default()
            };
            let opened = tokio::task::spawn_blocking(move || Sqlite::open(&options))
                .await
                .context("opening the storage")?;
            match opened {
                Ok(sqlite) => Ok(Arc::new(sqlite)),
                Err(error) => anyhow::bail!("failed to initialize storage: {error}"),
            }
        }
    }
}

/// The store with the records of the file over it.
pub(crate) fn with_static_records(
    storage: Arc<dyn Storage>,
    settings: &Settings,
) -> Arc<dyn Storage> {
    Arc::new(StaticOverlay::new(
        storage,
        settings.clients.clone(),
        settings.passwords.clone(),
        settings.connectors.clone(),
    ))
}

/// How keys are made and for how long they are kept.
pub(crate) fn signer_config(settings: &Settings) -> LocalConfig {
    let mut config = LocalConfig::default();
    config.rotation_period = settings.signer.rotation_period;
    config.algorithm = match settings.signer.algorithm {
        SigningAlgorithm::Rs256 => Algorithm::Rs256,
        SigningAlgorithm::Es256 => Algorithm::Es256,
        SigningAlgorithm::Ps256 => Algorithm::Ps256,
        SigningAlgorithm::EdDsa => Algorithm::EdDsa,
    };
    config.verification_lifetime = settings.policy.id_tokens_valid_for;
    config
}

/// How pages look.
pub(crate) fn frontend(settings: &Settings) -> FrontendOptions {
    let mut options = FrontendOptions::default();
    let frontend = &settings.frontend;
    options.issuer_name.clone_from(&frontend.issuer);
    options.theme.clone_from(&frontend.theme);
    options.logo_url.clone_from(&frontend.logo_url);
    options.extra.clone_from(&frontend.extra);
    options.dir.clone_from(&frontend.dir);
    options
}

/// An error with all its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        // Some errors repeat their cause in their own words.
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}
