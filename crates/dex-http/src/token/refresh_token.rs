//! Grant `refresh_token` (RFC 6749 §6; compat: `tokens.md` §6).
//!
//! The family and what is kept of its user are read, the identity is read again at the upstream, two signatures, one transaction.
//! The decision is taken twice by the same pure function: before anything is done, and inside the transaction, where it counts.

use dex_connectors::{Identity, Scopes};
use dex_core::go_quote::quote_list;
use dex_core::opaque::RefreshTokenValue;
use dex_core::records::{Blob, OfflineSession, RefreshToken};
use dex_core::refresh::{self, Redemption, RefreshRejected, Renewal};
use dex_core::scope::Scope;
use dex_core::{Timestamp, entropy};
use dex_storage::{StorageError, StorageExt as _, UpdateError, Write};
use http::StatusCode;
use tracing::warn;

use super::connector_gate::AllowedConnector;
use super::{Exchange, TokenResponse, family, invalid_request, may_be_key};
use crate::error::{ErrorCode, OAuthError};
use crate::issue::{IdToken, TokenRequest, issue};
use crate::keyed_lock::Turn;
use crate::provider::Provider;

/// A refresh token that this client may redeem.
pub(super) struct Prepared {
    record: RefreshToken,
    /// What is kept of the user beside the family.
    session: Option<OfflineSession>,
    presented: RefreshTokenValue,
    redemption: Redemption,
    /// The clock, read when the turn came; it decides here and inside the transaction alike.
    now: Timestamp,
    /// Parallel requests with one token wait for each other, so that the upstream is asked once.
    _turn: Turn,
}

/// The upstream says that the user of a refresh token is now somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connector returned another user id than the one that logged in")]
#[expect(clippy::exhaustive_structs, reason = "a marker")]
pub struct IdentityChanged;

pub(super) async fn prepare(exchange: &Exchange<'_>) -> Result<Prepared, OAuthError> {
    let presented = exchange
        .form
        .non_empty("refresh_token")
        .ok_or_else(|| invalid_request("No refresh token is found in request."))?;
    let presented = RefreshTokenValue::parse(presented);
    if !may_be_key(&presented.refresh_id) {
        return Err(rejected(RefreshRejected::Unknown));
    }
    let op = exchange.op;
    let turn = op.refresh_turns.turn(&presented.refresh_id).await;
    let record = op
        .storage
        .find::<RefreshToken>(&presented.refresh_id)
        .await
        .map_err(internal)?;
    // Waiting for the turn may have taken a while.
    let now = op.clock.now();
    let client_id = exchange.client.id();
    let verdict = refresh::decide(
        record.as_ref(),
        client_id,
        &presented.secret,
        &op.policy.refresh,
        now,
    );
    match (verdict, record) {
        (Ok(redemption), Some(record)) => Ok(Prepared {
            session: offline_session(op, &record).await?,
            record,
            presented,
            redemption,
            now,
            _turn: turn,
        }),
        (Err(RefreshRejected::Reused), Some(record)) => {
            revoke(op, record, presented, now).await?;
            Err(rejected(RefreshRejected::Reused))
        }
        (Err(cause), _) => Err(rejected(cause)),
        (Ok(_), None) => Err(rejected(RefreshRejected::Unknown)),
    }
}

impl Prepared {
    pub(super) fn connector_id(&self) -> &str {
        &self.record.connector_id
    }

    pub(super) async fn complete(
        self,
        exchange: &Exchange<'_>,
        connector: &AllowedConnector,
    ) -> Result<TokenResponse, OAuthError> {
        let op = exchange.op;
        let requested = exchange.form.get("scope").unwrap_or_default();
        let scopes = refresh::narrow_scopes(&self.record.scopes, requested)
            .map_err(|refused| invalid_request(unauthorized_scopes(&refused)))?;
        let identity = self.read_identity(connector, &scopes).await?;
        let tokens = issue(
            op,
            &TokenRequest {
                client_id: &self.record.client_id,
                connector_id: &self.record.connector_id,
                claims: &identity.claims,
                scopes: &scopes,
                nonce: &self.record.nonce,
                auth_time: Timestamp::ZERO,
                session_id: self.session_id(),
                code: None,
                id_token: IdToken::Issued,
            },
            self.now,
        )
        .await
        .map_err(internal)?;
        // Nothing asked for and something granted is a difference that the client is told (RFC 6749 §5.1).
        let scope = requested.trim().is_empty().then(|| scopes.join(" "));
        let secret = self.persist(op, identity).await?;
        Ok(TokenResponse {
            access_token: tokens.access_token,
            token_type: "bearer",
            expires_in: tokens.expires_in,
            refresh_token: Some(secret),
            id_token: tokens.id_token,
            scope,
        })
    }

    /// The identity as the upstream sees it now; the stored one where there is nothing to ask, or within the reuse interval.
    async fn read_identity(
        &self,
        connector: &AllowedConnector,
        scopes: &[&str],
    ) -> Result<Identity, OAuthError> {
        let stored = || Identity {
            claims: self.record.claims.clone(),
            connector_data: Blob::default(),
        };
        let upstream = match connector.connector().refresh() {
            Some(upstream) if self.redemption != Redemption::Repeat => upstream,
            _ => return Ok(stored()),
        };
        let has_scope = |wanted: &Scope| scopes.iter().any(|s| Scope::parse(s) == *wanted);
        let flags = Scopes {
            offline_access: has_scope(&Scope::OfflineAccess),
            groups: has_scope(&Scope::Groups),
        };
        let known = Identity {
            connector_data: self.connector_data(),
            ..stored()
        };
        let identity = upstream.refresh(flags, known).await.map_err(internal)?;
        // OpenID Connect Core 1.0 §12.2: `sub` does not change.
        if identity.claims.user_id != self.record.claims.user_id {
            return Err(OAuthError::new(ErrorCode::InvalidGrant, INVALID).because(IdentityChanged));
        }
        Ok(identity)
    }

    /// What the connector wanted kept. Dex moves it from the token to the offline session at the first refresh.
    fn connector_data(&self) -> Blob {
        if !self.record.connector_data.is_empty() {
            return self.record.connector_data.clone();
        }
        self.session
            .as_ref()
            .map(|session| session.connector_data.clone())
            .unwrap_or_default()
    }

    /// The browser session the family came from, as recorded when it was issued (`sid`); empty if there was none.
    fn session_id(&self) -> &str {
        self.session
            .as_ref()
            .and_then(|session| session.refresh.get(&self.record.client_id))
            .filter(|reference| reference.id == self.record.id)
            .map_or("", |reference| &reference.session_id)
    }

    /// Writes what was decided and returns the refresh token for the client.
    async fn persist(self, op: &Provider, identity: Identity) -> Result<String, OAuthError> {
        let policy = op.policy.refresh;
        let Self {
            record,
            session: _,
            presented,
            redemption,
            now,
            _turn,
        } = self;
        let answer = move |record: &RefreshToken, presented: &RefreshTokenValue| {
            RefreshTokenValue {
                refresh_id: record.id.clone(),
                secret: refresh::answer_secret(record, &presented.secret, &policy).to_owned(),
            }
            .encode()
        };
        if redemption == Redemption::Repeat && policy.rotate {
            return Ok(answer(&record, &presented));
        }
        let renewal = Renewal {
            next_secret: entropy::new_token(op.entropy.as_ref()).into(),
            claims: identity.claims,
            connector_data: identity.connector_data,
        };
        let client_id = record.client_id.clone();
        op.storage
            .decide(family::keys(&record), move |rows| {
                let (record, session) = family::read(rows)?;
                let verdict =
                    refresh::decide(record.as_ref(), &client_id, &presented.secret, &policy, now);
                let (redemption, record) = match (verdict, record) {
                    (Ok(redemption), Some(record)) => (redemption, record),
                    (Err(RefreshRejected::Reused), Some(record)) => {
                        return Ok((family::end(&record, session), Err(RefreshRejected::Reused)));
                    }
                    (Err(cause), _) => return Err(UpdateError::Refused(cause)),
                    (Ok(_), None) => return Err(UpdateError::Refused(RefreshRejected::Unknown)),
                };
                let record = refresh::apply(redemption, record, &renewal, now);
                let mut writes = Vec::with_capacity(2);
                if redemption != Redemption::Repeat {
                    writes.push(Write::put(&record));
                }
                let last_used = refresh::reference_last_used(redemption, &record, &policy, now);
                let kept = if redemption == Redemption::Repeat {
                    Blob::default()
                } else {
                    renewal.connector_data.clone()
                };
                if let Some(session) =
                    refresh::touch_offline_session(session, &record, last_used, &kept)
                {
                    writes.push(Write::put(&session));
                }
                Ok((writes, Ok(answer(&record, &presented))))
            })
            .await
            .map_err(update_failed)?
            .map_err(rejected)
    }
}

async fn offline_session(
    op: &Provider,
    record: &RefreshToken,
) -> Result<Option<OfflineSession>, OAuthError> {
    let key = (record.claims.user_id.as_str(), record.connector_id.as_str());
    op.storage
        .find::<OfflineSession>(key)
        .await
        .map_err(internal)
}

/// Ends a family because an old secret came back, unless that turns out to be untrue inside the transaction.
async fn revoke(
    op: &Provider,
    record: RefreshToken,
    presented: RefreshTokenValue,
    now: Timestamp,
) -> Result<(), OAuthError> {
    warn!(
        refresh_id = record.id,
        client_id = record.client_id,
        connector_id = record.connector_id,
        "a replaced refresh token was presented again; its family is revoked"
    );
    let (policy, client_id) = (op.policy.refresh, record.client_id.clone());
    op.storage
        .decide(family::keys(&record), move |rows| {
            let (record, session) = family::read(rows)?;
            let verdict =
                refresh::decide(record.as_ref(), &client_id, &presented.secret, &policy, now);
            match (verdict, record) {
                (Err(RefreshRejected::Reused), Some(record)) => {
                    Ok((family::end(&record, session), ()))
                }
                _ => Err(UpdateError::Refused(RefreshRejected::Reused)),
            }
        })
        .await
        .map_err(update_failed)
}

fn update_failed(error: UpdateError<RefreshRejected>) -> OAuthError {
    match error {
        UpdateError::Refused(cause) => rejected(cause),
        UpdateError::Storage(StorageError::NotFound) => rejected(RefreshRejected::Unknown),
        UpdateError::Storage(error) => internal(error),
        _ => internal("unexpected outcome of an update"),
    }
}

/// The answers of Dex, one for each cause (compat: `tokens.md` §6.4): RFC 6749 wants `invalid_grant`, clients know `invalid_request`.
fn rejected(cause: RefreshRejected) -> OAuthError {
    let (code, description) = match cause {
        RefreshRejected::OtherClient => (ErrorCode::InvalidGrant, INVALID),
        RefreshRejected::Expired | RefreshRejected::Idle => {
            (ErrorCode::InvalidRequest, "Refresh token expired.")
        }
        _ => (ErrorCode::InvalidRequest, INVALID),
    };
    OAuthError::new(code, description).because(cause)
}

/// Whatever fails inside a refresh is `invalid_request` with status 500 in Dex (compat: `tokens.md` §2.13).
fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, "")
        .with_status(StatusCode::INTERNAL_SERVER_ERROR)
        .because(cause)
}

fn unauthorized_scopes(refused: &[&str]) -> String {
    format!(
        "Requested scopes contain unauthorized scope(s): {}.",
        quote_list(refused)
    )
}

const INVALID: &str = "Refresh token is invalid or has already been claimed by another client.";
