//! Connectors from the outside: through the registry and the traits.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod local;
mod mock;
mod registry;

use std::sync::Arc;

use dex_connectors::{Connector, ConnectorError, Login, OpenContext, PasswordLogin, Registry};
use dex_core::Timestamp;
use dex_core::clock::ManualClock;
use dex_core::entropy::SeededEntropy;

/// When all tests happen.
fn now() -> Timestamp {
    "2026-08-06T12:00:00Z".parse().unwrap()
}

fn context() -> OpenContext {
    OpenContext::new(
        Arc::new(ManualClock::at(now())),
        Arc::new(SeededEntropy::new(7)),
    )
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
