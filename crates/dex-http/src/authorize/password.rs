//! `/auth/{connector}/login`: name and password (compat: `authflow.md` §12.2).

use axum::response::IntoResponse as _;
use dex_connectors::{Login, PasswordLogin};
use http::{Method, StatusCode};
use secrecy::SecretString;

use super::answer::{Answer, decode_segment};
use super::begin::scopes_of;
use super::login;
use super::pending::{Pending, unknown};
use crate::PageError;
use crate::pages::{PasswordView, RememberMe, is_local_path};
use crate::provider::Provider;
use crate::request::{Incoming, Parameters};

pub(super) async fn password(op: &Provider, request: &Incoming, segment: &str) -> Answer {
    let query = request.query_parameters().unwrap_or_default();
    // The query only: a `state` in the body could be another site's.
    let id = query
        .non_empty("state")
        .ok_or_else(|| PageError::bad_request("User session error."))?;
    let back = query.non_empty("back").filter(|back| is_local_path(back));
    let Some(pending) = Pending::find(op, request, id).await? else {
        let error = unknown(request);
        return Err(match back {
            Some(back) => error.start_again_at(back.to_owned()).into(),
            None => error.into(),
        });
    };
    let connector = decode_segment(segment)
        .ok_or_else(|| PageError::bad_request("Requested resource does not exist"))?;
    if connector != pending.request.connector_id {
        return Err(PageError::bad_request("Requested resource does not exist.").into());
    }
    let open = op
        .connectors
        .open(&connector)
        .await
        .map_err(|error| PageError::internal("Connector failed to initialize.", error))?;
    let Login::Password(form) = open.connector.login() else {
        return Err(PageError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Requested resource does not exist.",
        )
        .into());
    };
    match request.method {
        Method::GET | Method::HEAD => Ok(show(op, request, form, back, None)),
        Method::POST => submit(op, request, pending, form, back).await,
        _ => Err(PageError::bad_request("Unsupported request method.").into()),
    }
}

async fn submit(
    op: &Provider,
    request: &Incoming,
    pending: Pending,
    form: &dyn PasswordLogin,
    back: Option<&str>,
) -> Answer {
    // A body that cannot be read counts as empty. The query is not asked: it would be in logs and histories.
    let fields: Parameters = request.body_parameters().unwrap_or_default();
    let username = fields.get("login").unwrap_or_default();
    let password = SecretString::from(fields.get("password").unwrap_or_default());
    let scopes = scopes_of(&pending.request.scopes);
    match form.login(scopes, username, &password).await {
        Ok(Some(identity)) => login::finalize(op, request, pending, identity).await,
        Ok(None) => {
            tracing::error!(
                connector_id = pending.request.connector_id,
                user = username,
                "failed login attempt: Invalid credentials."
            );
            Ok(show(op, request, form, back, Some(username)))
        }
        Err(error) => {
            tracing::error!(
                connector_id = pending.request.connector_id,
                "failed to login user"
            );
            Err(login::failed(op, request, &pending, error, TECHNICAL).await)
        }
    }
}

/// The form; after a failed attempt with the name that was typed.
fn show(
    op: &Provider,
    request: &Incoming,
    form: &dyn PasswordLogin,
    back: Option<&str>,
    failed_as: Option<&str>,
) -> axum::response::Response {
    op.pages
        .password(&PasswordView {
            request_path: &request.path,
            post_url: &format!("{}?{}", request.path, request.query),
            back_link: back,
            username: failed_as.unwrap_or_default(),
            username_prompt: form.prompt(),
            invalid: failed_as.is_some(),
            remember_me: RememberMe::Hidden,
        })
        .into_response()
}

const TECHNICAL: &str = "Login error. Please contact your administrator or try again later.";
