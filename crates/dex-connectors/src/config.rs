//! Reading a connector's configuration the way Dex does: keys match without regard to case, `null` is the default.

use dex_core::lenient;
#[cfg(any(feature = "mock", feature = "oidc"))]
use dex_core::records::SecretText;
use serde::de::DeserializeOwned;
#[cfg(any(feature = "mock", feature = "oidc"))]
use serde::de::{Deserialize, Deserializer};
use serde_json::Value;

use crate::ConnectorError;

pub use lenient::UnknownKeys;

/// A typed configuration from JSON. `null` stands for an empty one.
pub(crate) fn parse<T: DeserializeOwned>(
    config: Value,
    unknown_keys: UnknownKeys,
) -> Result<T, ConnectorError> {
    let config = match config {
        Value::Null => Value::Object(serde_json::Map::new()),
        other => other,
    };
    lenient::from_json(config, unknown_keys)
        .map_err(|error| ConnectorError::Config(format!("parse connector config: {error}")))
}

/// Reads a secret without ever holding it in a type that shows it. `null` is the empty one.
#[cfg(any(feature = "mock", feature = "oidc"))]
pub(crate) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretText, D::Error> {
    Option::<String>::deserialize(deserializer)
        .map(|text| SecretText::from(text.unwrap_or_default()))
}
