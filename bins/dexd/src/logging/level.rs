//! Log levels as numbers with names, as Go's `slog` has them.

use std::fmt;
use std::str::FromStr;

use dex_core::go_quote::quote;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A level: DEBUG is -4, INFO 0, WARN 4, ERROR 8, others lie between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Level(i32);

impl Level {
    const DEBUG: Self = Self(-4);
    pub(crate) const INFO: Self = Self(0);
    pub(crate) const WARN: Self = Self(4);
    const ERROR: Self = Self(8);
}

impl From<tracing::Level> for Level {
    fn from(level: tracing::Level) -> Self {
        match level {
            tracing::Level::ERROR => Self::ERROR,
            tracing::Level::WARN => Self::WARN,
            tracing::Level::INFO => Self::INFO,
            tracing::Level::DEBUG => Self::DEBUG,
            tracing::Level::TRACE => Self(-8),
        }
    }
}

/// A name, with an offset if the level lies between two: `INFO+2`.
impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, base) = match self.0 {
            ..0 => ("DEBUG", Self::DEBUG),
            0..4 => ("INFO", Self::INFO),
            4..8 => ("WARN", Self::WARN),
            8.. => ("ERROR", Self::ERROR),
        };
        match self.0 - base.0 {
            0 => f.write_str(name),
            offset => write!(f, "{name}{offset:+}"),
        }
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let split = text.find(['+', '-']).unwrap_or(text.len());
        let (name, offset) = text.split_at(split);
        let base = [
            ("DEBUG", Self::DEBUG),
            ("INFO", Self::INFO),
            ("WARN", Self::WARN),
            ("ERROR", Self::ERROR),
        ]
        .into_iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, base)| base)
        .ok_or_else(|| format!("slog: level string {}: unknown name", quote(text)))?;
        if offset.is_empty() {
            return Ok(base);
        }
        offset
            .parse::<i32>()
            .ok()
            .and_then(|offset| base.0.checked_add(offset))
            .map(Self)
            .ok_or_else(|| {
                format!(
                    "slog: level string {}: strconv.Atoi: parsing {}: invalid syntax",
                    quote(text),
                    quote(offset)
                )
            })
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_parse_in_any_case_and_with_offsets() {
        for (text, printed) in [
            ("info", "INFO"),
            ("Debug", "DEBUG"),
            ("WARN", "WARN"),
            ("error", "ERROR"),
            ("INFO+2", "INFO+2"),
            ("debug-4", "DEBUG-4"),
            ("info+4", "WARN"),
            ("error+100", "ERROR+100"),
        ] {
            assert_eq!(text.parse::<Level>().unwrap().to_string(), printed);
        }
    }

    #[test]
    fn other_names_are_refused() {
        for (text, message) in [
            ("warning", r#"slog: level string "warning": unknown name"#),
            ("fatal", r#"slog: level string "fatal": unknown name"#),
            ("", r#"slog: level string "": unknown name"#),
            (
                "INFO+x",
                r#"slog: level string "INFO+x": strconv.Atoi: parsing "+x": invalid syntax"#,
            ),
        ] {
            assert_eq!(text.parse::<Level>().unwrap_err(), message);
        }
    }
}
