//! The signer as its users see it: through its public traits, over an in-memory key store and a clock that is moved by hand.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on may stop"
)]

mod attacks;
mod fixtures;
mod interop;
mod local;
mod replicas;
mod support;
