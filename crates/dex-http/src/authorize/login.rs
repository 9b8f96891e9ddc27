//! The end of a login: the identity joins the request, and the first step link is handed out (compat: `authflow.md` §12.5 and §14).

use dex_connectors::{ConnectorError, Identity};
use dex_core::Timestamp;
use dex_core::entropy::new_hmac_key;
use dex_core::records::{AuthRequest, Blob};
use dex_core::step::{Step, StepKey};
use dex_storage::{StorageError, StorageExt as _, UpdateError};
use http::StatusCode;
use http::header::SET_COOKIE;

use super::answer::{Answer, AuthorizeError, Failed, see_other};
use super::jar;
use super::pending::{Kept, Pending};
use crate::provider::Provider;
use crate::request::Incoming;
use crate::sealed::Authenticated;
use crate::{ErrorCode, IssuerUrl, OAuthError, PageError};

/// Writes the request with its identity and sends the browser to the dispatcher. Of two logins for one request the first counts.
pub(super) async fn finalize(
    op: &Provider,
    incoming: &Incoming,
    pending: Pending,
    identity: Identity,
) -> Answer {
    let login = Login {
        identity,
        hmac_key: new_hmac_key(op.entropy.as_ref()),
        at: incoming.now,
    };
    let (key, cookie) = match pending.kept {
        Kept::Sealed => {
            let mut authenticated = Authenticated {
                browser_secret: [0; 32],
            };
            op.entropy.fill(&mut authenticated.browser_secret);
            let expiry = pending.request.expiry;
            let cookie = jar(op, incoming)
                .set_authenticated(&pending.id, &authenticated, expiry)
                .await
                .map_err(|error| PageError::internal(LOGIN_ERROR, error))?;
            create(op, &pending, &login).await?;
            let key = StepKey::bound(&login.hmac_key, &authenticated.browser_secret);
            (key, Some(cookie))
        }
        Kept::Stored => {
            update(op, &pending, &login).await?;
            (StepKey::stored(&login.hmac_key), None)
        }
    };
    let key = key.expect("the key was drawn a moment ago and is not empty");
    log(&pending, &login.identity);
    let location = step_link(&op.issuer, &key, "/auth", Step::Continue, &pending.id);
    let mut response = see_other(&incoming.method, &location);
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// What a connector's refusal means to the person and to the client. `technical` is the page for everything else.
pub(super) async fn failed(
    op: &Provider,
    incoming: &Incoming,
    pending: &Pending,
    error: ConnectorError,
    technical: &'static str,
) -> Failed {
    match &error {
        ConnectorError::NotInRequiredGroups { .. } => {
            PageError::new(StatusCode::FORBIDDEN, NOT_IN_GROUPS)
                .because(error)
                .into()
        }
        ConnectorError::Denied(_) => match pending.reply_to(op).await {
            Ok(reply_to) => {
                let denied = OAuthError::new(ErrorCode::AccessDenied, DENIED).because(error);
                let failed = Failed::from(AuthorizeError::reply(&reply_to, denied));
                forget(op, incoming, pending, failed).await
            }
            Err(page) => page.into(),
        },
        _ => PageError::internal(technical, error).into(),
    }
}

/// The link to a step of a request.
pub(super) fn step_link(
    issuer: &IssuerUrl,
    key: &StepKey,
    route: &str,
    step: Step<'_>,
    id: &str,
) -> String {
    let query = [("hmac", key.mac(id, step)), ("req", id.to_owned())];
    let query = dex_core::redirect_uri::encode_query(&query);
    issuer.path(&format!("{route}?{query}"))
}

/// What a login adds to a request.
#[derive(Clone)]
struct Login {
    identity: Identity,
    hmac_key: Vec<u8>,
    at: Timestamp,
}

impl Login {
    /// A login begins the steps anew: earlier links and factors were another identity's, perhaps.
    fn join(&self, record: AuthRequest) -> AuthRequest {
        AuthRequest {
            logged_in: true,
            claims: self.identity.claims.clone(),
            connector_data: self.identity.connector_data.clone(),
            auth_time: self.at,
            hmac_key: Blob::from(self.hmac_key.clone()),
            mfa_validated: false,
            webauthn_session_data: Blob::default(),
            ..record
        }
    }
}

async fn create(op: &Provider, pending: &Pending, login: &Login) -> Result<(), PageError> {
    let record = login.join(pending.request.clone().into_record(&pending.id));
    match op.storage.create(&record).await {
        Ok(()) => Ok(()),
        Err(StorageError::AlreadyExists) => Err(pending.used(op)),
        Err(error) => Err(PageError::internal(LOGIN_ERROR, error)),
    }
}

async fn update(op: &Provider, pending: &Pending, login: &Login) -> Result<(), PageError> {
    struct UsedAlready;
    let login = login.clone();
    let updated = op
        .storage
        .update::<AuthRequest, _, _>(&pending.id, move |record| {
            if record.logged_in {
                Err(UsedAlready)
            } else {
                Ok(login.join(record))
            }
        })
        .await;
    match updated {
        Ok(_) => Ok(()),
        Err(UpdateError::Refused(UsedAlready)) => Err(pending.used(op)),
        Err(UpdateError::Storage(error)) => Err(PageError::internal(LOGIN_ERROR, error)),
        Err(_) => Err(PageError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            LOGIN_ERROR,
        )),
    }
}

/// The request is over: its cookie goes, or its record.
async fn forget(op: &Provider, incoming: &Incoming, pending: &Pending, failed: Failed) -> Failed {
    match pending.kept {
        Kept::Sealed => failed.with_cookie(jar(op, incoming).clear(&pending.id)),
        Kept::Stored => {
            if let Err(error) = op.storage.delete::<AuthRequest>(&pending.id).await {
                tracing::warn!(%error, "cannot delete a request that is over");
            }
            failed
        }
    }
}

fn log(pending: &Pending, identity: &Identity) {
    let claims = &identity.claims;
    let unverified = if claims.email_verified {
        ""
    } else {
        " (unverified)"
    };
    tracing::info!(
        connector_id = pending.request.connector_id,
        user_id = claims.user_id,
        username = claims.username,
        preferred_username = claims.preferred_username,
        email = format_args!("{}{unverified}", claims.email),
        groups = ?claims.groups,
        "login successful"
    );
}

const LOGIN_ERROR: &str = "Login error.";
const NOT_IN_GROUPS: &str = "You are not a member of any of the required groups to authenticate.";
const DENIED: &str = "Access was denied at the identity provider.";
