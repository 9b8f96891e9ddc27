//! Ending the provider's session (OpenID Connect RP-Initiated Logout 1.0 §2).

use async_trait::async_trait;
use url::Url;

use super::Oidc;
use crate::{ConnectorError, UpstreamLogout};

#[async_trait]
impl UpstreamLogout for Oidc {
    async fn logout_url(
        &self,
        post_logout_redirect_uri: Option<&Url>,
    ) -> Result<Option<Url>, ConnectorError> {
        let Some(endpoint) = &self.provider.end_session_endpoint else {
            return Ok(None);
        };
        let mut url = endpoint.clone();
        if let Some(redirect_uri) = post_logout_redirect_uri {
            let mut parameters: Vec<(String, String)> = endpoint
                .query_pairs()
                .into_owned()
                .filter(|(name, _)| name != "client_id" && name != "post_logout_redirect_uri")
                .collect();
            parameters.push(("client_id".into(), self.oauth2.client_id().into()));
            parameters.push((
                "post_logout_redirect_uri".into(),
                redirect_uri.as_str().into(),
            ));
            parameters.sort_by(|(left, _), (right, _)| left.cmp(right));
            url.query_pairs_mut().clear().extend_pairs(parameters);
        }
        Ok(Some(url))
    }
}
