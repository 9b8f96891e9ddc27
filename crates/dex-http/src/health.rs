//! Whether the provider is well, as told by whoever checks its storage (compat: `config.md` §11.1).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use http::{Response, StatusCode};

use crate::answer::page_error;
use crate::error::PageError;
use crate::provider::Provider;
use crate::request::Incoming;
use crate::service::plain;

/// The outcome of the last health check, shared between the one who checks and `/healthz`. Clones share it.
///
/// Default: passing, as before the first check.
#[derive(Debug, Clone)]
pub struct Health(Arc<AtomicBool>);

impl Health {
    /// Records the outcome of a check.
    pub fn set_passing(&self, passing: bool) {
        self.0.store(passing, Ordering::Relaxed);
    }

    /// The outcome of the last check.
    pub fn is_passing(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Default for Health {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

/// `/healthz`, any method.
pub(crate) fn serve(op: &Provider, request: &Incoming) -> Response<Body> {
    if op.health.is_passing() {
        plain(StatusCode::OK, "Health check passed")
    } else {
        let error = PageError::new(StatusCode::INTERNAL_SERVER_ERROR, "Health check failed.");
        page_error(op, request, error)
    }
}
