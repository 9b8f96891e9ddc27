//! The OpenID Connect provider as one [`tower::Service`].

mod connectors;
mod error;
mod home;
mod issuer;
mod issuer_url;
pub mod pages;
mod password_directory;
mod provider;
mod request;
mod router;
mod service;

pub use connectors::OpenError;
pub use dex_core::refresh::RefreshPolicy;
pub use error::{ErrorCode, OAuthError, PageError};
pub use issuer::{BuildError, Issuer, IssuerBuilder};
pub use issuer_url::{InvalidIssuer, IssuerUrl};
pub use provider::{AuthRequestMode, ClientAddressPolicy, Policy};
pub use request::{MatchedRoute, PeerAddress};
pub use service::IssuerService;
