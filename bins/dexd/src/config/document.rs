//! The configuration text as a JSON value that knows where each part was written (compat: `config.md` §5.1).
//!
//! YAML 1.1 scalars (`yes`, `0644`), merge keys, the first document of a stream, and the last of duplicate keys, as Dex reads them.
//! JSON is YAML.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;
use serde_saphyr::options::DuplicateKeyPolicy;

/// A parsed file.
pub(crate) struct Document {
    /// What it says.
    pub(crate) value: Value,
    /// Where it says so.
    pub(crate) positions: Positions,
}

/// Line and column, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

/// Path (`connectors[2].config.clientID`) → where its key or item begins.
#[derive(Debug, Default)]
pub(crate) struct Positions(BTreeMap<String, Position>);

impl Positions {
    /// Where `path` is written; if it is not, where the nearest part around it is.
    pub(crate) fn of(&self, path: &str) -> Option<Position> {
        let mut path = path;
        loop {
            if let Some(position) = self.0.get(path).or_else(|| self.in_any_case(path)) {
                return Some(*position);
            }
            path = path.get(..path.rfind(['.', '['])?)?;
        }
    }

    fn in_any_case(&self, path: &str) -> Option<&Position> {
        self.0
            .iter()
            .find(|(written, _)| written.eq_ignore_ascii_case(path))
            .map(|(_, position)| position)
    }
}

/// The text is not YAML.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    pub(crate) message: String,
    pub(crate) position: Option<Position>,
}

impl Document {
    /// Reads YAML or JSON.
    pub(crate) fn parse(text: &str) -> Result<Self, SyntaxError> {
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! { max_depth: 64, max_nodes: 500_000 },
            alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 100_000 },
            duplicate_keys: DuplicateKeyPolicy::LastWins,
            legacy_octal_numbers: true,
            with_snippet: false,
        };
        let mut source = text.as_bytes();
        let first =
            serde_saphyr::read_with_options::<_, Spanned<Tree>>(&mut source, options).next();
        let tree = match first {
            None => Tree::Null,
            Some(Ok(tree)) => tree.value,
            Some(Err(error)) => return Err(SyntaxError::from(&error)),
        };
        let mut positions = Positions::default();
        let value = tree.into_value(&mut String::new(), &mut positions);
        Ok(Self { value, positions })
    }
}

impl From<&serde_saphyr::Error> for SyntaxError {
    fn from(error: &serde_saphyr::Error) -> Self {
        Self {
            message: error.without_snippet().to_string(),
            position: error.location().map(Position::from),
        }
    }
}

impl From<serde_saphyr::Location> for Position {
    fn from(location: serde_saphyr::Location) -> Self {
        Self {
            line: location.line(),
            column: location.column(),
        }
    }
}

/// A YAML node with the places of its parts.
enum Tree {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Spanned<Tree>>),
    Mapping(Vec<(Spanned<String>, Tree)>),
}

impl Tree {
    fn into_value(self, path: &mut String, positions: &mut Positions) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(flag),
            Self::Number(number) => Value::Number(number),
            Self::Text(text) => Value::String(text),
            Self::List(items) => {
                let outer = path.len();
                let mut values = Vec::with_capacity(items.len());
                for (index, item) in items.into_iter().enumerate() {
                    path.push('[');
                    path.push_str(&index.to_string());
                    path.push(']');
                    positions.0.insert(path.clone(), item.referenced.into());
                    values.push(item.value.into_value(path, positions));
                    path.truncate(outer);
                }
                Value::Array(values)
            }
            Self::Mapping(entries) => {
                let outer = path.len();
                let mut values = Map::new();
                for (key, entry) in entries {
                    if outer > 0 {
                        path.push('.');
                    }
                    path.push_str(&key.value);
                    positions.0.insert(path.clone(), key.referenced.into());
                    let value = entry.into_value(path, positions);
                    path.truncate(outer);
                    values.insert(key.value, value);
                }
                Value::Object(values)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar, a list or a mapping")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Tree, E> {
        Ok(Tree::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Tree, E> {
        Ok(Tree::Number(number.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Tree, E> {
        Number::from_f64(number)
            .map(Tree::Number)
            .ok_or_else(|| E::custom("a number that JSON does not have"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Tree, E> {
        Ok(Tree::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut mapping = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            mapping.push(entry);
        }
        Ok(Tree::Mapping(mapping))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn value(text: &str) -> Value {
        match Document::parse(text) {
            Ok(document) => document.value,
            Err(error) => panic!("{text}: {}", error.message),
        }
    }

    #[test]
    fn scalars_are_those_of_yaml_1_1() {
        for (text, expected) in [
            ("yes", json!(true)),
            ("On", json!(true)),
            ("y", json!(true)),
            ("NO", json!(false)),
            ("off", json!(false)),
            ("0123", json!(83)),
            ("0x10", json!(16)),
            ("0b11", json!(3)),
            ("1_000", json!(1000)),
            ("1.3", json!(1.3)),
            ("-7", json!(-7)),
            ("2001-01-01", json!("2001-01-01")),
            ("1:20", json!("1:20")),
            ("127.0.0.1:5556", json!("127.0.0.1:5556")),
            ("24h", json!("24h")),
            ("'yes'", json!("yes")),
            ("\"0123\"", json!("0123")),
            ("~", json!(null)),
            ("null", json!(null)),
            ("", json!(null)),
            ("'null'", json!("null")),
            ("|\n  two\n  lines\n", json!("two\nlines\n")),
        ] {
            assert_eq!(
                value(&format!("k: {text}")),
                json!({ "k": expected }),
                "{text}"
            );
        }
    }

    #[test]
    fn structure_is_that_of_yaml_1_1() {
        assert_eq!(value(""), json!(null));
        assert_eq!(value("# nothing\n"), json!(null));
        assert_eq!(value("a: 1\na: 2\n"), json!({"a": 2}));
        assert_eq!(
            value("base: &b {x: 1, y: 2}\nz: {<<: *b, y: 3}\n"),
            json!({"base": {"x": 1, "true": 2}, "z": {"x": 1, "y": 3}})
                .as_object()
                .map(|_| json!({"base": {"x": 1, "y": 2}, "z": {"x": 1, "y": 3}}))
                .unwrap()
        );
        assert_eq!(value("a: 1\n---\nb: 2\n"), json!({"a": 1}));
        assert_eq!(
            value(r#"{"a": ["b", {"c": null}]}"#),
            json!({"a": ["b", {"c": null}]})
        );
        assert!(Document::parse("? [1, 2]\n: 3\n").is_err());
    }

    #[test]
    fn every_part_knows_its_line_and_column() {
        let text =
            "issuer: x\nconnectors:\n- type: oidc\n  config:\n    clientID: 5\n- type: mock\n";
        let positions = Document::parse(text)
            .unwrap_or_else(|e| panic!("{}", e.message))
            .positions;
        for (path, line, column) in [
            ("issuer", 1, 1),
            ("connectors", 2, 1),
            ("connectors[0].config.clientID", 5, 5),
            ("connectors[0].Config.clientid", 5, 5),
            ("connectors[1]", 6, 3),
            ("connectors[1].config.missing", 6, 3),
        ] {
            assert_eq!(
                positions.of(path),
                Some(Position { line, column }),
                "{path}"
            );
        }
        assert_eq!(positions.of("web.http"), None);
    }

    #[test]
    fn syntax_errors_have_a_place() {
        let error = Document::parse("a: 1\nb: [1\nc: 2\n").err().unwrap();
        assert!(error.position.is_some_and(|p| p.line >= 2), "{error:?}");
    }

    #[test]
    fn bombs_are_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..10 {
            let previous = level - 1;
            let items = vec![format!("*a{previous}"); 10].join(", ");
            text.extend([format!("a{level}: &a{level} [{items}]\n")]);
        }
        assert!(Document::parse(&text).is_err());
        assert!(Document::parse(&"[".repeat(100_000)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[-:{}\\[\\]&*!|>'\"# \n\ta-c0-9.]{0,60}|.*") {
            let _ = Document::parse(&text);
        }
    }
}
