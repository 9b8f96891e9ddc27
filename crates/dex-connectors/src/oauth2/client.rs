//! Token requests.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dex_core::records::SecretText;
use http::{Request, header};
use url::Url;
use url::form_urlencoded::{self, Serializer};

use super::TokenResponse;
use super::token_response::TokenError;
use crate::ConnectorError;
use crate::upstream::UpstreamClient;

/// How a client shows the token endpoint who it is (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthStyle {
    /// HTTP Basic, and the body if that is refused; what worked is remembered.
    Auto,
    /// HTTP Basic.
    Basic,
    /// `client_id` and `client_secret` in the body.
    Body,
}

/// One client at one token endpoint.
pub struct OAuth2Client {
    http: UpstreamClient,
    token_url: Url,
    client_id: String,
    client_secret: SecretText,
    style: AuthStyle,
    /// In [`AuthStyle::Auto`]: Basic was refused and the body was not.
    body_worked: AtomicBool,
}

impl OAuth2Client {
    /// A client of `token_url`. Without a secret it names itself in the body, whatever `style` says: there is nothing to prove.
    pub fn new(
        http: UpstreamClient,
        token_url: Url,
        client_id: String,
        client_secret: SecretText,
        style: AuthStyle,
    ) -> Self {
        let style = if client_secret.is_empty() {
            AuthStyle::Body
        } else {
            style
        };
        Self {
            http,
            token_url,
            client_id,
            client_secret,
            style,
            body_worked: AtomicBool::new(false),
        }
    }

    /// The client's identifier.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Redeems an authorization code (RFC 6749 §4.1.3), with the verifier of RFC 7636 §4.5 if there is one.
    ///
    /// # Errors
    /// [`ConnectorError::Rejected`] for `invalid_grant`, else [`ConnectorError::Upstream`].
    pub async fn redeem_code(
        &self,
        code: &str,
        redirect_uri: &str,
        code_verifier: Option<&str>,
    ) -> Result<TokenResponse, ConnectorError> {
        let mut parameters = vec![
            ("code", code),
            ("grant_type", "authorization_code"),
            ("redirect_uri", redirect_uri),
        ];
        parameters.extend(code_verifier.map(|verifier| ("code_verifier", verifier)));
        self.token(&parameters).await
    }

    /// Refreshes (RFC 6749 §6). The answer carries the old refresh token on if the endpoint sent no new one.
    ///
    /// # Errors
    /// [`ConnectorError::Rejected`] for `invalid_grant` and without a refresh token, else [`ConnectorError::Upstream`].
    pub async fn refresh(
        &self,
        refresh_token: &SecretText,
    ) -> Result<TokenResponse, ConnectorError> {
        if refresh_token.is_empty() {
            return Err(ConnectorError::Rejected(
                "oauth2: token expired and refresh token is not set".into(),
            ));
        }
        let mut token = self
            .token(&[
                ("grant_type", "refresh_token"),
                ("refresh_token", refresh_token.expose()),
            ])
            .await?;
        if token.refresh_token.is_empty() {
            token.refresh_token = refresh_token.clone();
        }
        Ok(token)
    }

    async fn token(&self, parameters: &[(&str, &str)]) -> Result<TokenResponse, ConnectorError> {
        let known_body = self.body_worked.load(Ordering::Relaxed);
        match self.style {
            AuthStyle::Auto if !known_body => {
                let first = self.token_with(parameters, false).await?;
                let refused = match first {
                    Ok(token) => return Ok(token),
                    Err(error) if error.may_be_authentication() => error,
                    Err(error) => return Err(error.into()),
                };
                tracing::debug!(%refused, "token endpoint refused HTTP Basic, trying the body");
                let second = self.token_with(parameters, true).await??;
                self.body_worked.store(true, Ordering::Relaxed);
                Ok(second)
            }
            AuthStyle::Basic => Ok(self.token_with(parameters, false).await??),
            AuthStyle::Auto | AuthStyle::Body => Ok(self.token_with(parameters, true).await??),
        }
    }

    /// One request. Outer: not answered; inner: answered, but no token.
    async fn token_with(
        &self,
        parameters: &[(&str, &str)],
        in_body: bool,
    ) -> Result<Result<TokenResponse, TokenError>, ConnectorError> {
        let mut request = Request::post(self.token_url.as_str())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json");
        if !in_body {
            request = request.header(header::AUTHORIZATION, self.basic());
        }
        let request = request
            .body(self.form(parameters, in_body))
            .map_err(|error| ConnectorError::upstream("token request", error))?;
        let response = self.http.send("token request", request).await?;
        Ok(TokenResponse::parse(&response))
    }

    fn form(&self, parameters: &[(&str, &str)], in_body: bool) -> Vec<u8> {
        let mut form = Serializer::new(String::new());
        form.extend_pairs(parameters);
        if in_body {
            form.append_pair("client_id", &self.client_id);
            if !self.client_secret.is_empty() {
                form.append_pair("client_secret", self.client_secret.expose());
            }
        }
        form.finish().into_bytes()
    }

    /// RFC 6749 §2.3.1: both halves are form-encoded before they are joined.
    fn basic(&self) -> String {
        let encode =
            |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!(
            "{}:{}",
            encode(&self.client_id),
            encode(self.client_secret.expose())
        );
        format!("Basic {}", STANDARD.encode(pair))
    }
}

impl fmt::Debug for OAuth2Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth2Client")
            .field("client_id", &self.client_id)
            .field("style", &self.style)
            .finish_non_exhaustive()
    }
}
