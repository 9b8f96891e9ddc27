//! Tests of the backends through the public interface.

#![expect(clippy::unwrap_used, clippy::needless_pass_by_value, reason = "tests")]

mod conformance;
mod dex_databases;
mod kill;
mod sqlite;
