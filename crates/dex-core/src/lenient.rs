//! Reading JSON values into structs with the leniency of Dex's configuration (compat: `config.md` §5.2).
//!
//! Keys match fields whatever their letter case, `null` means "not given", unknown keys are ignored or refused as the caller says,
//! and every error knows the path of the value it is about. Otherwise types are strict: a number is not a string, a quoted
//! `"true"` is not a boolean.

mod access;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::de::{DeserializeOwned, Expected, Unexpected};
use serde_json::Value;

use access::Node;

/// Reads `value` into a `T`.
///
/// Struct fields are matched by exact name, else without regard to ASCII letter case; of two keys for one field the one that sorts
/// last in byte order wins. `null` leaves a field at its default (give the struct `#[serde(default)]`). Values nested deeper than
/// [`MAX_DEPTH`] or made of more than [`MAX_NODES`] parts are refused.
///
/// # Errors
/// The first value that does not fit, with its path.
pub fn from_json<T: DeserializeOwned>(value: Value, unknown: UnknownKeys) -> Result<T, Error> {
    check_bounds(&value)?;
    T::deserialize(Node::new(value, unknown))
}

/// Reads `value` into a `T`, going on after each error as if the faulty value had not been given, so that all of them are found.
/// `None` when what is left makes no `T`.
pub fn from_json_with_all_errors<T: DeserializeOwned>(
    mut value: Value,
    unknown: UnknownKeys,
) -> (Option<T>, Vec<Error>) {
    let mut errors = Vec::new();
    loop {
        match from_json(value.clone(), unknown) {
            Ok(read) => return (Some(read), errors),
            Err(error) => {
                let removed = errors.len() < MAX_ERRORS && error.remove_from(&mut value);
                errors.push(error);
                if !removed {
                    return (None, errors);
                }
            }
        }
    }
}

/// What to do with keys that no field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum UnknownKeys {
    /// Skip them, as Dex does by default.
    #[default]
    Ignore,
    /// Fail with `json: unknown field "x"`.
    Refuse,
}

/// How deep a value may be nested.
pub const MAX_DEPTH: usize = 64;

/// How many errors are collected at most.
pub const MAX_ERRORS: usize = 100;

/// Of how many parts (scalars, lists, objects) a value may consist.
pub const MAX_NODES: usize = 1_000_000;

/// A value that does not fit. Displays as Go's JSON decoder would say it; [`path`](Self::path) says where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    problem: Problem,
    /// Innermost first.
    path: Vec<Segment>,
    /// The outermost struct the value is part of.
    root: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Problem {
    /// A value of one kind where another is needed.
    Type {
        found: String,
        wanted: String,
    },
    UnknownKey(String),
    Other(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    /// A key as written, and the field it stands for.
    Key {
        written: String,
        field: &'static str,
    },
    /// A key of a map.
    MapKey(String),
    Index(usize),
}

impl Error {
    /// Where the value is: `connectors[2].config.clientID`, with the keys as the document writes them. Empty for the whole document.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for segment in self.path.iter().rev() {
            match segment {
                Segment::Key { written, .. } | Segment::MapKey(written) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(written);
                }
                Segment::Index(index) => {
                    path.push('[');
                    path.push_str(&index.to_string());
                    path.push(']');
                }
            }
        }
        path
    }

    /// The unknown key, if that is the error.
    pub fn unknown_key(&self) -> Option<&str> {
        match &self.problem {
            Problem::UnknownKey(key) => Some(key),
            _ => None,
        }
    }

    /// Takes the value this error is about out of the whole; `false` if there is nothing left to take.
    fn remove_from(&self, whole: &mut Value) -> bool {
        let Some((last, outer)) = self.path.split_first() else {
            return false;
        };
        let mut value = whole;
        for segment in outer.iter().rev() {
            let inner = match segment {
                Segment::Key { written, .. } | Segment::MapKey(written) => value.get_mut(written),
                Segment::Index(index) => value.get_mut(index),
            };
            let Some(inner) = inner else { return false };
            value = inner;
        }
        match (last, value) {
            (Segment::Key { written, .. } | Segment::MapKey(written), Value::Object(entries)) => {
                entries.remove(written).is_some()
            }
            // Items keep their places: null stands for "not given".
            (Segment::Index(index), Value::Array(items)) => items
                .get_mut(*index)
                .is_some_and(|item| !std::mem::take(item).is_null()),
            _ => false,
        }
    }

    fn new(problem: Problem) -> Self {
        Self {
            problem,
            path: Vec::new(),
            root: None,
        }
    }

    fn mismatch(found: impl Into<String>, wanted: impl Into<String>) -> Self {
        Self::new(Problem::Type {
            found: found.into(),
            wanted: wanted.into(),
        })
    }

    fn unknown(key: &str) -> Self {
        let mut error = Self::new(Problem::UnknownKey(key.to_owned()));
        error.path.push(Segment::MapKey(key.to_owned()));
        error
    }

    fn within(mut self, segment: Segment) -> Self {
        self.path.push(segment);
        self
    }

    fn in_struct(mut self, name: &'static str) -> Self {
        self.root = Some(name);
        self
    }

    /// `Struct.field.field`, as Go names the place: fields by their own names, without indices.
    fn go_place(&self) -> Option<String> {
        let mut place = self.root?.to_owned();
        let mut any = false;
        for segment in self.path.iter().rev() {
            if let Segment::Key { field, .. } = segment {
                place.push('.');
                place.push_str(field);
                any = true;
            }
        }
        any.then_some(place)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            Problem::Type { found, wanted } => match self.go_place() {
                Some(place) => write!(
                    f,
                    "json: cannot unmarshal {found} into Go struct field {place} of type {wanted}"
                ),
                None => write!(
                    f,
                    "json: cannot unmarshal {found} into Go value of type {wanted}"
                ),
            },
            Problem::UnknownKey(key) => {
                write!(f, "json: unknown field {}", crate::go_quote::quote(key))
            }
            Problem::Other(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Problem::Other(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::mismatch(kind_of_unexpected(found), wanted.to_string())
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        match found {
            Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => {
                Self::mismatch(kind_of_unexpected(found), wanted.to_string())
            }
            // The value itself may be a secret: say what is wanted only.
            _ => Self::custom(format_args!("invalid value, expected {wanted}")),
        }
    }

    fn unknown_field(field: &str, _fields: &'static [&'static str]) -> Self {
        Self::unknown(field)
    }
}

/// Names a kind of value as Go does; a number with its digits, other values without.
fn kind_of_unexpected(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(_) => "bool".to_owned(),
        Unexpected::Unsigned(number) => format!("number {number}"),
        Unexpected::Signed(number) => format!("number {number}"),
        Unexpected::Float(number) => format!("number {number}"),
        Unexpected::Char(_) | Unexpected::Str(_) | Unexpected::Bytes(_) => "string".to_owned(),
        Unexpected::Seq => "array".to_owned(),
        Unexpected::Map => "object".to_owned(),
        Unexpected::Unit | Unexpected::Option => "null".to_owned(),
        other => other.to_string(),
    }
}

/// Refuses values that would cost too much to look at. Walks without recursion.
fn check_bounds(value: &Value) -> Result<(), Error> {
    let mut pending = vec![(value, 0_usize)];
    let mut nodes = 0_usize;
    while let Some((value, depth)) = pending.pop() {
        nodes += 1;
        if depth > MAX_DEPTH {
            return Err(Error::new(Problem::Other(
                "json: exceeded max depth".into(),
            )));
        }
        if nodes > MAX_NODES {
            return Err(Error::new(Problem::Other(
                "json: document too large".into(),
            )));
        }
        match value {
            Value::Array(items) => pending.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(entries) => {
                pending.extend(entries.values().map(|entry| (entry, depth + 1)));
            }
            _ => {}
        }
    }
    Ok(())
}
