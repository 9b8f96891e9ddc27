//! Cross-origin requests from scripts in a browser (Fetch standard §3.2; compat: `web.md` §5).
//!
//! Only some routes take part, and only when the operator lists origins. Credentials are never allowed: nothing of ours that scripts
//! may read depends on cookies.

use axum::body::Body;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN,
    VARY,
};
use http::{Method, Response, StatusCode};

use crate::Policy;

/// Who may read the answers of the routes that take part.
#[derive(Debug)]
pub(crate) struct Cors {
    origins: Origins,
    /// Request headers allowed besides the four that always are, in canonical form.
    headers: Vec<String>,
}

#[derive(Debug)]
enum Origins {
    Nobody,
    Anybody,
    Listed(Vec<String>),
}

impl Cors {
    pub(crate) fn new(policy: &Policy) -> Self {
        let origins = match policy.allowed_origins.as_slice() {
            [] => Origins::Nobody,
            listed if listed.iter().any(|origin| origin == "*") => Origins::Anybody,
            listed => Origins::Listed(listed.to_vec()),
        };
        Self {
            origins,
            headers: policy
                .allowed_headers
                .iter()
                .map(|name| canonical(name.trim()))
                .collect(),
        }
    }

    /// The whole answer to an `OPTIONS` request; `None` when it is the handler's business, because CORS is off.
    pub(crate) fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response<Body>> {
        if method != Method::OPTIONS || matches!(self.origins, Origins::Nobody) {
            return None;
        }
        let mut response = Response::new(Body::empty());
        match self.judge(headers) {
            Ok(Some((origin, requested))) => {
                let answer = response.headers_mut();
                answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
                answer.insert(
                    ACCESS_CONTROL_ALLOW_METHODS,
                    HeaderValue::from_static("GET, HEAD, POST"),
                );
                if let Some(requested) = requested {
                    answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, requested);
                }
            }
            Ok(None) => {}
            Err(status) => *response.status_mut() = status,
        }
        self.vary(response.headers_mut());
        Some(response)
    }

    /// Adds what lets a script of an allowed origin read the answer to another request than `OPTIONS`.
    pub(crate) fn decorate(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        if let Some(origin) = self.allowed_origin(request) {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        self.vary(answer);
    }

    /// `Ok(None)`: not a preflight of an allowed origin; it is answered without CORS headers.
    fn judge(
        &self,
        request: &HeaderMap,
    ) -> Result<Option<(HeaderValue, Option<HeaderValue>)>, StatusCode> {
        let Some(origin) = self.allowed_origin(request) else {
            return Ok(None);
        };
        let method = request
            .get(ACCESS_CONTROL_REQUEST_METHOD)
            .ok_or(StatusCode::BAD_REQUEST)?;
        if !matches!(method.as_bytes(), b"GET" | b"HEAD" | b"POST") {
            return Err(StatusCode::METHOD_NOT_ALLOWED);
        }
        let mut extra = Vec::new();
        for line in request.get_all(ACCESS_CONTROL_REQUEST_HEADERS) {
            let line = line.to_str().map_err(|_| StatusCode::FORBIDDEN)?;
            for name in line
                .split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty())
            {
                let name = canonical(name);
                if ALWAYS_ALLOWED.contains(&name.as_str()) || extra.contains(&name) {
                    continue;
                }
                if !self.headers.contains(&name) {
                    return Err(StatusCode::FORBIDDEN);
                }
                extra.push(name);
            }
        }
        let extra = (!extra.is_empty())
            .then(|| HeaderValue::from_str(&extra.join(",")))
            .transpose()
            .map_err(|_| StatusCode::FORBIDDEN)?;
        Ok(Some((origin, extra)))
    }

    /// What `Access-Control-Allow-Origin` says to this request, if anything.
    fn allowed_origin(&self, request: &HeaderMap) -> Option<HeaderValue> {
        let origin = request.get(ORIGIN)?;
        match &self.origins {
            Origins::Nobody => None,
            Origins::Anybody => Some(HeaderValue::from_static("*")),
            Origins::Listed(listed) => listed
                .iter()
                .any(|known| known.as_bytes() == origin.as_bytes())
                .then(|| origin.clone()),
        }
    }

    /// Where the answer depends on the origin, caches must know, also about the answers to other origins.
    fn vary(&self, answer: &mut HeaderMap) {
        if matches!(self.origins, Origins::Listed(_)) {
            answer.append(VARY, HeaderValue::from_static("Origin"));
        }
    }
}

/// Go's canonical form of a header name: a capital at the start and behind each hyphen.
fn canonical(name: &str) -> String {
    let mut at_start = true;
    name.chars()
        .map(|c| {
            let written = if at_start {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            };
            at_start = c == '-';
            written
        })
        .collect()
}

const ALWAYS_ALLOWED: [&str; 4] = ["Accept", "Accept-Language", "Content-Language", "Origin"];

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &[&str]) -> Cors {
        Cors::new(&Policy {
            allowed_origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
            ..Policy::default()
        })
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    http::HeaderName::from_static(name),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect()
    }

    const A: (&str, &str) = ("origin", "https://a.example");
    const METHOD: &str = "access-control-request-method";
    const HEADERS: &str = "access-control-request-headers";

    fn preflight(cors: &Cors, request: &[(&'static str, &str)]) -> Response<Body> {
        cors.preflight(&Method::OPTIONS, &headers(request)).unwrap()
    }

    #[test]
    fn web_35_preflights_are_judged() {
        let cors = cors(&["https://a.example", "https://b.example"]);
        for (request, status, allow_origin, allow_headers) in [
            (&[A, (METHOD, "POST")][..], 200, Some(A.1), None),
            (
                &[A, (METHOD, "POST"), (HEADERS, "authorization, accept")],
                200,
                Some(A.1),
                Some("Authorization"),
            ),
            (
                &[A, (METHOD, "POST"), (HEADERS, "content-type")],
                403,
                None,
                None,
            ),
            (&[A, (METHOD, "PUT")], 405, None, None),
            (&[A, (METHOD, "post")], 405, None, None),
            (&[A], 400, None, None),
            (
                &[("origin", "https://evil"), (METHOD, "POST")],
                200,
                None,
                None,
            ),
            (
                &[("origin", "https://A.example"), (METHOD, "POST")],
                200,
                None,
                None,
            ),
            (&[(METHOD, "POST")], 200, None, None),
        ] {
            let response = preflight(&cors, request);
            let header = |name| {
                response
                    .headers()
                    .get(name)
                    .map(|value| value.to_str().unwrap())
            };
            assert_eq!(response.status().as_u16(), status, "{request:?}");
            assert_eq!(header(ACCESS_CONTROL_ALLOW_ORIGIN), allow_origin);
            assert_eq!(header(ACCESS_CONTROL_ALLOW_HEADERS), allow_headers);
            assert_eq!(header(VARY), Some("Origin"));
            assert_eq!(
                header(ACCESS_CONTROL_ALLOW_METHODS),
                allow_origin.map(|_| "GET, HEAD, POST")
            );
            assert!(
                !response
                    .headers()
                    .contains_key("access-control-allow-credentials")
            );
        }
    }

    #[test]
    fn a_star_in_the_list_is_everybody() {
        let cors = cors(&["https://a.example", "*"]);
        let response = preflight(&cors, &[("origin", "https://z"), (METHOD, "GET")]);
        assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert!(!response.headers().contains_key(VARY));
    }

    #[test]
    fn without_origins_options_is_the_handlers_business() {
        let cors = cors(&[]);
        assert!(cors.preflight(&Method::OPTIONS, &headers(&[A])).is_none());
        let mut answer = HeaderMap::new();
        cors.decorate(&headers(&[A]), &mut answer);
        assert!(answer.is_empty());
    }

    #[test]
    fn names_are_compared_in_go_form() {
        for (name, written) in [
            ("authorization", "Authorization"),
            ("X-CUSTOM-id", "X-Custom-Id"),
        ] {
            assert_eq!(canonical(name), written);
        }
    }
}
