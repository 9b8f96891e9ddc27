//! Records, wire values and decisions of a federated OpenID Connect provider.
//!
//! Nothing here does I/O, waits, or asks for the time: instants and randomness are arguments, so that every rule can be tested as a
//! table. The upper crates (`dex-storage`, `dex-signer`, `dex-connectors`, `dex-http`) fetch, decide with this crate, and persist.

pub mod audience;
pub mod authorize;
pub mod basic_auth;
pub mod claims;
pub mod clock;
pub mod code;
pub mod entropy;
pub mod go_duration;
pub mod go_json;
pub mod go_quote;
pub mod lenient;
pub mod opaque;
pub mod pkce;
pub mod prompt;
pub mod records;
pub mod redirect_uri;
pub mod refresh;
pub mod response_mode;
pub mod response_type;
pub mod scope;
pub mod step;
mod time;

pub use time::{InvalidTimestamp, Timestamp};
