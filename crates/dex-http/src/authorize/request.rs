//! Reading an authorization request: client, redirect URI, and everything the client asked for (compat: `authflow.md` §4 and §6.1).

use std::collections::BTreeSet;

use dex_core::authorize::{self, Asked, Granted, Refusal, Rules, Trust};
use dex_core::records::Client;
use dex_core::redirect_uri::encode_query;
use dex_core::response_type::ResponseType;
use dex_storage::StorageExt as _;
use http::StatusCode;
use serde::Deserialize;

use super::answer::AuthorizeError;
use super::reply_to::ReplyTo;
use crate::provider::Provider;
use crate::request::{Incoming, InvalidForm, Parameters};
use crate::{ErrorCode, OAuthError, PageError};

/// Response types that are served.
pub(super) const RESPONSE_TYPES: [ResponseType; 1] = [ResponseType::Code];

/// A request that was judged and found good.
#[derive(Debug)]
pub(super) struct CheckedRequest {
    pub(super) client: Client,
    pub(super) reply_to: ReplyTo,
    pub(super) granted: Granted,
    pub(super) nonce: String,
    pub(super) login_hint: String,
    pub(super) connector_id: Option<String>,
    parameters: Parameters,
}

/// How the two endpoints word the same faults (compat: `web.md` §10).
#[derive(Debug, Clone, Copy)]
pub(super) struct Wording {
    pub(super) malformed: &'static str,
    pub(super) unknown_client: (StatusCode, &'static str),
}

impl CheckedRequest {
    /// Reads and judges the request.
    ///
    /// # Errors
    /// A page until client and redirect URI are established, then an answer to the client.
    pub(super) async fn read(
        op: &Provider,
        request: &Incoming,
        wording: Wording,
    ) -> Result<Self, AuthorizeError> {
        let parameters =
            parameters(request).map_err(|_| PageError::bad_request(wording.malformed))?;
        // RFC 6749 §3.1: with two values nobody can say whose client or redirect URI it is.
        if parameters
            .repeated(&["client_id", "redirect_uri"])
            .is_some()
        {
            return Err(PageError::bad_request(wording.malformed).into());
        }
        let client = client(op, parameters.get("client_id").unwrap_or_default())
            .await?
            .ok_or_else(|| PageError::new(wording.unknown_client.0, wording.unknown_client.1))?;
        let reply_to = ReplyTo::establish(
            &op.issuer,
            &client,
            parameters.get("redirect_uri").unwrap_or_default(),
            parameters.get("state").unwrap_or_default(),
        )
        .map_err(|cause| PageError::bad_request("Unregistered redirect_uri.").because(cause))?;

        let granted = judge(op, &client, &reply_to, &parameters)
            .await
            .map_err(|refusal| AuthorizeError::reply(&reply_to, refused(refusal)))?;
        check_hint(op, parameters.non_empty("id_token_hint"))
            .await
            .map_err(|error| AuthorizeError::reply(&reply_to, error))?;
        let text = |name| parameters.get(name).unwrap_or_default().to_owned();
        Ok(Self {
            nonce: text("nonce"),
            login_hint: text("login_hint"),
            connector_id: parameters.non_empty("connector_id").map(str::to_owned),
            client,
            reply_to,
            granted,
            parameters,
        })
    }

    /// The grant a connector must allow (compat: `authflow.md` §6).
    pub(super) fn grant_type(&self) -> &'static str {
        let redirect_uri = self.reply_to.redirect_uri().as_str();
        if redirect_uri.ends_with("/device/callback") {
            "urn:ietf:params:oauth:grant-type:device_code"
        } else if self.granted.response_types.is_implicit() {
            "implicit"
        } else {
            "authorization_code"
        }
    }

    /// Whether the client may use a connector.
    pub(super) fn allows_connector(&self, id: &str) -> bool {
        allows_connector(&self.client, id)
    }

    /// The request again, without the choice of a connector, its parameters sorted.
    pub(super) fn query(&self) -> String {
        let mut kept: Vec<_> = self
            .parameters
            .0
            .iter()
            .filter(|(name, _)| name != "connector_id")
            .collect();
        kept.sort_by(|a, b| a.0.cmp(&b.0));
        let pairs: Vec<_> = kept
            .into_iter()
            .map(|(name, value)| (name, value))
            .collect();
        encode_query(&pairs)
    }
}

/// Whether a client may use a connector: an empty list allows all.
pub(super) fn allows_connector(client: &Client, id: &str) -> bool {
    client.allowed_connectors.is_empty()
        || client
            .allowed_connectors
            .iter()
            .any(|allowed| allowed == id)
}

/// Body and query merged, the body first. A query that is longer than any honest one is not parsed.
pub(super) fn parameters(request: &Incoming) -> Result<Parameters, InvalidForm> {
    if request.query.len() > MAX_QUERY {
        return Err(InvalidForm);
    }
    let parameters = request.merged_parameters()?;
    let size: usize = parameters
        .0
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if size > MAX_QUERY {
        return Err(InvalidForm);
    }
    Ok(parameters)
}

/// A client by its id.
pub(super) async fn client(op: &Provider, id: &str) -> Result<Option<Client>, PageError> {
    op.storage
        .find::<Client>(id)
        .await
        .map_err(|error| PageError::internal("Database error.", error))
}

async fn judge(
    op: &Provider,
    client: &Client,
    reply_to: &ReplyTo,
    parameters: &Parameters,
) -> Result<Granted, Refusal> {
    if let Some(name) = parameters.repeated(&SINGLE) {
        return Err(Refusal::Repeated(name.to_owned()));
    }
    let text = |name| parameters.get(name).unwrap_or_default();
    let asked = Asked {
        response_type: text("response_type"),
        scope: text("scope"),
        nonce: text("nonce"),
        request: text("request"),
        request_uri: text("request_uri"),
        code_challenge: text("code_challenge"),
        code_challenge_method: text("code_challenge_method"),
        prompt: text("prompt"),
        approval_prompt: text("approval_prompt"),
        max_age: text("max_age"),
    };
    let rules = Rules {
        response_types: &RESPONSE_TYPES,
        pkce_methods: &op.policy.pkce_methods,
        pkce_required: op.policy.pkce_required,
    };
    let trust = trust(op, client, asked.scope).await;
    authorize::check(&asked, reply_to.redirect_uri(), &rules, &trust)
}

/// Which peers named in `scope` trust the client: itself, and those that list it.
async fn trust(op: &Provider, client: &Client, scope: &str) -> Trust {
    let mut trusting = BTreeSet::new();
    for peer in authorize::peers(scope).into_iter().take(MAX_PEERS) {
        let trusts = peer == client.id
            || match op.storage.find::<Client>(&peer).await {
                Ok(found) => found.is_some_and(|found| found.trusted_peers.contains(&client.id)),
                Err(error) => {
                    tracing::error!(%error, "cannot find out whether a peer trusts the client");
                    return Trust::Unknown;
                }
            };
        if trusts {
            trusting.insert(peer);
        }
    }
    Trust::By(trusting)
}

fn refused(refusal: Refusal) -> OAuthError {
    let code = match refusal.code() {
        "invalid_scope" => ErrorCode::InvalidScope,
        "unsupported_response_type" => ErrorCode::UnsupportedResponseType,
        "request_not_supported" => ErrorCode::RequestNotSupported,
        "request_uri_not_supported" => ErrorCode::RequestUriNotSupported,
        "server_error" => ErrorCode::ServerError,
        _ => ErrorCode::InvalidRequest,
    };
    OAuthError::new(code, refusal.to_string()).because(refusal)
}

/// A hint must be a token of ours; that it may have expired is in its nature (OpenID Connect Core 1.0 §3.1.2.1).
async fn check_hint(op: &Provider, hint: Option<&str>) -> Result<(), OAuthError> {
    let Some(hint) = hint else {
        return Ok(());
    };
    let invalid = || OAuthError::new(ErrorCode::InvalidRequest, "Invalid id_token_hint.");
    let verified = op
        .signer
        .verify(hint)
        .await
        .map_err(OAuthError::internal)?
        .map_err(|cause| invalid().because(cause))?;
    let claims: HintClaims =
        serde_json::from_slice(verified.bytes()).map_err(|cause| invalid().because(cause))?;
    if claims.iss == op.issuer.as_str() {
        Ok(())
    } else {
        Err(invalid())
    }
}

#[derive(Deserialize)]
struct HintClaims {
    iss: String,
}

/// Parameters that must not be repeated (RFC 6749 §3.1). Others are none of our business.
const SINGLE: [&str; 17] = [
    "response_type",
    "scope",
    "state",
    "nonce",
    "response_mode",
    "connector_id",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "approval_prompt",
    "max_age",
    "id_token_hint",
    "login_hint",
    "request",
    "request_uri",
    "display",
    "acr_values",
];

/// Longest query, and largest sum of all parameters, in bytes.
const MAX_QUERY: usize = 16 * 1024;

/// No request of ours names more peers; each costs a look-up.
const MAX_PEERS: usize = 50;
