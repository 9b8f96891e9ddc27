//! What its users write (compat: Dex's `oidc` keys, plus `tokenExchangeAudiences`).

use dex_core::records::SecretText;
use regex::Regex;
use serde::Deserialize;

use crate::config::secret;
use crate::{ConnectorError, UnknownKeys};

/// Configuration of the `oidc` connector.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "Dex's keys")]
pub struct Config {
    /// Where discovery starts, and the issuer that tokens must name.
    pub issuer: String,
    /// The issuer that tokens must name instead; discovery's own statement is then not compared.
    pub issuer_alias: String,
    /// Our identifier at the provider.
    #[serde(rename = "clientID")]
    pub client_id: String,
    /// Our secret at the provider; empty for a public client.
    #[serde(deserialize_with = "secret")]
    pub client_secret: SecretText,
    /// Where the provider sends the browser back to: the issuer's callback.
    #[serde(rename = "redirectURI")]
    pub redirect_uri: String,
    /// Endpoints to use instead of discovered ones.
    pub provider_discovery_overrides: DiscoveryOverrides,
    /// Whether the token endpoint wants our secret in the body. Unset: true for Okta's hosts, else found out.
    pub basic_auth_unsupported: Option<bool>,
    /// Scopes to ask for beside `openid`. Default: `profile`, `email`.
    pub scopes: Vec<String>,
    /// No longer supported: refused when set.
    pub hosted_domains: Vec<String>,
    /// Certificates to trust beside the system's: paths, PEM, or base64 of PEM.
    #[serde(rename = "rootCAs")]
    pub root_cas: Vec<String>,
    /// Accept any TLS certificate.
    pub insecure_skip_verify: bool,
    /// A missing `email_verified` counts as true.
    pub insecure_skip_email_verified: bool,
    /// Read groups at all. They are only as fresh as the last login or refresh.
    pub insecure_enable_groups: bool,
    /// Let in only members of one of these groups.
    pub allowed_groups: Vec<String>,
    /// `acr_values` to ask for.
    pub acr_values: Vec<String>,
    /// Ask the userinfo endpoint; its claims win over the ID token's.
    pub get_user_info: bool,
    /// Claim to take the user's id from. Default: `sub`.
    #[serde(rename = "userIDKey")]
    pub user_id_key: String,
    /// Claim to take the user's name from. Default: `name`.
    pub user_name_key: String,
    /// `prompt` to send with `offline_access`. Default: `consent`.
    pub prompt_type: Option<String>,
    /// `S256` or `plain`. Default: the better one that the provider advertises.
    pub pkce_challenge: String,
    /// The mapping below wins over standard claims.
    pub override_claim_mapping: bool,
    /// Other names of standard claims.
    pub claim_mapping: ClaimMapping,
    /// Changes to the groups.
    pub claim_modifications: ClaimModifications,
    /// Ours: an exchanged ID token must be for one of these. Default: any, as in Dex, so that any client of the same provider can
    /// bring its users' tokens.
    pub token_exchange_audiences: Vec<String>,
}

/// Endpoints to use instead of discovered ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are the endpoints, by name")]
pub struct DiscoveryOverrides {
    #[serde(rename = "tokenURL")]
    pub token_url: String,
    #[serde(rename = "authURL")]
    pub auth_url: String,
    #[serde(rename = "jwksURL")]
    pub jwks_url: String,
    #[serde(rename = "userInfoURL")]
    pub user_info_url: String,
    #[serde(rename = "deviceAuthURL")]
    pub device_auth_url: String,
    #[serde(rename = "endSessionURL")]
    pub end_session_url: String,
}

/// Other names of standard claims.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are the claims, by name")]
pub struct ClaimMapping {
    pub preferred_username: String,
    pub email: String,
    pub groups: String,
}

/// Changes to the groups.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[non_exhaustive]
pub struct ClaimModifications {
    /// Groups made of other claims.
    pub new_group_from_claims: Vec<NewGroup>,
    /// Which groups are kept.
    pub filter_group_claims: FilterGroups,
    /// How groups are renamed.
    pub modify_group_names: ModifyGroupNames,
}

/// A group made of claims: prefix and claim values, joined.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[non_exhaustive]
pub struct NewGroup {
    /// The claims, in order; those that are not text are skipped.
    pub claims: Vec<String>,
    /// Between the parts.
    pub delimiter: String,
    /// Remove the delimiter from the values first.
    pub clear_delimiter: bool,
    /// The first part.
    pub prefix: String,
}

/// Which groups are kept.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[non_exhaustive]
pub struct FilterGroups {
    /// A regular expression that must match somewhere in the name.
    pub groups_filter: String,
}

/// How groups are renamed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ModifyGroupNames {
    /// Put in front.
    pub prefix: String,
    /// Put behind.
    pub suffix: String,
}

impl Config {
    /// Reads Dex's JSON or YAML-as-JSON form: keys in any letter case, unknown keys ignored.
    ///
    /// # Errors
    /// A value of the wrong type.
    pub fn from_json(config: serde_json::Value) -> Result<Self, ConnectorError> {
        crate::config::parse(config, UnknownKeys::Ignore)
    }

    /// What to ask for: `openid` first, the rest once each.
    pub(super) fn scopes(&self) -> Vec<String> {
        let listed: &mut dyn Iterator<Item = &str> = if self.scopes.is_empty() {
            &mut ["profile", "email"].into_iter()
        } else {
            &mut self.scopes.iter().map(String::as_str)
        };
        let mut scopes = vec!["openid".to_owned()];
        for scope in listed {
            if !scopes.iter().any(|known| known == scope) {
                scopes.push(scope.to_owned());
            }
        }
        scopes
    }

    /// Refuses what cannot work or would let in people whom the operator believes to be kept out.
    pub(super) fn check(&self) -> Result<(), ConnectorError> {
        let refuse = |reason: &str| Err(ConnectorError::Config(reason.to_owned()));
        if !self.hosted_domains.is_empty() {
            return refuse(
                "support for the Hosted domains option had been deprecated and removed, consider switching to the Google connector",
            );
        }
        if self.client_id.is_empty() {
            return refuse("oidc: no clientID");
        }
        if !self.allowed_groups.is_empty() && !self.insecure_enable_groups {
            return refuse("oidc: allowedGroups has no effect without insecureEnableGroups: true");
        }
        if !matches!(self.pkce_challenge.as_str(), "" | "S256" | "plain") {
            return Err(ConnectorError::Config(format!(
                "oidc: unknown challenge method ({})",
                self.pkce_challenge
            )));
        }
        Ok(())
    }

    /// The filter of group names; one that is no regular expression is reported and left out, as in Dex.
    pub(super) fn groups_filter(&self, connector_id: &str) -> Option<Regex> {
        let pattern = &self.claim_modifications.filter_group_claims.groups_filter;
        if pattern.is_empty() {
            return None;
        }
        Regex::new(pattern)
            .inspect_err(|_| {
                tracing::warn!(invalid_regex = pattern, connector_id, "ignoring invalid");
            })
            .ok()
    }
}
