//! TLS for the HTTPS listener: versions, suites, and a certificate that is replaced while serving (compat: `config.md` §10.2, §10.3).
//!
//! Versions and suites are fixed in one configuration for the life of the process. Only the certificate behind it changes, so a
//! reload cannot loosen anything, and clients with and without a server name get the same one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::config::{HttpsSettings, TlsVersion, os_error};

/// The certificate of a listener and the files it comes from.
#[derive(Debug)]
pub(crate) struct Certificate {
    chain_file: PathBuf,
    key_file: PathBuf,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<CertifiedKey>,
    /// The files as they were just before they were first read.
    loaded: Fingerprint,
    reload: Notify,
}

impl Certificate {
    /// Loads the pair.
    ///
    /// # Errors
    /// When a file cannot be read or the two do not belong together.
    pub(crate) fn load(settings: &HttpsSettings) -> anyhow::Result<Arc<Self>> {
        let provider = Arc::new(default_provider());
        let loaded = fingerprint(&settings.certificate, &settings.key);
        let pair = load_pair(&settings.certificate, &settings.key, &provider)?;
        Ok(Arc::new(Self {
            chain_file: settings.certificate.clone(),
            key_file: settings.key.clone(),
            provider,
            current: ArcSwap::from_pointee(pair),
            loaded,
            reload: Notify::new(),
        }))
    }

    /// Accepts connections with this certificate.
    pub(crate) fn acceptor(
        self: &Arc<Self>,
        settings: &HttpsSettings,
    ) -> anyhow::Result<TlsAcceptor> {
        let versions: &[&rustls::SupportedProtocolVersion] = match (settings.min, settings.max) {
            (TlsVersion::Tls12, TlsVersion::Tls12) => &[&rustls::version::TLS12],
            (TlsVersion::Tls13, _) => &[&rustls::version::TLS13],
            (TlsVersion::Tls12, TlsVersion::Tls13) => {
                &[&rustls::version::TLS13, &rustls::version::TLS12]
            }
        };
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(versions)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Asks for a reload now.
    pub(crate) fn reload(&self) {
        self.reload.notify_one();
    }

    /// Takes up new files when they change or when asked, until cancelled.
    pub(crate) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let mut seen = self.loaded;
        loop {
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                () = self.reload.notified() => true,
                () = tokio::time::sleep(POLL) => false,
            };
            let now = fingerprint(&self.chain_file, &self.key_file);
            if !asked && now == seen {
                continue;
            }
            seen = now;
            let this = Arc::clone(&self);
            let outcome = tokio::task::spawn_blocking(move || this.take_up()).await;
            match outcome {
                Ok(Ok(true)) => tracing::info!("reloaded TLS certificate"),
                Ok(Ok(false)) => {}
                Ok(Err(error)) => {
                    tracing::error!(err = format!("{error:#}"), "reload TLS config");
                }
                Err(error) => tracing::error!(err = %error, "reload TLS config"),
            }
        }
    }

    /// Reads the files; `false` if they hold what is in use. On failure the pair in use stays.
    fn take_up(&self) -> anyhow::Result<bool> {
        let pair = load_pair(&self.chain_file, &self.key_file, &self.provider)?;
        let changed = pair.cert != self.current.load().cert;
        self.current.store(Arc::new(pair));
        Ok(changed)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

/// What tells two states of both files apart: through links, so that a swapped link shows.
type Fingerprint = [Option<FileState>; 2];
type FileState = (u64, u64, u64, i64, i64);

fn fingerprint(chain: &Path, key: &Path) -> Fingerprint {
    [chain, key].map(file_state)
}

fn file_state(file: &Path) -> Option<FileState> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(file).ok()?;
    Some((
        metadata.dev(),
        metadata.ino(),
        metadata.size(),
        metadata.mtime(),
        metadata.mtime_nsec(),
    ))
}

fn load_pair(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> anyhow::Result<CertifiedKey> {
    const WHAT: &str = "load TLS config: loading TLS keypair";
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&read(certificate).context(WHAT)?)
        .collect::<Result<_, _>>()
        .with_context(|| format!("{WHAT}: {}", certificate.display()))?;
    anyhow::ensure!(
        !chain.is_empty(),
        "{WHAT}: {}: no PEM certificate in it",
        certificate.display()
    );
    let key = PrivateKeyDer::from_pem_slice(&read(key).context(WHAT)?)
        .with_context(|| format!("{WHAT}: {}", key.display()))?;
    CertifiedKey::from_der(chain, key, provider).context(WHAT)
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file)
        .map_err(|error| anyhow::anyhow!("open {}: {}", file.display(), os_error(&error)))
}

/// How often the files are looked at.
const POLL: Duration = Duration::from_secs(1);
