//! Whom we believe to be an upstream: the system's roots and those of the configuration.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::ConnectorError;

/// Roots and exceptions of one connector (Dex's `rootCAs` and `insecureSkipVerify`).
#[derive(Debug, Clone, Default)]
pub struct Trust {
    roots: Vec<CertificateDer<'static>>,
    dangerously_accept_any: bool,
}

impl Trust {
    /// The system's roots plus these: each the path of a PEM file, the base64 of PEM, or PEM itself. Empty entries are skipped.
    ///
    /// # Errors
    /// An entry gives no certificate in any of the three ways.
    pub async fn with_roots(entries: &[String]) -> Result<Self, ConnectorError> {
        let mut roots = Vec::new();
        for (index, entry) in entries.iter().filter(|entry| !entry.is_empty()).enumerate() {
            let pem = read_file(entry).await.unwrap_or_else(|| {
                // Line breaks are no part of base64, wherever they stand.
                let one_line: String = entry.split_whitespace().collect();
                STANDARD
                    .decode(one_line)
                    .unwrap_or_else(|_| entry.clone().into_bytes())
            });
            let before = roots.len();
            roots.extend(
                CertificateDer::pem_slice_iter(&pem)
                    .filter_map(Result::ok)
                    .filter(is_certificate),
            );
            if roots.len() == before {
                return Err(ConnectorError::Config(format!(
                    "rootCAs.{index} is not in PEM format, certificate must be a PEM encoded string, a base64 encoded bytes that \
                     contain PEM encoded string, or a path to a PEM encoded certificate"
                )));
            }
        }
        Ok(Self {
            roots,
            dangerously_accept_any: false,
        })
    }

    /// Accepts any certificate (Dex's `insecureSkipVerify`): whoever controls the network becomes the upstream.
    #[must_use]
    pub fn dangerously_accept_any_certificate(mut self, accept: bool) -> Self {
        self.dangerously_accept_any = accept;
        self
    }

    /// TLS 1.2 and 1.3 with ring, HTTP/1.1.
    pub(super) fn client_config(&self) -> Result<ClientConfig, ConnectorError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| ConnectorError::Config(format!("TLS: {error}")))?;
        if self.dangerously_accept_any {
            return Ok(builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AcceptAny(provider)))
                .with_no_client_auth());
        }
        let system = rustls_native_certs::load_native_certs();
        for error in &system.errors {
            tracing::warn!(%error, "some of the system's root certificates cannot be read");
        }
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(system.certs);
        store.add_parsable_certificates(self.roots.iter().cloned());
        Ok(builder.with_root_certificates(store).with_no_client_auth())
    }
}

/// The contents if the entry names a readable file of sensible size.
async fn read_file(entry: &str) -> Option<Vec<u8>> {
    const MAX_PATH: usize = 4096;
    const MAX_LEN: u64 = 4 * 1024 * 1024;
    if entry.len() > MAX_PATH || entry.contains(['\n', '\0']) {
        return None;
    }
    let metadata = tokio::fs::metadata(entry).await.ok()?;
    if !metadata.is_file() || metadata.len() > MAX_LEN {
        return None;
    }
    tokio::fs::read(entry).await.ok()
}

fn is_certificate(der: &CertificateDer<'static>) -> bool {
    RootCertStore::empty().add(der.clone()).is_ok()
}

/// Accepts any certificate; signatures of the handshake are still checked, so that a broken peer is noticed.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
