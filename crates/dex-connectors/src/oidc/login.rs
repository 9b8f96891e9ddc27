//! Sending the browser to the provider and taking the answer (OpenID Connect Core 1.0 §3.1).

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value};
use std::sync::atomic::Ordering;
use subtle::ConstantTimeEq;
use url::Url;
use zeroize::Zeroizing;

use super::Oidc;
use super::data::PendingLogin;
use super::id_token::Audience;
use crate::oauth2::authorization_url;
use crate::upstream::shown;
use crate::{BeginLogin, Callback, ConnectorError, Identity, LoginRedirect, RedirectLogin};

#[async_trait]
impl RedirectLogin for Oidc {
    async fn begin(&self, request: BeginLogin<'_>) -> Result<LoginRedirect, ConnectorError> {
        self.check_callback_url(request.callback_url)?;
        let nonce = nonce(request.state);
        let acr_values = self.acr_values.join(" ");
        let mut parameters = vec![
            ("response_type", "code"),
            ("client_id", self.oauth2.client_id()),
            ("redirect_uri", &self.redirect_uri),
            ("scope", &self.scope),
            ("state", request.state),
            ("nonce", &nonce),
        ];
        if !acr_values.is_empty() {
            parameters.push(("acr_values", &acr_values));
        }
        if request.scopes.offline_access {
            parameters.push(("access_type", "offline"));
            parameters.push(("prompt", &self.prompt));
        }
        if let Some(hint) = request.login_hint.filter(|hint| !hint.is_empty()) {
            parameters.push(("login_hint", hint));
        }
        let mut pending = PendingLogin {
            nonce: true,
            ..PendingLogin::default()
        };
        let challenge;
        if let Some(method) = self.pkce {
            let verifier = self.new_verifier();
            challenge = method.challenge(&verifier);
            parameters.push(("code_challenge", &challenge));
            parameters.push(("code_challenge_method", method.name()));
            pending.code_challenge = verifier;
            method.name().clone_into(&mut pending.code_challenge_method);
        }
        Ok(LoginRedirect {
            url: authorization_url(&self.provider.authorization_endpoint, &parameters),
            connector_data: pending.into_data()?,
        })
    }

    async fn complete(&self, callback: Callback<'_>) -> Result<Identity, ConnectorError> {
        self.check_callback_url(callback.callback_url)?;
        self.check_answer(&callback)?;
        let code = callback.parameter("code").ok_or_else(|| {
            ConnectorError::Rejected("oidc: the callback has neither a code nor an error".into())
        })?;
        let pending = PendingLogin::from_data(callback.connector_data)?;
        let code_verifier =
            Some(pending.code_challenge.as_str()).filter(|verifier| !verifier.is_empty());
        if code_verifier.is_none() && self.pkce_is_configured {
            return Err(ConnectorError::Rejected(
                "oidc: invalid PKCE CodeChallenge".into(),
            ));
        }
        let token = self
            .oauth2
            .redeem_code(code, &self.redirect_uri, code_verifier)
            .await
            .map_err(|error| error.within("oidc: failed to get token"))?;
        let id_token = token.id_token.as_ref().ok_or_else(|| {
            ConnectorError::Rejected("oidc: no id_token in token response".into())
        })?;
        let verified = self
            .verifier
            .id_token(id_token.expose(), Audience::Client)
            .await?;
        if !verified.belongs_to(&token.access_token) {
            return Err(ConnectorError::Rejected(
                "oidc: at_hash does not match the access token".into(),
            ));
        }
        self.check_nonce(&verified.claims, callback.state, pending.nonce)?;
        let claims = self
            .with_userinfo(verified.claims, &token.access_token)
            .await?;
        self.identity(&claims, &token.refresh_token)
    }
}

impl Oidc {
    fn check_callback_url(&self, callback_url: &Url) -> Result<(), ConnectorError> {
        if Url::parse(&self.redirect_uri).as_ref() == Ok(callback_url) {
            return Ok(());
        }
        Err(ConnectorError::Config(format!(
            "expected callback URL {:?} did not match the URL in the config {:?}",
            callback_url.as_str(),
            self.redirect_uri
        )))
    }

    /// The parts of the answer that need no request: it is ours, from this provider, and not an error.
    fn check_answer(&self, callback: &Callback<'_>) -> Result<(), ConnectorError> {
        for name in ["code", "state", "error", "iss"] {
            let given = callback.parameters.iter().filter(|(key, _)| key == name);
            if given.count() > 1 {
                // RFC 6749 §3.1: parameters must not be included more than once.
                return Err(ConnectorError::Rejected(format!(
                    "oidc: the callback has more than one {name}"
                )));
            }
        }
        if let Some(state) = callback.parameter("state") {
            let ours: bool = state.as_bytes().ct_eq(callback.state.as_bytes()).into();
            if !ours {
                return Err(ConnectorError::Rejected(
                    "oidc: the callback is for another login".into(),
                ));
            }
        }
        // RFC 9207 §2.4: an answer of another provider must not be redeemed at ours.
        match callback.parameter("iss") {
            Some(issuer)
                if issuer != self.provider.issuer && issuer != self.provider.discovered_issuer =>
            {
                return Err(ConnectorError::Rejected(format!(
                    "oidc: the callback comes from issuer {:?}",
                    shown(issuer)
                )));
            }
            None if self.provider.names_itself => {
                return Err(ConnectorError::Rejected(
                    "oidc: the callback does not name its issuer".into(),
                ));
            }
            _ => {}
        }
        let Some(error) = callback.parameter("error") else {
            return Ok(());
        };
        let text = match callback.parameter("error_description") {
            Some(description) => format!("{}: {}", shown(error), shown(description)),
            None => shown(error),
        };
        Err(match error {
            "access_denied" => ConnectorError::Denied(text),
            _ => ConnectorError::Rejected(text),
        })
    }

    /// §3.1.3.7 rule 11. A provider that never returns nonces is believed without; one that has done so once is not.
    fn check_nonce(
        &self,
        claims: &Map<String, Value>,
        state: &str,
        was_sent: bool,
    ) -> Result<(), ConnectorError> {
        let rejected = |reason: &str| Err(ConnectorError::Rejected(reason.to_owned()));
        match claims.get("nonce") {
            // A request that was begun by Dex, which sends none.
            _ if !was_sent => Ok(()),
            Some(stated) => {
                let expected = nonce(state);
                let equal = stated
                    .as_str()
                    .is_some_and(|stated| stated.as_bytes().ct_eq(expected.as_bytes()).into());
                if !equal {
                    return rejected("oidc: the ID token's nonce is of another login");
                }
                self.returns_nonce.store(true, Ordering::Relaxed);
                Ok(())
            }
            None if self.returns_nonce.load(Ordering::Relaxed) => {
                rejected("oidc: the ID token has no nonce")
            }
            None => Ok(()),
        }
    }

    /// RFC 7636 §4.1: 32 random bytes, 43 characters.
    fn new_verifier(&self) -> String {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        self.entropy.fill(&mut *bytes);
        URL_SAFE_NO_PAD.encode(*bytes)
    }
}

/// Ties the ID token to the login. Made of the state, so that every replica can check it; the state itself is not guessable, and
/// is known to the browser and the provider only, so its hash tells nobody anything.
pub(super) fn nonce(state: &str) -> String {
    let digest = digest(&SHA256, format!("dexd nonce{state}").as_bytes());
    URL_SAFE_NO_PAD.encode(digest)
}

/// How the code is tied to us (RFC 7636 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PkceMethod {
    S256,
    Plain,
}

impl PkceMethod {
    /// What is configured, else the better one of those advertised.
    pub(super) fn choose(configured: &str, advertised: &[String]) -> Option<Self> {
        let offers = |method: Self| advertised.iter().any(|name| name == method.name());
        match configured {
            "S256" => Some(Self::S256),
            "plain" => Some(Self::Plain),
            _ => [Self::S256, Self::Plain].into_iter().find(|m| offers(*m)),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::S256 => "S256",
            Self::Plain => "plain",
        }
    }

    fn challenge(self, verifier: &str) -> String {
        match self {
            Self::S256 => URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())),
            Self::Plain => verifier.to_owned(),
        }
    }
}
