//! A refresh token family in storage: its record and the offline session that may refer to it.

use dex_core::records::{OfflineSession, Record as _, RecordKey, RefreshToken, Row};
use dex_core::refresh;
use dex_storage::{StorageError, Write};

/// What a transaction about the family reads; see [`read`].
pub(super) fn keys(record: &RefreshToken) -> Vec<RecordKey> {
    vec![
        RefreshToken::record_key(&record.id),
        OfflineSession::record_key((&record.claims.user_id, &record.connector_id)),
    ]
}

/// What a transaction that reads [`keys`] sees.
pub(super) fn read(
    rows: Vec<Option<Row>>,
) -> Result<(Option<RefreshToken>, Option<OfflineSession>), StorageError> {
    let mut rows = rows.into_iter();
    let record = rows.next().flatten().map(RefreshToken::from_row);
    let session = rows.next().flatten().map(OfflineSession::from_row);
    Ok((record.transpose()?, session.transpose()?))
}

/// Ends the family.
pub(super) fn end(record: &RefreshToken, session: Option<OfflineSession>) -> Vec<Write> {
    let mut writes = vec![Write::delete::<RefreshToken>(&record.id)];
    if let Some(session) = refresh::forget(session, record) {
        writes.push(Write::put(&session));
    }
    writes
}
