//! The issuer's URL: identity of the provider and prefix of every route (OpenID Connect Discovery 1.0 §3).

use url::Url;

/// An absolute `http` or `https` URL with a host and without query, fragment or user information.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerUrl {
    /// As published in `iss` and discovery: re-serialised, a trailing slash is kept, a bare host gets none.
    text: String,
    url: Url,
    /// Path without trailing slash; empty for an issuer without a path.
    prefix: String,
}

/// The text cannot be an issuer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidIssuer {
    /// Not a URL.
    #[error("can't parse issuer URL: {0}")]
    NotUrl(url::ParseError),
    /// A scheme other than `http` and `https`.
    #[error("issuer URL must start with http:// or https://")]
    Scheme,
    /// User information, query or fragment.
    #[error("issuer URL must not have user information, a query or a fragment")]
    Extra,
}

impl IssuerUrl {
    /// Reads an issuer.
    ///
    /// # Errors
    /// By cause, see [`InvalidIssuer`].
    pub fn parse(text: &str) -> Result<Self, InvalidIssuer> {
        let url = Url::parse(text).map_err(InvalidIssuer::NotUrl)?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(InvalidIssuer::Scheme);
        }
        if url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return Err(InvalidIssuer::Extra);
        }
        let bare_host = url.path() == "/" && !text.ends_with('/');
        let text = if bare_host {
            url.as_str().trim_end_matches('/').to_owned()
        } else {
            url.as_str().to_owned()
        };
        let prefix = url.path().trim_end_matches('/').to_owned();
        Ok(Self { text, url, prefix })
    }

    /// The published form, as in `iss`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether cookies must be `Secure`.
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The path of the issuer without trailing slash; empty if it has none.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The path cookies are limited to: the prefix, or `/`.
    pub fn cookie_path(&self) -> &str {
        if self.prefix.is_empty() {
            "/"
        } else {
            &self.prefix
        }
    }

    /// The rooted path of one of our routes; `route` starts with `/`.
    pub fn path(&self, route: &str) -> String {
        format!("{}{route}", self.prefix)
    }

    /// The absolute URL of one of our routes; `route` starts with `/`.
    pub fn endpoint(&self, route: &str) -> String {
        format!(
            "{}{}{route}",
            self.url.origin().ascii_serialization(),
            self.prefix
        )
    }

    /// The part of a request path behind the prefix; `None` if the path is not ours. The issuer's own path gives `""`.
    pub fn strip<'p>(&self, path: &'p str) -> Option<&'p str> {
        path.strip_prefix(self.prefix.as_str())
            .filter(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_joined_without_double_slashes() {
        for (issuer, published, token) in [
            (
                "http://127.0.0.1:5556/dex",
                "http://127.0.0.1:5556/dex",
                "http://127.0.0.1:5556/dex/token",
            ),
            (
                "http://127.0.0.1:5556/dex/",
                "http://127.0.0.1:5556/dex/",
                "http://127.0.0.1:5556/dex/token",
            ),
            (
                "https://dex.example.com",
                "https://dex.example.com",
                "https://dex.example.com/token",
            ),
            (
                "HTTPS://dex.example.com/",
                "https://dex.example.com/",
                "https://dex.example.com/token",
            ),
        ] {
            let issuer = IssuerUrl::parse(issuer).unwrap();
            assert_eq!(issuer.as_str(), published);
            assert_eq!(issuer.endpoint("/token"), token);
        }
    }

    #[test]
    fn what_is_no_issuer_is_refused() {
        for text in [
            "127.0.0.1:5556",
            "localhost:5556/dex",
            "ftp://h/",
            "https://h/?x",
            "https://h/#f",
            "https://u@h/",
            "",
            "https://",
        ] {
            assert!(IssuerUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_whole_segments_of_the_prefix_match() {
        let issuer = IssuerUrl::parse("http://h/dex").unwrap();
        assert_eq!(issuer.strip("/dex"), Some(""));
        assert_eq!(issuer.strip("/dex/auth"), Some("/auth"));
        assert_eq!(issuer.strip("/dexter"), None);
        assert_eq!(
            IssuerUrl::parse("http://h").unwrap().strip("/auth"),
            Some("/auth")
        );
    }
}
