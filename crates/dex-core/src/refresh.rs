//! Refresh token families: when a presented token works, rotates, is too old, or has been replayed (RFC 9700 §4.14; compat:
//! `tokens.md` §6).
//!
//! A family is one login's line of refresh tokens: one record whose id stays while its secret rotates. [`decide`] judges a presented
//! secret against the record; the caller runs it once before it asks the connector, and again inside the transaction that writes.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Timestamp;
use crate::entropy::is_token;
use crate::records::{Blob, Claims, OfflineSession, RefreshToken, RefreshTokenRef, SecretText};

/// Rotation and lifetimes of refresh tokens (compat: `tokens.md` §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefreshPolicy {
    /// The secret changes on use. Default true.
    pub rotate: bool,
    /// Window after a use in which the secret before it still gets the same answer. Default zero.
    pub reuse_interval: Duration,
    /// Life since the last use. Default unlimited.
    pub valid_if_not_used_for: Option<Duration>,
    /// Life since the login. Default unlimited.
    pub absolute_lifetime: Option<Duration>,
    /// A new login ends the earlier family of the same user and client, as Dex does. Default false.
    pub one_per_client: bool,
}

impl Default for RefreshPolicy {
    fn default() -> Self {
        Self {
            rotate: true,
            reuse_interval: Duration::ZERO,
            valid_if_not_used_for: None,
            absolute_lifetime: None,
            one_per_client: false,
        }
    }
}

/// What becomes of a family whose token was presented and is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a caller must handle every outcome"
)]
pub enum Redemption {
    /// The secret changes; the identity is read again.
    Rotate,
    /// The secret stays, because rotation is off; the use is recorded and the identity is read again.
    Renew,
    /// Within the reuse interval: the same refresh token as last time, and what is stored of the identity.
    Repeat,
}

/// Why a presented refresh token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshRejected {
    /// There is no such family.
    #[error("no such refresh token")]
    Unknown,
    /// The family belongs to another client.
    #[error("refresh token of another client")]
    OtherClient,
    /// The secret is none that this family can ever have had.
    #[error("refresh token has a malformed secret")]
    Malformed,
    /// The secret has just been replaced: two requests of one client crossed each other. The family lives on.
    #[error("refresh token has just been rotated")]
    Superseded,
    /// A secret that was replaced earlier came back: somebody else may have it. The family has to end (RFC 9700 §4.14.2).
    #[error("replaced refresh token was presented again; its family is revoked")]
    Reused,
    /// The family's absolute life is over.
    #[error("refresh token has reached its absolute lifetime")]
    Expired,
    /// The family was not used for too long.
    #[error("refresh token was not used for too long")]
    Idle,
}

/// Judges a presented secret. `record` is the family as stored, if there is one.
///
/// # Errors
/// By cause; on [`RefreshRejected::Reused`] the caller must end the family.
pub fn decide(
    record: Option<&RefreshToken>,
    client_id: &str,
    presented_secret: &str,
    policy: &RefreshPolicy,
    now: Timestamp,
) -> Result<Redemption, RefreshRejected> {
    let record = record.ok_or(RefreshRejected::Unknown)?;
    if record.client_id != client_id {
        return Err(RefreshRejected::OtherClient);
    }
    let within_reuse = !policy.reuse_interval.is_zero()
        && now <= record.last_used.saturating_add(policy.reuse_interval);
    check_secret(record, presented_secret, within_reuse, now)?;
    check_lifetime(record, policy, now)?;
    Ok(match (policy.rotate, within_reuse) {
        (_, true) => Redemption::Repeat,
        (true, false) => Redemption::Rotate,
        (false, false) => Redemption::Renew,
    })
}

fn check_secret(
    record: &RefreshToken,
    presented: &str,
    within_reuse: bool,
    now: Timestamp,
) -> Result<(), RefreshRejected> {
    if record.token.matches(presented) {
        return Ok(());
    }
    if !record.obsolete_token.is_empty() && record.obsolete_token.matches(presented) {
        return if within_reuse {
            Ok(())
        } else if now <= record.last_used.saturating_add(CROSSING) {
            Err(RefreshRejected::Superseded)
        } else {
            Err(RefreshRejected::Reused)
        };
    }
    let cut_or_stretched = [&record.token, &record.obsolete_token]
        .into_iter()
        .any(|known| shares_beginning(known, presented));
    if is_token(presented) && !cut_or_stretched {
        Err(RefreshRejected::Reused)
    } else {
        Err(RefreshRejected::Malformed)
    }
}

/// Whether one is the beginning of the other: then it is no earlier secret of the family, but a mangled one.
fn shares_beginning(known: &SecretText, presented: &str) -> bool {
    let known = known.expose();
    let shorter = known.len().min(presented.len());
    match (known.get(..shorter), presented.get(..shorter)) {
        (Some(a), Some(b)) => !a.is_empty() && SecretText::from(a).matches(b),
        _ => false,
    }
}

fn check_lifetime(
    record: &RefreshToken,
    policy: &RefreshPolicy,
    now: Timestamp,
) -> Result<(), RefreshRejected> {
    let is_over = |limit: Option<Duration>, since: Timestamp| {
        limit.is_some_and(|limit| !limit.is_zero() && now > since.saturating_add(limit))
    };
    if is_over(policy.absolute_lifetime, record.created_at) {
        return Err(RefreshRejected::Expired);
    }
    if is_over(policy.valid_if_not_used_for, record.last_used) {
        return Err(RefreshRejected::Idle);
    }
    Ok(())
}

/// What a redemption brings into the family besides time.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "built by the caller of apply")]
pub struct Renewal {
    /// The secret that takes over, if it rotates.
    pub next_secret: SecretText,
    /// The identity as the connector sees it now; its user id is not taken.
    pub claims: Claims,
    /// What the connector wants kept; empty: what is kept stays.
    pub connector_data: Blob,
}

/// The family after a redemption.
pub fn apply(
    redemption: Redemption,
    mut record: RefreshToken,
    renewal: &Renewal,
    now: Timestamp,
) -> RefreshToken {
    if redemption == Redemption::Repeat {
        return record;
    }
    if redemption == Redemption::Rotate {
        record.obsolete_token = std::mem::replace(&mut record.token, renewal.next_secret.clone());
    }
    record.last_used = now;
    record.claims = Claims {
        user_id: record.claims.user_id,
        ..renewal.claims.clone()
    };
    if !renewal.connector_data.is_empty() {
        record.connector_data = renewal.connector_data.clone();
    }
    record
}

/// The secret that the client gets, given the family after the redemption. Without rotation that is the one it presented.
pub fn answer_secret<'a>(
    record: &'a RefreshToken,
    presented_secret: &'a str,
    policy: &RefreshPolicy,
) -> &'a str {
    if policy.rotate {
        record.token.expose()
    } else {
        presented_secret
    }
}

/// When the offline session's reference says the family was last used (compat: `tokens.md` §6.5).
pub fn reference_last_used(
    redemption: Redemption,
    record: &RefreshToken,
    policy: &RefreshPolicy,
    now: Timestamp,
) -> Timestamp {
    if redemption == Redemption::Repeat && policy.rotate {
        record.last_used
    } else {
        now
    }
}

/// The offline session after a redemption of `record`; `None` when it stays as it is, because there is none, or because its
/// reference of this client names another family (Dex knows one family per client: the newest).
pub fn touch_offline_session(
    session: Option<OfflineSession>,
    record: &RefreshToken,
    last_used: Timestamp,
    connector_data: &Blob,
) -> Option<OfflineSession> {
    let mut session = session?;
    let reference = session.refresh.get_mut(&record.client_id)?;
    if reference.id != record.id {
        return None;
    }
    let before = reference.last_used;
    reference.last_used = last_used;
    if !connector_data.is_empty() && session.connector_data != *connector_data {
        session.connector_data = connector_data.clone();
        return Some(session);
    }
    (before != last_used).then_some(session)
}

/// The offline session after `record` was issued: its reference of this client names the new family.
pub fn record_issue(
    session: Option<OfflineSession>,
    record: &RefreshToken,
    session_id: &str,
) -> OfflineSession {
    let mut session = session.unwrap_or_else(|| OfflineSession {
        user_id: record.claims.user_id.clone(),
        conn_id: record.connector_id.clone(),
        refresh: BTreeMap::new(),
        connector_data: Blob::default(),
    });
    session.refresh.insert(
        record.client_id.clone(),
        RefreshTokenRef {
            id: record.id.clone(),
            client_id: record.client_id.clone(),
            created_at: record.created_at,
            last_used: record.last_used,
            session_id: session_id.to_owned(),
        },
    );
    if !record.connector_data.is_empty() {
        session.connector_data = record.connector_data.clone();
    }
    session
}

/// The offline session after a family ended; `None` when it did not refer to it.
pub fn forget(session: Option<OfflineSession>, record: &RefreshToken) -> Option<OfflineSession> {
    let mut session = session?;
    if session.refresh.get(&record.client_id)?.id != record.id {
        return None;
    }
    session.refresh.remove(&record.client_id);
    Some(session)
}

/// The scopes of a refresh: those asked for, or all granted ones (RFC 6749 §6).
///
/// # Errors
/// The scopes that were not granted, in the order asked for.
pub fn narrow_scopes<'a>(
    granted: &'a [String],
    requested: &'a str,
) -> Result<Vec<&'a str>, Vec<&'a str>> {
    let requested: Vec<_> = requested.split_whitespace().collect();
    if requested.is_empty() {
        return Ok(granted.iter().map(String::as_str).collect());
    }
    let refused: Vec<_> = requested
        .iter()
        .copied()
        .filter(|scope| !granted.iter().any(|known| known == scope))
        .collect();
    if refused.is_empty() {
        Ok(requested)
    } else {
        Err(refused)
    }
}

/// How long after a rotation or a redemption what it replaced is taken for a request that crossed it, not for theft.
pub(crate) const CROSSING: Duration = Duration::from_secs(30);

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
