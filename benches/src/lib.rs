//! The load tool: drives the main jobs of an OpenID Connect issuer, whichever it is, over plain keep-alive connections, and says what
//! they cost. `src/bin/load.rs` is its command line.
//!
//! The client has to be cheap, because it shares its cores with the server: one thread, HTTP/1.1 on hyper, one connection per worker,
//! no cookie or redirect machinery beyond what a code flow needs.

pub mod cli;
pub mod client;
pub mod flow;
pub mod measure;
pub mod page;
pub mod report;
pub mod run;
pub mod target;
