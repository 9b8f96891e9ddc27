//! The userinfo endpoint (OpenID Connect Core 1.0 §5.3).

use dex_core::records::SecretText;
use http::{Request, StatusCode, header};
use serde_json::{Map, Value};

use super::Oidc;
use crate::ConnectorError;

impl Oidc {
    /// The claims with the userinfo endpoint's put over them, if it is to be asked.
    pub(super) async fn with_userinfo(
        &self,
        mut claims: Map<String, Value>,
        access_token: &SecretText,
    ) -> Result<Map<String, Value>, ConnectorError> {
        if !self.asks_userinfo {
            return Ok(claims);
        }
        let userinfo = self.userinfo(access_token).await?;
        // §5.3.2: else an answer about somebody else would be merged into this person's identity.
        if claims.contains_key("sub") && claims.get("sub") != userinfo.get("sub") {
            return Err(ConnectorError::Rejected(
                "oidc: userinfo is about another subject than the ID token".into(),
            ));
        }
        claims.extend(userinfo);
        Ok(claims)
    }

    async fn userinfo(
        &self,
        access_token: &SecretText,
    ) -> Result<Map<String, Value>, ConnectorError> {
        let endpoint = self.provider.userinfo_endpoint.as_ref().ok_or_else(|| {
            ConnectorError::Config("oidc: the provider has no userinfo_endpoint".into())
        })?;
        let request = Request::get(endpoint.as_str())
            .header(
                header::AUTHORIZATION,
                format!("Bearer {}", access_token.expose()),
            )
            .body(Vec::new())
            .map_err(|_| {
                ConnectorError::Rejected("oidc: the access token cannot be sent".into())
            })?;
        let response = self
            .http
            .send("oidc: error loading userinfo", request)
            .await?;
        if response.status == StatusCode::UNAUTHORIZED || response.status == StatusCode::FORBIDDEN {
            return Err(ConnectorError::Rejected(format!(
                "oidc: error loading userinfo: {}",
                response.status
            )));
        }
        if response.status != StatusCode::OK {
            return Err(ConnectorError::Upstream {
                context: format!("oidc: error loading userinfo: {}", response.status),
                source: None,
            });
        }
        let claims = if response.media_type() == "application/jwt" {
            let token = std::str::from_utf8(&response.body).unwrap_or_default();
            self.verifier.userinfo(token.trim()).await?
        } else {
            // The error would quote a person's data.
            serde_json::from_slice(&response.body)
                .map_err(|_| rejected("oidc: failed to decode userinfo"))?
        };
        check(&claims)?;
        Ok(claims)
    }
}

/// A subject, and a verified flag that is a truth value or the text of one.
fn check(claims: &Map<String, Value>) -> Result<(), ConnectorError> {
    if claims.get("sub").and_then(Value::as_str).is_none() {
        return Err(rejected("oidc: userinfo has no subject"));
    }
    match claims.get("email_verified") {
        None | Some(Value::Bool(_)) => Ok(()),
        Some(Value::String(text)) if text == "true" || text == "false" => Ok(()),
        Some(_) => Err(rejected("oidc: userinfo has a malformed email_verified")),
    }
}

fn rejected(reason: &str) -> ConnectorError {
    ConnectorError::Rejected(reason.to_owned())
}
