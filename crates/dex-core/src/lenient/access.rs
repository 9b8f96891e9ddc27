//! serde's side: one node of the value, its objects as maps or structs, its arrays as sequences.

use std::collections::BTreeMap;

use serde::de::value::{MapDeserializer, SeqDeserializer, StrDeserializer, StringDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde_json::{Number, Value};

use super::{Error, Problem, Segment, UnknownKeys};

/// A value together with the rule for unknown keys.
pub(super) struct Node {
    value: Value,
    unknown: UnknownKeys,
}

impl Node {
    pub(super) fn new(value: Value, unknown: UnknownKeys) -> Self {
        Self { value, unknown }
    }

    fn mismatch(&self, wanted: &str) -> Error {
        Error::mismatch(kind(&self.value), wanted)
    }

    fn integer<'de, V: Visitor<'de>>(self, wanted: &str, visitor: V) -> Result<V::Value, Error> {
        match &self.value {
            Value::Null => visitor.visit_u64(0),
            Value::Number(number) => match integer_of(number) {
                Some(Integer::Unsigned(number)) => visitor.visit_u64(number),
                Some(Integer::Signed(number)) => visitor.visit_i64(number),
                None => Err(Error::mismatch(format!("number {number}"), wanted)),
            },
            _ => Err(self.mismatch(wanted)),
        }
        .map_err(|error| naming(error, wanted))
    }
}

enum Integer {
    Unsigned(u64),
    Signed(i64),
}

/// A whole number; `10.0` counts, since YAML's number becomes JSON's `10`.
fn integer_of(number: &Number) -> Option<Integer> {
    if let Some(number) = number.as_u64() {
        return Some(Integer::Unsigned(number));
    }
    if let Some(number) = number.as_i64() {
        return Some(Integer::Signed(number));
    }
    let float = number.as_f64()?;
    if float.fract() != 0.0 || float.abs() > 9_007_199_254_740_992.0 {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole and within 53 bits, checked above"
    )]
    let whole = float as i64;
    Some(u64::try_from(whole).map_or(Integer::Signed(whole), Integer::Unsigned))
}

/// Puts Go's name for the wanted type in place of serde's.
fn naming(mut error: Error, wanted_type: &str) -> Error {
    if let Problem::Type { wanted, .. } = &mut error.problem {
        wanted_type.clone_into(wanted);
    }
    error
}

/// How Go names a value's kind in "cannot unmarshal".
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

macro_rules! integers {
    ($($method:ident $wanted:literal)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.integer($wanted, visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Node {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(flag),
            Value::String(text) => visitor.visit_string(text),
            Value::Number(number) => {
                if let Some(number) = number.as_u64() {
                    visitor.visit_u64(number)
                } else if let Some(number) = number.as_i64() {
                    visitor.visit_i64(number)
                } else {
                    visitor.visit_f64(number.as_f64().unwrap_or_default())
                }
            }
            Value::Array(items) => visitor.visit_seq(Items::new(items, self.unknown)),
            Value::Object(entries) => visitor.visit_map(Entries::all(entries, self.unknown)),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_bool(false),
            Value::Bool(flag) => visitor.visit_bool(flag),
            _ => Err(self.mismatch("bool")),
        }
    }

    integers! {
        deserialize_i8 "int8" deserialize_i16 "int16" deserialize_i32 "int" deserialize_i64 "int" deserialize_i128 "int"
        deserialize_u8 "uint8" deserialize_u16 "uint16" deserialize_u32 "uint32" deserialize_u64 "uint" deserialize_u128 "uint"
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.value {
            Value::Null => visitor.visit_f64(0.0),
            Value::Number(number) => visitor.visit_f64(number.as_f64().unwrap_or_default()),
            _ => Err(self.mismatch("float64")),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_string(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_str(""),
            Value::String(text) => visitor.visit_string(text),
            _ => Err(self.mismatch("string")),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_string(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_string(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_any(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Object(entries) => match (self.unknown, entries.keys().next()) {
                (UnknownKeys::Refuse, Some(key)) => Err(Error::unknown(key)),
                _ => visitor.visit_unit(),
            },
            _ => Err(self.mismatch(name)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_seq(SeqDeserializer::new(std::iter::empty::<()>())),
            Value::Array(items) => visitor.visit_seq(Items::new(items, self.unknown)),
            _ => Err(self.mismatch("list")),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_map(MapDeserializer::new(std::iter::empty::<((), ())>())),
            Value::Object(entries) => visitor.visit_map(Entries::all(entries, self.unknown)),
            _ => Err(self.mismatch("map")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let entries = match self.value {
            Value::Null => Entries::default(),
            Value::Object(entries) => Entries::of_struct(entries, fields, self.unknown)
                .map_err(|error| error.in_struct(name))?,
            _ => return Err(self.mismatch(name)),
        };
        visitor
            .visit_map(entries)
            .map_err(|error| error.in_struct(name))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let (variant, content) = match self.value {
            Value::String(variant) => (variant, None),
            Value::Object(entries) if entries.len() == 1 => match entries.into_iter().next() {
                Some((variant, content)) => (variant, Some(content)),
                None => return Err(Error::mismatch("object", name)),
            },
            _ => return Err(self.mismatch(name)),
        };
        if !variants.contains(&variant.as_str()) {
            return Err(Error::new(Problem::Other(format!(
                "unknown value {}, want one of {}",
                crate::go_quote::quote(&variant),
                variants.join(", ")
            ))));
        }
        visitor.visit_enum(Choice {
            variant,
            content: content.map(|content| Node::new(content, self.unknown)),
        })
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_string(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

/// The items of an array.
struct Items {
    items: std::iter::Enumerate<std::vec::IntoIter<Value>>,
    unknown: UnknownKeys,
}

impl Items {
    fn new(items: Vec<Value>, unknown: UnknownKeys) -> Self {
        Self {
            items: items.into_iter().enumerate(),
            unknown,
        }
    }
}

impl<'de> SeqAccess<'de> for Items {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        let Some((index, item)) = self.items.next() else {
            return Ok(None);
        };
        seed.deserialize(Node::new(item, self.unknown))
            .map(Some)
            .map_err(|error| error.within(Segment::Index(index)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// An entry: what its key is called and what it holds.
struct Entry {
    written: String,
    field: Option<&'static str>,
    value: Value,
}

/// The entries of an object.
#[derive(Default)]
struct Entries {
    rest: std::vec::IntoIter<Entry>,
    pending: Option<Entry>,
    unknown: UnknownKeys,
}

impl Entries {
    fn all(entries: serde_json::Map<String, Value>, unknown: UnknownKeys) -> Self {
        let entries: Vec<_> = entries
            .into_iter()
            .map(|(written, value)| Entry {
                written,
                field: None,
                value,
            })
            .collect();
        Self {
            rest: entries.into_iter(),
            pending: None,
            unknown,
        }
    }

    /// The entries that belong to `fields`, one each, without those that are null.
    fn of_struct(
        entries: serde_json::Map<String, Value>,
        fields: &'static [&'static str],
        unknown: UnknownKeys,
    ) -> Result<Self, Error> {
        // Sorted by key, so that the last spelling wins.
        let sorted: BTreeMap<String, Value> = entries.into_iter().collect();
        let mut chosen: BTreeMap<&'static str, Entry> = BTreeMap::new();
        for (written, value) in sorted {
            match field_named(&written, fields) {
                // Null says nothing: it neither sets the field nor undoes another spelling.
                Some(_) if value.is_null() => {}
                Some(field) => {
                    chosen.insert(
                        field,
                        Entry {
                            written,
                            field: Some(field),
                            value,
                        },
                    );
                }
                None if unknown == UnknownKeys::Refuse => return Err(Error::unknown(&written)),
                None => {}
            }
        }
        let entries: Vec<_> = chosen.into_values().collect();
        Ok(Self {
            rest: entries.into_iter(),
            pending: None,
            unknown,
        })
    }
}

fn field_named(key: &str, fields: &'static [&'static str]) -> Option<&'static str> {
    fields
        .iter()
        .find(|field| **field == key)
        .or_else(|| fields.iter().find(|field| field.eq_ignore_ascii_case(key)))
        .copied()
}

impl<'de> MapAccess<'de> for Entries {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some(entry) = self.rest.next() else {
            return Ok(None);
        };
        let key = match entry.field {
            Some(field) => seed.deserialize(StrDeserializer::<Error>::new(field))?,
            None => seed.deserialize(StringDeserializer::<Error>::new(entry.written.clone()))?,
        };
        self.pending = Some(entry);
        Ok(Some(key))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let Some(Entry {
            written,
            field,
            value,
        }) = self.pending.take()
        else {
            return Err(Error::new(Problem::Other(
                "json: a value was asked for before its key".to_owned(),
            )));
        };
        seed.deserialize(Node::new(value, self.unknown))
            .map_err(|error| {
                error.within(match field {
                    Some(field) => Segment::Key { written, field },
                    None => Segment::MapKey(written),
                })
            })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// One variant of an enum, with its content if it has one.
struct Choice {
    variant: String,
    content: Option<Node>,
}

impl<'de> EnumAccess<'de> for Choice {
    type Error = Error;
    type Variant = Content;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Content), Error> {
        let variant = seed.deserialize(StringDeserializer::<Error>::new(self.variant))?;
        Ok((variant, Content(self.content)))
    }
}

struct Content(Option<Node>);

impl Content {
    fn node(self) -> Result<Node, Error> {
        self.0.ok_or_else(|| Error::mismatch("string", "object"))
    }
}

impl<'de> VariantAccess<'de> for Content {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.0 {
            None => Ok(()),
            Some(node) if node.value.is_null() => Ok(()),
            Some(node) => Err(node.mismatch("null")),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.node()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.node()?.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.node()?.deserialize_struct("", fields, visitor)
    }
}
