//! The real binary as a child process. Tests named `config_NN_…` realise the numbered checks of the configuration text.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod agent;
mod bad_input;
mod browser;
mod chromium;
mod command_line;
mod dev;
#[path = "../../../../testdata/dex-databases/mod.rs"]
mod dex_databases;
mod fixtures;
mod flood;
mod flow;
mod harness;
mod listeners;
mod logger;
mod logins;
mod samples;
mod signals;
mod switches;
mod telemetry;
mod tls;
mod validation;
