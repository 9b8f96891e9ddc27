//! What the flow answers: redirects, pages, and the two kinds of errors.

use axum::body::Body;
use axum::response::IntoResponse as _;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE};
use http::{HeaderValue, Method, Response, StatusCode};

use super::reply_to::ReplyTo;
use crate::answer::{log_oauth_error, page_error};
use crate::pages::ErrorView;
use crate::provider::Provider;
use crate::request::Incoming;
use crate::{OAuthError, PageError};

/// Why the flow ends without what was asked for.
#[derive(Debug)]
pub(super) enum AuthorizeError {
    /// Client or redirect URI are not established, or nobody but the person can do anything about it: told on a page.
    Page(PageError),
    /// Told to the client.
    Reply(Box<(ReplyTo, OAuthError)>),
}

impl AuthorizeError {
    /// An error for the client.
    pub(super) fn reply(to: &ReplyTo, error: OAuthError) -> Self {
        Self::Reply(Box::new((to.clone(), error)))
    }
}

impl From<PageError> for AuthorizeError {
    fn from(error: PageError) -> Self {
        Self::Page(error)
    }
}

/// A request that ends here.
pub(super) type Answer = Result<Response<Body>, Failed>;

/// An error, and the cookies that go with it.
#[derive(Debug)]
pub(super) struct Failed {
    error: AuthorizeError,
    cookies: Vec<HeaderValue>,
}

impl Failed {
    /// Sends a cookie along.
    pub(super) fn with_cookie(mut self, line: HeaderValue) -> Self {
        self.cookies.push(line);
        self
    }
}

impl<E: Into<AuthorizeError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            cookies: Vec::new(),
        }
    }
}

/// Turns the outcome of a handler into its answer, and logs what went wrong.
pub(super) fn finish(op: &Provider, request: &Incoming, answer: Answer) -> Response<Body> {
    let failed = match answer {
        Ok(response) => return response,
        Err(failed) => failed,
    };
    let mut response = match failed.error {
        AuthorizeError::Page(error) => page_error(op, request, error),
        AuthorizeError::Reply(reply) => reply_error(op, request, &reply.0, &reply.1),
    };
    for line in failed.cookies {
        response.headers_mut().append(SET_COOKIE, line);
    }
    response
}

fn reply_error(
    op: &Provider,
    request: &Incoming,
    to: &ReplyTo,
    error: &OAuthError,
) -> Response<Body> {
    log_oauth_error(error);
    if to.redirect_uri().is_out_of_band() {
        // No browser can follow the URN: the person is the only one to tell.
        return op
            .pages
            .error(&ErrorView {
                request_path: &request.path,
                status: StatusCode::BAD_REQUEST,
                message: error.description(),
                link: None,
            })
            .into_response();
    }
    see_other(
        &request.method,
        &to.error_location(error.code().as_str(), error.description()),
    )
}

/// 302, as Dex sends it where a connector is chosen.
pub(super) fn found(method: &Method, location: &str) -> Response<Body> {
    redirect(StatusCode::FOUND, method, location)
}

/// 303: the next request is a GET, whatever this one was.
pub(super) fn see_other(method: &Method, location: &str) -> Response<Body> {
    redirect(StatusCode::SEE_OTHER, method, location)
}

fn redirect(status: StatusCode, method: &Method, location: &str) -> Response<Body> {
    let body = if *method == Method::GET {
        let reason = status.canonical_reason().unwrap_or_default();
        Body::from(format!(
            "<a href=\"{}\">{reason}</a>.\n\n",
            escape(location)
        ))
    } else {
        Body::empty()
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(LOCATION, location_header(location));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if *method == Method::GET {
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        );
    }
    response
}

/// Whatever is not visible ASCII is percent-encoded: browsers read it alike, and a header carries it.
fn location_header(location: &str) -> HeaderValue {
    let mut encoded = String::with_capacity(location.len());
    for byte in location.bytes() {
        if byte.is_ascii_graphic() {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&hex::encode_upper([byte]));
        }
    }
    HeaderValue::from_str(&encoded).expect("visible ASCII makes a header value")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&#34;")
        .replace('\'', "&#39;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The name of a connector in a path, percent-decoded once; `None` when the encoding is broken.
pub(super) fn decode_segment(segment: &str) -> Option<String> {
    crate::pages::percent_decoded(segment).map(std::borrow::Cow::into_owned)
}

/// A connector's name as a path segment, percent-encoded once.
pub(super) fn encode_segment(id: &str) -> String {
    let mut encoded = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => encoded.push(char::from(byte)),
            b'-' | b'.' | b'_' | b'~' | b'$' | b'&' | b'+' | b'=' | b':' | b'@' => {
                encoded.push(char::from(byte));
            }
            _ => {
                encoded.push('%');
                encoded.push_str(&hex::encode_upper([byte]));
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connectors_name_is_encoded_once() {
        for (id, segment) in [
            ("mock", "mock"),
            ("my conn", "my%20conn"),
            ("a/b", "a%2Fb"),
            ("50%", "50%25"),
            ("ü", "%C3%BC"),
            ("a.b-c_d~$&+=:@", "a.b-c_d~$&+=:@"),
        ] {
            assert_eq!(encode_segment(id), segment);
            assert_eq!(decode_segment(segment).as_deref(), Some(id));
        }
        assert_eq!(decode_segment("%zz"), None);
    }

    #[test]
    fn a_location_is_visible_ascii_and_its_link_is_escaped() {
        let response = found(&Method::GET, "https://ü.example/a\"b?x=<y>&z='");
        assert_eq!(
            response.headers()[LOCATION],
            "https://%C3%BC.example/a\"b?x=<y>&z='"
        );
        assert_eq!(escape("\"<>&'"), "&#34;&lt;&gt;&amp;&#39;");
    }
}
