//! Static clients, passwords and connectors (compat: `config.md` §6.11 to §6.13).

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dex_connectors::Registry;
use dex_connectors::local::BcryptHash;
use dex_core::go_quote::quote;
use dex_core::lenient::UnknownKeys;
use dex_core::records::{Blob, Client, Connector, Password, SecretText};
use serde_json::{Map, Value};

use super::expand::expand_block;
use super::fault::{Faults, Stage};
use super::raw;
use super::unsupported::is_later_connector;
use crate::flags::{Environment, Flags};

/// The clients of the file.
pub(super) fn clients(
    clients: Vec<raw::StaticClient>,
    environment: &Environment,
    faults: &mut Faults,
) -> Vec<Client> {
    clients
        .into_iter()
        .enumerate()
        .map(|(index, client)| resolve_client(index, client, environment, faults))
        .collect()
}

fn resolve_client(
    index: usize,
    client: raw::StaticClient,
    environment: &Environment,
    faults: &mut Faults,
) -> Client {
    let path = format!("staticClients[{index}]");
    let shown = quote(&client.id);
    if let Some((key, reason)) = client_fault(&client) {
        faults.add(
            Stage::Start,
            format!("{path}.{key}"),
            format!("invalid config: {reason}"),
        );
    }
    if !matches!(
        client.refresh_token_lifetime.as_str(),
        "" | "standalone" | "session"
    ) {
        faults.add(
            Stage::Start,
            format!("{path}.refreshTokenLifetime"),
            format!(
                "staticClients: client {shown}: invalid refresh token lifetime {}: want \"standalone\" or \"session\"",
                quote(&client.refresh_token_lifetime)
            ),
        );
    }
    let id = match client.id_env.as_str() {
        "" => client.id,
        name => from_environment(name, &format!("{path}.idEnv"), environment, faults),
    };
    let secret = match client.secret_env.as_str() {
        "" => client.secret,
        name => from_environment(name, &format!("{path}.secretEnv"), environment, faults).into(),
    };
    Client {
        id,
        secret,
        redirect_uris: client.redirect_uris,
        trusted_peers: client.trusted_peers,
        public: client.public,
        name: client.name,
        logo_url: client.logo_url,
        allowed_connectors: client.allowed_connectors,
        mfa_chain: client.mfa_chain,
        post_logout_redirect_uris: client.post_logout_redirect_uris,
        sso_shared_with: client.sso_shared_with,
        backchannel_logout_uri: client.backchannel_logout_uri,
        refresh_token_lifetime: client.refresh_token_lifetime,
    }
}

/// The first thing Dex would not like: the key it is about and its words.
fn client_fault(client: &raw::StaticClient) -> Option<(&'static str, String)> {
    let shown = quote(&client.id);
    let (id, id_env) = (!client.id.is_empty(), !client.id_env.is_empty());
    let (secret, secret_env) = (!client.secret.is_empty(), !client.secret_env.is_empty());
    if client.name.is_empty() {
        return Some(("name", "Name field is required for a client".to_owned()));
    }
    if !id && !id_env {
        return Some((
            "id",
            "ID or IDEnv field is required for a client".to_owned(),
        ));
    }
    if id && id_env {
        return Some((
            "idEnv",
            format!("ID and IDEnv fields are exclusive for client {shown}"),
        ));
    }
    if !secret && !secret_env && !client.public {
        return Some((
            "secret",
            format!("Secret or SecretEnv field is required for client {shown}"),
        ));
    }
    if secret && secret_env {
        return Some((
            "secretEnv",
            format!("Secret and SecretEnv fields are exclusive for client {shown}"),
        ));
    }
    None
}

/// A value that must be there: an unset variable would make a client without id, or one that anybody can be.
fn from_environment(
    name: &str,
    path: &str,
    environment: &Environment,
    faults: &mut Faults,
) -> String {
    environment
        .non_empty(name)
        .unwrap_or_else(|| {
            faults.add(
                Stage::Start,
                path,
                format!(
                    "invalid config: environment variable {} is not set",
                    quote(name)
                ),
            );
            ""
        })
        .to_owned()
}

/// The users of the file.
pub(super) fn passwords(
    passwords: Vec<raw::StaticPassword>,
    environment: &Environment,
    faults: &mut Faults,
) -> Vec<Password> {
    passwords
        .into_iter()
        .enumerate()
        .map(|(index, password)| resolve_password(index, password, environment, faults))
        .collect()
}

fn resolve_password(
    index: usize,
    password: raw::StaticPassword,
    environment: &Environment,
    faults: &mut Faults,
) -> Password {
    let path = format!("staticPasswords[{index}]");
    if password.email.is_empty() {
        faults.add(
            Stage::Start,
            format!("{path}.email"),
            "invalid config: Email field is required for a static password",
        );
    }
    let (key, written) = if password.hash.is_empty() {
        let from_env = environment.get(&password.hash_from_env).unwrap_or_default();
        ("hashFromEnv", SecretText::from(from_env))
    } else {
        ("hash", password.hash)
    };
    let hash = match bcrypt_text(&written) {
        Ok(hash) => hash,
        Err(reason) => {
            faults.add(Stage::Decode, format!("{path}.{key}"), reason);
            Blob::default()
        }
    };
    if let Ok(parsed) = BcryptHash::parse(hash.expose())
        && !(10..=16).contains(&parsed.cost())
    {
        faults.add(
            Stage::Start,
            format!("{path}.{key}"),
            format!(
                "invalid config: bcrypt cost {} of {} is outside 10 to 16",
                parsed.cost(),
                quote(&password.email)
            ),
        );
    }
    Password {
        email: password.email,
        hash,
        username: password.username,
        user_id: password.user_id,
        preferred_username: password.preferred_username,
        groups: password.groups,
        name: password.name,
        email_verified: password.email_verified,
    }
}

/// A bcrypt hash, given as such or in base64.
fn bcrypt_text(written: &SecretText) -> Result<Blob, String> {
    if written.is_empty() {
        return Err("no password hash provided".to_owned());
    }
    let direct = written.expose().as_bytes();
    let Err(reason) = BcryptHash::parse(direct) else {
        return Ok(direct.to_vec().into());
    };
    match STANDARD.decode(direct) {
        Ok(decoded) if BcryptHash::parse(&decoded).is_ok() => Ok(decoded.into()),
        _ => Err(format!("malformed bcrypt hash: {reason}")),
    }
}

/// Addresses that more than one user of the file has, in lower case.
pub(super) fn duplicate_emails(passwords: &[Password]) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    passwords
        .iter()
        .map(|password| password.email.to_lowercase())
        .filter(|email| !seen.insert(email.clone()))
        .collect()
}

/// The connectors of the file, without `local`.
pub(super) fn connectors(
    connectors: Vec<raw::Connector>,
    environment: &Environment,
    flags: Flags,
    unknown: UnknownKeys,
    faults: &mut Faults,
) -> Vec<Connector> {
    let registry = Registry::with_all();
    connectors
        .into_iter()
        .enumerate()
        .filter_map(|(index, mut connector)| {
            let path = format!("connectors[{index}]");
            if is_later_connector(&registry, &connector.kind) {
                return None; // Refused elsewhere, by name.
            }
            if !registry.kinds().any(|kind| kind == connector.kind) {
                faults.add(
                    Stage::Decode,
                    format!("{path}.type"),
                    format!("unknown connector type {}", quote(&connector.kind)),
                );
                return None;
            }
            if flags.expand_env
                && let Err(reason) = expand_block(&mut connector.config, environment)
            {
                faults.add(Stage::Decode, format!("{path}.config"), reason);
                return None;
            }
            if let Err(error) = registry.check_config(&connector.kind, &connector.config, unknown) {
                faults.add(Stage::Decode, format!("{path}.config"), error.to_string());
            }
            check_connector(&path, &connector, faults);
            Some(record(connector))
        })
        .collect()
}

fn check_connector(path: &str, connector: &raw::Connector, faults: &mut Faults) {
    if connector.id.is_empty() || connector.name.is_empty() {
        faults.add(
            Stage::Start,
            path,
            "invalid config: ID, Type and Name fields are required for a connector",
        );
    }
    for (index, grant) in connector.grant_types.iter().enumerate() {
        if !CONNECTOR_GRANTS.contains(&grant.as_str()) {
            faults.add(
                Stage::Start,
                format!("{path}.grantTypes[{index}]"),
                format!(
                    "invalid config: unknown grant type {} for connector {}",
                    quote(grant),
                    quote(&connector.id)
                ),
            );
        }
    }
}

fn record(connector: raw::Connector) -> Connector {
    let config = match connector.config {
        Value::Null => Value::Object(Map::new()),
        config => config,
    };
    Connector {
        id: connector.id,
        kind: connector.kind,
        name: connector.name,
        resource_version: String::new(),
        config: config.to_string().into_bytes().into(),
        grant_types: connector.grant_types,
    }
}

/// The connector that `enablePasswordDB` adds.
pub(super) fn local_connector() -> Connector {
    Connector {
        id: "local".to_owned(),
        kind: "local".to_owned(),
        name: "Email".to_owned(),
        ..Connector::default()
    }
}

const CONNECTOR_GRANTS: [&str; 6] = [
    "authorization_code",
    "refresh_token",
    "implicit",
    "password",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:token-exchange",
];
