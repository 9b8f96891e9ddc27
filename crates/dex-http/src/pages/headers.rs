//! The headers of every page, in one place.

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use url::{Host, Url};

/// Where a form on the page may lead, redirects included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormEnd {
    /// The page has no form.
    NoForm,
    /// The form is a step of a login, which ends at the client.
    Client,
}

/// The headers of a rendered page: not stored, not sniffed, not framed, no referrer, nothing inline.
///
/// `image_source` is where the configured logo lives, if not on our own origin.
///
/// What the operator configures under `web.headers` replaces the value of that name afterwards.
pub fn page_headers(form_end: FormEnd, image_source: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        content_security_policy(form_end, image_source),
    );
    headers
}

/// What `img-src` needs for this logo; `None` for a path of our own.
pub(super) fn image_source(logo_url: &str) -> Option<String> {
    let url = Url::parse(logo_url).ok()?;
    match url.scheme() {
        "data" => Some("data:".to_owned()),
        "http" | "https" => Some(source_expression(&url)),
        _ => None,
    }
}

fn content_security_policy(form_end: FormEnd, image_source: Option<&str>) -> HeaderValue {
    let mut value = String::from(
        "default-src 'none'; style-src 'self'; script-src 'self'; font-src 'self'; img-src 'self'",
    );
    if let Some(source) = image_source {
        value.push(' ');
        value.push_str(source);
    }
    value.push_str("; base-uri 'none'; frame-ancestors 'none'");
    match form_end {
        FormEnd::NoForm => value.push_str("; form-action 'self'"),
        // Chromium applies `form-action` to every redirect that follows a submission: ours to the client, and the
        // client's own to wherever it sends people next. Those addresses cannot be known, and a login that does not
        // arrive is worse than a directive that guards against markup we do not let in.
        FormEnd::Client => {}
    }
    HeaderValue::from_str(&value).unwrap_or_else(|_| HeaderValue::from_static(STRICTEST))
}

/// The origin of a web address, or its scheme where the origin cannot be written in a policy.
fn source_expression(url: &Url) -> String {
    match url.host() {
        Some(Host::Domain(name)) if is_plain_host(name) => url.origin().ascii_serialization(),
        Some(Host::Ipv4(_)) => url.origin().ascii_serialization(),
        // A host source can be neither an IPv6 literal nor a name with characters that mean something in a policy.
        _ => format!("{}:", url.scheme()),
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

    #[test]
    fn a_page_without_a_form_submits_none_and_a_login_may_follow_its_redirects() {
        let policy = |form_end| {
            let headers = page_headers(form_end, None);
            headers
                .get(CONTENT_SECURITY_POLICY)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        };
        assert!(policy(FormEnd::NoForm).ends_with("; form-action 'self'"));
        assert!(!policy(FormEnd::Client).contains("form-action"));
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
            ("https://[::1]/l.png", Some("https:")),
            ("https://a;script-src/l.png", Some("https:")),
            ("https://*.example/l.png", Some("https:")),
            ("ftp://img.example/l.png", None),
        ] {
            assert_eq!(image_source(logo).as_deref(), expected, "{logo}");
        }
    }
}
