//! The end of the flow: a code for the client (RFC 6749 §4.1.2; compat: `authflow.md` §15).

use axum::response::IntoResponse as _;
use dex_core::Timestamp;
use dex_core::entropy::new_token;
use dex_core::records::{AuthCode, AuthRequest, Record as _, SecretText};
use dex_storage::{StorageError, StorageExt as _, UpdateError, Write};
use http::header::SET_COOKIE;

use super::answer::{Answer, see_other};
use super::dispatch::{LoggedIn, unauthorized};
use super::reply_to::ReplyTo;
use crate::PageError;
use crate::pages::OobView;
use crate::provider::Provider;
use crate::request::Incoming;

/// Issues the code of a request. The request goes and the code comes in one step: of two submissions one gets a code, and a failure
/// leaves the request as it was.
pub(super) async fn code(
    op: &Provider,
    incoming: &Incoming,
    flow: &LoggedIn,
    reply_to: &ReplyTo,
) -> Answer {
    let code = new_token(op.entropy.as_ref());
    let expiry = incoming.now.saturating_add(op.policy.auth_codes_valid_for);
    exchange_for(op, &flow.record, &code, expiry).await?;
    let mut response = if reply_to.redirect_uri().is_out_of_band() {
        op.pages
            .oob(&OobView {
                request_path: &incoming.path,
                code: &code,
            })
            .into_response()
    } else {
        see_other(&incoming.method, &reply_to.code_location(&code))
    };
    if let Some(line) = flow.clear_cookie(op, incoming) {
        response.headers_mut().append(SET_COOKIE, line);
    }
    Ok(response)
}

async fn exchange_for(
    op: &Provider,
    seen: &AuthRequest,
    code: &str,
    expiry: Timestamp,
) -> Result<(), PageError> {
    /// Somebody logged in anew since the link was checked.
    struct Changed;
    let seen_key = seen.hmac_key.clone();
    let code = code.to_owned();
    let exchanged = op
        .storage
        .decide(vec![AuthRequest::record_key(&seen.id)], move |mut rows| {
            let row = rows.pop().flatten().ok_or(StorageError::NotFound)?;
            let request = AuthRequest::from_row(row).map_err(StorageError::from)?;
            if request.hmac_key != seen_key {
                return Err(UpdateError::Refused(Changed));
            }
            // The delete comes first: it decides who wins where a backend cannot write both at once.
            let delete = Write::delete::<AuthRequest>(&request.id);
            let create = Write::create(&auth_code(request, &code, expiry));
            Ok((vec![delete, create], ()))
        })
        .await;
    match exchanged {
        Ok(()) => Ok(()),
        Err(UpdateError::Refused(Changed)) => Err(unauthorized()),
        Err(UpdateError::Storage(StorageError::NotFound)) => {
            Err(PageError::bad_request("User session error."))
        }
        Err(UpdateError::Storage(error)) => {
            Err(PageError::internal("Internal server error.", error))
        }
        Err(_) => Err(PageError::new(
            http::StatusCode::INTERNAL_SERVER_ERROR,
            "Internal server error.",
        )),
    }
}

fn auth_code(request: AuthRequest, code: &str, expiry: Timestamp) -> AuthCode {
    AuthCode {
        id: SecretText::from(code),
        client_id: request.client_id,
        scopes: request.scopes,
        nonce: request.nonce,
        redirect_uri: request.redirect_uri,
        claims: request.claims,
        connector_id: request.connector_id,
        connector_data: request.connector_data,
        expiry,
        pkce: request.pkce,
        auth_time: request.auth_time,
        session_id: String::new(),
    }
}
