//! The compiled schemas against the tables of the wire contract.

#![expect(clippy::unwrap_used, reason = "tests")]

mod opaque;
mod redaction;
mod schema;
