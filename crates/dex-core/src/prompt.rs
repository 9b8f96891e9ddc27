//! `prompt` (OpenID Connect Core 1.0 §3.1.2.1; compat: `authflow.md` §11.1).

use std::fmt;

/// What the client wants shown to the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a set of the four values of the specification"
)]
pub struct Prompt {
    none: bool,
    login: bool,
    consent: bool,
    select_account: bool,
}

/// The parameter is malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPrompt {
    /// Not one of the four values.
    #[error("invalid prompt value {}", crate::go_quote::quote(.0))]
    Unknown(String),
    /// `none` stands alone.
    #[error("prompt=none must not be combined with other values")]
    NoneCombined,
}

impl Prompt {
    /// Reads the parameter: blanks around and between do not matter, nor do repetitions.
    ///
    /// # Errors
    /// See [`InvalidPrompt`].
    pub fn parse(text: &str) -> Result<Self, InvalidPrompt> {
        let mut prompt = Self::default();
        for word in text.split_whitespace() {
            match word {
                "none" => prompt.none = true,
                "login" => prompt.login = true,
                "consent" => prompt.consent = true,
                "select_account" => prompt.select_account = true,
                other => return Err(InvalidPrompt::Unknown(other.to_owned())),
            }
        }
        if prompt.none && (prompt.login || prompt.consent || prompt.select_account) {
            return Err(InvalidPrompt::NoneCombined);
        }
        Ok(prompt)
    }

    /// No page may be shown.
    pub fn is_none(self) -> bool {
        self.none
    }

    /// The person must log in again.
    pub fn login(self) -> bool {
        self.login
    }

    /// The consent page must be shown.
    pub fn consent(self) -> bool {
        self.consent
    }

    /// The person chooses among accounts.
    pub fn select_account(self) -> bool {
        self.select_account
    }
}

/// The canonical form, as stored.
impl fmt::Display for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = [
            (self.none, "none"),
            (self.login, "login"),
            (self.consent, "consent"),
            (self.select_account, "select_account"),
        ]
        .into_iter()
        .filter_map(|(present, word)| present.then_some(word));
        if let Some(first) = words.next() {
            f.write_str(first)?;
        }
        words.try_for_each(|word| write!(f, " {word}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_canonical() {
        for (text, canonical) in [
            ("", ""),
            (" none  none ", "none"),
            ("consent login", "login consent"),
            ("select_account consent", "consent select_account"),
        ] {
            let prompt = Prompt::parse(text).unwrap();
            assert_eq!(prompt.to_string(), canonical);
            assert_eq!(Prompt::parse(canonical).unwrap(), prompt);
        }
    }

    #[test]
    fn malformed_prompts_say_why() {
        for (text, why) in [
            ("bogus", r#"invalid prompt value "bogus""#),
            ("None", r#"invalid prompt value "None""#),
            (
                "none login",
                "prompt=none must not be combined with other values",
            ),
        ] {
            assert_eq!(Prompt::parse(text).unwrap_err().to_string(), why);
        }
    }
}
