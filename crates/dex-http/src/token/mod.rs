//! `/token`: grants against tokens (RFC 6749 §3.2; compat: `tokens.md` §2).
//!
//! Every grant goes through the same phases, in the order of Dex's errors:
//!
//! method → form → grant → client authentication → [`Grant::prepare`] → connector gate → `complete` → answer
//!
//! # Adding a grant
//! A file here with a `prepare` (what is asked for, may it be had: nothing is written) and a `complete` (decide, sign, write), one
//! variant of [`Grant`] and its arms, which the compiler lists. `complete` wants an [`AllowedConnector`], which only the gate makes:
//! no grant can forget what a client or a connector does not allow. Discovery reads [`Grant::ALL`].

mod authorization_code;
mod client_auth;
mod connector_gate;
mod family;
mod refresh_token;

use axum::body::Body;
use dex_core::go_json;
use http::header::{CACHE_CONTROL, HeaderValue, PRAGMA};
use http::{Method, Response, StatusCode};
use serde::Serialize;

pub use client_auth::ClientRejected;
pub use connector_gate::ConnectorRefused;
pub use refresh_token::IdentityChanged;

use crate::Policy;
use crate::answer::{json, oauth_error};
use crate::error::{ErrorCode, OAuthError};
use crate::provider::Provider;
use crate::request::{Incoming, Parameters};
use client_auth::AuthenticatedClient;
use connector_gate::AllowedConnector;

/// `POST /token`.
pub(crate) async fn serve(op: &Provider, request: &Incoming) -> Response<Body> {
    match answer(op, request).await {
        Ok(tokens) => {
            let mut response = json(StatusCode::OK, go_json::to_vec(&tokens));
            let headers = response.headers_mut();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
            response
        }
        Err(error) => oauth_error(error),
    }
}

/// The grants that a policy switches on, as discovery lists them: sorted, repetitions kept.
pub(crate) fn grants_supported(policy: &Policy) -> Vec<&'static str> {
    let mut supported: Vec<_> = policy
        .grant_types
        .iter()
        .filter_map(|name| Grant::named(name))
        .map(Grant::name)
        .collect();
    supported.sort_unstable();
    supported
}

/// What can be exchanged for tokens here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grant {
    AuthorizationCode,
    RefreshToken,
}

impl Grant {
    const ALL: [Self; 2] = [Self::AuthorizationCode, Self::RefreshToken];

    /// The `grant_type`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.name() == name)
    }

    /// Finds out what is asked for and whether it may be had.
    async fn prepare(self, exchange: &Exchange<'_>) -> Result<Prepared, OAuthError> {
        Ok(match self {
            Self::AuthorizationCode => {
                Prepared::AuthorizationCode(authorization_code::prepare(exchange).await?)
            }
            Self::RefreshToken => Prepared::RefreshToken(refresh_token::prepare(exchange).await?),
        })
    }
}

/// What a grant may look at: an authenticated client's request.
struct Exchange<'a> {
    op: &'a Provider,
    request: &'a Incoming,
    form: &'a Parameters,
    client: AuthenticatedClient,
}

/// A grant that is good as far as the client goes.
enum Prepared {
    AuthorizationCode(authorization_code::Prepared),
    RefreshToken(refresh_token::Prepared),
}

impl Prepared {
    /// The connector that the person behind the grant came through.
    fn connector_id(&self) -> &str {
        match self {
            Self::AuthorizationCode(prepared) => prepared.connector_id(),
            Self::RefreshToken(prepared) => prepared.connector_id(),
        }
    }

    async fn complete(
        self,
        exchange: &Exchange<'_>,
        connector: &AllowedConnector,
    ) -> Result<TokenResponse, OAuthError> {
        match self {
            Self::AuthorizationCode(prepared) => prepared.complete(exchange, connector).await,
            Self::RefreshToken(prepared) => prepared.complete(exchange, connector).await,
        }
    }
}

/// A successful answer (RFC 6749 §5.1), members in the order of the wire.
#[derive(Serialize)]
struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    #[serde(skip_serializing_if = "is_zero")]
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    /// Only where it is not what the client asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

async fn answer(op: &Provider, request: &Incoming) -> Result<TokenResponse, OAuthError> {
    let form = read_form(request)?;
    let grant = form
        .get("grant_type")
        .and_then(Grant::named)
        .filter(|grant| op.policy.grant_types.iter().any(|on| on == grant.name()))
        .ok_or_else(|| OAuthError::new(ErrorCode::UnsupportedGrantType, ""))?;
    let client = client_auth::authenticate(op, request, &form).await?;
    let exchange = Exchange {
        op,
        request,
        form: &form,
        client,
    };
    let prepared = grant.prepare(&exchange).await?;
    let connector =
        connector_gate::admit(op, &exchange.client, prepared.connector_id(), grant).await?;
    prepared.complete(&exchange, &connector).await
}

/// Parameters come from the body alone; the query must still be well formed, as for Dex.
fn read_form(request: &Incoming) -> Result<Parameters, OAuthError> {
    if request.method != Method::POST {
        return Err(invalid_request("method not allowed"));
    }
    let malformed = |cause| OAuthError::new(ErrorCode::InvalidRequest, "").because(cause);
    let form = request.body_parameters().map_err(malformed)?;
    request.query_parameters().map_err(malformed)?;
    match form.repeated(&PARAMETERS) {
        Some(name) => Err(invalid_request(format!("Repeated parameter: {name}."))),
        None => Ok(form),
    }
}

/// What the grants recognise. None of them may occur twice (RFC 6749 §3.2).
const PARAMETERS: [&str; 16] = [
    "grant_type",
    "client_id",
    "client_secret",
    "scope",
    "nonce",
    "connector_id",
    "code",
    "redirect_uri",
    "code_verifier",
    "refresh_token",
    "device_code",
    "username",
    "password",
    "subject_token",
    "subject_token_type",
    "requested_token_type",
];

fn invalid_request(description: impl Into<String>) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, description)
}

/// Whether `text` can name a record at all: bounded, and without NUL, which some databases refuse with an error.
fn may_be_key(text: &str) -> bool {
    text.len() <= MAX_KEY_LEN && !text.contains('\0')
}

const MAX_KEY_LEN: usize = 512;
