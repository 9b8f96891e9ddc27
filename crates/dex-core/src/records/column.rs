//! How one field becomes one column: the kinds of stored values and the conversions.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::Timestamp;

/// How a column's values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a backend must decide for every kind"
)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// Opaque bytes.
    Bytes,
    /// A JSON document as bytes.
    Json,
    /// An instant.
    Time,
    /// A truth value.
    Bool,
    /// A signed integer.
    Int,
}

/// One stored value.
#[derive(Clone, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a backend must decide for every kind"
)]
pub enum Value {
    /// SQL `NULL`.
    Null,
    /// [`Kind::Text`]
    Text(String),
    /// [`Kind::Bytes`] and [`Kind::Json`]
    Bytes(Vec<u8>),
    /// [`Kind::Time`]
    Time(Timestamp),
    /// [`Kind::Bool`]
    Bool(bool),
    /// [`Kind::Int`]
    Int(i64),
}

/// Values may be secrets: only the kind is shown.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Text(_) => "Text(…)",
            Self::Bytes(_) => "Bytes(…)",
            Self::Time(_) => "Time(…)",
            Self::Bool(_) => "Bool(…)",
            Self::Int(_) => "Int(…)",
        })
    }
}

/// A stored value does not have the shape its column needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stored {table}.{column} is malformed: {reason}")]
pub struct DecodeError {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// What is wrong, without the value.
    pub reason: &'static str,
}

/// A field type that fills exactly one column.
pub trait ColumnValue: Sized {
    /// How it is stored.
    const KIND: Kind;

    /// The stored form.
    fn to_value(&self) -> Value;

    /// Reads the stored form back.
    ///
    /// # Errors
    /// Says what is wrong with the value, without the value.
    fn from_value(value: Value) -> Result<Self, &'static str>;
}

impl ColumnValue for String {
    const KIND: Kind = Kind::Text;

    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        match value {
            Value::Text(text) => Ok(text),
            // Columns that Dex added later may be NULL in rows it did not write.
            Value::Null => Ok(Self::new()),
            // SQLite keeps the storage class of what was written, whatever the column's type.
            Value::Bytes(bytes) => Self::from_utf8(bytes).map_err(|_| "not UTF-8"),
            _ => Err("not text"),
        }
    }
}

impl ColumnValue for bool {
    const KIND: Kind = Kind::Bool;

    fn to_value(&self) -> Value {
        Value::Bool(*self)
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        match value {
            Value::Bool(flag) => Ok(flag),
            Value::Int(number) => Ok(number != 0),
            _ => Err("not a truth value"),
        }
    }
}

impl ColumnValue for Option<bool> {
    const KIND: Kind = Kind::Bool;

    fn to_value(&self) -> Value {
        self.map_or(Value::Null, Value::Bool)
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        match value {
            Value::Null => Ok(None),
            other => bool::from_value(other).map(Some),
        }
    }
}

impl ColumnValue for i64 {
    const KIND: Kind = Kind::Int;

    fn to_value(&self) -> Value {
        Value::Int(*self)
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        match value {
            Value::Int(number) => Ok(number),
            _ => Err("not an integer"),
        }
    }
}

impl ColumnValue for Timestamp {
    const KIND: Kind = Kind::Time;

    fn to_value(&self) -> Value {
        Value::Time(*self)
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        match value {
            Value::Time(at) => Ok(at),
            Value::Null => Ok(Self::ZERO),
            _ => Err("not a time"),
        }
    }
}

/// Opaque bytes that may hold credentials (connector data, HMAC keys): compared in constant time, never shown.
///
/// Empty and absent are the same; absent is stored as `NULL`.
#[derive(Clone, Default)]
pub struct Blob(Vec<u8>);

impl Blob {
    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl PartialEq for Blob {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Blob {}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.0.len())
    }
}

impl ColumnValue for Blob {
    const KIND: Kind = Kind::Bytes;

    fn to_value(&self) -> Value {
        if self.0.is_empty() {
            Value::Null
        } else {
            Value::Bytes(self.0.clone())
        }
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        match value {
            Value::Null => Ok(Self::default()),
            Value::Bytes(bytes) => Ok(Self(bytes)),
            Value::Text(text) => Ok(Self(text.into_bytes())),
            _ => Err("not bytes"),
        }
    }
}

/// Text that is a secret (client secrets, refresh token secrets): compared in constant time, never shown.
#[derive(Clone, Default)]
pub struct SecretText(String);

impl SecretText {
    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `presented` is this secret, in time that depends on the lengths only.
    pub fn matches(&self, presented: &str) -> bool {
        self.0.as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for SecretText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl PartialEq for SecretText {
    fn eq(&self, other: &Self) -> bool {
        self.matches(&other.0)
    }
}

impl Eq for SecretText {}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() {
            "[no secret]"
        } else {
            "[secret]"
        })
    }
}

impl ColumnValue for SecretText {
    const KIND: Kind = Kind::Text;

    fn to_value(&self) -> Value {
        self.0.to_value()
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        String::from_value(value).map(Self)
    }
}

impl ColumnValue for Vec<String> {
    const KIND: Kind = Kind::Json;

    fn to_value(&self) -> Value {
        json_value(self)
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        json_or_default(value)
    }
}

/// Absent and empty differ: absent is JSON `null` (or SQL `NULL` in rows of older releases).
impl ColumnValue for Option<Vec<String>> {
    const KIND: Kind = Kind::Json;

    fn to_value(&self) -> Value {
        json_value(self)
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        json_or_default(value)
    }
}

impl<T: Serialize + DeserializeOwned> ColumnValue for BTreeMap<String, T> {
    const KIND: Kind = Kind::Json;

    fn to_value(&self) -> Value {
        json_value(self)
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        json_or_default(value)
    }
}

/// Any other structured field: a JSON document, `null` when absent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json<T>(pub Option<T>);

impl<T: Serialize + DeserializeOwned> ColumnValue for Json<T> {
    const KIND: Kind = Kind::Json;

    fn to_value(&self) -> Value {
        json_value(&self.0)
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        json_or_default(value).map(Self)
    }
}

fn json_value(value: &impl Serialize) -> Value {
    Value::Bytes(
        serde_json::to_vec(value).expect("lists and maps with text keys always have a JSON form"),
    )
}

/// `NULL`, nothing and JSON `null` all mean the default. SQLite may hold the document as text (a migration's default).
fn json_or_default<T: DeserializeOwned + Default>(value: Value) -> Result<T, &'static str> {
    let bytes = match value {
        Value::Null => return Ok(T::default()),
        Value::Bytes(bytes) => bytes,
        Value::Text(text) => text.into_bytes(),
        _ => return Err("not JSON"),
    };
    if bytes.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice::<Option<T>>(&bytes)
        .map(Option::unwrap_or_default)
        .map_err(|_| "not the expected JSON")
}
