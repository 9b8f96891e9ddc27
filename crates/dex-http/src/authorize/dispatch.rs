//! `/auth?req=…`: decides which step of a logged-in request comes next (compat: `authflow.md` §13.2).
//!
//! Steps never lead to each other; each returns here with a MAC that says what it proves.

use dex_core::prompt::Prompt;
use dex_core::records::{AuthRequest, Client, UserIdentity};
use dex_core::response_type::ResponseTypes;
use dex_core::step::{Step, StepKey};
use dex_storage::StorageExt as _;
use http::StatusCode;

use super::answer::{Answer, AuthorizeError, Failed, see_other};
use super::issue;
use super::jar;
use super::login::step_link;
use super::reply_to::ReplyTo;
use super::request::{RESPONSE_TYPES, client};
use crate::provider::Provider;
use crate::request::Incoming;
use crate::{ErrorCode, OAuthError, PageError};

pub(super) async fn dispatch(op: &Provider, incoming: &Incoming, id: &str, mac: &str) -> Answer {
    let flow = LoggedIn::find(op, incoming, id, mac).await?;
    let consented = flow.proves(Step::Approved, mac);
    if !consented && !flow.proves(Step::Continue, mac) {
        return Err(unauthorized().into());
    }
    flow.check_expiry(incoming)?;
    let (client, reply_to) = flow.reply_to(op).await?;
    if !all_served(&flow.record) {
        let error = OAuthError::new(
            ErrorCode::UnsupportedResponseType,
            "The response type is not served.",
        );
        return Err(flow.end_with(op, incoming, &reply_to, error).await);
    }
    if !consented && needs_consent(op, &flow.record, &client).await? {
        let prompt = Prompt::parse(&flow.record.prompt).unwrap_or_default();
        if prompt.is_none() {
            let error =
                OAuthError::new(ErrorCode::InteractionRequired, "User interaction required");
            return Err(flow.end_with(op, incoming, &reply_to, error).await);
        }
        let link = flow.step_link(op, "/approval", Step::Approval);
        return Ok(see_other(&incoming.method, &link));
    }
    issue::code(op, incoming, &flow, &reply_to).await
}

/// A request somebody has logged in for, with the key of its links.
pub(super) struct LoggedIn {
    pub(super) record: AuthRequest,
    key: StepKey,
    /// The browser holds a cookie of this request.
    is_bound: bool,
}

impl LoggedIn {
    /// The request of this handle (compat: `authflow.md` §13.2, checks 1 to 3). `mac` is not judged yet.
    pub(super) async fn find(
        op: &Provider,
        incoming: &Incoming,
        id: &str,
        mac: &str,
    ) -> Result<Self, PageError> {
        if mac.is_empty() {
            return Err(unauthorized());
        }
        let record = op
            .storage
            .find::<AuthRequest>(id)
            .await
            .map_err(|error| PageError::internal("Database error.", error))?
            .ok_or_else(|| PageError::bad_request("User session error."))?;
        if !record.logged_in {
            return Err(PageError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Login process not yet finalized.",
            ));
        }
        let own = jar(op, incoming)
            .authenticated(incoming, id)
            .await
            .map_err(|error| PageError::internal("Database error.", error))?;
        let is_bound = own.is_some();
        // Without the cookie the plain key counts: right for the records of Dex, and for ours no link was ever made with it.
        let key = match own {
            Some(own) => StepKey::bound(record.hmac_key.expose(), &own.browser_secret),
            None => StepKey::stored(record.hmac_key.expose()),
        };
        Ok(Self {
            record,
            key: key.ok_or_else(unauthorized)?,
            is_bound,
        })
    }

    /// Whether `mac` proves a step of this request.
    pub(super) fn proves(&self, step: Step<'_>, mac: &str) -> bool {
        self.key.verifies(&self.record.id, step, mac)
    }

    /// A request that is too old goes no step further.
    pub(super) fn check_expiry(&self, incoming: &Incoming) -> Result<(), PageError> {
        if self.record.expiry < incoming.now {
            return Err(PageError::bad_request("User session has expired."));
        }
        Ok(())
    }

    /// The client and where its answer may go, as of now.
    pub(super) async fn reply_to(&self, op: &Provider) -> Result<(Client, ReplyTo), PageError> {
        let client = client(op, &self.record.client_id)
            .await?
            .ok_or_else(|| PageError::bad_request("Invalid client_id provided."))?;
        let reply_to = ReplyTo::establish(
            &op.issuer,
            &client,
            &self.record.redirect_uri,
            &self.record.state,
        )
        .map_err(|cause| PageError::internal("Invalid redirect URI.", cause))?;
        Ok((client, reply_to))
    }

    /// The link to a step of this request.
    pub(super) fn step_link(&self, op: &Provider, route: &str, step: Step<'_>) -> String {
        step_link(&op.issuer, &self.key, route, step, &self.record.id)
    }

    /// The `Set-Cookie` value that ends this request in the browser, if it has a cookie of it.
    pub(super) fn clear_cookie(
        &self,
        op: &Provider,
        incoming: &Incoming,
    ) -> Option<http::HeaderValue> {
        self.is_bound
            .then(|| jar(op, incoming).clear(&self.record.id))
    }

    /// Ends the request with an error for the client: record and cookie go.
    pub(super) async fn end_with(
        &self,
        op: &Provider,
        incoming: &Incoming,
        reply_to: &ReplyTo,
        error: OAuthError,
    ) -> Failed {
        if let Err(error) = op.storage.delete::<AuthRequest>(&self.record.id).await {
            tracing::warn!(%error, "cannot delete a request that is over");
        }
        let failed = Failed::from(AuthorizeError::reply(reply_to, error));
        match self.clear_cookie(op, incoming) {
            Some(line) => failed.with_cookie(line),
            None => failed,
        }
    }
}

/// The answer to a link that proves nothing.
pub(super) fn unauthorized() -> PageError {
    PageError::new(StatusCode::UNAUTHORIZED, "Unauthorized request")
}

/// A record from elsewhere may ask for what this server does not serve: neither storage nor a cookie switches it on.
fn all_served(record: &AuthRequest) -> bool {
    let types = ResponseTypes::from_words(&record.response_types);
    !types.is_empty() && types.iter().all(|word| RESPONSE_TYPES.contains(word))
}

/// Whether the person must be asked (compat: `authflow.md` §16.1).
async fn needs_consent(
    op: &Provider,
    record: &AuthRequest,
    client: &Client,
) -> Result<bool, PageError> {
    if record.force_approval_prompt {
        return Ok(true);
    }
    if op.policy.skip_approval_screen {
        return Ok(false);
    }
    let identity = op
        .storage
        .find::<UserIdentity>((&record.claims.user_id, &record.connector_id))
        .await
        .map_err(|error| PageError::internal("Database error.", error))?;
    let Some(consented) = identity.and_then(|mut identity| identity.consents.remove(&client.id))
    else {
        return Ok(true);
    };
    Ok(record
        .scopes
        .iter()
        .any(|scope| scope != "openid" && !consented.contains(scope)))
}
