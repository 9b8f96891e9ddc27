//! Endpoint tests: black boxes over the service, at the root and nested in an axum router.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod embedding;
mod support;
