//! The client's side of OpenID Connect: where to send a browser, and what to make of what it brings back.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreErrorResponseType, CoreGenderClaim, CoreIdToken,
    CoreProviderMetadata, CoreTokenResponse,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalClaims, AuthorizationCode, ClaimsVerificationError,
    ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl,
    Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RefreshToken, RequestTokenError, Scope, SignatureVerificationError, StandardErrorResponse,
    SubjectIdentifier, TokenResponse as _, UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use tokio::sync::Mutex;
use url::Url;

use crate::http_client::{HttpClient, HttpError};
use crate::options::Options;

/// This client at its issuer.
pub(crate) struct RelyingParty {
    issuer: IssuerUrl,
    client_id: ClientId,
    client_secret: Option<ClientSecret>,
    redirect_uri: RedirectUrl,
    http: HttpClient,
    /// The issuer's metadata and keys, once they are known.
    discovered: Mutex<Option<Arc<Client>>>,
}

/// What the person chose in the form.
pub(crate) struct LoginChoice {
    pub(crate) scopes: Vec<String>,
    pub(crate) connector_id: String,
}

/// A login that has begun and waits for the browser to come back.
pub(crate) struct PendingLogin {
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

/// What a browser brings back from the issuer (RFC 6749 §4.1.2; `iss` is RFC 9207).
#[derive(Deserialize)]
pub(crate) struct CallbackParameters {
    pub(crate) state: Option<String>,
    code: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// What a login or a refresh brought, all of it verified.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(crate) id_token: CoreIdToken,
    pub(crate) access_token: AccessToken,
    pub(crate) refresh_token: Option<RefreshToken>,
    /// The userinfo endpoint's answer as JSON text; `None` if the issuer has no such endpoint.
    pub(crate) userinfo: Option<String>,
    /// How often the refresh token was used since the login.
    pub(crate) refreshed: u32,
    nonce: Nonce,
    subject: SubjectIdentifier,
}

/// Why there are no tokens. The text is what the person sees.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoginError {
    /// The issuer's metadata or keys cannot be had.
    #[error("The issuer {issuer} cannot be used: {cause}")]
    Discovery { issuer: String, cause: String },
    /// The issuer refused, in the words of RFC 6749 §4.1.2.1 and §5.2.
    #[error("{error}{}", .description.as_deref().map(|text| format!(": {text}")).unwrap_or_default())]
    Refused {
        error: String,
        description: Option<String>,
    },
    /// The issuer cannot be reached or does not keep to the protocol.
    #[error("{0}")]
    Protocol(String),
    /// A token is not what it must be.
    #[error("The {what} cannot be trusted: {cause}")]
    Untrusted { what: &'static str, cause: String },
}

impl RelyingParty {
    pub(crate) fn new(options: &Options, redirect_uri: Url, http: HttpClient) -> Self {
        Self {
            issuer: options.issuer.clone(),
            client_id: ClientId::new(options.client_id.clone()),
            client_secret: Some(options.client_secret.clone())
                .filter(|secret| !secret.is_empty())
                .map(ClientSecret::new),
            redirect_uri: RedirectUrl::from_url(redirect_uri),
            http,
            discovered: Mutex::new(None),
        }
    }

    /// Where to send the browser (OpenID Connect Core 1.0 §3.1.2.1), and what to remember until it is back.
    pub(crate) async fn begin(
        &self,
        choice: LoginChoice,
    ) -> Result<(Url, PendingLogin), LoginError> {
        let client = self.client().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scopes(choice.scopes.into_iter().map(Scope::new))
            .set_pkce_challenge(challenge);
        if !choice.connector_id.is_empty() {
            request = request.add_extra_param("connector_id", choice.connector_id);
        }
        let (url, state, nonce) = request.url();
        let pending = PendingLogin {
            state,
            nonce,
            verifier,
        };
        Ok((url, pending))
    }

    /// Turns what the browser brought back into tokens (OpenID Connect Core 1.0 §3.1.2.5 to §3.1.3.8).
    pub(crate) async fn finish(
        &self,
        login: PendingLogin,
        callback: CallbackParameters,
    ) -> Result<Grant, LoginError> {
        // RFC 9207 §2.4: an answer of another issuer must not be used here.
        if callback
            .iss
            .is_some_and(|issuer| issuer != self.issuer.as_str())
        {
            return Err(LoginError::Protocol(
                "The answer came from another issuer than the one that was asked.".into(),
            ));
        }
        if let Some(error) = callback.error {
            return Err(LoginError::Refused {
                error,
                description: callback.error_description,
            });
        }
        let Some(code) = callback.code else {
            return Err(LoginError::Protocol(
                "The issuer sent neither a code nor an error.".into(),
            ));
        };
        let client = self.client().await?;
        let answer: CoreTokenResponse = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| LoginError::Protocol(error.to_string()))?
            .set_pkce_verifier(login.verifier)
            .request_async(&self.http)
            .await
            .map_err(LoginError::token_endpoint)?;
        let id_token = answer.id_token().ok_or(LoginError::Protocol(
            "The issuer sent no ID token.".to_owned(),
        ))?;
        let subject = self
            .verify(id_token, answer.access_token(), |nonce| match nonce {
                Some(nonce) if nonce.secret() == login.nonce.secret() => Ok(()),
                _ => Err("the nonce is not that of this login".to_owned()),
            })
            .await?;
        Ok(Grant {
            id_token: id_token.clone(),
            access_token: answer.access_token().clone(),
            refresh_token: answer.refresh_token().cloned(),
            userinfo: self.userinfo(answer.access_token(), &subject).await?,
            refreshed: 0,
            nonce: login.nonce,
            subject,
        })
    }

    /// Uses the refresh token (OpenID Connect Core 1.0 §12). `None` without one.
    pub(crate) async fn refresh(&self, old: Grant) -> Option<Result<Grant, LoginError>> {
        let token = old.refresh_token.clone()?;
        Some(self.refresh_with(old, &token).await)
    }

    async fn refresh_with(&self, old: Grant, token: &RefreshToken) -> Result<Grant, LoginError> {
        let client = self.client().await?;
        let answer: CoreTokenResponse = client
            .exchange_refresh_token(token)
            .map_err(|error| LoginError::Protocol(error.to_string()))?
            .request_async(&self.http)
            .await
            .map_err(LoginError::token_endpoint)?;
        // §12.2: the new ID token, if there is one, is about the same person; its nonce, if there is one, is the first one's.
        if let Some(id_token) = answer.id_token() {
            let subject = self
                .verify(id_token, answer.access_token(), |nonce| match nonce {
                    Some(nonce) if nonce.secret() != old.nonce.secret() => {
                        Err("the nonce is not that of the login".to_owned())
                    }
                    _ => Ok(()),
                })
                .await?;
            if subject != old.subject {
                return Err(LoginError::Untrusted {
                    what: "ID token",
                    cause: "it is about another person than before".into(),
                });
            }
        }
        Ok(Grant {
            id_token: answer.id_token().cloned().unwrap_or(old.id_token),
            userinfo: self.userinfo(answer.access_token(), &old.subject).await?,
            access_token: answer.access_token().clone(),
            // RFC 6749 §6: without a new one the old one stays valid.
            refresh_token: answer.refresh_token().cloned().or(old.refresh_token),
            refreshed: old.refreshed + 1,
            ..old
        })
    }

    /// Checks an ID token and its access token (§3.1.3.7, §3.1.3.8) and says who it is about.
    async fn verify(
        &self,
        id_token: &CoreIdToken,
        access_token: &AccessToken,
        nonce: impl Fn(Option<&Nonce>) -> Result<(), String>,
    ) -> Result<SubjectIdentifier, LoginError> {
        let first = check(&*self.client().await?, id_token, access_token, &nonce);
        let checked = match first {
            // The issuer may have changed its keys since it was asked for them.
            Err(Rejected::UnknownKey) => {
                *self.discovered.lock().await = None;
                check(&*self.client().await?, id_token, access_token, &nonce)
            }
            known => known,
        };
        checked.map_err(|rejected| LoginError::Untrusted {
            what: "ID token",
            cause: rejected.to_string(),
        })
    }

    async fn userinfo(
        &self,
        access_token: &AccessToken,
        subject: &SubjectIdentifier,
    ) -> Result<Option<String>, LoginError> {
        let client = self.client().await?;
        let Ok(request) = client.user_info(access_token.clone(), Some(subject.clone())) else {
            return Ok(None);
        };
        let claims: UserInfoClaims<OtherClaims, CoreGenderClaim> =
            request.request_async(&self.http).await.map_err(|error| {
                LoginError::Protocol(format!("The userinfo endpoint failed: {}", chain(&error)))
            })?;
        serde_json::to_string_pretty(&claims)
            .map(Some)
            .map_err(|error| LoginError::Protocol(error.to_string()))
    }

    /// The client with the issuer's metadata, which is fetched when it is first needed and again after a failure.
    async fn client(&self) -> Result<Arc<Client>, LoginError> {
        let mut discovered = self.discovered.lock().await;
        if let Some(client) = &*discovered {
            return Ok(Arc::clone(client));
        }
        let metadata = CoreProviderMetadata::discover_async(self.issuer.clone(), &self.http)
            .await
            .map_err(|error| LoginError::Discovery {
                issuer: self.issuer.to_string(),
                cause: chain(&error),
            })?;
        let client = CoreClient::from_provider_metadata(
            metadata,
            self.client_id.clone(),
            self.client_secret.clone(),
        )
        .set_redirect_uri(self.redirect_uri.clone());
        let client = Arc::new(client);
        *discovered = Some(Arc::clone(&client));
        Ok(client)
    }
}

impl PendingLogin {
    /// Whether the browser that brings this `state` comes back from this login.
    pub(crate) fn belongs_to(&self, state: &str) -> bool {
        self.state
            .secret()
            .as_bytes()
            .ct_eq(state.as_bytes())
            .into()
    }
}

impl Grant {
    /// Header and claims of the ID token as JSON texts.
    pub(crate) fn id_token_parts(&self) -> (String, String) {
        let text = self.id_token.to_string();
        let mut parts = text.split('.').map(pretty);
        (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        )
    }
}

impl LoginError {
    fn token_endpoint(
        error: RequestTokenError<HttpError, StandardErrorResponse<CoreErrorResponseType>>,
    ) -> Self {
        match error {
            RequestTokenError::ServerResponse(answer) => Self::Refused {
                error: answer.error().to_string(),
                description: answer.error_description().cloned(),
            },
            // What did not parse may hold tokens and is not shown.
            RequestTokenError::Parse(..) => {
                Self::Protocol("The token endpoint's answer cannot be read.".into())
            }
            other => Self::Protocol(format!("The token endpoint failed: {}", chain(&other))),
        }
    }
}

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Claims of the userinfo endpoint that OpenID Connect does not name, such as groups.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct OtherClaims {
    #[serde(flatten)]
    claims: BTreeMap<String, serde_json::Value>,
}

impl AdditionalClaims for OtherClaims {}

#[derive(Debug, thiserror::Error)]
enum Rejected {
    #[error("it is signed with a key that the issuer does not publish")]
    UnknownKey,
    #[error("{0}")]
    Other(String),
}

impl Rejected {
    fn other(error: &dyn std::error::Error) -> Self {
        Self::Other(chain(error))
    }
}

fn check(
    client: &Client,
    id_token: &CoreIdToken,
    access_token: &AccessToken,
    nonce: &impl Fn(Option<&Nonce>) -> Result<(), String>,
) -> Result<SubjectIdentifier, Rejected> {
    // A token that is also meant for others is fine as long as it is meant for this client.
    let verifier = client
        .id_token_verifier()
        .set_other_audience_verifier_fn(|_| true);
    let claims = id_token
        .claims(&verifier, nonce)
        .map_err(|error| match error {
            ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey,
            ) => Rejected::UnknownKey,
            other => Rejected::other(&other),
        })?;
    if let Some(expected) = claims.access_token_hash() {
        let algorithm = id_token.signing_alg().map_err(|e| Rejected::other(&e))?;
        let key = id_token
            .signing_key(&verifier)
            .map_err(|e| Rejected::other(&e))?;
        let actual = AccessTokenHash::from_token(access_token, algorithm, key)
            .map_err(|e| Rejected::other(&e))?;
        if actual != *expected {
            return Err(Rejected::Other("it belongs to another access token".into()));
        }
    }
    Ok(claims.subject().clone())
}

/// One part of a token, readable.
fn pretty(part: &str) -> String {
    URL_SAFE_NO_PAD
        .decode(part)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok())
        .and_then(|value| serde_json::to_string_pretty(&value).ok())
        .unwrap_or_default()
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
