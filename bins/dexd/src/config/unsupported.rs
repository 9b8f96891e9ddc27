//! What Dex has and this version does not yet: refused by name, never ignored.

use dex_connectors::Registry;
use serde_json::Value;

use super::Overrides;
use super::fault::{Faults, Stage};
use super::raw;
use crate::flags::Flags;

/// Refuses blocks and switches whose feature arrives later.
pub(super) fn refuse(
    config: &raw::Config,
    overrides: &Overrides,
    flags: Flags,
    faults: &mut Faults,
) {
    let mut add = |path: &str, what: &str| {
        faults.add(
            Stage::Unsupported,
            path,
            format!("{what} is not supported by this version of dexd; remove it or keep using Dex"),
        );
    };
    for (path, block) in [
        ("grpc", &config.grpc),
        ("mfa", &config.mfa),
        ("sessions", &config.sessions),
    ] {
        if block.as_ref().is_some_and(|block| !is_nothing(block)) {
            add(path, &format!("block {path:?}"));
        }
    }
    if !overrides.grpc.is_empty() {
        add("grpc", "flag --grpc-addr");
    }
    if config.telemetry.enable_profiling {
        add("telemetry.enableProfiling", "\"telemetry.enableProfiling\"");
    }
    for (enabled, name) in [
        (flags.sessions, "DEX_SESSIONS_ENABLED"),
        (
            flags.client_credentials_by_default,
            "DEX_CLIENT_CREDENTIAL_GRANT_ENABLED_BY_DEFAULT",
        ),
    ] {
        if enabled {
            add("", &format!("environment variable {name}"));
        }
    }
    if let Some(storage) = &config.storage {
        if LATER_STORAGE.contains(&storage.kind.as_str()) {
            add("storage.type", &format!("storage type {:?}", storage.kind));
        } else if flags.ent && storage.kind == "sqlite3" {
            add(
                "storage.type",
                "environment variable DEX_ENT_ENABLED with storage type \"sqlite3\"",
            );
        }
    }
    if config
        .signer
        .as_ref()
        .is_some_and(|signer| signer.kind == "vault")
    {
        add("signer.type", "signer type \"vault\"");
    }
    let registry = Registry::with_all();
    for (index, connector) in config.connectors.iter().enumerate() {
        if is_later_connector(&registry, &connector.kind) {
            add(
                &format!("connectors[{index}].type"),
                &format!("connector type {:?}", connector.kind),
            );
        }
    }
    if !config.oauth2.password_connector.is_empty() {
        add("oauth2.passwordConnector", "\"oauth2.passwordConnector\"");
    }
    for (index, response_type) in config.oauth2.response_types.iter().enumerate() {
        if LATER_RESPONSE_TYPES.contains(&response_type.as_str()) {
            add(
                &format!("oauth2.responseTypes[{index}]"),
                &format!("response type {response_type:?}"),
            );
        }
    }
    for (index, grant_type) in config.oauth2.grant_types.iter().enumerate() {
        if LATER_GRANTS.contains(&grant_type.as_str()) {
            add(
                &format!("oauth2.grantTypes[{index}]"),
                &format!("grant type {grant_type:?}"),
            );
        }
    }
}

/// Whether a connector type is one of Dex's that this build does not have.
pub(super) fn is_later_connector(registry: &Registry, kind: &str) -> bool {
    DEX_CONNECTORS.contains(&kind) && !registry.contains(kind)
}

/// Null, or a block without a key: says nothing. (An empty `sessions` block says something, but to Dex only with its flag.)
fn is_nothing(block: &Value) -> bool {
    block.is_null()
}

pub(super) const LATER_STORAGE: [&str; 4] = ["postgres", "mysql", "etcd", "kubernetes"];

const LATER_RESPONSE_TYPES: [&str; 6] = [
    "token",
    "id_token",
    "code token",
    "code id_token",
    "id_token token",
    "code id_token token",
];

/// `implicit` is not among them: without a response type that needs it, Dex drops it as well.
const LATER_GRANTS: [&str; 4] = [
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "client_credentials",
    "password",
];

const DEX_CONNECTORS: [&str; 18] = [
    "keystone",
    "mockCallback",
    "mockPassword",
    "ldap",
    "gitea",
    "github",
    "gitlab",
    "google",
    "oidc",
    "oauth",
    "saml",
    "samlExperimental",
    "authproxy",
    "linkedin",
    "microsoft",
    "bitbucket-cloud",
    "openshift",
    "atlassian-crowd",
];
