//! One record as one line: `time=… level=INFO msg="…" key=value`, or a JSON object.

use std::fmt;

use dex_core::Timestamp;
use dex_core::go_duration;
use dex_core::go_quote::{is_printable, quote};
use serde_json::{Map, json};

use super::Level;

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}

impl Format {
    /// A name in any letter case; nothing means text.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "" | "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    /// A record as a line, line end included.
    pub(super) fn line(
        self,
        at: Timestamp,
        level: Level,
        message: &str,
        fields: &[(String, Value)],
    ) -> String {
        match self {
            Self::Text => text_line(at, level, message, fields),
            Self::Json => json_line(at, level, message, fields),
        }
    }
}

/// A field's value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(flag) => flag.fmt(f),
            Self::Signed(number) => number.fmt(f),
            Self::Unsigned(number) => number.fmt(f),
            Self::Float(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

fn text_line(at: Timestamp, level: Level, message: &str, fields: &[(String, Value)]) -> String {
    let time = at
        .to_datetime()
        .format("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string();
    let mut line = format!("time={time} level={level} msg=");
    push_text(&mut line, message);
    for (key, value) in fields {
        line.push(' ');
        push_text(&mut line, key);
        line.push('=');
        match value {
            Value::Unsigned(nanos) if is_duration(key) => {
                line.push_str(&go_duration::format(std::time::Duration::from_nanos(
                    *nanos,
                )));
            }
            value => push_text(&mut line, &value.to_string()),
        }
    }
    line.push('\n');
    line
}

/// Fields that count nanoseconds: JSON has the number, text the duration.
fn is_duration(key: &str) -> bool {
    matches!(
        key,
        "valid_for"
            | "keys_rotation_period"
            | "valid_if_not_used_for"
            | "absolute_lifetime"
            | "reuse_interval"
    )
}

fn push_text(line: &mut String, text: &str) {
    let plain = !text.is_empty()
        && text.chars().all(|c| {
            !matches!(c, ' ' | '=' | '"') && is_printable(c) && (c.is_ascii() || !c.is_whitespace())
        });
    if plain {
        line.push_str(text);
    } else {
        line.push_str(&quote(text));
    }
}

fn json_line(at: Timestamp, level: Level, message: &str, fields: &[(String, Value)]) -> String {
    let mut record = Map::new();
    record.insert("time".to_owned(), json!(at));
    record.insert("level".to_owned(), json!(level.to_string()));
    record.insert("msg".to_owned(), json!(message));
    for (key, value) in fields {
        let value = match value {
            Value::Bool(flag) => json!(flag),
            Value::Signed(number) => json!(number),
            Value::Unsigned(number) => json!(number),
            Value::Float(number) => json!(number),
            Value::Text(text) => json!(text),
        };
        insert(&mut record, key, value);
    }
    let mut line = serde_json::Value::Object(record).to_string();
    line.push('\n');
    line
}

/// Puts `a.b` into the object `a`.
fn insert(record: &mut Map<String, serde_json::Value>, key: &str, value: serde_json::Value) {
    if let Some((group, rest)) = key.split_once('.')
        && let serde_json::Value::Object(inner) = record
            .entry(group)
            .or_insert_with(|| serde_json::Value::Object(Map::new()))
    {
        insert(inner, rest, value);
        return;
    }
    record.insert(key.to_owned(), value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Vec<(String, Value)> {
        [
            ("dex_version", Value::Text("v1".into())),
            ("go.os", Value::Text("linux".into())),
            ("go.arch", Value::Text("amd64".into())),
            ("valid_for", Value::Unsigned(86_400_000_000_000)),
            ("count", Value::Unsigned(3)),
            ("ok", Value::Bool(true)),
            ("err", Value::Text("a \"b\"\n".into())),
            ("empty", Value::Text(String::new())),
            ("path", Value::Text(r"a\b".into())),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
    }

    #[test]
    fn text_is_that_of_slog() {
        let at = Timestamp::from_unix(1_786_017_600, 120_400_000).unwrap();
        assert_eq!(
            Format::Text.line(at, Level::INFO, "two words", &fields()),
            concat!(
                "time=2026-08-06T12:00:00.120Z level=INFO msg=\"two words\" dex_version=v1 go.os=linux go.arch=amd64 ",
                "valid_for=24h0m0s count=3 ok=true err=\"a \\\"b\\\"\\n\" empty=\"\" path=a\\b\n"
            )
        );
    }

    #[test]
    fn json_nests_groups_and_counts_nanoseconds() {
        let at = Timestamp::from_unix(1_786_017_600, 120_400_000).unwrap();
        let line = Format::Json.line(at, Level::WARN, "two words", &fields());
        assert!(line.ends_with("}\n"));
        let record: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            record,
            json!({
                "time": "2026-08-06T12:00:00.1204Z", "level": "WARN", "msg": "two words", "dex_version": "v1",
                "go": {"os": "linux", "arch": "amd64"}, "valid_for": 86_400_000_000_000_u64, "count": 3, "ok": true,
                "err": "a \"b\"\n", "empty": "", "path": "a\\b",
            })
        );
    }
}
