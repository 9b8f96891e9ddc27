//! Configuration values: any JSON is a configuration or a fault with a path.
#![no_main]

use std::collections::BTreeMap;

use dex_core::lenient::{UnknownKeys, from_json};
use libfuzzer_sys::fuzz_target;
use serde::Deserialize;

/// Every shape that occurs in the configuration.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
#[expect(dead_code, reason = "only reading is tried")]
struct Config {
    issuer: String,
    enabled: bool,
    port: u16,
    count: i64,
    maybe: Option<String>,
    list: Vec<String>,
    nested: Vec<Config>,
    extra: BTreeMap<String, String>,
    any: serde_json::Value,
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes) else {
        return;
    };
    let lenient = from_json::<Config>(value.clone(), UnknownKeys::Ignore);
    let strict = from_json::<Config>(value, UnknownKeys::Refuse);
    for fault in [lenient.as_ref().err(), strict.as_ref().err()]
        .into_iter()
        .flatten()
    {
        let _ = (fault.to_string(), fault.path());
    }
    assert!(
        lenient.is_ok() || strict.is_err(),
        "strict is never the milder one"
    );
});
