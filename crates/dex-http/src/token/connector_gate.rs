//! What a client and a connector allow, asked again by every grant (compat: `tokens.md` §2.5).

use super::Grant;
use super::client_auth::AuthenticatedClient;
use crate::connectors::{OpenConnector, OpenError};
use crate::error::{ErrorCode, OAuthError};
use crate::provider::Provider;

/// A connector that this client may use with this grant, open. Built only by [`admit`].
#[derive(Debug)]
pub(super) struct AllowedConnector(OpenConnector);

impl AllowedConnector {
    pub(super) fn connector(&self) -> &dyn dex_connectors::Connector {
        self.0.connector.as_ref()
    }

    /// Whether logins through this connector may be refreshed: it can, and its configuration lets it.
    pub(super) fn gives_refresh_tokens(&self) -> bool {
        self.connector().refresh().is_some()
            && self.0.about.allows_grant(Grant::RefreshToken.name())
    }
}

/// Why a grant ends at the connector.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectorRefused {
    /// The client's list of connectors lacks it.
    #[error("connector {0:?} is not allowed for the client")]
    NotForClient(String),
    /// It does not exist or cannot be opened.
    #[error(transparent)]
    NotOpen(#[from] OpenError),
    /// Its list of grants lacks this one.
    #[error("connector {0:?} does not allow the grant")]
    NotForGrant(String),
}

pub(super) async fn admit(
    op: &Provider,
    client: &AuthenticatedClient,
    connector_id: &str,
    grant: Grant,
) -> Result<AllowedConnector, OAuthError> {
    if !client.allows_connector(connector_id) {
        return Err(OAuthError::new(
            ErrorCode::InvalidGrant,
            "Connector not allowed for this client.",
        )
        .because(ConnectorRefused::NotForClient(connector_id.to_owned())));
    }
    let open = op.connectors.open(connector_id).await.map_err(|cause| {
        OAuthError::new(
            ErrorCode::InvalidRequest,
            "Requested connector does not exist.",
        )
        .because(ConnectorRefused::NotOpen(cause))
    })?;
    if !open.about.allows_grant(grant.name()) {
        return Err(OAuthError::new(
            ErrorCode::InvalidRequest,
            "Requested connector does not support this grant type.",
        )
        .because(ConnectorRefused::NotForGrant(connector_id.to_owned())));
    }
    Ok(AllowedConnector(open))
}
