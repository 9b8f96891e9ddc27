//! The `web` block: listeners, headers, CORS, client address (compat: `config.md` §6.2, §6.3, §7).

use std::path::PathBuf;

use dex_core::go_quote::quote;
use dex_http::{ClientAddressPolicy, Policy};
use http::{HeaderName, HeaderValue};
use ipnet::IpNet;

use super::fault::{Faults, Stage};
use super::raw;
use super::settings::{HttpsSettings, TlsVersion};

/// Checks the rows of Dex's validation that concern `web`, in their order.
pub(super) fn validate(web: &raw::Web, faults: &mut Faults) {
    let mut row = |path: &str, text: &str| faults.add(Stage::Validate, path, text);
    if web.http.is_empty() && web.https.is_empty() {
        row("web", "must supply a HTTP/HTTPS  address to listen on");
    }
    if !web.https.is_empty() {
        if web.tls_cert.is_empty() {
            row("web.tlsCert", "no cert specified for HTTPS");
        }
        if web.tls_key.is_empty() {
            row("web.tlsKey", "no private key specified for HTTPS");
        }
    }
    let (min, max) = (version(&web.tls_min_version), version(&web.tls_max_version));
    for (path, version) in [("web.tlsMinVersion", min), ("web.tlsMaxVersion", max)] {
        if version.is_err() {
            row(path, "supported TLS versions are: 1.2, 1.3");
        }
    }
    if let (Ok(Some(min)), Ok(Some(max))) = (min, max)
        && min > max
    {
        row(
            "web.tlsMinVersion",
            "TLSMinVersion greater than TLSMaxVersion",
        );
    }
}

/// The HTTPS listener, if there is one.
pub(super) fn https(web: &raw::Web) -> Option<HttpsSettings> {
    if web.https.is_empty() {
        return None;
    }
    Some(HttpsSettings {
        address: web.https.clone(),
        certificate: PathBuf::from(&web.tls_cert),
        key: PathBuf::from(&web.tls_key),
        min: version(&web.tls_min_version)
            .ok()
            .flatten()
            .unwrap_or(TlsVersion::Tls12),
        max: version(&web.tls_max_version)
            .ok()
            .flatten()
            .unwrap_or(TlsVersion::Tls13),
    })
}

/// Response headers, CORS and client address. Says whether a client address header is named that nobody may set.
pub(super) fn policy(web: &raw::Web, policy: &mut Policy, faults: &mut Faults) -> bool {
    let headers = &web.headers;
    for (name, value) in [
        ("Content-Security-Policy", &headers.content_security_policy),
        ("X-Frame-Options", &headers.x_frame_options),
        ("X-Content-Type-Options", &headers.x_content_type_options),
        ("X-XSS-Protection", &headers.x_xss_protection),
        (
            "Strict-Transport-Security",
            &headers.strict_transport_security,
        ),
    ] {
        if value.is_empty() {
            continue;
        }
        let path = format!("web.headers.{name}");
        match (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            (Ok(name), Ok(value)) => {
                policy.headers.insert(name, value);
            }
            _ => faults.add(
                Stage::Start,
                path,
                format!(
                    "invalid config: the value of header {} cannot be sent",
                    quote(name)
                ),
            ),
        }
    }
    policy.allowed_origins.clone_from(&web.allowed_origins);
    if !web.allowed_headers.is_empty() {
        policy.allowed_headers.clone_from(&web.allowed_headers);
    }
    client_address(&web.client_remote_ip, policy, faults)
}

fn client_address(block: &raw::ClientRemoteIp, policy: &mut Policy, faults: &mut Faults) -> bool {
    const PREFIX: &str = "failed to parse client remote IP settings";
    let mut trusted_proxies = Vec::new();
    for (index, item) in block.trusted_proxies.iter().enumerate() {
        match item.parse::<IpNet>() {
            Ok(net) => trusted_proxies.push(net),
            Err(_) => faults.add(
                Stage::Start,
                format!("web.clientRemoteIP.trustedProxies[{index}]"),
                format!(
                    "{PREFIX}: failed to parse CIDR {}: {}",
                    quote(item),
                    if item.contains('/') {
                        "not an address and a prefix length"
                    } else {
                        "no '/'"
                    }
                ),
            ),
        }
    }
    if block.header.is_empty() {
        return false;
    }
    let Ok(header) = block.header.parse::<HeaderName>() else {
        faults.add(
            Stage::Start,
            "web.clientRemoteIP.header",
            format!("{PREFIX}: {} is not a header name", quote(&block.header)),
        );
        return false;
    };
    let untrusted = trusted_proxies.is_empty();
    policy.client_address = Some(ClientAddressPolicy {
        header,
        trusted_proxies,
    });
    untrusted
}

/// A TLS version; `None` when none is given.
fn version(text: &str) -> Result<Option<TlsVersion>, ()> {
    match text {
        "" => Ok(None),
        "1.2" => Ok(Some(TlsVersion::Tls12)),
        "1.3" => Ok(Some(TlsVersion::Tls13)),
        _ => Err(()),
    }
}
