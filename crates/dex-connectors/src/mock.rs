//! Two connectors that let anybody in, for trying things out. Never for production: opening one logs a warning.

use std::sync::Arc;

use async_trait::async_trait;
use dex_core::records::{Blob, Claims, SecretText};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use subtle::ConstantTimeEq;

use crate::config::secret;
use crate::{
    BeginLogin, Callback, Connector, ConnectorConfig, ConnectorError, Identity, Login,
    LoginRedirect, OpenContext, PasswordLogin, RedirectLogin, RefreshIdentity, Scopes,
    SubjectTokenType, TokenIdentity,
};

/// Configuration of `mockCallback`: nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[non_exhaustive]
pub struct CallbackConfig {}

#[async_trait]
impl ConnectorConfig for CallbackConfig {
    async fn open(
        self,
        id: &str,
        _context: &OpenContext,
    ) -> Result<Arc<dyn Connector>, ConnectorError> {
        warn(id, "mockCallback");
        Ok(Arc::new(MockCallback))
    }
}

/// Signs everybody in as Kilgore Trout, without asking anything.
#[derive(Debug)]
struct MockCallback;

impl Connector for MockCallback {
    fn login(&self) -> Login<'_> {
        Login::Redirect(self)
    }

    fn refresh(&self) -> Option<&dyn RefreshIdentity> {
        Some(self)
    }

    fn token_identity(&self) -> Option<&dyn TokenIdentity> {
        Some(self)
    }
}

#[async_trait]
impl RedirectLogin for MockCallback {
    async fn begin(&self, request: BeginLogin<'_>) -> Result<LoginRedirect, ConnectorError> {
        let mut url = request.callback_url.clone();
        url.query_pairs_mut().append_pair("state", request.state);
        Ok(LoginRedirect {
            url,
            connector_data: Blob::default(),
        })
    }

    async fn complete(&self, _callback: Callback<'_>) -> Result<Identity, ConnectorError> {
        Ok(kilgore_of_the_authors())
    }
}

#[async_trait]
impl RefreshIdentity for MockCallback {
    async fn refresh(
        &self,
        _scopes: Scopes,
        _identity: Identity,
    ) -> Result<Identity, ConnectorError> {
        Ok(kilgore_of_the_authors())
    }
}

#[async_trait]
impl TokenIdentity for MockCallback {
    async fn token_identity(
        &self,
        _kind: SubjectTokenType,
        _token: &SecretString,
    ) -> Result<Identity, ConnectorError> {
        Ok(kilgore_of_the_authors())
    }
}

/// Configuration of `mockPassword`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PasswordConfig {
    /// The one user name.
    pub username: String,
    /// The one password.
    #[serde(deserialize_with = "secret")]
    pub password: SecretText,
}

#[async_trait]
impl ConnectorConfig for PasswordConfig {
    fn check(&self) -> Result<(), ConnectorError> {
        if self.username.is_empty() {
            return Err(ConnectorError::Config("no username supplied".into()));
        }
        if self.password.is_empty() {
            return Err(ConnectorError::Config("no password supplied".into()));
        }
        Ok(())
    }

    async fn open(
        self,
        id: &str,
        _context: &OpenContext,
    ) -> Result<Arc<dyn Connector>, ConnectorError> {
        self.check()?;
        warn(id, "mockPassword");
        Ok(Arc::new(MockPassword(self)))
    }
}

/// Signs one configured user in as Kilgore Trout.
#[derive(Debug)]
struct MockPassword(PasswordConfig);

impl Connector for MockPassword {
    fn login(&self) -> Login<'_> {
        Login::Password(self)
    }

    fn refresh(&self) -> Option<&dyn RefreshIdentity> {
        Some(self)
    }
}

#[async_trait]
impl PasswordLogin for MockPassword {
    async fn login(
        &self,
        _scopes: Scopes,
        username: &str,
        password: &SecretString,
    ) -> Result<Option<Identity>, ConnectorError> {
        // Both are always compared: the time tells nothing about the name.
        let name_matches = self.0.username.as_bytes().ct_eq(username.as_bytes());
        let password_matches = self
            .0
            .password
            .expose()
            .as_bytes()
            .ct_eq(password.expose_secret().as_bytes());
        if !bool::from(name_matches & password_matches) {
            return Ok(None);
        }
        Ok(Some(Identity {
            claims: kilgore(),
            connector_data: Blob::from(br#"{"test": "true"}"#.to_vec()),
        }))
    }
}

#[async_trait]
impl RefreshIdentity for MockPassword {
    async fn refresh(
        &self,
        _scopes: Scopes,
        identity: Identity,
    ) -> Result<Identity, ConnectorError> {
        Ok(identity)
    }
}

fn kilgore() -> Claims {
    Claims {
        user_id: "0-385-28089-0".into(),
        username: "Kilgore Trout".into(),
        email: "kilgore@kilgore.trout".into(),
        email_verified: true,
        ..Claims::default()
    }
}

fn kilgore_of_the_authors() -> Identity {
    Identity {
        claims: Claims {
            groups: vec!["authors".into()],
            ..kilgore()
        },
        connector_data: Blob::from(b"foobar".to_vec()),
    }
}

fn warn(id: &str, kind: &str) {
    tracing::warn!(
        connector_id = id,
        connector_type = kind,
        "a mock connector is open: it lets people in without proof"
    );
}
