//! Every text a person reads, by key. A translation is a second [`Catalogue`].
//!
//! Messages of error pages are not here: they are fixed sentences of `PageError`, so that the sentence itself is the key.

use std::collections::BTreeMap;

use http::StatusCode;

/// Texts in one language.
#[derive(Debug)]
pub(super) struct Catalogue {
    /// Language tag for `<html lang>`.
    pub(super) lang: &'static str,
    texts: &'static [(&'static str, &'static str)],
}

impl Catalogue {
    /// The text of a key, with its `{placeholders}` as they are.
    pub(super) fn text(&self, key: &str) -> Option<&'static str> {
        self.texts
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, text)| *text)
    }

    #[cfg(test)]
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.texts.iter().map(|(key, _)| *key)
    }

    /// The text of a key with `{name}` replaced by `value(name)`. The values themselves are not looked into.
    pub(super) fn filled(
        &self,
        key: &str,
        value: impl Fn(&str) -> Option<String>,
    ) -> Option<String> {
        let mut rest = self.text(key)?;
        let mut filled = String::with_capacity(rest.len());
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let (name, after) = after.split_once('}')?;
            filled.push_str(&value(name)?);
            rest = after;
        }
        filled.push_str(rest);
        Some(filled)
    }

    /// What agreeing to a scope means; `None` for scopes that reveal nothing.
    pub(super) fn scope(
        &self,
        scope: &str,
        peer_names: &BTreeMap<String, String>,
    ) -> Option<String> {
        if let Some(peer) = scope.strip_prefix("audience:server:client_id:") {
            let name = peer_names.get(peer).map_or(peer, String::as_str);
            return self.filled("scope.audience", |_| Some(name.to_owned()));
        }
        let key = match scope {
            "offline_access" => "scope.offline_access",
            "profile" => "scope.profile",
            "email" => "scope.email",
            "groups" => "scope.groups",
            "federated:id" => "scope.federated_id",
            _ => return None,
        };
        self.text(key).map(str::to_owned)
    }

    /// Heading of an error page: the standard phrase of the status.
    pub(super) fn status(&self, status: StatusCode) -> &'static str {
        status
            .canonical_reason()
            .or_else(|| self.text("error.heading"))
            .unwrap_or_default()
    }
}

/// English.
pub(super) static ENGLISH: Catalogue = Catalogue {
    lang: "en",
    texts: &[
        ("approval.allow", "Grant Access"),
        ("approval.asks", "This application asks to:"),
        ("approval.heading", "Allow {client} to use your account?"),
        (
            "approval.nothing",
            "{client} has not requested any personal information",
        ),
        ("approval.refuse", "Cancel"),
        ("approval.scopes", "Permissions asked for"),
        ("approval.user", "Signed in as {user}"),
        ("error.back_to_application", "Back to the application"),
        ("error.heading", "Something went wrong"),
        ("error.start_again", "Start again"),
        ("error.unrenderable", "Internal server error"),
        ("home.discovery", "Discovery"),
        (
            "home.explanation",
            "This is where applications send you to sign in. There is nothing to do here: open the application you want to use.",
        ),
        ("home.kind", "Dex IdP"),
        ("login.connector", "Log in with {name}"),
        ("login.connectors", "Ways to log in"),
        ("login.heading", "Log in to {issuer}"),
        ("oob.code", "Code"),
        ("oob.heading", "Login Successful"),
        (
            "oob.instruction",
            "Copy this code, switch to your application and paste it there:",
        ),
        ("password.back", "Select another login method."),
        ("password.heading", "Log in"),
        ("password.invalid", "Invalid {prompt} and password."),
        ("password.password", "Password"),
        ("password.remember_me", "Remember me"),
        ("password.submit", "Login"),
        ("repost.continue", "Continue"),
        (
            "repost.explanation",
            "You are being signed in. If nothing happens, press the button.",
        ),
        ("repost.heading", "One moment"),
        (
            "scope.audience",
            "Use your sign-in with the application {name}",
        ),
        ("scope.email", "View your email address"),
        (
            "scope.federated_id",
            "View your account identifier at the service you logged in with",
        ),
        ("scope.groups", "View your groups"),
        ("scope.offline_access", "Have offline access"),
        ("scope.profile", "View basic profile information"),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_not_searched_for_placeholders() {
        let text = ENGLISH.filled("approval.user", |_| Some("{client} {x".to_owned()));
        assert_eq!(text.as_deref(), Some("Signed in as {client} {x"));
    }

    #[test]
    fn each_scope_that_reveals_something_has_a_text() {
        let names = BTreeMap::from([("peer".to_owned(), "Peer App".to_owned())]);
        for (scope, text) in [
            ("openid", None),
            ("offline_access", Some("Have offline access")),
            ("profile", Some("View basic profile information")),
            ("email", Some("View your email address")),
            ("groups", Some("View your groups")),
            (
                "federated:id",
                Some("View your account identifier at the service you logged in with"),
            ),
            (
                "audience:server:client_id:peer",
                Some("Use your sign-in with the application Peer App"),
            ),
            (
                "audience:server:client_id:other",
                Some("Use your sign-in with the application other"),
            ),
            ("anything-else", None),
        ] {
            assert_eq!(ENGLISH.scope(scope, &names).as_deref(), text, "{scope}");
        }
    }
}
