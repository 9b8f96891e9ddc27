//! Endpoint tests: black boxes over the service, at the root and nested in an axum router.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod authorize_flow;
mod authorize_log;
mod authorize_request;
mod authorize_sealed;
mod embedding;
mod request_log;
mod support;
mod token;
mod token_contents;
mod token_limits;
mod token_parallel;
mod token_refresh;
mod userinfo;
mod well_known;
mod whole_flow;
