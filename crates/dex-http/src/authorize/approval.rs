//! `/approval`: consent (compat: `authflow.md` §16.2).

use std::collections::BTreeMap;

use axum::response::IntoResponse as _;
use dex_core::records::Client;
use dex_core::scope::Scope;
use dex_core::step::Step;
use dex_storage::StorageExt as _;
use http::header::{ALLOW, HeaderValue};
use http::{Method, StatusCode};

use super::answer::{Answer, see_other};
use super::dispatch::{LoggedIn, unauthorized};
use super::request::parameters;
use crate::answer::page_error;
use crate::pages::ApprovalView;
use crate::provider::Provider;
use crate::request::Incoming;
use crate::{ErrorCode, OAuthError, PageError};

pub(super) async fn approval(op: &Provider, request: &Incoming) -> Answer {
    let fields = parameters(request).map_err(|_| unauthorized())?;
    let text = |name| fields.get(name).unwrap_or_default();
    let flow = LoggedIn::find(op, request, text("req"), text("hmac")).await?;
    if !flow.proves(Step::Approval, text("hmac")) {
        return Err(unauthorized().into());
    }
    flow.check_expiry(request)?;
    match request.method {
        Method::GET | Method::HEAD => ask(op, request, &flow).await,
        Method::POST if text("approval") == "approve" => {
            let link = flow.step_link(op, "/auth", Step::Approved);
            Ok(see_other(&request.method, &link))
        }
        Method::POST => {
            let (_, reply_to) = flow.reply_to(op).await?;
            let refused = OAuthError::new(ErrorCode::AccessDenied, "Approval rejected.");
            Err(flow.end_with(op, request, &reply_to, refused).await)
        }
        _ => Ok(method_not_allowed(op, request)),
    }
}

async fn ask(op: &Provider, request: &Incoming, flow: &LoggedIn) -> Answer {
    let (client, _) = flow.reply_to(op).await?;
    let peer_names = peer_names(op, &flow.record.scopes).await?;
    Ok(op
        .pages
        .approval(&ApprovalView {
            request_path: &request.path,
            user: &flow.record.claims.username,
            client_name: &client.name,
            auth_request_id: &flow.record.id,
            scopes: &flow.record.scopes,
            peer_names: &peer_names,
        })
        .into_response())
}

/// Display names of the clients that the token is meant for as well.
async fn peer_names(
    op: &Provider,
    scopes: &[String],
) -> Result<BTreeMap<String, String>, PageError> {
    let mut names = BTreeMap::new();
    for scope in scopes {
        let Scope::Audience(peer) = Scope::parse(scope) else {
            continue;
        };
        let found = op
            .storage
            .find::<Client>(&peer)
            .await
            .map_err(|error| PageError::internal("Failed to retrieve client.", error))?;
        if let Some(found) = found {
            names.insert(found.id, found.name);
        }
    }
    Ok(names)
}

fn method_not_allowed(op: &Provider, request: &Incoming) -> axum::response::Response {
    let error = PageError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "Unsupported request method.",
    );
    let mut response = page_error(op, request, error);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
    response
}
