//! A browser: a cookie jar, forms, redirects followed by hand.

use std::collections::BTreeMap;

use axum::body::Body;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use url::Url;

use super::provider::Mounted;

/// One browser. Clones share nothing.
#[derive(Clone)]
pub(crate) struct Browser {
    service: Mounted,
    /// Name → value and path. A browser keeps a cookie per name and path; ours always use one path.
    pub(crate) cookies: BTreeMap<String, String>,
    /// Sent with every request.
    pub(crate) headers: HeaderMap,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    /// The path and query that were asked for.
    pub(crate) requested: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Browser {
    pub(crate) fn new(service: Mounted) -> Self {
        Self {
            service,
            cookies: BTreeMap::new(),
            headers: HeaderMap::new(),
        }
    }

    /// `GET` with cookies; redirects are not followed.
    pub(crate) async fn get(&mut self, path: &str) -> Page {
        self.send(Method::GET, path, None, true).await
    }

    /// `POST` of a form from one of our own pages.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.send(Method::POST, path, Some(form(fields)), true)
            .await
    }

    /// `POST` of a form from a foreign page: `SameSite=Lax` cookies stay at home.
    pub(crate) async fn post_cross_site(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.send(Method::POST, path, Some(form(fields)), false)
            .await
    }

    /// Any method, no body.
    pub(crate) async fn request(&mut self, method: Method, path: &str) -> Page {
        self.send(method, path, None, true).await
    }

    /// Follows redirects within the issuer until something else comes: a page, or a redirect to elsewhere.
    pub(crate) async fn follow(&mut self, mut page: Page) -> Page {
        for _ in 0..10 {
            match page.location() {
                Some(location) if self.is_ours(&location) => page = self.get(&location).await,
                _ => return page,
            }
        }
        panic!("redirects do not end");
    }

    /// `POST` of a raw body of any type.
    pub(crate) async fn post_raw(&mut self, path: &str, content_type: &str, body: &str) -> Page {
        self.send(
            Method::POST,
            path,
            Some((content_type.to_owned(), body.to_owned())),
            true,
        )
        .await
    }

    fn is_ours(&self, location: &str) -> bool {
        location.starts_with('/') || location.starts_with(&format!("{}/", self.service.origin))
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Option<(String, String)>,
        with_cookies: bool,
    ) -> Page {
        let path = path
            .strip_prefix(&self.service.origin)
            .unwrap_or(path)
            .to_owned();
        let mut request = Request::builder().method(method).uri(&path);
        let headers = request.headers_mut().unwrap();
        headers.extend(self.headers.clone());
        if with_cookies && !self.cookies.is_empty() {
            let line: Vec<_> = self
                .cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            headers.insert(COOKIE, line.join("; ").parse().unwrap());
        }
        let body = match body {
            Some((content_type, body)) => {
                headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
                Body::from(body)
            }
            None => Body::empty(),
        };
        let response = self.service.call(request.body(body).unwrap()).await;
        let (parts, body) = response.into_parts();
        for line in parts.headers.get_all(SET_COOKIE) {
            self.store(line.to_str().unwrap());
        }
        let body = body.collect().await.unwrap().to_bytes();
        Page {
            requested: path,
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    fn store(&mut self, line: &str) {
        let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
        let (name, value) = pair.split_once('=').unwrap();
        let expired = attributes
            .split(';')
            .any(|attribute| attribute.trim().eq_ignore_ascii_case("max-age=0"));
        if expired {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

impl Page {
    /// Where a redirect leads.
    pub(crate) fn location(&self) -> Option<String> {
        self.headers
            .get(LOCATION)
            .map(|value| value.to_str().unwrap().to_owned())
    }

    /// The redirect's target, parsed; rooted paths are taken as ours.
    #[track_caller]
    pub(crate) fn target(&self) -> Url {
        let location = self
            .location()
            .unwrap_or_else(|| panic!("no redirect: {self:?}"));
        Url::parse("http://127.0.0.1:5556")
            .unwrap()
            .join(&location)
            .unwrap()
    }

    /// A parameter of the redirect's query.
    #[track_caller]
    pub(crate) fn redirect_parameter(&self, name: &str) -> Option<String> {
        self.target()
            .query_pairs()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
    }

    /// Fails unless the answer is an HTML page with this status and text.
    #[track_caller]
    pub(crate) fn assert_page(&self, status: u16, text: &str) {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.location(), None, "{self:?}");
        assert_eq!(
            self.headers
                .get(CONTENT_TYPE)
                .map(http::HeaderValue::as_bytes),
            Some(&b"text/html; charset=utf-8"[..])
        );
        assert!(
            self.unescaped().contains(text),
            "{text:?} is not in {self:?}"
        );
    }

    /// Fails unless the answer redirects to the client with this error.
    #[track_caller]
    pub(crate) fn assert_redirect_error(&self, error: &str, description: &str) {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{self:?}");
        assert_eq!(
            self.redirect_parameter("error").as_deref(),
            Some(error),
            "{self:?}"
        );
        assert_eq!(
            self.redirect_parameter("error_description")
                .unwrap_or_default(),
            description
        );
    }

    /// The body with HTML entities of quotes and the like resolved.
    pub(crate) fn unescaped(&self) -> String {
        let mut text = self.body.clone();
        for (entity, character) in [
            ("&quot;", "\""),
            ("&#34;", "\""),
            ("&#x27;", "'"),
            ("&#39;", "'"),
            ("&#x2f;", "/"),
            ("&#43;", "+"),
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&amp;", "&"),
        ] {
            text = text.replace(entity, character);
        }
        text
    }

    /// Values of `href` attributes that contain `part`, in order.
    pub(crate) fn links_with(&self, part: &str) -> Vec<String> {
        self.unescaped()
            .split("href=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .filter(|link| link.contains(part))
            .map(str::to_owned)
            .collect()
    }

    /// The `action` of the first form.
    pub(crate) fn form_action(&self) -> Option<String> {
        let text = self.unescaped();
        let (_, form) = text.split_once("<form")?;
        let (tag, _) = form.split_once('>')?;
        let (_, rest) = tag.split_once("action=\"")?;
        rest.split('"').next().map(str::to_owned)
    }

    /// The value of a hidden field.
    pub(crate) fn hidden_field(&self, name: &str) -> Option<String> {
        let text = self.unescaped();
        let (_, rest) = text.split_once(&format!("name=\"{name}\" value=\""))?;
        rest.split('"').next().map(str::to_owned)
    }

    /// `Set-Cookie` lines.
    pub(crate) fn cookies_set(&self) -> Vec<String> {
        self.headers
            .get_all(SET_COOKIE)
            .iter()
            .map(|line| line.to_str().unwrap().to_owned())
            .collect()
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Mounted {
    pub(super) async fn call(&self, request: Request<Body>) -> Response<Body> {
        self.service.clone().oneshot(request).await.unwrap()
    }
}

fn form(fields: &[(&str, &str)]) -> (String, String) {
    (
        "application/x-www-form-urlencoded".to_owned(),
        super::request::encode(fields),
    )
}
