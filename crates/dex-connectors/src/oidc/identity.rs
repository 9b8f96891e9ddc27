//! From the provider's claims to an identity.
//!
//! Pure: claims in, claims out. Login, refresh and token exchange all pass through here, so group rules hold everywhere.

use dex_core::records::Claims;
use regex::Regex;
use serde_json::{Map, Value};

use super::Config;
use super::config::{ClaimMapping, ModifyGroupNames, NewGroup};
use crate::ConnectorError;

/// How claims become an identity.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "Dex's keys")]
pub(super) struct ClaimRules {
    user_id_key: String,
    user_name_key: String,
    override_mapping: bool,
    mapping: ClaimMapping,
    /// The `email` scope was asked for, so its claims must be there.
    email_expected: bool,
    assume_email_verified: bool,
    groups_enabled: bool,
    groups_filter: Option<Regex>,
    allowed_groups: Vec<String>,
    rename: ModifyGroupNames,
    new_groups: Vec<NewGroup>,
}

impl ClaimRules {
    pub(super) fn new(config: &Config, connector_id: &str) -> Self {
        Self {
            user_id_key: config.user_id_key.clone(),
            user_name_key: match config.user_name_key.as_str() {
                "" => "name".to_owned(),
                key => key.to_owned(),
            },
            override_mapping: config.override_claim_mapping,
            mapping: config.claim_mapping.clone(),
            email_expected: config.scopes().iter().any(|scope| scope == "email"),
            assume_email_verified: config.insecure_skip_email_verified,
            groups_enabled: config.insecure_enable_groups,
            groups_filter: config.groups_filter(connector_id),
            allowed_groups: config.allowed_groups.clone(),
            rename: config.claim_modifications.modify_group_names.clone(),
            new_groups: config.claim_modifications.new_group_from_claims.clone(),
        }
    }

    /// The identity these claims stand for.
    ///
    /// # Errors
    /// [`ConnectorError::Rejected`] for a claim that is missing or malformed, [`ConnectorError::NotInRequiredGroups`] for a person
    /// outside the allowed groups.
    pub(super) fn identity(&self, claims: &Map<String, Value>) -> Result<Claims, ConnectorError> {
        let subject = text(claims, "sub").ok_or_else(|| missing("sub"))?;
        let username =
            text(claims, &self.user_name_key).ok_or_else(|| missing(&self.user_name_key))?;
        let user_id = match self.user_id_key.as_str() {
            "" => subject,
            key => text(claims, key)
                .ok_or_else(|| ConnectorError::Rejected(format!("oidc: not found {key} claim")))?,
        };
        Ok(Claims {
            user_id: user_id.to_owned(),
            username: username.to_owned(),
            preferred_username: self.preferred_username(claims).to_owned(),
            email: self.email(claims)?.to_owned(),
            email_verified: self.email_verified(claims)?,
            groups: self.groups(claims, user_id)?,
        })
    }

    fn preferred_username<'a>(&self, claims: &'a Map<String, Value>) -> &'a str {
        let standard = text(claims, "preferred_username");
        let mapped = &self.mapping.preferred_username;
        if self.is_mapped(mapped, standard.is_some()) {
            text(claims, mapped).unwrap_or_default()
        } else {
            standard.unwrap_or_default()
        }
    }

    fn email<'a>(&self, claims: &'a Map<String, Value>) -> Result<&'a str, ConnectorError> {
        let standard = text(claims, "email");
        let mapped = &self.mapping.email;
        let (key, found) = if self.is_mapped(mapped, standard.is_some()) {
            (mapped.as_str(), text(claims, mapped))
        } else {
            ("email", standard)
        };
        match found {
            Some(email) => Ok(email),
            None if self.email_expected => Err(ConnectorError::Rejected(format!(
                "missing email claim, not found {key:?} key"
            ))),
            None => Ok(""),
        }
    }

    fn email_verified(&self, claims: &Map<String, Value>) -> Result<bool, ConnectorError> {
        match claims.get("email_verified") {
            Some(Value::Bool(verified)) => Ok(*verified),
            _ if self.assume_email_verified => Ok(true),
            _ if self.email_expected => Err(missing("email_verified")),
            _ => Ok(false),
        }
    }

    fn groups(
        &self,
        claims: &Map<String, Value>,
        user_id: &str,
    ) -> Result<Vec<String>, ConnectorError> {
        let mut groups = if self.groups_enabled {
            self.allowed(self.stated_groups(claims)?, user_id)?
        } else {
            Vec::new()
        };
        for group in &mut groups {
            *group = format!("{}{group}{}", self.rename.prefix, self.rename.suffix);
        }
        groups.extend(self.new_groups.iter().filter_map(|rule| made(rule, claims)));
        Ok(groups)
    }

    /// The groups claim: a list of names or of objects with a `name`, filtered; or one name, which is taken as it is.
    fn stated_groups(&self, claims: &Map<String, Value>) -> Result<Vec<String>, ConnectorError> {
        let standard_is_list = claims.get("groups").is_some_and(Value::is_array);
        let key = if self.is_mapped(&self.mapping.groups, standard_is_list) {
            self.mapping.groups.as_str()
        } else {
            "groups"
        };
        let members = match claims.get(key) {
            Some(Value::String(group)) => return Ok(vec![group.clone()]),
            Some(Value::Array(members)) => members,
            _ => return Ok(Vec::new()),
        };
        let mut groups = Vec::with_capacity(members.len());
        for member in members {
            let name = match member {
                Value::String(name) => Some(name),
                Value::Object(group) => match group.get("name") {
                    Some(Value::String(name)) => Some(name),
                    _ => None,
                },
                _ => {
                    return Err(ConnectorError::Rejected(format!("malformed {key:?} claim")));
                }
            };
            let kept = name.filter(|name| {
                self.groups_filter
                    .as_ref()
                    .is_none_or(|filter| filter.is_match(name))
            });
            groups.extend(kept.cloned());
        }
        Ok(groups)
    }

    fn allowed(&self, groups: Vec<String>, user_id: &str) -> Result<Vec<String>, ConnectorError> {
        if self.allowed_groups.is_empty() {
            return Ok(groups);
        }
        let kept: Vec<_> = groups
            .into_iter()
            .filter(|group| self.allowed_groups.contains(group))
            .collect();
        if kept.is_empty() {
            return Err(ConnectorError::NotInRequiredGroups {
                user_id: user_id.to_owned(),
                required: self.allowed_groups.clone(),
            });
        }
        Ok(kept)
    }

    /// Whether the configured name is used: there is one, and it wins or the standard claim is of no use.
    fn is_mapped(&self, mapped: &str, standard_is_usable: bool) -> bool {
        !mapped.is_empty() && (self.override_mapping || !standard_is_usable)
    }
}

/// Prefix and claims joined, if any of the claims is there.
fn made(rule: &NewGroup, claims: &Map<String, Value>) -> Option<String> {
    let values: Vec<_> = rule
        .claims
        .iter()
        .filter_map(|name| text(claims, name))
        .map(|value| {
            if rule.clear_delimiter && !rule.delimiter.is_empty() {
                value.replace(&rule.delimiter, "")
            } else {
                value.to_owned()
            }
        })
        .collect();
    if values.is_empty() {
        return None;
    }
    let mut parts = vec![rule.prefix.clone()];
    parts.extend(values);
    Some(parts.join(&rule.delimiter))
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}

fn missing(claim: &str) -> ConnectorError {
    ConnectorError::Rejected(format!("missing {claim:?} claim"))
}

#[cfg(test)]
mod tests;
