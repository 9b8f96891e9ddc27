//! Everything that is stored, each entity described once (compat: `storage.md` §3 and §7.3).
//!
//! A record is a Rust struct and, from the same text, a list of columns: name, kind, order. Backends see only the columns
//! ([`Row`]); none of them copies a record type. To add a field, add it in `entities.rs`; the compiler finds the rest, and a
//! backend with columns gets a migration.

mod column;
mod entities;

use std::fmt;

pub use column::{Blob, ColumnValue, DecodeError, Json, Kind, SecretText, Value};
pub use entities::{
    AuthCode, AuthRequest, AuthSession, Claims, Client, ClientAuthState, ClientCredentialsClaims,
    Connector, DeviceRequest, DeviceToken, LogoutState, MfaSecret, NextSigningKey, OfflineSession,
    Password, PkceChallenge, RefreshToken, RefreshTokenRef, SealingKeys, SecretJson, SigningKeys,
    StoredSealingKey, UserIdentity, VerificationKey, WebAuthnCredential,
};

/// Which table, key prefix or resource a record lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a backend must decide for every entity"
)]
pub enum Entity {
    /// [`Client`]
    Client,
    /// [`AuthRequest`]
    AuthRequest,
    /// [`AuthCode`]
    AuthCode,
    /// [`RefreshToken`]
    RefreshToken,
    /// [`OfflineSession`]
    OfflineSession,
    /// [`Password`]
    Password,
    /// [`Connector`]
    Connector,
    /// [`DeviceRequest`]
    DeviceRequest,
    /// [`DeviceToken`]
    DeviceToken,
    /// [`SigningKeys`]
    SigningKeys,
    /// [`UserIdentity`]
    UserIdentity,
    /// [`AuthSession`]
    AuthSession,
    /// [`NextSigningKey`] (ours; Dex does not know it)
    NextSigningKey,
    /// [`SealingKeys`] (ours; Dex does not know it)
    SealingKeys,
}

impl Entity {
    /// Every entity, Dex's first.
    pub const ALL: [Self; 14] = [
        Self::Client,
        Self::AuthRequest,
        Self::AuthCode,
        Self::RefreshToken,
        Self::OfflineSession,
        Self::Password,
        Self::Connector,
        Self::DeviceRequest,
        Self::DeviceToken,
        Self::SigningKeys,
        Self::UserIdentity,
        Self::AuthSession,
        Self::NextSigningKey,
        Self::SealingKeys,
    ];

    /// Table, key and columns of this entity.
    pub fn description(self) -> &'static Description {
        match self {
            Self::Client => Client::description(),
            Self::AuthRequest => AuthRequest::description(),
            Self::AuthCode => AuthCode::description(),
            Self::RefreshToken => RefreshToken::description(),
            Self::OfflineSession => OfflineSession::description(),
            Self::Password => Password::description(),
            Self::Connector => Connector::description(),
            Self::DeviceRequest => DeviceRequest::description(),
            Self::DeviceToken => DeviceToken::description(),
            Self::SigningKeys => SigningKeys::description(),
            Self::UserIdentity => UserIdentity::description(),
            Self::AuthSession => AuthSession::description(),
            Self::NextSigningKey => NextSigningKey::description(),
            Self::SealingKeys => SealingKeys::description(),
        }
    }

    /// Whether Dex has this entity too; ours live in tables of their own that Dex ignores.
    pub fn is_dex(self) -> bool {
        !matches!(self, Self::NextSigningKey | Self::SealingKeys)
    }
}

/// What a backend needs to know of an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Table name in SQL.
    pub table: &'static str,
    /// All columns, the key columns first, in the order of [`Row::values`].
    pub columns: Vec<Column>,
    /// How many of the first columns form the primary key (1 or 2); all of them are [`Kind::Text`].
    pub key_len: usize,
    /// Whether keys that differ in letter case only name the same record: [`RecordKey`] holds them in lower case.
    pub folds_key: bool,
    /// Time columns of which any lying in the past makes the record collectable; empty: never collected.
    pub expires: &'static [&'static str],
}

/// One column of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Column name in SQL.
    pub name: &'static str,
    /// How its values are stored.
    pub kind: Kind,
}

/// A record in the form backends handle: one value per column, in [`Description::columns`] order.
#[derive(Clone, PartialEq)]
pub struct Row {
    /// The entity this is a record of.
    pub entity: Entity,
    /// One value per column.
    pub values: Vec<Value>,
}

impl Row {
    /// The primary key of this row.
    pub fn key(&self) -> RecordKey {
        let description = self.entity.description();
        let parts = self
            .values
            .iter()
            .take(description.key_len)
            .map(|value| match value {
                Value::Text(text) if description.folds_key => fold(text),
                Value::Text(text) => text.clone(),
                _ => String::new(),
            })
            .collect();
        RecordKey {
            entity: self.entity,
            parts,
        }
    }

    /// Whether the record may be collected at `now`: any of its expiry columns lies strictly in the past.
    pub fn is_expired(&self, now: crate::Timestamp) -> bool {
        let description = self.entity.description();
        description
            .columns
            .iter()
            .zip(&self.values)
            .any(|(column, value)| {
                description.expires.contains(&column.name)
                    && matches!(value, Value::Time(at) if *at < now)
            })
    }
}

/// Values may hold secrets: only the entity and the key are shown.
impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("entity", &self.entity)
            .finish_non_exhaustive()
    }
}

/// Names one record: its entity and its primary key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    /// The entity.
    pub entity: Entity,
    /// The key columns' values, as many as [`Description::key_len`].
    pub parts: Vec<String>,
}

/// A stored entity.
pub trait Record: Clone + PartialEq + fmt::Debug + Send + Sync + Sized + 'static {
    /// The entity this type is the record of.
    const ENTITY: Entity;

    /// What names a record: `&str`, or a pair of them.
    type Key<'a>: Copy + Send;

    /// Table, key and columns.
    fn description() -> &'static Description;

    /// The general form of a key.
    fn record_key(key: Self::Key<'_>) -> RecordKey;

    /// The columns of this record.
    fn to_row(&self) -> Row;

    /// Reads a record back from its columns.
    ///
    /// # Errors
    /// Names the column whose stored value does not have the right shape; the value itself is not part of the error.
    fn from_row(row: Row) -> Result<Self, DecodeError>;

    /// The primary key of this record.
    fn key(&self) -> RecordKey {
        self.to_row().key()
    }
}

/// Lower case, character by character as Dex does it: neither a final sigma nor a dotted capital I is special.
fn fold(text: &str) -> String {
    text.chars()
        .filter_map(|c| c.to_lowercase().next())
        .collect()
}

#[cfg(test)]
mod tests;
