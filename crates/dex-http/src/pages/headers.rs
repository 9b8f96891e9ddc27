//! The headers of every page, in one place.

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use url::{Host, Url};

/// What one page adds to the strict policy.
#[derive(Debug, Clone, Copy, Default)]
pub struct ContentPolicy<'a> {
    /// Where the configured logo lives, if not on our own origin.
    pub image_source: Option<&'a str>,
    /// Addresses at which a submitted form may end after redirects.
    pub form_action_targets: &'a [String],
}

/// The headers of a rendered page: not stored, not sniffed, not framed, no referrer, nothing inline.
///
/// A browser applies `form-action` to the redirects that follow a submission too (Chromium does, Firefox does not), so
/// the client's redirect URI has to be among the targets of a page whose form may end there.
///
/// What the operator configures under `web.headers` replaces the value of that name afterwards.
pub fn page_headers(policy: &ContentPolicy<'_>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CONTENT_SECURITY_POLICY, content_security_policy(policy));
    headers
}

/// What `img-src` needs for this logo; `None` for a path of our own.
pub(super) fn image_source(logo_url: &str) -> Option<String> {
    let url = Url::parse(logo_url).ok()?;
    match url.scheme() {
        "data" => Some("data:".to_owned()),
        _ => source_expression(&url),
    }
}

fn content_security_policy(policy: &ContentPolicy<'_>) -> HeaderValue {
    let mut form_action = vec!["'self'".to_owned()];
    for target in policy.form_action_targets {
        let source = Url::parse(target).ok().as_ref().and_then(source_expression);
        form_action.extend(source.filter(|source| !form_action.contains(source)));
    }
    let mut image = "'self'".to_owned();
    if let Some(source) = policy.image_source {
        image.push(' ');
        image.push_str(source);
    }
    let value = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; font-src 'self'; img-src {image}; \
         form-action {}; base-uri 'none'; frame-ancestors 'none'",
        form_action.join(" ")
    );
    HeaderValue::from_str(&value).unwrap_or_else(|_| HeaderValue::from_static(STRICTEST))
}

/// Origin of a web address, scheme of any other; `None` for schemes that would be a hole or go nowhere.
fn source_expression(url: &Url) -> Option<String> {
    match url.scheme() {
        "http" | "https" => Some(match url.host() {
            Some(Host::Domain(name)) if is_plain_host(name) => url.origin().ascii_serialization(),
            Some(Host::Ipv4(_)) => url.origin().ascii_serialization(),
            // A host source can be neither an IPv6 literal nor a name with characters that mean something in a policy.
            _ => format!("{}:", url.scheme()),
        }),
        "javascript" | "data" | "blob" | "vbscript" | "filesystem" | "urn" | "about" => None,
        // An app's own scheme: letters, digits, "+", "-" and "." by the rules of addresses.
        scheme => Some(format!("{scheme}:")),
    }
}

fn is_plain_host(name: &str) -> bool {
    name.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

const STRICTEST: &str = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'";

#[cfg(test)]
mod tests {
    use super::*;

    fn form_action(targets: &[&str]) -> String {
        let targets: Vec<String> = targets.iter().map(|&target| target.to_owned()).collect();
        let value = content_security_policy(&ContentPolicy {
            image_source: None,
            form_action_targets: &targets,
        });
        let policy = value.to_str().unwrap();
        policy
            .split("; ")
            .find_map(|directive| directive.strip_prefix("form-action "))
            .unwrap()
            .to_owned()
    }

    #[test]
    fn a_form_may_end_at_the_targets_of_its_page_and_nowhere_else() {
        for (targets, expected) in [
            (&[][..], "'self'"),
            (
                &["https://app.example/cb?x=1", "https://app.example/other"],
                "'self' https://app.example",
            ),
            (
                &["http://127.0.0.1:5555/cb"],
                "'self' http://127.0.0.1:5555",
            ),
            (&["http://[::1]:8000/cb"], "'self' http:"),
            (&["com.example.app:/cb"], "'self' com.example.app:"),
            (&["https://a;script-src/cb"], "'self' https:"),
            (&["https://*.example/cb"], "'self' https:"),
            (&["javascript:alert(1)", "data:text/html,x"], "'self'"),
            (&["urn:ietf:wg:oauth:2.0:oob"], "'self'"),
            (&["not an address"], "'self'"),
        ] {
            assert_eq!(form_action(targets), expected, "{targets:?}");
        }
    }

    #[test]
    fn only_the_origin_of_an_external_logo_is_allowed() {
        for (logo, expected) in [
            ("theme/logo.png", None),
            ("https://img.example/l.png", Some("https://img.example")),
            (
                "http://img.example:8080/l.png",
                Some("http://img.example:8080"),
            ),
            ("data:image/png;base64,AA==", Some("data:")),
        ] {
            assert_eq!(image_source(logo).as_deref(), expected, "{logo}");
        }
    }
}
