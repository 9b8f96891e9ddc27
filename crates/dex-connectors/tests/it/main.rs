//! Connectors from the outside: through the registry and the traits.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod example;
mod local;
mod mock;
mod oidc;
mod registry;
mod upstream;

use std::sync::Arc;

use dex_connectors::{Connector, ConnectorError, Login, OpenContext, PasswordLogin, Registry};
use dex_core::Timestamp;
use dex_core::clock::ManualClock;
use dex_core::entropy::SeededEntropy;

/// When all tests begin.
fn now() -> Timestamp {
    "2026-08-06T12:00:00Z".parse().unwrap()
}

fn context() -> OpenContext {
    context_at(ManualClock::at(now()))
}

fn context_at(clock: ManualClock) -> OpenContext {
    OpenContext::new(Arc::new(clock), Arc::new(SeededEntropy::new(7)))
}

async fn open(kind: &str, config: &str) -> Result<Arc<dyn Connector>, ConnectorError> {
    Registry::with_all()
        .open(kind, "under-test", config.as_bytes(), &context())
        .await
}

fn password_login(connector: &dyn Connector) -> &dyn PasswordLogin {
    match connector.login() {
        Login::Password(login) => login,
        other => panic!("not a password connector: {other:?}"),
    }
}

/// An HTTP client that follows no redirects. The fakes speak plain HTTP, so it trusts no certificates.
fn browser() -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}
