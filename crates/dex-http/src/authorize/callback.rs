//! `/callback` and `/callback/{connector}`: what an upstream sends the browser back to (compat: `authflow.md` §12.4).
//!
//! An upstream may post its answer. Such a request comes from a foreign page, without our `SameSite=Lax` cookies: it is answered with
//! a page that posts the same fields once more, now from our own origin.

use axum::response::IntoResponse as _;
use dex_connectors::{Callback, Login, RedirectLogin};
use http::{HeaderMap, Method, StatusCode};

use super::answer::{Answer, decode_segment};
use super::begin::{callback_url, scopes_of};
use super::login;
use super::pending::{Pending, unknown};
use crate::PageError;
use crate::pages::RepostView;
use crate::provider::Provider;
use crate::request::{Incoming, Parameters};
use crate::sealed::is_handle;

pub(super) async fn callback(op: &Provider, request: &Incoming, segment: Option<&str>) -> Answer {
    let returned = Returned::read(request)?;
    let pending = match Pending::find(op, request, &returned.id).await? {
        Some(pending) => pending,
        None if returned.may_be_reposted(request) => return Ok(repost(op, request, &returned)),
        None => return Err(unknown(request).into()),
    };
    check_connector(&pending, segment)?;
    let open = op
        .connectors
        .open(&pending.request.connector_id)
        .await
        .map_err(|error| PageError::internal(NOTHING_HERE, error))?;
    match open.connector.login() {
        Login::Redirect(_) if returned.binding == Binding::Saml => {
            Err(PageError::bad_request("Invalid request").into())
        }
        Login::Redirect(upstream) => {
            complete(op, request, pending, upstream, &returned, segment.is_some()).await
        }
        _ => Err(PageError::new(StatusCode::INTERNAL_SERVER_ERROR, NOTHING_HERE).into()),
    }
}

/// How the upstream answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Binding {
    /// In the query, as OAuth 2.0 does.
    Query,
    /// In a form with `state` (OAuth 2.0 Form Post Response Mode).
    Form,
    /// In a form with `RelayState` (SAML 2.0 Bindings §3.5).
    Saml,
}

/// What the browser brought back.
struct Returned {
    id: String,
    binding: Binding,
    /// Without our own marker.
    parameters: Parameters,
    reposted: bool,
}

impl Returned {
    fn read(request: &Incoming) -> Result<Self, PageError> {
        let session_error = || PageError::bad_request("User session error.");
        let mut parameters = match request.method {
            Method::GET => request.query_parameters(),
            Method::POST => request.body_parameters(),
            _ => return Err(PageError::bad_request("Method not supported")),
        }
        .map_err(|cause| session_error().because(cause))?;
        let reposted = parameters.get(REPOSTED).is_some();
        parameters.0.retain(|(name, _)| name != REPOSTED);
        let (id, binding) = match request.method {
            Method::GET => (parameters.non_empty("state"), Binding::Query),
            _ => match parameters.non_empty("RelayState") {
                Some(id) => (Some(id), Binding::Saml),
                None => (parameters.non_empty("state"), Binding::Form),
            },
        };
        Ok(Self {
            id: id.ok_or_else(session_error)?.to_owned(),
            binding,
            parameters,
            reposted,
        })
    }

    /// Whether the cookie may only be missing because a foreign page posted this.
    fn may_be_reposted(&self, request: &Incoming) -> bool {
        request.method == Method::POST && !self.reposted && is_handle(&self.id)
    }
}

fn repost(op: &Provider, request: &Incoming, returned: &Returned) -> axum::response::Response {
    let mut fields = returned.parameters.0.clone();
    fields.push((REPOSTED.to_owned(), "1".to_owned()));
    let action = match request.query.as_str() {
        "" => request.path.clone(),
        query => format!("{}?{query}", request.path),
    };
    op.pages
        .repost(&RepostView {
            request_path: &request.path,
            action: &action,
            fields: &fields,
        })
        .into_response()
}

fn check_connector(pending: &Pending, segment: Option<&str>) -> Result<(), PageError> {
    let Some(segment) = segment else {
        return Ok(());
    };
    match decode_segment(segment) {
        Some(id) if id == pending.request.connector_id => Ok(()),
        _ => Err(PageError::bad_request(NOTHING_HERE)),
    }
}

async fn complete(
    op: &Provider,
    request: &Incoming,
    pending: Pending,
    upstream: &dyn RedirectLogin,
    returned: &Returned,
    connector_is_named: bool,
) -> Answer {
    let headers = if connector_is_named {
        request.headers.clone()
    } else {
        without_remote(&request.headers)
    };
    let callback_url = callback_url(op)?;
    let identity = upstream
        .complete(Callback {
            scopes: scopes_of(&pending.request.scopes),
            callback_url: &callback_url,
            state: &pending.id,
            connector_data: &pending.request.connector_data,
            parameters: &returned.parameters.0,
            headers: &headers,
        })
        .await;
    match identity {
        Ok(identity) => login::finalize(op, request, pending, identity).await,
        Err(error) => {
            tracing::error!(
                connector_id = pending.request.connector_id,
                "failed to authenticate"
            );
            Err(login::failed(op, request, &pending, error, TECHNICAL).await)
        }
    }
}

/// Headers that a proxy in front of `/callback/{connector}` vouches for mean nothing on the common path.
fn without_remote(headers: &HeaderMap) -> HeaderMap {
    headers
        .iter()
        .filter(|(name, _)| !name.as_str().starts_with("x-remote-"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Marks a form that came through our own page, so that it comes through it once.
const REPOSTED: &str = "dexd_reposted";
const NOTHING_HERE: &str = "Requested resource does not exist.";
const TECHNICAL: &str =
    "Authentication failed. Please contact your administrator or try again later.";
