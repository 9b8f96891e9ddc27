//! The OpenID Connect provider as one [`tower::Service`].
//!
//! # Adding a grant
//! A file `src/token/<grant>.rs` with two phases: `prepare` finds out what is asked for and whether this client may have it, without
//! writing anything; `complete` decides, signs and writes. `complete` takes proof that the client and the connector allow the grant,
//! which only the shared gate gives. One variant of the `Grant` enum in `src/token/mod.rs`: the compiler lists the arms, discovery
//! reads the list, and the test `d05_…` fails until the grant is in its table of limits. A grant that keeps state has its decision,
//! a pure function of records and the time, in `dex-core`.

mod answer;
mod authorize;
mod client_address;
mod connectors;
mod cors;
mod discovery;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod headers;
mod health;
mod home;
mod issue;
mod issuer;
mod issuer_url;
mod key_store;
mod keyed_lock;
mod keys;
pub mod pages;
mod password_directory;
mod provider;
mod request;
mod router;
mod sealed;
mod service;
mod token;
mod userinfo;

pub use connectors::OpenError;
pub use dex_core::refresh::RefreshPolicy;
pub use error::{ErrorCode, OAuthError, PageError};
pub use health::Health;
pub use issue::IssueError;
pub use issuer::{BuildError, Issuer, IssuerBuilder};
pub use issuer_url::{InvalidIssuer, IssuerUrl};
pub use key_store::StorageKeyStore;
pub use provider::{AuthRequestMode, ClientAddressPolicy, Policy};
pub use request::{MatchedRoute, PeerAddress};
pub use service::IssuerService;
pub use token::{ClientRejected, ConnectorRefused, IdentityChanged};
pub use userinfo::BearerRejected;
