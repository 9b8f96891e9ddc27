//! Grant `authorization_code` (RFC 6749 §4.1.3; compat: `tokens.md` §2.7).
//!
//! The code is spent in the same transaction that creates the refresh token, after the tokens have been signed: of any number of
//! parallel redemptions one succeeds, and a failure to sign leaves the code as it was. The family's id is derived from the code, so
//! that a code which comes back later leads to the refresh token it was redeemed for.

use dex_core::Timestamp;
use dex_core::code::{self, CodeRejected};
use dex_core::entropy::{is_token, new_token};
use dex_core::opaque::RefreshTokenValue;
use dex_core::pkce::PkceError;
use dex_core::records::{AuthCode, OfflineSession, Record as _, RecordKey, RefreshToken, Row};
use dex_core::refresh;
use dex_core::scope::Scope;
use dex_storage::{StorageError, StorageExt as _, UpdateError, Write};
use tracing::warn;

use super::connector_gate::AllowedConnector;
use super::{Exchange, TokenResponse, family, invalid_request, may_be_key};
use crate::error::{ErrorCode, OAuthError};
use crate::issue::{IdToken, TokenRequest, issue};
use crate::provider::Provider;

/// A code that this client may redeem.
pub(super) struct Prepared(AuthCode);

pub(super) async fn prepare(exchange: &Exchange<'_>) -> Result<Prepared, OAuthError> {
    let form = exchange.form;
    let presented = form
        .non_empty("code")
        .ok_or_else(|| invalid_request("Required param: code."))?;
    let code = if may_be_key(presented) {
        exchange
            .op
            .storage
            .find::<AuthCode>(presented)
            .await
            .map_err(OAuthError::internal)?
    } else {
        None
    };
    let Some(code) = code else {
        return Err(missing(exchange, presented).await?);
    };
    code::redeem(
        &code,
        exchange.client.id(),
        form.get("redirect_uri").unwrap_or_default(),
        form.get("code_verifier").unwrap_or_default(),
        exchange.request.now,
    )
    .map_err(rejected)?;
    Ok(Prepared(code))
}

/// The refusal of a code that is not there. If it was redeemed earlier, what was issued for it ends (RFC 6749 §4.1.2).
async fn missing(exchange: &Exchange<'_>, presented: &str) -> Result<OAuthError, OAuthError> {
    if !is_token(presented) {
        return Ok(rejected(CodeRejected::Unknown));
    }
    let (op, now) = (exchange.op, exchange.request.now);
    let id = code::family_id(presented);
    let record = op
        .storage
        .find::<RefreshToken>(&id)
        .await
        .map_err(OAuthError::internal)?;
    let client_id = exchange.client.id().to_owned();
    let verdict = code::judge_missing(record.as_ref(), &client_id, now);
    let (CodeRejected::Replayed, Some(record)) = (verdict, record) else {
        return Ok(rejected(verdict));
    };
    warn!(
        refresh_id = record.id,
        client_id = record.client_id,
        connector_id = record.connector_id,
        "a redeemed authorization code was presented again; its refresh token is revoked"
    );
    decide(op, family::keys(&record), move |rows| {
        let (record, session) = family::read(rows)?;
        Ok(record.map_or_else(Vec::new, |record| family::end(&record, session)))
    })
    .await
    .map_err(spend_failed)?;
    Ok(rejected(CodeRejected::Replayed))
}

impl Prepared {
    pub(super) fn connector_id(&self) -> &str {
        &self.0.connector_id
    }

    pub(super) async fn complete(
        self,
        exchange: &Exchange<'_>,
        connector: &AllowedConnector,
    ) -> Result<TokenResponse, OAuthError> {
        let Self(code) = self;
        let (op, now) = (exchange.op, exchange.request.now);
        let has_scope = |wanted: &Scope| code.scopes.iter().any(|s| Scope::parse(s) == *wanted);
        let tokens = issue(
            op,
            &TokenRequest {
                client_id: &code.client_id,
                connector_id: &code.connector_id,
                claims: &code.claims,
                scopes: &code.scopes,
                nonce: &code.nonce,
                auth_time: code.auth_time,
                session_id: &code.session_id,
                code: Some(code.id.expose()),
                id_token: if has_scope(&Scope::OpenId) {
                    IdToken::Issued
                } else {
                    IdToken::Left
                },
            },
            now,
        )
        .await
        .map_err(OAuthError::internal)?;
        let family = (has_scope(&Scope::OfflineAccess) && connector.gives_refresh_tokens())
            .then(|| new_family(op, &code, now));
        let refresh_token = family.as_ref().map(|family| {
            RefreshTokenValue {
                refresh_id: family.id.clone(),
                secret: family.token.expose().to_owned(),
            }
            .encode()
        });
        spend(op, code, family).await?;
        Ok(TokenResponse {
            access_token: tokens.access_token,
            token_type: "bearer",
            expires_in: tokens.expires_in,
            refresh_token,
            id_token: tokens.id_token,
            scope: None,
        })
    }
}

fn new_family(op: &Provider, code: &AuthCode, now: Timestamp) -> RefreshToken {
    RefreshToken {
        id: code::family_id(code.id.expose()),
        client_id: code.client_id.clone(),
        scopes: code.scopes.clone(),
        nonce: code.nonce.clone(),
        claims: code.claims.clone(),
        connector_id: code.connector_id.clone(),
        connector_data: code.connector_data.clone(),
        token: new_token(op.entropy.as_ref()).into(),
        obsolete_token: String::new().into(),
        created_at: now,
        last_used: now,
    }
}

/// Deletes the code and creates the family, or does neither.
async fn spend(
    op: &Provider,
    code: AuthCode,
    family: Option<RefreshToken>,
) -> Result<(), OAuthError> {
    let code_key = AuthCode::record_key(code.id.expose());
    let Some(family) = family else {
        return decide(op, vec![code_key.clone()], move |rows| {
            present(rows.first())?;
            Ok(vec![Write::Delete(code_key.clone())])
        })
        .await
        .map_err(spend_failed);
    };
    if !op.policy.refresh.one_per_client {
        return begin_family(op, code_key, code.session_id, family, None)
            .await
            .map_err(spend_failed);
    }
    // As Dex does: the client's earlier family of this user ends. Which one that is has to be known before the transaction
    // can read it; another login may change it meanwhile.
    for _ in 0..MAX_ATTEMPTS {
        let key = (family.claims.user_id.as_str(), family.connector_id.as_str());
        let session = op
            .storage
            .find::<OfflineSession>(key)
            .await
            .map_err(OAuthError::internal)?;
        let earlier = session
            .and_then(|session| Some(session.refresh.get(&family.client_id)?.id.clone()))
            .unwrap_or_default();
        match begin_family(
            op,
            code_key.clone(),
            code.session_id.clone(),
            family.clone(),
            Some(earlier),
        )
        .await
        {
            Err(UpdateError::Refused(SpendRefused::EarlierFamilyChanged)) => {}
            outcome => return outcome.map_err(spend_failed),
        }
    }
    Err(OAuthError::internal(SpendRefused::EarlierFamilyChanged))
}

/// `earlier`: the id of the family that ends, if Dex's single token per client is wanted; empty when there is none.
async fn begin_family(
    op: &Provider,
    code_key: RecordKey,
    session_id: String,
    family: RefreshToken,
    earlier: Option<String>,
) -> Result<(), UpdateError<SpendRefused>> {
    let session_key = OfflineSession::record_key((&family.claims.user_id, &family.connector_id));
    let mut reads = vec![code_key.clone(), session_key];
    if let Some(earlier) = earlier.as_deref() {
        reads.push(RefreshToken::record_key(earlier));
    }
    decide(op, reads, move |rows| {
        let mut rows = rows.into_iter();
        present(rows.next().as_ref())?;
        let session = rows
            .next()
            .flatten()
            .map(OfflineSession::from_row)
            .transpose()
            .map_err(StorageError::from)?;
        // The delete decides who wins, so it comes first.
        let mut writes = vec![Write::Delete(code_key.clone()), Write::create(&family)];
        if let Some(earlier) = earlier.as_deref() {
            let named = session
                .as_ref()
                .and_then(|session| session.refresh.get(&family.client_id))
                .map_or("", |reference| reference.id.as_str());
            if named != earlier {
                return Err(UpdateError::Refused(SpendRefused::EarlierFamilyChanged));
            }
            if rows.next().flatten().is_some() {
                writes.push(Write::delete::<RefreshToken>(earlier));
            }
        }
        writes.push(Write::put(&refresh::record_issue(
            session,
            &family,
            &session_id,
        )));
        Ok(writes)
    })
    .await
}

async fn decide(
    op: &Provider,
    reads: Vec<RecordKey>,
    mut writes: impl FnMut(Vec<Option<Row>>) -> Result<Vec<Write>, UpdateError<SpendRefused>>
    + Send
    + 'static,
) -> Result<(), UpdateError<SpendRefused>> {
    op.storage
        .decide(reads, move |rows| Ok((writes(rows)?, ())))
        .await
}

fn present(code: Option<&Option<Row>>) -> Result<(), UpdateError<SpendRefused>> {
    match code {
        Some(Some(_)) => Ok(()),
        _ => Err(UpdateError::Refused(SpendRefused::AlreadyRedeemed)),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum SpendRefused {
    #[error("authorization code was redeemed meanwhile")]
    AlreadyRedeemed,
    #[error("the client's earlier refresh token keeps changing")]
    EarlierFamilyChanged,
}

fn spend_failed(error: UpdateError<SpendRefused>) -> OAuthError {
    match error {
        UpdateError::Refused(SpendRefused::AlreadyRedeemed)
        | UpdateError::Storage(StorageError::NotFound) => rejected(CodeRejected::Unknown),
        UpdateError::Refused(refused) => OAuthError::internal(refused),
        UpdateError::Storage(error) => OAuthError::internal(error),
        _ => OAuthError::internal("unexpected outcome of an update"),
    }
}

/// The answers of Dex, one for each cause (compat: `tokens.md` §2.7 and §4).
fn rejected(cause: CodeRejected) -> OAuthError {
    let (code, description) = match cause {
        CodeRejected::RedirectUri => (
            ErrorCode::InvalidRequest,
            "redirect_uri did not match URI from initial request.".to_owned(),
        ),
        CodeRejected::ProofKey(PkceError::NotStarted) => {
            (ErrorCode::InvalidRequest, PkceError::NotStarted.to_string())
        }
        CodeRejected::ProofKey(PkceError::UnknownMethod) => (ErrorCode::ServerError, String::new()),
        CodeRejected::ProofKey(cause) => (ErrorCode::InvalidGrant, cause.to_string()),
        _ => (
            ErrorCode::InvalidGrant,
            "Invalid or expired code parameter.".to_owned(),
        ),
    };
    OAuthError::new(code, description).because(cause)
}

/// How often another login of the same user and client may get in between.
const MAX_ATTEMPTS: usize = 16;
