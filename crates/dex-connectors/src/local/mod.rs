//! `local`: the built-in password database.
//!
//! Nobody learns from text, status or work whether an address exists: unknown users, unusable hashes and wrong passwords all cost
//! one bcrypt computation and get the same answer.

mod bcrypt_hash;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use dex_core::records::{Blob, Claims, Password};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

pub use bcrypt_hash::{BcryptHash, InvalidHash};

use crate::hashing::HashingPool;
use crate::{
    Connector, ConnectorConfig, ConnectorError, Identity, Login, OpenContext, PasswordDirectory,
    PasswordLogin, RefreshIdentity, Scopes,
};

/// Configuration of `local`: none; whatever is stored is ignored.
#[derive(Debug, Clone, Default, Deserialize)]
#[non_exhaustive]
pub struct Config {}

#[async_trait]
impl ConnectorConfig for Config {
    async fn open(
        self,
        _id: &str,
        context: &OpenContext,
    ) -> Result<Arc<dyn Connector>, ConnectorError> {
        Ok(Arc::new(Local {
            passwords: context.passwords(),
            hashing: context.hashing(),
            usual_cost: AtomicU32::new(*ACCEPTED_COSTS.start()),
        }))
    }
}

struct Local {
    passwords: Arc<dyn PasswordDirectory>,
    hashing: Arc<HashingPool>,
    /// Cost of the last real hash seen: what a decoy has to cost to look like one.
    usual_cost: AtomicU32,
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}

impl Connector for Local {
    fn login(&self) -> Login<'_> {
        Login::Password(self)
    }

    fn refresh(&self) -> Option<&dyn RefreshIdentity> {
        Some(self)
    }
}

#[async_trait]
impl PasswordLogin for Local {
    fn prompt(&self) -> &'static str {
        "Email Address"
    }

    async fn login(
        &self,
        _scopes: Scopes,
        username: &str,
        password: &SecretString,
    ) -> Result<Option<Identity>, ConnectorError> {
        let user = self.find(username).await?;
        let hash = user
            .as_ref()
            .and_then(|user| self.usable_hash(user))
            .unwrap_or_else(|| BcryptHash::decoy(self.usual_cost.load(Ordering::Relaxed)));
        let password = password.clone();
        let matches = self
            .hashing
            .run(1 << hash.cost(), move || {
                hash.matches(password.expose_secret().as_bytes())
            })
            .await?;
        Ok(user.filter(|_| matches).map(|user| Identity {
            claims: claims(user),
            connector_data: Blob::default(),
        }))
    }
}

#[async_trait]
impl RefreshIdentity for Local {
    async fn refresh(
        &self,
        _scopes: Scopes,
        identity: Identity,
    ) -> Result<Identity, ConnectorError> {
        let known = identity.claims;
        let user = self
            .find(&known.email)
            .await?
            .filter(|user| user.user_id == known.user_id)
            .ok_or_else(|| ConnectorError::Rejected("user not found".into()))?;
        Ok(Identity {
            claims: Claims {
                email: known.email,
                ..claims(user)
            },
            connector_data: identity.connector_data,
        })
    }
}

impl Local {
    async fn find(&self, email: &str) -> Result<Option<Password>, ConnectorError> {
        self.passwords
            .find(email)
            .await
            .map_err(|error| ConnectorError::upstream("get password", error))
    }

    /// The user's hash, if it is one we compute. Others are the operator's to repair, and look like a wrong password to everybody
    /// else (Dex answers with an error, which tells that the account exists).
    fn usable_hash(&self, user: &Password) -> Option<BcryptHash> {
        let user_id = &user.user_id;
        match BcryptHash::parse(user.hash.expose()) {
            Ok(hash) if ACCEPTED_COSTS.contains(&hash.cost()) => {
                self.usual_cost.store(hash.cost(), Ordering::Relaxed);
                Some(hash)
            }
            Ok(hash) => {
                let cost = hash.cost();
                tracing::error!(
                    user_id,
                    cost,
                    "stored password hash has a cost outside 10 to 16"
                );
                None
            }
            Err(error) => {
                tracing::error!(user_id, %error, "stored password hash is malformed");
                None
            }
        }
    }
}

fn claims(user: Password) -> Claims {
    Claims {
        user_id: user.user_id,
        username: if user.name.is_empty() {
            user.username
        } else {
            user.name
        },
        preferred_username: user.preferred_username,
        email: user.email,
        email_verified: user.email_verified.unwrap_or(true),
        groups: user.groups,
    }
}

/// Cheaper hashes protect too little, dearer ones let a login stop the server.
const ACCEPTED_COSTS: std::ops::RangeInclusive<u32> = 10..=16;
