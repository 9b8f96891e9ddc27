use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Config {
    issuer: String,
    web: Web,
    connectors: Vec<Connector>,
    #[serde(rename = "enablePasswordDB")]
    enable_password_db: bool,
    port: u16,
    remember: Option<bool>,
    extra: BTreeMap<String, String>,
    raw: Value,
    mode: Mode,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Web {
    http: String,
    https: String,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
struct Connector {
    id: String,
    config: Oidc,
    enabled: bool,
}

impl Default for Connector {
    fn default() -> Self {
        Self {
            id: String::new(),
            config: Oidc::default(),
            enabled: true,
        }
    }
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Oidc {
    #[serde(rename = "clientID")]
    client_id: String,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
enum Mode {
    #[default]
    Fast,
    Slow(u8),
}

fn read(value: Value) -> Result<Config, Error> {
    from_json(value, UnknownKeys::Ignore)
}

#[test]
fn keys_match_in_any_letter_case() {
    let config = read(json!({
        "ISSUER": "i", "Web": {"HTTP": "h"}, "enablepassworddb": true, "connectors": [{"ID": "a", "Config": {"clientid": "c"}}],
    }))
    .unwrap();
    assert_eq!(config.issuer, "i");
    assert_eq!(config.web.http, "h");
    assert!(config.enable_password_db);
    assert_eq!(config.connectors[0].config.client_id, "c");
}

#[test]
fn of_two_spellings_the_one_that_sorts_last_wins() {
    for (value, winner) in [
        (json!({"web": {"HTTP": "a", "http": "b"}}), "b"),
        (json!({"web": {"http": "a", "HTTP": "b"}}), "a"),
        (json!({"web": {"Http": "a", "HTTP": "b"}}), "a"),
        (json!({"web": {"HTTP": "a", "http": null}}), "a"),
    ] {
        assert_eq!(read(value).unwrap().web.http, winner);
    }
}

#[test]
fn null_is_the_default() {
    let config = read(json!({
        "issuer": null, "web": null, "connectors": [{"id": null, "enabled": null, "config": null}, null], "port": null,
        "remember": null, "extra": {"k": null}, "raw": null, "mode": null,
    }))
    .unwrap();
    let expected = Config {
        connectors: vec![Connector::default(), Connector::default()],
        extra: BTreeMap::from([("k".to_owned(), String::new())]),
        ..Config::default()
    };
    assert_eq!(config, expected);
    assert_eq!(read(Value::Null).unwrap(), Config::default());
}

#[test]
fn unknown_keys_are_ignored_or_refused() {
    let value =
        json!({"issuer": "i", "connectors": [{}, {"config": {"clientId": "c", "nope": 1}}]});
    assert!(read(value.clone()).is_ok());
    let error = from_json::<Config>(value, UnknownKeys::Refuse).unwrap_err();
    assert_eq!(error.to_string(), r#"json: unknown field "nope""#);
    assert_eq!(error.unknown_key(), Some("nope"));
    assert_eq!(error.path(), "connectors[1].config.nope");
    // Keys of maps and of free-form values are nobody's business.
    let value = json!({"extra": {"any": "x"}, "raw": {"any": 1}});
    assert!(from_json::<Config>(value, UnknownKeys::Refuse).is_ok());
}

#[test]
fn wrong_types_are_told_in_gos_words_with_their_path() {
    for (value, message, path) in [
        (
            json!({"EnablePasswordDB": "true"}),
            "json: cannot unmarshal string into Go struct field Config.enablePasswordDB of type bool",
            "EnablePasswordDB",
        ),
        (
            json!({"connectors": [{}, {}, {"config": {"clientID": 83}}]}),
            "json: cannot unmarshal number into Go struct field Config.connectors.config.clientID of type string",
            "connectors[2].config.clientID",
        ),
        (
            json!({"port": 70000}),
            "json: cannot unmarshal number 70000 into Go struct field Config.port of type uint16",
            "port",
        ),
        (
            json!({"port": 1.5}),
            "json: cannot unmarshal number 1.5 into Go struct field Config.port of type uint16",
            "port",
        ),
        (
            json!({"port": "80"}),
            "json: cannot unmarshal string into Go struct field Config.port of type uint16",
            "port",
        ),
        (
            json!({"web": []}),
            "json: cannot unmarshal array into Go struct field Config.web of type Web",
            "web",
        ),
        (
            json!({"extra": {"a": true}}),
            "json: cannot unmarshal bool into Go struct field Config.extra of type string",
            "extra.a",
        ),
        (
            json!({"connectors": {}}),
            "json: cannot unmarshal object into Go struct field Config.connectors of type list",
            "connectors",
        ),
        (
            json!("text"),
            "json: cannot unmarshal string into Go value of type Config",
            "",
        ),
    ] {
        let error = read(value).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!(error.path(), path);
    }
}

#[test]
fn whole_floats_count_as_integers_and_enums_work() {
    let config = read(json!({"port": 80.0, "mode": {"Slow": 3}, "remember": false})).unwrap();
    assert_eq!(
        (config.port, config.mode, config.remember),
        (80, Mode::Slow(3), Some(false))
    );
    let error = read(json!({"mode": "Sideways"})).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"unknown value "Sideways", want one of Fast, Slow"#
    );
}

#[test]
fn all_errors_are_found_in_one_go() {
    let value = json!({
        "issuer": 1, "nope": 1, "port": 8, "connectors": [{"enabled": 3}, 4, {"id": "ok"}], "extra": {"a": [], "b": "c"},
    });
    let (config, errors) = from_json_with_all_errors::<Config>(value, UnknownKeys::Refuse);
    let mut paths: Vec<_> = errors.iter().map(Error::path).collect();
    paths.sort();
    assert_eq!(
        paths,
        [
            "connectors[0].enabled",
            "connectors[1]",
            "extra.a",
            "issuer",
            "nope"
        ]
    );
    let config = config.unwrap();
    assert_eq!((config.port, config.connectors.len()), (8, 3));
    assert_eq!(config.connectors[2].id, "ok");
    let (config, errors) = from_json_with_all_errors::<Config>(json!([]), UnknownKeys::Ignore);
    assert_eq!((config, errors.len()), (None, 1));
}

#[test]
fn deep_and_large_values_are_refused() {
    let mut deep = json!(1);
    for _ in 0..=MAX_DEPTH {
        deep = json!([deep]);
    }
    let error = read(json!({ "raw": deep })).unwrap_err();
    assert_eq!(error.to_string(), "json: exceeded max depth");
    let error = read(json!({ "raw": vec![0; MAX_NODES] })).unwrap_err();
    assert_eq!(error.to_string(), "json: document too large");
}

fn any_value() -> impl Strategy<Value = Value> {
    let key = "issuer|web|HTTP|connectors|config|clientID|port|extra|raw|mode|[a-z]{0,3}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "Fast|Slow|.{0,5}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(key, inner, 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_value_panics(value in any_value(), strict in any::<bool>()) {
        let unknown = if strict { UnknownKeys::Refuse } else { UnknownKeys::Ignore };
        let _ = from_json_with_all_errors::<Config>(value.clone(), unknown);
        if let Err(error) = from_json::<Config>(value, unknown) {
            prop_assert!(!error.to_string().is_empty());
            let _ = error.path();
        }
    }

    #[test]
    fn what_goes_in_as_free_form_comes_out_unchanged(value in any_value()) {
        let read: Value = from_json(value.clone(), UnknownKeys::Refuse).unwrap();
        prop_assert_eq!(read, value);
    }
}
