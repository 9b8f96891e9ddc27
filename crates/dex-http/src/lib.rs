//! The OpenID Connect provider as one [`tower::Service`].

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
