//! The configuration file as plain structs: every key, nothing decided (compat: `config.md` §6).
//!
//! Blocks whose feature this version lacks are kept as values, so that they can be refused by name.

use std::collections::BTreeMap;

use dex_core::records::SecretText;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::logging::{Format, Level};

/// The whole file.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Config {
    pub(super) issuer: String,
    pub(super) storage: Option<Typed>,
    pub(super) web: Web,
    pub(super) telemetry: Telemetry,
    pub(super) grpc: Option<Value>,
    pub(super) oauth2: OAuth2,
    pub(super) expiry: Expiry,
    pub(super) signer: Option<Typed>,
    pub(super) logger: Logger,
    pub(super) frontend: Frontend,
    pub(super) static_clients: Vec<StaticClient>,
    #[serde(rename = "enablePasswordDB")]
    pub(super) enable_password_db: bool,
    pub(super) static_passwords: Vec<StaticPassword>,
    pub(super) connectors: Vec<Connector>,
    pub(super) sessions: Option<Value>,
    pub(super) mfa: Option<Value>,
}

/// A block whose `type` decides the shape of its `config`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) config: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SqliteConfig {
    pub(super) file: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct NoConfig {}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct LocalSignerConfig {
    pub(super) keys_rotation_period: String,
    pub(super) algorithm: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Web {
    pub(super) http: String,
    pub(super) https: String,
    pub(super) tls_cert: String,
    pub(super) tls_key: String,
    #[serde(deserialize_with = "version_text")]
    pub(super) tls_min_version: String,
    #[serde(deserialize_with = "version_text")]
    pub(super) tls_max_version: String,
    pub(super) headers: Headers,
    pub(super) allowed_origins: Vec<String>,
    pub(super) allowed_headers: Vec<String>,
    #[serde(rename = "clientRemoteIP")]
    pub(super) client_remote_ip: ClientRemoteIp,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Headers {
    #[serde(rename = "Content-Security-Policy")]
    pub(super) content_security_policy: String,
    #[serde(rename = "X-Frame-Options")]
    pub(super) x_frame_options: String,
    #[serde(rename = "X-Content-Type-Options")]
    pub(super) x_content_type_options: String,
    #[serde(rename = "X-XSS-Protection")]
    pub(super) x_xss_protection: String,
    #[serde(rename = "Strict-Transport-Security")]
    pub(super) strict_transport_security: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ClientRemoteIp {
    pub(super) header: String,
    pub(super) trusted_proxies: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Telemetry {
    pub(super) http: String,
    pub(super) enable_profiling: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct OAuth2 {
    pub(super) grant_types: Vec<String>,
    pub(super) response_types: Vec<String>,
    pub(super) skip_approval_screen: bool,
    pub(super) always_show_login_screen: bool,
    /// Ours: `sealed` or `stored`.
    pub(super) auth_requests: String,
    pub(super) password_connector: String,
    pub(super) pkce: Pkce,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Pkce {
    pub(super) enforce: bool,
    pub(super) code_challenge_methods_supported: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Expiry {
    pub(super) signing_keys: String,
    pub(super) id_tokens: String,
    pub(super) auth_requests: String,
    pub(super) device_requests: String,
    pub(super) refresh_tokens: RefreshTokens,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct RefreshTokens {
    pub(super) disable_rotation: bool,
    pub(super) reuse_interval: String,
    /// Ours: a new login ends the earlier family of the same user and client, as in Dex.
    pub(super) one_per_client: bool,
    pub(super) absolute_lifetime: String,
    pub(super) valid_if_not_used_for: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Logger {
    pub(super) level: Option<Level>,
    pub(super) format: String,
    pub(super) exclude_fields: Vec<String>,
}

impl Logger {
    /// The format, if it is one.
    pub(super) fn format(&self) -> Option<Format> {
        Format::parse(&self.format)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Frontend {
    pub(super) dir: String,
    pub(super) theme: String,
    pub(super) issuer: String,
    #[serde(rename = "logoURL")]
    pub(super) logo_url: String,
    pub(super) extra: BTreeMap<String, String>,
    #[serde(rename = "webFS")]
    pub(super) web_fs: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct StaticClient {
    pub(super) id: String,
    pub(super) id_env: String,
    #[serde(deserialize_with = "secret")]
    pub(super) secret: SecretText,
    pub(super) secret_env: String,
    pub(super) name: String,
    #[serde(rename = "redirectURIs")]
    pub(super) redirect_uris: Vec<String>,
    #[serde(rename = "postLogoutRedirectURIs")]
    pub(super) post_logout_redirect_uris: Vec<String>,
    #[serde(rename = "backchannelLogoutURI")]
    pub(super) backchannel_logout_uri: String,
    pub(super) refresh_token_lifetime: String,
    pub(super) trusted_peers: Vec<String>,
    pub(super) public: bool,
    #[serde(rename = "logoURL")]
    pub(super) logo_url: String,
    pub(super) allowed_connectors: Vec<String>,
    pub(super) mfa_chain: Option<Vec<String>>,
    pub(super) sso_shared_with: Option<Vec<String>>,
    /// Means something with the client-credentials grant only, which this version does not serve.
    #[serde(rename = "clientCredentialsClaims")]
    pub(super) _client_credentials_claims: ClientCredentialsClaims,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ClientCredentialsClaims {
    #[serde(rename = "groups")]
    pub(super) _groups: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct StaticPassword {
    pub(super) email: String,
    #[serde(deserialize_with = "secret")]
    pub(super) hash: SecretText,
    pub(super) hash_from_env: String,
    pub(super) username: String,
    pub(super) name: String,
    pub(super) preferred_username: String,
    pub(super) email_verified: Option<bool>,
    #[serde(rename = "userID")]
    pub(super) user_id: String,
    pub(super) groups: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Connector {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) config: Value,
    pub(super) grant_types: Vec<String>,
}

/// A text that goes straight into a type that does not show it.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretText, D::Error> {
    String::deserialize(deserializer).map(SecretText::from)
}

/// `"1.2"`, or `1.2` without the quotes that YAML asks for and nobody remembers.
fn version_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(D::Error::custom(
            "json: cannot unmarshal a TLS version: want \"1.2\" or \"1.3\"",
        )),
    }
}
