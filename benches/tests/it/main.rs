//! The load tool against a small issuer in this process.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on may stop"
)]

mod fake;
mod runs;
