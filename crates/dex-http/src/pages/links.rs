//! Links: from a page to its assets, and the check of links that came from a request.

use std::borrow::Cow;

use url::Url;

/// Link from the page at `request_path` to `asset`, relative, so that it survives a proxy that changes the prefix.
///
/// `issuer_path` is the path part of the issuer. An asset with a scheme is returned as it is.
pub(super) fn asset_link(issuer_path: &str, request_path: &str, asset: &str) -> String {
    if Url::parse(asset).is_ok() {
        return asset.to_owned();
    }
    let issuer = segments(issuer_path);
    let request = segments(request_path);
    let asset = segments(asset);

    let below_issuer = without_common_prefix(&request, &issuer).0;
    if below_issuer.is_empty() {
        // The issuer's own address has no trailing slash, so the browser resolves against the parent of its last
        // segment. Dex puts the whole issuer path here, which is a dead link for an issuer of two segments.
        let mut link: Vec<&str> = issuer.last().copied().into_iter().collect();
        link.extend(asset);
        return link.join("/");
    }
    let (asset, request) = without_common_prefix(&asset, below_issuer);
    let mut link = vec![".."; request.len().saturating_sub(1)];
    link.extend(asset);
    link.join("/")
}

/// The value if it is a rooted path on our own origin, whatever a browser makes of it.
pub(super) fn local_path(link: &str) -> Option<&str> {
    let mut chars = link.chars();
    let rooted = chars.next() == Some('/') && !matches!(chars.next(), Some('/' | '\\'));
    // Browsers drop tabs and line breaks from addresses before they read them: "/\t/evil" is "//evil".
    (rooted && !link.chars().any(char::is_control)).then_some(link)
}

/// Whether a link leads to our own origin, whatever a browser makes of it.
pub(crate) fn is_local_path(link: &str) -> bool {
    local_path(link).is_some()
}

/// The value if it is a [`local_path`] or an absolute `http` or `https` address.
pub(super) fn web_link(link: &str) -> Option<&str> {
    local_path(link).or_else(|| {
        let url = Url::parse(link).ok()?;
        (matches!(url.scheme(), "http" | "https") && !link.chars().any(char::is_control))
            .then_some(link)
    })
}

/// Whether a configured logo is a path below the issuer or an address that can only be an image.
pub(super) fn is_image_address(address: &str) -> bool {
    match Url::parse(address) {
        Ok(url) => match url.scheme() {
            "http" | "https" => true,
            "data" => url.path().starts_with("image/"),
            _ => false,
        },
        Err(_) => !address.chars().any(char::is_control),
    }
}

fn segments(path: &str) -> Vec<&str> {
    let mut clean: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                clean.pop();
            }
            name => clean.push(name),
        }
    }
    clean
}

fn without_common_prefix<'a, 's>(
    left: &'a [&'s str],
    right: &'a [&'s str],
) -> (&'a [&'s str], &'a [&'s str]) {
    let common = left
        .iter()
        .zip(right)
        .take_while(|(one, other)| one == other)
        .count();
    (
        left.get(common..).unwrap_or_default(),
        right.get(common..).unwrap_or_default(),
    )
}

/// Percent-decoded once; `None` if it is malformed or not UTF-8.
pub(crate) fn percent_decoded(encoded: &str) -> Option<Cow<'_, str>> {
    if !encoded.contains('%') {
        return Some(Cow::Borrowed(encoded));
    }
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            bytes.extend(hex::decode(digits).ok()?);
            rest = after;
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_are_linked_relative_to_the_page() {
        for (issuer, request, asset, expected) in [
            ("/", "/auth", "/theme/main.css", "theme/main.css"),
            ("/dex", "/dex/auth", "static/main.css", "static/main.css"),
            (
                "/dex",
                "/dex/auth/connector",
                "assets/css/main.css",
                "../assets/css/main.css",
            ),
            (
                "/dex",
                "/dex/auth/local/login",
                "static/main.css",
                "../../static/main.css",
            ),
            ("/dex", "/dex", "static/main.css", "dex/static/main.css"),
            // Dex: "dex/idp/theme/styles.css", which a browser resolves to /dex/dex/idp/theme/styles.css.
            (
                "/dex/idp",
                "/dex/idp",
                "theme/styles.css",
                "idp/theme/styles.css",
            ),
            ("/", "/", "static/main.css", "static/main.css"),
            ("", "/", "static/main.css", "static/main.css"),
            ("", "/auth", "theme/logo.png", "theme/logo.png"),
            ("/dex/", "/dex/callback/x", "theme/a", "../theme/a"),
            ("/dex", "/dex/auth", "//cdn/logo.png", "cdn/logo.png"),
            (
                "/dex",
                "/dex/auth/x",
                "https://host/logo.png",
                "https://host/logo.png",
            ),
        ] {
            assert_eq!(
                asset_link(issuer, request, asset),
                expected,
                "{issuer} {request} {asset}"
            );
        }
    }

    #[test]
    fn web_17_only_a_rooted_path_on_our_origin_leads_back() {
        for refused in [
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\n\\evil.example",
            "auth?x=1",
            "",
        ] {
            assert_eq!(local_path(refused), None, "{refused:?}");
        }
        assert_eq!(local_path("/dex/auth?x=1"), Some("/dex/auth?x=1"));
        assert_eq!(local_path("/"), Some("/"));
    }

    #[test]
    fn a_way_out_is_a_path_or_a_web_address() {
        assert!(web_link("https://app.example/start").is_some());
        assert!(web_link("/dex/auth?x=1").is_some());
        for refused in [
            "javascript:alert(1)",
            "java\nscript:alert(1)",
            "data:text/html,x",
            "app:x",
            "",
        ] {
            assert_eq!(web_link(refused), None, "{refused:?}");
        }
    }

    #[test]
    fn percent_sequences_are_decoded_once() {
        for (encoded, decoded) in [
            ("plain", Some("plain")),
            ("a%20b", Some("a b")),
            ("a%2520b", Some("a%20b")),
            ("a%2", None),
            ("a%zz", None),
            ("%ff", None),
        ] {
            assert_eq!(percent_decoded(encoded).as_deref(), decoded, "{encoded}");
        }
    }
}
