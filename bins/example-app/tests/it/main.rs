//! The program, started as a child process, against a small issuer in this process.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod app;
mod flow;
mod issuer;
