//! From plain structs to [`Settings`], in the order in which Dex looks at things, collecting what is wrong.

use std::time::Duration;

use dex_core::go_duration;
use dex_core::go_quote::quote;
use dex_core::lenient;
use dex_http::{AuthRequestMode, IssuerUrl, Policy};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::expand::expand_block;
use super::fault::{Faults, Stage};
use super::settings::{
    Expiry, Frontend, LoggerSettings, Settings, SignerSettings, SigningAlgorithm, StorageSettings,
};
use super::{Overrides, entries, raw, unsupported, web};
use crate::flags::{Environment, Flags};

/// What holds for the whole file.
#[derive(Clone, Copy)]
struct Context<'a> {
    environment: &'a Environment,
    flags: Flags,
    unknown: lenient::UnknownKeys,
}

/// Resolves a whole configuration.
pub(super) fn resolve(
    mut value: Value,
    overrides: &Overrides,
    environment: &Environment,
) -> Result<Settings, Faults> {
    let flags = Flags::from_environment(environment);
    let unknown = if flags.disallow_unknown_fields {
        lenient::UnknownKeys::Refuse
    } else {
        lenient::UnknownKeys::Ignore
    };
    let context = Context {
        environment,
        flags,
        unknown,
    };
    let mut faults = Faults::default();
    nulls_that_mean_something(&mut value);
    let mut config: raw::Config = decode(value, unknown, "", "", &mut faults);
    apply_overrides(&mut config, overrides, environment);
    unsupported::refuse(&config, overrides, flags, &mut faults);
    validate(&config, &mut faults);
    let settings = build(config, context, &mut faults);
    if faults.is_empty() {
        Ok(settings)
    } else {
        Err(faults)
    }
}

/// In blocks with a decoder of their own, Dex sees a null: `storage:` alone is an unknown storage, not an absent one.
fn nulls_that_mean_something(value: &mut Value) {
    let Value::Object(entries) = value else {
        return;
    };
    for (key, entry) in entries.iter_mut() {
        match (key.to_ascii_lowercase().as_str(), entry) {
            ("storage" | "signer", entry @ Value::Null) => *entry = Value::Object(Map::new()),
            ("logger", Value::Object(logger)) => {
                for (key, entry) in logger.iter_mut() {
                    if key.eq_ignore_ascii_case("level") && entry.is_null() {
                        *entry = Value::String(String::new());
                    }
                }
            }
            _ => {}
        }
    }
}

/// Reads a block, noting every value that does not fit.
fn decode<T: DeserializeOwned + Default>(
    value: Value,
    unknown: lenient::UnknownKeys,
    path: &str,
    prefix: &str,
    faults: &mut Faults,
) -> T {
    let (read, errors) = lenient::from_json_with_all_errors(value, unknown);
    for error in errors {
        let inner = error.path();
        let separator = if path.is_empty() || inner.is_empty() || inner.starts_with('[') {
            ""
        } else {
            "."
        };
        faults.add(
            Stage::Decode,
            format!("{path}{separator}{inner}"),
            format!("{prefix}{error}"),
        );
    }
    read.unwrap_or_default()
}

fn apply_overrides(config: &mut raw::Config, overrides: &Overrides, environment: &Environment) {
    for (key, value) in [
        (&mut config.web.http, &overrides.web_http),
        (&mut config.web.https, &overrides.web_https),
        (&mut config.telemetry.http, &overrides.telemetry),
    ] {
        if !value.is_empty() {
            key.clone_from(value);
        }
    }
    if config.frontend.dir.is_empty() {
        environment
            .get("DEX_FRONTEND_DIR")
            .unwrap_or_default()
            .clone_into(&mut config.frontend.dir);
    }
}

/// Dex's table of rows that make one message (compat: `config.md` §7).
fn validate(config: &raw::Config, faults: &mut Faults) {
    if config.issuer.is_empty() {
        faults.add(
            Stage::Validate,
            "issuer",
            "no issuer specified in config file",
        );
    }
    if !config.static_passwords.is_empty() && !config.enable_password_db {
        faults.add(
            Stage::Validate,
            "staticPasswords",
            "cannot specify static passwords without enabling password db",
        );
    }
    if config.storage.is_none() {
        faults.add(
            Stage::Validate,
            "storage",
            "no storage supplied in config file",
        );
    }
    web::validate(&config.web, faults);
}

fn build(config: raw::Config, context: Context<'_>, faults: &mut Faults) -> Settings {
    if config.frontend.web_fs.is_some() {
        faults.add(
            Stage::Decode,
            "frontend.webFS",
            "json: cannot unmarshal a value into Go struct field Config.frontend.webFS of type fs.FS",
        );
    }
    let storage = storage(config.storage, context, faults);
    let logger = logger(config.logger, faults);
    let clients = entries::clients(config.static_clients, context.environment, faults);
    let passwords = entries::passwords(config.static_passwords, context.environment, faults);
    let duplicate_emails = entries::duplicate_emails(&passwords);
    let mut connectors = entries::connectors(
        config.connectors,
        context.environment,
        context.flags,
        context.unknown,
        faults,
    );
    if config.enable_password_db {
        connectors.push(entries::local_connector());
    }
    let mut policy = Policy::default();
    let mut expiry = Expiry {
        id_tokens: duration(
            &config.expiry.id_tokens,
            "expiry.idTokens",
            "for id token expiry",
            faults,
        ),
        ..Expiry::default()
    };
    let signer = signer(
        config.signer,
        &config.expiry.signing_keys,
        context,
        &mut expiry,
        faults,
    );
    lifetimes(&config.expiry, &mut expiry, &mut policy, faults);
    let client_address_header_untrusted = web::policy(&config.web, &mut policy, faults);
    if !config.issuer.is_empty()
        && let Err(error) = IssuerUrl::parse(&config.issuer)
    {
        faults.add(
            Stage::Start,
            "issuer",
            format!("failed to initialize server: server: {error}"),
        );
    }
    oauth2(&config.oauth2, &mut policy, faults);
    Settings {
        issuer: config.issuer,
        storage,
        https: web::https(&config.web),
        http: non_empty(config.web.http),
        telemetry: non_empty(config.telemetry.http),
        policy,
        expiry,
        signer,
        logger,
        frontend: Frontend {
            dir: non_empty(config.frontend.dir).map(Into::into),
            theme: config.frontend.theme,
            issuer: config.frontend.issuer,
            logo_url: config.frontend.logo_url,
            extra: config.frontend.extra,
        },
        clients,
        passwords,
        duplicate_emails,
        connectors,
        continue_on_connector_failure: context.flags.continue_on_connector_failure,
        client_address_header_untrusted,
    }
}

fn non_empty(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn storage(
    block: Option<raw::Typed>,
    context: Context<'_>,
    faults: &mut Faults,
) -> StorageSettings {
    let Some(mut block) = block else {
        return StorageSettings::Memory; // Told by validation.
    };
    let known = matches!(block.kind.as_str(), "memory" | "sqlite3");
    if !known {
        if !unsupported::LATER_STORAGE.contains(&block.kind.as_str()) {
            faults.add(
                Stage::Decode,
                "storage.type",
                format!("unknown storage type {}", quote(&block.kind)),
            );
        }
        return StorageSettings::Memory;
    }
    if !expanded(&mut block.config, "storage.config", context, faults) {
        return StorageSettings::Memory;
    }
    let (path, prefix) = ("storage.config", "parse storage config: ");
    if block.kind == "sqlite3" {
        let config: raw::SqliteConfig = decode(block.config, context.unknown, path, prefix, faults);
        StorageSettings::Sqlite { file: config.file }
    } else {
        let raw::NoConfig {} = decode(block.config, context.unknown, path, prefix, faults);
        StorageSettings::Memory
    }
}

fn expanded(block: &mut Value, path: &str, context: Context<'_>, faults: &mut Faults) -> bool {
    if !context.flags.expand_env {
        return true;
    }
    match expand_block(block, context.environment) {
        Ok(()) => true,
        Err(reason) => {
            faults.add(Stage::Decode, path, reason);
            false
        }
    }
}

fn logger(block: raw::Logger, faults: &mut Faults) -> LoggerSettings {
    let format = block.format().unwrap_or_else(|| {
        faults.add(
            Stage::Start,
            "logger.format",
            format!(
                "invalid config: log format is not one of the supported values (json, text): {}",
                block.format
            ),
        );
        crate::logging::Format::Text
    });
    LoggerSettings {
        level: block.level.unwrap_or_default(),
        format,
        exclude_fields: block.exclude_fields,
    }
}

fn signer(
    block: Option<raw::Typed>,
    signing_keys: &str,
    context: Context<'_>,
    expiry: &mut Expiry,
    faults: &mut Faults,
) -> SignerSettings {
    let deprecated = duration(
        signing_keys,
        "expiry.signingKeys",
        "for signing keys expiry",
        faults,
    );
    expiry.signing_keys = deprecated.map(|period| (period, block.is_some()));
    let default = SignerSettings {
        rotation_period: deprecated.unwrap_or(DEFAULT_ROTATION),
        algorithm: SigningAlgorithm::Rs256,
    };
    let Some(mut block) = block else {
        return default;
    };
    match block.kind.as_str() {
        "local" => {}
        "vault" => return default, // Refused elsewhere, by name.
        kind => {
            faults.add(
                Stage::Decode,
                "signer.type",
                format!("unknown signer type {}", quote(kind)),
            );
            return default;
        }
    }
    if !expanded(&mut block.config, "signer.config", context, faults) {
        return default;
    }
    let config: raw::LocalSignerConfig = decode(
        block.config,
        context.unknown,
        "signer.config",
        "parse signer config: ",
        faults,
    );
    let algorithm = match config.algorithm.as_str() {
        "" | "RS256" => SigningAlgorithm::Rs256,
        "ES256" => SigningAlgorithm::Es256,
        "PS256" => SigningAlgorithm::Ps256,
        "EdDSA" => SigningAlgorithm::EdDsa,
        other => {
            faults.add(
                Stage::Decode,
                "signer.config.algorithm",
                format!(
                    "parse signer config: unsupported local signer algorithm {}",
                    quote(other)
                ),
            );
            SigningAlgorithm::Rs256
        }
    };
    SignerSettings {
        rotation_period: rotation_period(&config.keys_rotation_period, faults),
        algorithm,
    }
}

fn rotation_period(text: &str, faults: &mut Faults) -> Duration {
    let reason = match go_duration::parse(text) {
        _ if text.is_empty() => "signer.config.keysRotationPeriod must be specified".to_owned(),
        Ok(Duration::ZERO) => format!(
            "invalid config value {} for local signer rotation period: must be positive",
            quote(text)
        ),
        Ok(period) => return period,
        Err(error) => format!(
            "invalid config value {} for local signer rotation period: {error}",
            quote(text)
        ),
    };
    faults.add(
        Stage::Start,
        "signer.config.keysRotationPeriod",
        format!("failed to open local signer: {reason}"),
    );
    DEFAULT_ROTATION
}

fn lifetimes(block: &raw::Expiry, expiry: &mut Expiry, policy: &mut Policy, faults: &mut Faults) {
    expiry.auth_requests = duration(
        &block.auth_requests,
        "expiry.authRequests",
        "for auth request expiry",
        faults,
    );
    expiry.device_requests = duration(
        &block.device_requests,
        "expiry.deviceRequests",
        "for device request expiry",
        faults,
    );
    // Zero means "not set", as in Dex.
    if let Some(lifetime) = expiry.id_tokens.filter(|lifetime| !lifetime.is_zero()) {
        policy.id_tokens_valid_for = lifetime;
    }
    if let Some(lifetime) = expiry.auth_requests.filter(|lifetime| !lifetime.is_zero()) {
        policy.auth_requests_valid_for = lifetime;
    }
    let tokens = &block.refresh_tokens;
    let mut of_refresh = |text: &str, key: &str, what: &str| {
        let path = format!("expiry.refreshTokens.{key}");
        parse_duration(text).unwrap_or_else(|error| {
            faults.add(
                Stage::Start,
                path,
                format!(
                    "invalid refresh token expiration policy config: invalid config value {} for {what}: {error}",
                    quote(text)
                ),
            );
            None
        })
    };
    let idle = of_refresh(
        &tokens.valid_if_not_used_for,
        "validIfNotUsedFor",
        "refresh token valid if not used for",
    );
    let absolute = of_refresh(
        &tokens.absolute_lifetime,
        "absoluteLifetime",
        "refresh tokens absolute lifetime",
    );
    let reuse = of_refresh(
        &tokens.reuse_interval,
        "reuseInterval",
        "refresh tokens reuse interval",
    );
    policy.refresh.rotate = !tokens.disable_rotation;
    policy.refresh.one_per_client = tokens.one_per_client;
    policy.refresh.valid_if_not_used_for = idle.filter(|lifetime| !lifetime.is_zero());
    policy.refresh.absolute_lifetime = absolute.filter(|lifetime| !lifetime.is_zero());
    policy.refresh.reuse_interval = reuse.unwrap_or_default();
}

fn oauth2(block: &raw::OAuth2, policy: &mut Policy, faults: &mut Faults) {
    for (index, response_type) in block.response_types.iter().enumerate() {
        if !RESPONSE_TYPES.contains(&response_type.as_str()) {
            faults.add(
                Stage::Start,
                format!("oauth2.responseTypes[{index}]"),
                format!(
                    "failed to initialize server: unsupported response_type {}",
                    quote(response_type)
                ),
            );
        }
    }
    for (index, method) in block
        .pkce
        .code_challenge_methods_supported
        .iter()
        .enumerate()
    {
        if !matches!(method.as_str(), "S256" | "plain") {
            faults.add(
                Stage::Start,
                format!("oauth2.pkce.codeChallengeMethodsSupported[{index}]"),
                format!(
                    "failed to initialize server: unsupported PKCE challenge method {}",
                    quote(method)
                ),
            );
        }
    }
    if !block.grant_types.is_empty() {
        // Unknown names are dropped, as in Dex; known ones that are not built yet are refused elsewhere.
        policy
            .grant_types
            .retain(|served| block.grant_types.contains(served));
    }
    if !block.pkce.code_challenge_methods_supported.is_empty() {
        policy
            .pkce_methods
            .clone_from(&block.pkce.code_challenge_methods_supported);
    }
    policy.pkce_required = block.pkce.enforce;
    policy.skip_approval_screen = block.skip_approval_screen;
    policy.always_show_login_screen = block.always_show_login_screen;
    policy.auth_requests = match block.auth_requests.as_str() {
        "" | "sealed" => AuthRequestMode::Sealed,
        "stored" => AuthRequestMode::Stored,
        other => {
            faults.add(
                Stage::Start,
                "oauth2.authRequests".to_owned(),
                format!("unsupported oauth2.authRequests {other:?}: want \"sealed\" or \"stored\""),
            );
            AuthRequestMode::Sealed
        }
    };
}

/// A duration that may be left out; a fault in Dex's words if it is none.
fn duration(text: &str, path: &str, what: &str, faults: &mut Faults) -> Option<Duration> {
    parse_duration(text).unwrap_or_else(|error| {
        faults.add(
            Stage::Start,
            path,
            format!("invalid config value {} {what}: {error}", quote(text)),
        );
        None
    })
}

fn parse_duration(text: &str) -> Result<Option<Duration>, go_duration::InvalidDuration> {
    if text.is_empty() {
        return Ok(None);
    }
    go_duration::parse(text).map(Some)
}

const DEFAULT_ROTATION: Duration = Duration::from_hours(6);

const RESPONSE_TYPES: [&str; 7] = [
    "code",
    "token",
    "id_token",
    "code token",
    "code id_token",
    "id_token token",
    "code id_token token",
];
