//! A server to be driven: its endpoints and the client registered there.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use url::Url;

use crate::cli::Options;
use crate::client::{Address, Connection, Prepared};

/// An issuer and what its discovery document says.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Target {
    /// As given on the command line.
    pub issuer: Url,
    /// Its number on the command line, from 0.
    pub number: usize,
    /// Where it listens.
    pub address: Address,
    /// The server's process.
    pub pid: Option<u32>,
    /// The discovery document itself.
    pub discovery: Url,
    /// From the discovery document.
    pub endpoints: Endpoints,
}

/// What is used of a discovery document (OpenID Connect Discovery 1.0 §3).
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Endpoints {
    /// The issuer as it calls itself.
    pub issuer: String,
    /// The authorization endpoint.
    pub authorization_endpoint: Url,
    /// The token endpoint.
    pub token_endpoint: Url,
    /// The key document.
    pub jwks_uri: Url,
    /// The userinfo endpoint, if there is one.
    pub userinfo_endpoint: Option<Url>,
}

impl Target {
    /// Reads the discovery document.
    ///
    /// # Errors
    /// When the server does not answer with one, or its endpoints are elsewhere: one connection must do.
    pub async fn discover(options: &Options, number: usize) -> anyhow::Result<Self> {
        let issuer = options
            .issuer
            .get(number)
            .context("no such issuer")?
            .clone();
        let tls = tls_config(options)?;
        let address = Address::of(&issuer, tls.as_ref(), options.timeout)?;
        let path = issuer.path().trim_end_matches('/');
        let mut discovery = issuer.clone();
        discovery.set_path(&format!("{path}/.well-known/openid-configuration"));
        let mut connection = Connection::new(address.clone());
        let answer = connection
            .send(&Prepared::get(&discovery))
            .await
            .map_err(|failure| anyhow::anyhow!("{issuer}: {}", failure.0))?;
        ensure!(
            answer.status.is_success(),
            "{discovery} answers {}",
            answer.status
        );
        let endpoints: Endpoints = serde_json::from_slice(&answer.body)
            .with_context(|| format!("{discovery} is not a discovery document"))?;
        let target = Self {
            pid: options.pid.get(number).copied(),
            issuer,
            number,
            address,
            discovery,
            endpoints,
        };
        target.check()?;
        Ok(target)
    }

    fn check(&self) -> anyhow::Result<()> {
        let endpoints = &self.endpoints;
        let all = [
            Some(&endpoints.authorization_endpoint),
            Some(&endpoints.token_endpoint),
            Some(&endpoints.jwks_uri),
            endpoints.userinfo_endpoint.as_ref(),
        ];
        for endpoint in all.into_iter().flatten() {
            ensure!(
                self.is_same_server(endpoint),
                "{endpoint} is not on the server of --issuer {}: give the URL under which the server knows itself",
                self.issuer
            );
        }
        Ok(())
    }

    /// Whether a request for `url` goes to this server.
    pub fn is_same_server(&self, url: &Url) -> bool {
        url.origin() == self.issuer.origin()
    }
}

fn tls_config(options: &Options) -> anyhow::Result<Option<Arc<ClientConfig>>> {
    if options
        .issuer
        .iter()
        .all(|issuer| issuer.scheme() == "http")
    {
        return Ok(None);
    }
    let mut roots = RootCertStore::empty();
    if let Some(file) = &options.ca_file {
        let reading = || format!("reading {}", file.display());
        for certificate in CertificateDer::pem_file_iter(file).with_context(reading)? {
            roots.add(certificate.with_context(reading)?)?;
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Some(Arc::new(config)))
}
