//! One keep-alive HTTP/1.1 connection per worker, and the little bit of a browser that a code flow needs.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, COOKIE, HOST, HeaderValue, SET_COOKIE};
use http::request::Builder;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

/// Larger answers are a failure.
const MAX_BODY: usize = 1024 * 1024;

/// Where one server listens and how to reach it.
#[derive(Clone)]
pub struct Address {
    host: String,
    port: u16,
    host_header: HeaderValue,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    timeout: Duration,
}

impl Address {
    /// The server of `url`. `tls` is used for https.
    ///
    /// # Errors
    /// When the URL names no server, or an https one that cannot have a certificate.
    pub fn of(
        url: &Url,
        tls: Option<&Arc<rustls::ClientConfig>>,
        timeout: Duration,
    ) -> anyhow::Result<Self> {
        let host = url.host_str().unwrap_or_default();
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let port = url
            .port_or_known_default()
            .ok_or_else(|| anyhow::anyhow!("no port in {url}"))?;
        let tls = match tls {
            Some(config) if url.scheme() == "https" => Some((
                TlsConnector::from(Arc::clone(config)),
                ServerName::try_from(host.clone())?,
            )),
            _ => None,
        };
        Ok(Self {
            host,
            port,
            host_header: HeaderValue::from_str(url.authority())?,
            tls,
            timeout,
        })
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Why an operation failed, as it is counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure(pub String);

impl Failure {
    pub(crate) fn new(kind: impl Into<String>) -> Self {
        Self(kind.into())
    }
}

/// An answer, read to its end.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// A connection that is opened when needed and kept.
#[derive(Debug)]
pub struct Connection {
    address: Address,
    sender: Option<SendRequest<Full<Bytes>>>,
    /// Requests sent so far.
    pub requests: u64,
}

impl Connection {
    /// A connection that is not open yet.
    pub fn new(address: Address) -> Self {
        Self {
            address,
            sender: None,
            requests: 0,
        }
    }

    /// Sends a request and reads the answer. A connection that the server has closed meanwhile is opened once more.
    ///
    /// # Errors
    /// `timeout`, `connect: …`, `closed`, or `answer too large`.
    pub async fn send(&mut self, request: &Prepared) -> Result<Answer, Failure> {
        self.requests += 1;
        let timeout = self.address.timeout;
        let result = tokio::time::timeout(timeout, self.exchange(request)).await;
        match result {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(failure)) => {
                self.sender = None;
                Err(failure)
            }
            Err(_) => {
                self.sender = None;
                Err(Failure::new("timeout"))
            }
        }
    }

    async fn exchange(&mut self, request: &Prepared) -> Result<Answer, Failure> {
        let is_reused = self.sender.is_some();
        match self.attempt(request).await {
            // An idle connection may be closed by the server at any time; that is no failure of the server.
            Err(failure) if is_reused && failure.0 == "closed" => {
                self.sender = None;
                self.attempt(request).await
            }
            other => other,
        }
    }

    async fn attempt(&mut self, request: &Prepared) -> Result<Answer, Failure> {
        if self.sender.as_ref().is_none_or(SendRequest::is_closed) {
            self.sender = Some(self.connect().await?);
        }
        let Some(sender) = &mut self.sender else {
            return Err(Failure::new("closed"));
        };
        if sender.ready().await.is_err() {
            return Err(Failure::new("closed"));
        }
        let request = request
            .build(&self.address.host_header)
            .map_err(|_| Failure::new("request cannot be written"))?;
        let answer = sender
            .send_request(request)
            .await
            .map_err(|_| Failure::new("closed"))?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, MAX_BODY)
            .collect()
            .await
            .map_err(|_| Failure::new("answer too large or cut off"))?;
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: body.to_bytes(),
        })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let address = &self.address;
        let failed = |error: io::Error| Failure(format!("connect: {}", error.kind()));
        let stream = TcpStream::connect((address.host.as_str(), address.port))
            .await
            .map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        match &address.tls {
            None => handshake(TokioIo::new(stream)).await,
            Some((connector, name)) => {
                let stream = connector
                    .connect(name.clone(), stream)
                    .await
                    .map_err(|_| Failure::new("connect: TLS handshake failed"))?;
                handshake(TokioIo::new(stream)).await
            }
        }
    }
}

async fn handshake<I>(stream: I) -> Result<SendRequest<Full<Bytes>>, Failure>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(stream)
        .await
        .map_err(|_| Failure::new("connect: HTTP handshake failed"))?;
    // Ends with the connection; what went wrong on it is seen by the request.
    tokio::spawn(connection);
    Ok(sender)
}

/// A request that can be sent more than once.
#[derive(Debug, Clone)]
pub struct Prepared {
    method: Method,
    path: String,
    headers: Vec<(http::HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Prepared {
    /// A GET of a URL's path and query.
    pub fn get(url: &Url) -> Self {
        Self {
            method: Method::GET,
            path: path_and_query(url),
            headers: vec![(ACCEPT, HeaderValue::from_static("*/*"))],
            body: Bytes::new(),
        }
    }

    /// A POST of a form.
    pub fn post(url: &Url, form: String) -> Self {
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        Self {
            method: Method::POST,
            path: path_and_query(url),
            headers: vec![(CONTENT_TYPE, kind)],
            body: form.into(),
        }
    }

    /// With one more header; a value that cannot be one is left out.
    #[must_use]
    pub fn with(mut self, name: http::HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    fn build(&self, host: &HeaderValue) -> http::Result<Request<Full<Bytes>>> {
        let mut builder: Builder = Request::builder()
            .method(self.method.clone())
            .uri(&self.path)
            .header(HOST, host);
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        builder.body(Full::new(self.body.clone()))
    }
}

fn path_and_query(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

/// The cookies of one browser at one server: name and value with the path they are sent to.
#[derive(Debug, Default)]
pub struct Jar(BTreeMap<(String, String), String>);

impl Jar {
    /// Forgets everything: a new browser.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes what an answer to a request for `url` sets or deletes (RFC 6265 §5.3, as far as one server needs it).
    pub fn take(&mut self, url: &Url, headers: &HeaderMap) {
        for header in headers.get_all(SET_COOKIE) {
            let Ok(text) = header.to_str() else { continue };
            let mut parts = text.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            let (mut path, mut is_deleted) = (default_path(url), value.is_empty());
            for attribute in parts {
                let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
                if key.eq_ignore_ascii_case("path") && value.starts_with('/') {
                    value.clone_into(&mut path);
                } else if key.eq_ignore_ascii_case("max-age") {
                    is_deleted |= value.parse::<i64>().is_ok_and(|seconds| seconds <= 0);
                }
            }
            let key = (path, name.to_owned());
            if is_deleted {
                self.0.remove(&key);
            } else {
                self.0.insert(key, value.to_owned());
            }
        }
    }

    /// Adds the cookies that belong to `url` to a request for it.
    pub fn add_to(&self, request: Prepared, url: &Url) -> Prepared {
        let mut line = String::new();
        for ((path, name), value) in &self.0 {
            if path_matches(url.path(), path) {
                if !line.is_empty() {
                    line.push_str("; ");
                }
                line.push_str(name);
                line.push('=');
                line.push_str(value);
            }
        }
        if line.is_empty() {
            request
        } else {
            request.with(COOKIE, &line)
        }
    }
}

/// RFC 6265 §5.1.4
fn default_path(url: &Url) -> String {
    match url.path().rsplit_once('/') {
        Some((directory, _)) if !directory.is_empty() => directory.to_owned(),
        _ => "/".to_owned(),
    }
}

/// RFC 6265 §5.1.4
fn path_matches(path: &str, cookie_path: &str) -> bool {
    path.strip_prefix(cookie_path)
        .is_some_and(|rest| rest.is_empty() || cookie_path.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(jar: &Jar, url: &str) -> String {
        let url = url.parse().unwrap();
        let request = jar.add_to(Prepared::get(&url), &url);
        let cookies = request.headers.iter().find(|(name, _)| name == COOKIE);
        cookies.map_or_else(String::new, |(_, value)| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn cookies_go_to_their_path_and_can_be_deleted() {
        let url: Url = "http://h/dex/auth/mock".parse().unwrap();
        let mut headers = HeaderMap::new();
        for cookie in ["a=1; Path=/dex; HttpOnly", "b=2", "c=3; Path=/", "broken"] {
            headers.append(SET_COOKIE, cookie.parse().unwrap());
        }
        let mut jar = Jar::default();
        jar.take(&url, &headers);
        assert_eq!(sent(&jar, "http://h/dex/auth/x"), "c=3; a=1; b=2");
        assert_eq!(sent(&jar, "http://h/dexter"), "c=3");
        let mut headers = HeaderMap::new();
        headers.append(SET_COOKIE, "a=; Path=/dex; Max-Age=0".parse().unwrap());
        headers.append(SET_COOKIE, "c=x; Path=/; max-age=-1".parse().unwrap());
        jar.take(&url, &headers);
        assert_eq!(sent(&jar, "http://h/dex/auth/x"), "b=2");
        jar.clear();
        assert_eq!(sent(&jar, "http://h/dex/auth/x"), "");
    }
}
