//! Vouching for tokens of the provider (RFC 8693).

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use dex_core::records::SecretText;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Map;

use super::Oidc;
use super::id_token::Audience;
use crate::{ConnectorError, Identity, SubjectTokenType, TokenIdentity};

#[async_trait]
impl TokenIdentity for Oidc {
    async fn token_identity(
        &self,
        kind: SubjectTokenType,
        token: &SecretString,
    ) -> Result<Identity, ConnectorError> {
        let token = token.expose_secret();
        if token.len() > MAX_SUBJECT_TOKEN {
            return Err(rejected("oidc: the subject token is too large"));
        }
        let claims = match kind {
            SubjectTokenType::IdToken => {
                if self.exchange_audiences.is_empty()
                    && !self.warned_of_audience.swap(true, Ordering::Relaxed)
                {
                    tracing::warn!(
                        connector_id = self.id,
                        "ID tokens of any client of the provider are exchanged: set tokenExchangeAudiences to restrict them"
                    );
                }
                let audience = Audience::OneOf(&self.exchange_audiences);
                self.verifier.id_token(token, audience).await?.claims
            }
            SubjectTokenType::AccessToken => {
                if !self.asks_userinfo {
                    return Err(rejected(
                        "oidc: getUserInfo is required for access token exchange",
                    ));
                }
                // Userinfo proves whose token it is, but not for whom it was issued.
                if !self.exchange_audiences.is_empty() {
                    return Err(rejected(
                        "oidc: access tokens are not exchanged where tokenExchangeAudiences is set",
                    ));
                }
                Map::new()
            }
        };
        let claims = self.with_userinfo(claims, &SecretText::from(token)).await?;
        self.identity(&claims, &SecretText::default())
    }
}

/// Strangers present these; providers' own are much smaller.
const MAX_SUBJECT_TOKEN: usize = 16 * 1024;

fn rejected(reason: &str) -> ConnectorError {
    ConnectorError::Rejected(reason.to_owned())
}
