//! Re-reading an identity with the upstream refresh token (OpenID Connect Core 1.0 §12).

use async_trait::async_trait;
use serde_json::Map;

use super::Oidc;
use super::data::kept_refresh_token;
use super::id_token::Audience;
use crate::{ConnectorError, Identity, RefreshIdentity, Scopes};

#[async_trait]
impl RefreshIdentity for Oidc {
    async fn refresh(
        &self,
        _scopes: Scopes,
        identity: Identity,
    ) -> Result<Identity, ConnectorError> {
        let refresh_token = kept_refresh_token(&identity.connector_data)?;
        let token = self
            .oauth2
            .refresh(&refresh_token)
            .await
            .map_err(|error| error.within("oidc: failed to get refresh token"))?;
        let claims = match &token.id_token {
            Some(id_token) => {
                let verified = self
                    .verifier
                    .id_token(id_token.expose(), Audience::Client)
                    .await?;
                if !verified.belongs_to(&token.access_token) {
                    return Err(ConnectorError::Rejected(
                        "oidc: at_hash does not match the access token".into(),
                    ));
                }
                verified.claims
            }
            // §12.2: an ID token may be left out; then userinfo has to say who it is.
            None => Map::new(),
        };
        let claims = self.with_userinfo(claims, &token.access_token).await?;
        let refreshed = self.identity(&claims, &token.refresh_token)?;
        // §12.2: the subject must be the same as in the original token.
        if refreshed.claims.user_id != identity.claims.user_id {
            return Err(ConnectorError::Rejected(
                "oidc: the refreshed identity is another user".into(),
            ));
        }
        Ok(refreshed)
    }
}
