//! `/auth/{connector}`: begins a login (compat: `authflow.md` §6 and §12.1).

use axum::body::Body;
use dex_connectors::{BeginLogin, Login, RedirectLogin, Scopes};
use dex_core::entropy::new_id;
use dex_core::records::{AuthRequest, Blob};
use dex_core::redirect_uri::encode_query;
use dex_storage::StorageExt as _;
use http::header::SET_COOKIE;
use http::{Method, Response, StatusCode};
use url::Url;

use super::answer::{Answer, AuthorizeError, Failed, decode_segment, encode_segment, found};
use super::choose::visible;
use super::jar;
use super::request::{CheckedRequest, Wording};
use crate::connectors::OpenConnector;
use crate::provider::{AuthRequestMode, Provider};
use crate::request::Incoming;
use crate::sealed::{PendingRequest, RequestCookies};
use crate::{ErrorCode, OAuthError, PageError};

const WORDING: Wording = Wording {
    malformed: "Failed to parse request.",
    unknown_client: (StatusCode::NOT_FOUND, "Invalid client_id."),
};

pub(super) async fn begin(op: &Provider, request: &Incoming, segment: &str) -> Answer {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return Err(PageError::bad_request("Unsupported request method.").into());
    }
    let checked = CheckedRequest::read(op, request, WORDING).await?;
    check_wanted_connector(op, &checked).await?;
    let open = open(op, &checked, segment).await?;
    let id = new_id(op.entropy.as_ref());
    match open.connector.login() {
        Login::Redirect(login) => {
            let scopes = scopes_of(&checked.granted.scopes);
            let (url, data) = redirect(op, login, &checked, scopes, &id).await?;
            keep(op, request, &checked, &open, &id, data, &url).await
        }
        Login::Password(_) => {
            let location = password_form(op, &checked, &open, &id).await?;
            keep(
                op,
                request,
                &checked,
                &open,
                &id,
                Blob::default(),
                &location,
            )
            .await
        }
        _ => Err(PageError::bad_request("Requested resource does not exist.").into()),
    }
}

/// A connector named in the request itself must be one that the client may use.
async fn check_wanted_connector(
    op: &Provider,
    checked: &CheckedRequest,
) -> Result<(), AuthorizeError> {
    let Some(wanted) = &checked.connector_id else {
        return Ok(());
    };
    let reply = |error| AuthorizeError::reply(&checked.reply_to, error);
    let known = op.connectors.list().await.map_err(|error| {
        reply(
            OAuthError::new(ErrorCode::ServerError, "Unable to retrieve connectors").because(error),
        )
    })?;
    let invalid = |sentence| reply(OAuthError::new(ErrorCode::InvalidRequest, sentence));
    if !known.iter().any(|about| about.id == *wanted) {
        return Err(invalid("Invalid ConnectorID"));
    }
    if !checked.allows_connector(wanted) {
        return Err(invalid("Connector not allowed for this client"));
    }
    Ok(())
}

async fn open(
    op: &Provider,
    checked: &CheckedRequest,
    segment: &str,
) -> Result<OpenConnector, PageError> {
    let id = decode_segment(segment)
        .ok_or_else(|| PageError::bad_request("Requested resource does not exist"))?;
    if !checked.allows_connector(&id) {
        return Err(PageError::new(
            StatusCode::FORBIDDEN,
            "Connector not allowed for this client.",
        ));
    }
    let open = op.connectors.open(&id).await.map_err(|error| {
        tracing::error!(connector_id = id, "a connector cannot be used");
        PageError::bad_request("Connector failed to initialize").because(error)
    })?;
    if !open.about.allows_grant(checked.grant_type()) {
        return Err(PageError::bad_request(
            "Requested connector does not support this grant type.",
        ));
    }
    if checked
        .connector_id
        .as_ref()
        .is_some_and(|wanted| *wanted != id)
    {
        return Err(PageError::bad_request("Bad connector ID"));
    }
    Ok(open)
}

async fn redirect(
    op: &Provider,
    login: &dyn RedirectLogin,
    checked: &CheckedRequest,
    scopes: Scopes,
    id: &str,
) -> Result<(String, Blob), PageError> {
    let begin = BeginLogin {
        scopes,
        callback_url: &callback_url(op)?,
        state: id,
        login_hint: (!checked.login_hint.is_empty()).then_some(checked.login_hint.as_str()),
    };
    let redirect = login
        .begin(begin)
        .await
        .map_err(|error| PageError::internal("Login error.", error))?;
    Ok((redirect.url.into(), redirect.connector_data))
}

/// The password form of this request; `back` is always there, maybe empty.
async fn password_form(
    op: &Provider,
    checked: &CheckedRequest,
    open: &OpenConnector,
    id: &str,
) -> Result<String, PageError> {
    let choices = visible(op, checked)
        .await
        .map_err(|error| PageError::internal("Database error.", error))?;
    let back = if choices.len() > 1 {
        op.issuer.path(&format!("/auth?{}", checked.query()))
    } else {
        String::new()
    };
    let query = encode_query(&[("back", back.as_str()), ("state", id)]);
    let segment = encode_segment(&open.about.id);
    Ok(op.issuer.path(&format!("/auth/{segment}/login?{query}")))
}

/// Keeps the request, sealed in the browser or stored, and sends the browser on its way.
async fn keep(
    op: &Provider,
    request: &Incoming,
    checked: &CheckedRequest,
    open: &OpenConnector,
    id: &str,
    connector_data: Blob,
    location: &str,
) -> Result<Response<Body>, Failed> {
    let pending = pending(op, request, checked, open, connector_data);
    let mut response = found(&request.method, location);
    match op.policy.auth_requests {
        AuthRequestMode::Sealed => {
            let carried = RequestCookies::of(request);
            let lines = jar(op, request)
                .set_pending(&carried, id, &pending)
                .await
                .map_err(|error| PageError::internal("Database error.", error))?
                .map_err(|cause| {
                    let error = OAuthError::new(ErrorCode::InvalidRequest, TOO_LARGE);
                    AuthorizeError::reply(&checked.reply_to, error.because(cause))
                })?;
            for line in lines {
                response.headers_mut().append(SET_COOKIE, line);
            }
        }
        AuthRequestMode::Stored => {
            let record = stored(op, id, pending);
            op.storage.create(&record).await.map_err(|error| {
                PageError::internal("Failed to connect to the database.", error)
            })?;
        }
    }
    Ok(response)
}

fn pending(
    op: &Provider,
    request: &Incoming,
    checked: &CheckedRequest,
    open: &OpenConnector,
    connector_data: Blob,
) -> PendingRequest {
    let granted = &checked.granted;
    PendingRequest {
        client_id: checked.client.id.clone(),
        response_types: granted.response_types.to_words(),
        scopes: granted.scopes.clone(),
        redirect_uri: checked.reply_to.redirect_uri().as_str().to_owned(),
        nonce: checked.nonce.clone(),
        state: checked.reply_to.state().to_owned(),
        pkce: granted.pkce.clone(),
        prompt: granted.prompt.to_string(),
        max_age: granted.max_age.unwrap_or(-1),
        force_approval: granted.force_approval,
        login_hint: checked.login_hint.clone(),
        connector_id: open.about.id.clone(),
        connector_data,
        expiry: request
            .now
            .saturating_add(op.policy.auth_requests_valid_for),
    }
}

/// The record Dex writes for a request nobody has logged in for.
fn stored(op: &Provider, id: &str, pending: PendingRequest) -> AuthRequest {
    let mut record = pending.into_record(id);
    record.hmac_key = dex_core::entropy::new_hmac_key(op.entropy.as_ref()).into();
    record
}

/// What of the scopes matters to a connector.
pub(super) fn scopes_of(scopes: &[String]) -> Scopes {
    let has = |scope: &str| scopes.iter().any(|asked| asked == scope);
    Scopes {
        offline_access: has("offline_access"),
        groups: has("groups"),
    }
}

/// Where every upstream sends the browser back to.
pub(super) fn callback_url(op: &Provider) -> Result<Url, PageError> {
    Url::parse(&op.issuer.endpoint("/callback"))
        .map_err(|error| PageError::internal("Login error.", error))
}

const TOO_LARGE: &str = "The request is too large to be kept in the browser. Shorten its parameters, state for example.";
