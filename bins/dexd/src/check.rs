//! `dexd check`: every fault of a configuration file, with its place.

use std::process::ExitCode;
use std::sync::Arc;

use dex_connectors::Registry;
use dex_core::go_quote::quote;
use dex_http::Issuer;
use dex_signer::{LocalSigner, MemoryKeyStore};
use dex_storage::memory::Memory;

use dex_core::clock::SystemClock;
use dex_core::entropy::SystemEntropy;

use crate::config::{self, Overrides, Settings};
use crate::flags::Environment;
use crate::listen::tls::Certificate;
use crate::{open, process};

/// Checks the file and the files it names. Opens no storage and asks no upstream.
pub(crate) fn run(file: &str, environment: &Environment) -> ExitCode {
    let faults = match config::load(file, &Overrides::default(), environment) {
        Err(error) => error.for_check(),
        Ok(settings) => named_files(file, &settings),
    };
    if faults.is_empty() {
        let _ = process::print(&format!("{file}: no faults found\n"));
        return ExitCode::SUCCESS;
    }
    eprint!("{faults}");
    ExitCode::from(1)
}

/// What is wrong with files that the configuration names, and with values that only their connector understands.
fn named_files(file: &str, settings: &Settings) -> String {
    let certificate = settings
        .https
        .as_ref()
        .and_then(|https| Certificate::load(https).err())
        .map(|error| format!("{file}: invalid config: get HTTP TLS: {error:#}\n"));
    let connectors = settings.connectors.iter().filter_map(|connector| {
        let config = serde_json::from_slice(connector.config.expose()).unwrap_or_default();
        Registry::with_all()
            .check_values(&connector.kind, &config)
            .err()
            .map(|error| format!("{file}: connector {}: {error}\n", quote(&connector.id)))
    });
    let pages = process::block_on(pages(settings))
        .err()
        .map(|error| format!("{file}: {error:#}\n"));
    certificate
        .into_iter()
        .chain(connectors)
        .chain(pages)
        .collect()
}

/// Puts a provider together over nothing, which reads pages and assets.
async fn pages(settings: &Settings) -> anyhow::Result<()> {
    let signer = LocalSigner::open(
        Arc::new(MemoryKeyStore::new()),
        open::signer_config(settings),
        Arc::new(SystemClock),
        Arc::new(SystemEntropy::new()),
    )
    .await?;
    Issuer::builder(&settings.issuer, Arc::new(Memory::new()), signer)
        .policy(settings.policy.clone())
        .frontend(open::frontend(settings))
        .build()
        .map(drop)
        .map_err(|error| anyhow::anyhow!("failed to initialize server: server: {error}"))
}
