//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use openidconnect::IssuerUrl;
use url::Url;

/// A small OpenID Connect client to try an issuer with.
#[derive(clap::Parser)]
#[command(name = "example-app", version)]
pub(crate) struct Options {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, env = "EXAMPLE_APP_LISTEN", default_value = "127.0.0.1:5555")]
    pub(crate) listen: String,

    /// The issuer to log in at
    #[arg(
        long,
        env = "EXAMPLE_APP_ISSUER",
        value_parser = |text: &str| IssuerUrl::new(text.into()),
        default_value = "http://127.0.0.1:5556/dex"
    )]
    // Issuers compare as text, so it is kept as written.
    pub(crate) issuer: IssuerUrl,

    /// File with the PEM certificates of authorities to trust for the issuer, instead of the system's
    #[arg(long, env = "EXAMPLE_APP_ISSUER_ROOT_CA", value_name = "FILE")]
    pub(crate) issuer_root_ca: Option<PathBuf>,

    /// This client's identifier at the issuer
    #[arg(long, env = "EXAMPLE_APP_CLIENT_ID", default_value = "example-app")]
    pub(crate) client_id: String,

    /// This client's secret; empty for a public client
    // The value is public: Dex's own samples register this client with it, and dexd's development mode does so too.
    #[arg(
        long,
        env = "EXAMPLE_APP_CLIENT_SECRET",
        default_value = "ZXhhbXBsZS1hcHAtc2VjcmV0",
        hide_env_values = true
    )]
    pub(crate) client_secret: String,

    /// Where the issuer sends the browser back to [default: /callback at the address listened on]
    #[arg(long, env = "EXAMPLE_APP_REDIRECT_URI", value_name = "URL")]
    pub(crate) redirect_uri: Option<Url>,

    /// Scopes that the form offers, checked; `openid` and `offline_access` are offered anyway
    #[arg(
        long,
        env = "EXAMPLE_APP_SCOPES",
        value_delimiter = ',',
        default_value = "profile,email,groups"
    )]
    pub(crate) scopes: Vec<String>,
}

impl Options {
    /// Where the issuer sends the browser back to when this program can be reached at `address`.
    pub(crate) fn redirect_uri(&self, address: SocketAddr) -> anyhow::Result<Url> {
        match &self.redirect_uri {
            Some(uri) => Ok(uri.clone()),
            None => Url::parse(&format!("http://{address}/callback"))
                .context("making the redirect URI of the address"),
        }
    }

    /// The scopes of the form's check boxes.
    pub(crate) fn offered_scopes(&self) -> Vec<String> {
        let elsewhere = ["", "openid", "offline_access"];
        self.scopes
            .iter()
            .filter(|scope| !elsewhere.contains(&scope.as_str()))
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[test]
    fn the_redirect_uri_follows_the_address() {
        let options = Options::parse_from(["example-app"]);
        let uri = options.redirect_uri(([127, 0, 0, 1], 4711).into()).unwrap();
        assert_eq!(uri.as_str(), "http://127.0.0.1:4711/callback");
    }

    #[test]
    fn a_given_redirect_uri_is_kept() {
        let options =
            Options::parse_from(["example-app", "--redirect-uri", "https://app.example/cb"]);
        let uri = options.redirect_uri(([127, 0, 0, 1], 1).into()).unwrap();
        assert_eq!(uri.as_str(), "https://app.example/cb");
    }

    #[test]
    fn scopes_with_a_place_of_their_own_are_not_offered_twice() {
        let options =
            Options::parse_from(["example-app", "--scopes", "openid,email,offline_access,x"]);
        assert_eq!(options.offered_scopes(), ["email", "x"]);
    }
}
