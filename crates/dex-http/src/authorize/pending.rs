//! A request that waits for its login: sealed in this browser, or stored by Dex or in stored mode.

use dex_core::Timestamp;
use dex_core::records::{AuthRequest, Blob, Claims};
use dex_core::redirect_uri::encode_query;
use dex_storage::StorageExt as _;

use super::jar;
use super::reply_to::ReplyTo;
use super::request::client;
use crate::provider::Provider;
use crate::request::Incoming;
use crate::sealed::{PendingRequest, RequestCookies, is_handle};
use crate::{IssuerUrl, PageError};

/// Where the request is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// In a cookie of this browser.
    Sealed,
    /// As a record; any browser may continue, as with Dex.
    Stored,
}

/// A request nobody has logged in for yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) id: String,
    pub(super) kept: Kept,
    pub(super) request: PendingRequest,
}

impl Pending {
    /// The pending request of this handle; `None` if there is none for this browser.
    ///
    /// # Errors
    /// A page when it has expired, was used already, or cannot be looked up.
    pub(super) async fn find(
        op: &Provider,
        incoming: &Incoming,
        id: &str,
    ) -> Result<Option<Self>, PageError> {
        if is_handle(id)
            && let Some(request) = jar(op, incoming)
                .pending(incoming, id)
                .await
                .map_err(|error| PageError::internal("Database error.", error))?
        {
            return Self::unexpired(op, incoming, id, Kept::Sealed, request).map(Some);
        }
        let stored = op
            .storage
            .find::<AuthRequest>(id)
            .await
            .map_err(|error| PageError::internal("Database error.", error))?;
        match stored {
            Some(record) if !record.logged_in => {
                let request = PendingRequest::from_record(record);
                Self::unexpired(op, incoming, id, Kept::Stored, request).map(Some)
            }
            Some(record) => Self::used_already(op, incoming, record).await,
            None => Ok(None),
        }
    }

    /// The login of this request has succeeded before. Only the browser that did it is offered to begin again.
    async fn used_already(
        op: &Provider,
        incoming: &Incoming,
        record: AuthRequest,
    ) -> Result<Option<Self>, PageError> {
        let own = jar(op, incoming)
            .authenticated(incoming, &record.id)
            .await
            .map_err(|error| PageError::internal("Database error.", error))?;
        if own.is_none() {
            return Ok(None);
        }
        let again = PendingRequest::from_record(record).start_again(&op.issuer);
        Err(PageError::bad_request(USED).start_again_at(again))
    }

    fn unexpired(
        op: &Provider,
        incoming: &Incoming,
        id: &str,
        kept: Kept,
        request: PendingRequest,
    ) -> Result<Self, PageError> {
        if request.expiry < incoming.now {
            let error = PageError::bad_request(EXPIRED);
            return Err(match kept {
                Kept::Sealed => error.start_again_at(request.start_again(&op.issuer)),
                Kept::Stored => error,
            });
        }
        Ok(Self {
            id: id.to_owned(),
            kept,
            request,
        })
    }

    /// Establishes where the answer may go: the client may have been changed since the request was made.
    pub(super) async fn reply_to(&self, op: &Provider) -> Result<ReplyTo, PageError> {
        let client = client(op, &self.request.client_id)
            .await?
            .ok_or_else(|| PageError::bad_request("Invalid client_id provided."))?;
        ReplyTo::establish(
            &op.issuer,
            &client,
            &self.request.redirect_uri,
            &self.request.state,
        )
        .map_err(|cause| PageError::bad_request("Unregistered redirect_uri.").because(cause))
    }

    /// The page for a login that was finished before, in another tab or by a second submission.
    pub(super) fn used(&self, op: &Provider) -> PageError {
        let error = PageError::bad_request(USED);
        match self.kept {
            Kept::Sealed => error.start_again_at(self.request.start_again(&op.issuer)),
            Kept::Stored => error,
        }
    }
}

/// The page for a handle that means nothing here.
pub(super) fn unknown(incoming: &Incoming) -> PageError {
    PageError::bad_request(if RequestCookies::of(incoming).is_empty() {
        NO_COOKIE
    } else {
        UNKNOWN
    })
}

impl PendingRequest {
    /// The record of this request, before anybody logged in.
    pub(super) fn into_record(self, id: &str) -> AuthRequest {
        AuthRequest {
            id: id.to_owned(),
            client_id: self.client_id,
            response_types: self.response_types,
            scopes: self.scopes,
            redirect_uri: self.redirect_uri,
            nonce: self.nonce,
            state: self.state,
            force_approval_prompt: self.force_approval,
            expiry: self.expiry,
            logged_in: false,
            claims: Claims::default(),
            connector_id: self.connector_id,
            connector_data: self.connector_data,
            pkce: self.pkce,
            hmac_key: Blob::default(),
            mfa_validated: false,
            prompt: self.prompt,
            max_age: self.max_age,
            auth_time: Timestamp::ZERO,
            webauthn_session_data: Blob::default(),
        }
    }

    fn from_record(record: AuthRequest) -> Self {
        Self {
            client_id: record.client_id,
            response_types: record.response_types,
            scopes: record.scopes,
            redirect_uri: record.redirect_uri,
            nonce: record.nonce,
            state: record.state,
            pkce: record.pkce,
            prompt: record.prompt,
            max_age: record.max_age,
            force_approval: record.force_approval_prompt,
            login_hint: String::new(),
            connector_id: record.connector_id,
            connector_data: record.connector_data,
            expiry: record.expiry,
        }
    }

    /// The same request once more, as a rooted path of ours.
    fn start_again(&self, issuer: &IssuerUrl) -> String {
        let scope = self.scopes.join(" ");
        let response_type = self.response_types.join(" ");
        let max_age = self.max_age.to_string();
        let has_challenge = !self.pkce.challenge.is_empty();
        let parameters = [
            ("approval_prompt", "force", self.force_approval),
            ("client_id", &self.client_id, true),
            ("code_challenge", &self.pkce.challenge, has_challenge),
            ("code_challenge_method", &self.pkce.method, has_challenge),
            ("login_hint", &self.login_hint, !self.login_hint.is_empty()),
            ("max_age", &max_age, self.max_age >= 0),
            ("nonce", &self.nonce, !self.nonce.is_empty()),
            ("prompt", &self.prompt, !self.prompt.is_empty()),
            ("redirect_uri", &self.redirect_uri, true),
            ("response_type", &response_type, true),
            ("scope", &scope, true),
            ("state", &self.state, true),
        ];
        let given: Vec<_> = parameters
            .into_iter()
            .filter_map(|(name, value, given)| given.then_some((name, value)))
            .collect();
        issuer.path(&format!("/auth?{}", encode_query(&given)))
    }
}

const UNKNOWN: &str = "Requested resource does not exist.";
const NO_COOKIE: &str = "Requested resource does not exist. Your browser did not send the cookie of this login: \
     allow cookies, and finish a login in the browser it was begun in. Return to the application to begin again.";
const EXPIRED: &str = "User session has expired.";
const USED: &str =
    "This login was used already. If you are not where you wanted to be, begin again.";
