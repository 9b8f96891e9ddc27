//! How connectors talk to their upstreams.
//!
//! [`UpstreamClient`] bounds every request: total time, size of the answer, redirects. Its errors and spans carry hosts and paths,
//! never query strings, headers or bodies.

mod client;
mod settings;
mod trust;

pub use client::{UpstreamClient, UpstreamResponse};
pub use settings::{ProxySettings, UpstreamSettings};
pub use trust::Trust;

/// What an upstream said, fit for an error text: short and on one line.
#[cfg(feature = "oidc")]
pub(crate) fn shown(text: &str) -> String {
    const MAX_CHARS: usize = 200;
    let mut shown: String = text
        .chars()
        .take(MAX_CHARS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        shown.push('…');
    }
    shown
}
