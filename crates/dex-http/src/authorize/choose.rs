//! `/auth`: validates the request and lets the person choose a connector (compat: `authflow.md` §5 and §17).

use axum::response::IntoResponse as _;
use http::StatusCode;

use super::answer::{Answer, encode_segment, found};
use super::dispatch;
use super::request::{CheckedRequest, Wording, parameters};
use crate::PageError;
use crate::connectors::ConnectorInfo;
use crate::pages::{ConnectorChoice, LoginView};
use crate::provider::Provider;
use crate::request::Incoming;

const MALFORMED: &str = "Invalid request. Please try again.";

const WORDING: Wording = Wording {
    malformed: MALFORMED,
    unknown_client: (StatusCode::BAD_REQUEST, "Invalid client_id provided."),
};

pub(super) async fn authorize(op: &Provider, request: &Incoming) -> Answer {
    let merged = parameters(request).map_err(|_| PageError::bad_request(MALFORMED))?;
    if let Some(id) = merged.non_empty("req") {
        let mac = merged.get("hmac").unwrap_or_default();
        return dispatch::dispatch(op, request, id, mac).await;
    }
    let checked = CheckedRequest::read(op, request, WORDING).await?;
    let connectors = offered(op, &checked).await?;
    let link = |about: &ConnectorInfo| {
        let route = format!("/auth/{}?{}", encode_segment(&about.id), checked.query());
        op.issuer.path(&route)
    };
    if let Some(wanted) = &checked.connector_id {
        let about = connectors
            .iter()
            .find(|about| about.id == *wanted)
            .ok_or_else(|| {
                PageError::bad_request("Connector ID does not match a valid Connector")
            })?;
        return Ok(found(&request.method, &link(about)));
    }
    if let ([only], false) = (&connectors[..], op.policy.always_show_login_screen) {
        return Ok(found(&request.method, &link(only)));
    }
    let choices: Vec<_> = connectors
        .iter()
        .map(|about| ConnectorChoice {
            id: about.id.clone(),
            name: about.name.clone(),
            kind: about.kind.clone(),
            url: link(about),
        })
        .collect();
    let view = LoginView {
        request_path: &request.path,
        connectors: &choices,
    };
    Ok(op.pages.login(&view).into_response())
}

/// The connectors this request may use.
async fn offered(op: &Provider, checked: &CheckedRequest) -> Result<Vec<ConnectorInfo>, PageError> {
    let connectors = visible(op, checked)
        .await
        .map_err(|error| PageError::internal("Failed to retrieve connector list.", error))?;
    if connectors.is_empty() {
        return Err(PageError::bad_request(
            "No connectors available for this client.",
        ));
    }
    Ok(connectors)
}

/// The connectors whose grants fit the request and that the client may use.
pub(super) async fn visible(
    op: &Provider,
    checked: &CheckedRequest,
) -> Result<Vec<ConnectorInfo>, dex_storage::StorageError> {
    let mut connectors = op.connectors.list().await?;
    connectors.retain(|about| {
        about.allows_grant(checked.grant_type()) && checked.allows_connector(&about.id)
    });
    Ok(connectors)
}
