//! The HTTP client that the OpenID Connect library calls the issuer with: bounded in time and size, and without redirects, since a
//! redirect could carry a code or a secret elsewhere.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// A client for one issuer.
pub(crate) struct HttpClient(reqwest::Client);

/// Why a call brought no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// It could not be made, or not in time.
    #[error("the issuer did not answer")]
    Transport(#[from] reqwest::Error),
    /// More came back than any answer of an issuer needs.
    #[error("the issuer's answer is larger than {MAX_ANSWER} bytes")]
    TooLarge,
}

impl HttpClient {
    /// A client that trusts the authorities of the system, or those of the given file only.
    pub(crate) fn open(root_ca: Option<&Path>) -> anyhow::Result<Self> {
        let mut roots = rustls::RootCertStore::empty();
        if let Some(file) = root_ca {
            let certificates = CertificateDer::pem_file_iter(file)
                .with_context(|| format!("reading {}", file.display()))?;
            for certificate in certificates {
                let certificate =
                    certificate.with_context(|| format!("reading {}", file.display()))?;
                roots
                    .add(certificate)
                    .with_context(|| format!("trusting {}", file.display()))?;
            }
        } else {
            // A machine without any is good enough for an issuer on plain HTTP.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("choosing TLS versions")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()
            .context("making the HTTP client")?;
        Ok(Self(client))
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut response = self.0.execute(request.try_into()?).await?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(HttpError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer = HttpResponse::new(body);
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        Ok(answer)
    }
}

impl<'c> AsyncHttpClient<'c> for HttpClient {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

const TIMEOUT: Duration = Duration::from_secs(20);
const MAX_ANSWER: usize = 1 << 20;
