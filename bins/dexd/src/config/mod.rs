//! The configuration: text → plain structs ([`raw`]) → typed [`Settings`], with all faults listed (compat: `config.md` §4 to §7).

mod document;
mod entries;
mod expand;
mod fault;
mod raw;
mod resolve;
mod settings;
#[cfg(test)]
mod tests;
mod unsupported;
mod web;

use std::fmt;

use serde_json::{Map, Value};

use crate::flags::Environment;
use document::{Document, Position, Positions};
use fault::Faults;

pub(crate) use crate::logging::Level;
pub(crate) use settings::{
    HttpsSettings, LoggerSettings, Settings, SigningAlgorithm, StorageSettings, TlsVersion,
};

/// What the command line says in place of the file (compat: `config.md` §1.3). Empty: nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides {
    pub(crate) web_http: String,
    pub(crate) web_https: String,
    pub(crate) telemetry: String,
    pub(crate) grpc: String,
}

/// Reads a file, resolves it and says everything that is wrong with it.
pub(crate) fn load(
    file: &str,
    overrides: &Overrides,
    environment: &Environment,
) -> Result<Settings, LoadError> {
    let text = std::fs::read(file).map_err(|error| LoadError::Read {
        file: file.to_owned(),
        reason: format!("open {file}: {}", os_error(&error)),
    })?;
    parse(
        file,
        &String::from_utf8_lossy(&text),
        overrides,
        environment,
    )
}

/// Resolves a configuration text.
pub(crate) fn parse(
    file: &str,
    text: &str,
    overrides: &Overrides,
    environment: &Environment,
) -> Result<Settings, LoadError> {
    let document = Document::parse(text).map_err(|error| LoadError::Syntax {
        file: file.to_owned(),
        message: error.message,
        position: error.position,
    })?;
    // An empty file is a valid empty configuration, which then fails validation.
    let value = match document.value {
        Value::Null => Value::Object(Map::new()),
        value => value,
    };
    resolve::resolve(value, overrides, environment).map_err(|faults| LoadError::Faults {
        file: file.to_owned(),
        faults,
        positions: document.positions,
    })
}

/// Why there are no settings.
#[derive(Debug)]
pub(crate) enum LoadError {
    Read {
        file: String,
        reason: String,
    },
    Syntax {
        file: String,
        message: String,
        position: Option<Position>,
    },
    Faults {
        file: String,
        faults: Faults,
        positions: Positions,
    },
}

impl LoadError {
    /// One line per fault, each with its place: what `check` prints.
    pub(crate) fn for_check(&self) -> String {
        match self {
            Self::Read { .. } => format!("{self}\n"),
            Self::Syntax {
                file,
                message,
                position,
            } => {
                let message = message.lines().next().unwrap_or_default();
                match position {
                    Some(Position { line, column }) => {
                        format!("{file}:{line}:{column}: {message}\n")
                    }
                    None => format!("{file}: {message}\n"),
                }
            }
            Self::Faults {
                file,
                faults,
                positions,
            } => faults.for_check(file, positions),
        }
    }
}

/// The words of Dex: what `serve` prints.
impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { file, reason } => write!(f, "failed to read config file {file}: {reason}"),
            Self::Syntax { file, message, .. } => {
                let message = message.lines().next().unwrap_or_default();
                write!(f, "error parse config file {file}: {message}")
            }
            Self::Faults {
                file,
                faults,
                positions,
            } => f.write_str(&faults.for_serve(file, positions)),
        }
    }
}

impl std::error::Error for LoadError {}

/// An operating system error in the words of Go: lower case, without the number.
pub(crate) fn os_error(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}
