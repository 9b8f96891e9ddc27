//! The pages: templates in the binary, every value escaped.

use anyhow::Context as _;
use minijinja::{Environment, Value, context};
use openidconnect::RefreshToken;

use crate::relying_party::Grant;

/// The templates.
pub(crate) struct Pages(Environment<'static>);

impl Pages {
    /// Reads the templates.
    pub(crate) fn load() -> anyhow::Result<Self> {
        let mut templates = Environment::new();
        for (name, text) in [
            ("layout.html", include_str!("../templates/layout.html")),
            ("form.html", include_str!("../templates/form.html")),
            ("result.html", include_str!("../templates/result.html")),
            ("error.html", include_str!("../templates/error.html")),
        ] {
            templates
                .add_template(name, text)
                .with_context(|| format!("template {name}"))?;
        }
        Ok(Self(templates))
    }

    /// The login form.
    pub(crate) fn form(&self, scopes: &[String]) -> Result<String, minijinja::Error> {
        self.render(
            "form.html",
            context! { scopes => scopes.iter().map(String::as_str).collect::<Value>() },
        )
    }

    /// What a login brought.
    pub(crate) fn result(&self, grant: &Grant) -> Result<String, minijinja::Error> {
        let (header, claims) = grant.id_token_parts();
        self.render(
            "result.html",
            context! {
                header,
                claims,
                userinfo => grant.userinfo.as_deref(),
                id_token => grant.id_token.to_string(),
                access_token => grant.access_token.secret(),
                refresh_token => grant.refresh_token.as_ref().map(RefreshToken::secret),
                refreshed => grant.refreshed,
            },
        )
    }

    /// What went wrong.
    pub(crate) fn error(&self, message: &str) -> Result<String, minijinja::Error> {
        self.render("error.html", context! { message })
    }

    fn render(&self, name: &str, values: Value) -> Result<String, minijinja::Error> {
        self.0.get_template(name)?.render(values)
    }
}

/// The style sheet of all pages.
pub(crate) const STYLE: &str = include_str!("../static/style.css");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_issuer_says_cannot_add_markup() {
        let page = Pages::load()
            .unwrap()
            .error("access_denied: <script>alert('x')</script>")
            .unwrap();
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("&lt;script&gt;"), "{page}");
    }
}
