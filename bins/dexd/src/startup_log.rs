//! The records that operators look for at start (compat: `config.md` §12).

use std::time::Duration;

use dex_core::go_duration;
use dex_core::go_quote::quote_list;

use crate::config::{Level, Settings};
use crate::version;

/// What holds before anything is opened.
pub(crate) fn begin(settings: &Settings) {
    tracing::info!(
        dex_version = version::VERSION,
        go.version = version::TOOLCHAIN,
        go.os = std::env::consts::OS,
        go.arch = version::arch(),
        "Version info"
    );
    let level = settings.logger.level;
    if level != Level::INFO {
        tracing::info!(level = %level, "config using log level");
    }
    tracing::info!(issuer = settings.issuer, "config issuer");
    if settings.client_address_header_untrusted {
        tracing::warn!(
            "client remote IP header is set without trusted proxies, the header is never used"
        );
    }
}

/// The records of the file and what follows from them.
pub(crate) fn static_records(settings: &Settings) {
    for client in &settings.clients {
        tracing::info!(client_name = client.name, "config static client");
    }
    for email in &settings.duplicate_emails {
        tracing::error!(
            email,
            "attempting to create StaticPasswords with the same email id"
        );
    }
    for connector in &settings.connectors {
        if connector.kind == "local" {
            tracing::info!("config connector: local passwords enabled");
        } else {
            tracing::info!(connector_id = connector.id, "config connector");
        }
    }
    let policy = &settings.policy;
    tracing::info!(
        response_types = quote_list(["code"]),
        "config response types accepted"
    );
    if policy.skip_approval_screen {
        tracing::info!("config skipping approval screen");
    }
    if !policy.allowed_origins.is_empty() {
        tracing::info!(
            origins = quote_list(&policy.allowed_origins),
            "config allowed origins"
        );
    }
    if settings.continue_on_connector_failure {
        tracing::info!("continue on connector failure feature flag enabled");
    }
}

/// Lifetimes.
pub(crate) fn lifetimes(settings: &Settings) {
    let expiry = &settings.expiry;
    for (lifetime, message) in [
        (expiry.id_tokens, "config id tokens"),
        (expiry.auth_requests, "config auth requests"),
        (expiry.device_requests, "config device requests"),
    ] {
        if let Some(lifetime) = lifetime {
            tracing::info!(valid_for = nanos(lifetime), "{message}");
        }
    }
    if let Some((period, overridden)) = expiry.signing_keys {
        tracing::warn!(
            use_instead = "signer.config.keysRotationPeriod",
            current_value = go_duration::format(period),
            deprecated = "expiry.signingKeys",
            ignored = overridden,
            "config expiry.signingKeys will be removed in a future release"
        );
    }
    tracing::info!(
        r#type = "local",
        keys_rotation_period = nanos(settings.signer.rotation_period),
        "signer configured"
    );
    let refresh = &settings.policy.refresh;
    if let Some(lifetime) = refresh.valid_if_not_used_for {
        tracing::info!(
            valid_if_not_used_for = nanos(lifetime),
            "config refresh tokens"
        );
    }
    if let Some(lifetime) = refresh.absolute_lifetime {
        tracing::info!(absolute_lifetime = nanos(lifetime), "config refresh tokens");
    }
    if !refresh.reuse_interval.is_zero() {
        tracing::info!(
            reuse_interval = nanos(refresh.reuse_interval),
            "config refresh tokens"
        );
    }
    tracing::info!(enabled = refresh.rotate, "config refresh tokens rotation");
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
