//! Types and configurations.

use dex_connectors::{Registry, UnknownKeys};
use serde_json::json;

use crate::{context, open};

#[tokio::test]
async fn connectors_1_01_an_unknown_type_is_refused() {
    let registry = Registry::with_all();
    for kind in ["Foo", "local", "mockcallback", ""] {
        let error = registry
            .check_config(kind, &json!({}), UnknownKeys::Ignore)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("unknown connector type {kind:?}")
        );
    }
    let error = registry
        .open("Foo", "foo", b"{}", &context())
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), r#"unknown connector type "Foo""#);
}

#[test]
fn values_that_cannot_work_are_found_without_the_upstream() {
    let registry = Registry::with_all();
    for (kind, config, expected) in [
        ("mockPassword", json!({}), Err("no username supplied")),
        ("mockCallback", json!(null), Ok(())),
        ("oidc", json!({"clientID": "a"}), Ok(())),
        ("oidc", json!({}), Err("oidc: no clientID")),
        ("Foo", json!({}), Err(r#"unknown connector type "Foo""#)),
    ] {
        let outcome = registry.check_values(kind, &config);
        assert_eq!(
            outcome.map_err(|error| error.to_string()),
            expected.map_err(str::to_owned)
        );
    }
}

#[test]
fn unknown_keys_are_refused_when_asked_to() {
    let registry = Registry::with_all();
    let config = json!({"clientID": "a", "typo": 1});
    registry
        .check_config("oidc", &config, UnknownKeys::Ignore)
        .unwrap();
    let error = registry
        .check_config("oidc", &config, UnknownKeys::Refuse)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"parse connector config: json: unknown field "typo""#
    );
}

#[tokio::test]
async fn a_stored_local_connector_opens() {
    let registry = Registry::with_all();
    assert!(registry.contains("local"));
    assert!(registry.kinds().all(|kind| kind != "local"));
    for config in ["", "null", "{}", r#"{"whatever":1}"#] {
        registry
            .open("local", "mine", config.as_bytes(), &context())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_type_of_dex_that_is_not_built_in_is_named_as_such() {
    let error = open("atlassian-crowd", "{}").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"connector type "atlassian-crowd" is not part of this build"#
    );
}

#[tokio::test]
async fn a_configuration_of_the_wrong_shape_is_refused() {
    for config in [r#"{"username":7}"#, "[", "[]", "7"] {
        let error = open("mockPassword", config).await.unwrap_err();
        assert!(
            error.to_string().starts_with("parse connector config: "),
            "{error}"
        );
    }
}
