//! The process environment and Dex's feature flags (compat: `config.md` §2 and §3).

use std::collections::BTreeMap;

/// The environment, read once, so that everything downstream is a function of values.
#[derive(Clone, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The environment of this process; variables that are not UTF-8 are left out.
    pub(crate) fn of_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
        )
    }

    /// The value of a variable; empty if it is set to nothing.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of a variable, unless it is empty.
    pub(crate) fn non_empty(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        Self(
            variables
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        )
    }
}

/// Shows names only: values may be secrets.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// Dex's feature flags, as far as they mean something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches, each an environment variable"
)]
pub(crate) struct Flags {
    /// `DEX_ENT_ENABLED`: the SQL backends use the other schema.
    pub(crate) ent: bool,
    /// `DEX_EXPAND_ENV`: `$NAME` is expanded in three blocks.
    pub(crate) expand_env: bool,
    /// `DEX_CONTINUE_ON_CONNECTOR_FAILURE`
    pub(crate) continue_on_connector_failure: bool,
    /// `DEX_CONFIG_DISALLOW_UNKNOWN_FIELDS`
    pub(crate) disallow_unknown_fields: bool,
    /// `DEX_CLIENT_CREDENTIAL_GRANT_ENABLED_BY_DEFAULT`
    pub(crate) client_credentials_by_default: bool,
    /// `DEX_SESSIONS_ENABLED`
    pub(crate) sessions: bool,
}

impl Flags {
    /// The flags as the environment sets them; a value that is no Go boolean leaves the default.
    pub(crate) fn from_environment(environment: &Environment) -> Self {
        let flag = |name: &str, default| environment.get(name).and_then(go_bool).unwrap_or(default);
        Self {
            ent: flag("DEX_ENT_ENABLED", false),
            expand_env: flag("DEX_EXPAND_ENV", true),
            continue_on_connector_failure: flag("DEX_CONTINUE_ON_CONNECTOR_FAILURE", true),
            disallow_unknown_fields: flag("DEX_CONFIG_DISALLOW_UNKNOWN_FIELDS", false),
            client_credentials_by_default: flag(
                "DEX_CLIENT_CREDENTIAL_GRANT_ENABLED_BY_DEFAULT",
                false,
            ),
            sessions: flag("DEX_SESSIONS_ENABLED", false),
        }
    }
}

/// Go's `strconv.ParseBool`.
fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_gos_booleans_change_a_flag() {
        for (value, enabled) in [
            ("1", true),
            ("T", true),
            ("True", true),
            ("yes", false),
            ("on", false),
            ("", false),
            ("tRue", false),
        ] {
            let environment = Environment::from([("DEX_SESSIONS_ENABLED", value)]);
            assert_eq!(
                Flags::from_environment(&environment).sessions,
                enabled,
                "{value}"
            );
        }
        for (value, enabled) in [("0", false), ("F", false), ("maybe", true), ("", true)] {
            let environment = Environment::from([("DEX_EXPAND_ENV", value)]);
            assert_eq!(
                Flags::from_environment(&environment).expand_env,
                enabled,
                "{value}"
            );
        }
    }

    #[test]
    fn debug_shows_names_only() {
        let environment = Environment::from([("SECRET", "hidden")]);
        assert_eq!(format!("{environment:?}"), r#"["SECRET"]"#);
    }
}
