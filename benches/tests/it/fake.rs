//! A small issuer with the steps of Dex and its checks: cookies, client authentication, single use of codes, rotation of refresh
//! tokens.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use url::form_urlencoded;

/// How the issuer behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Signs everybody in without asking.
    Mock,
    /// Asks for a password, then for consent.
    Asks,
    /// Every third token request fails with 500.
    Fails,
    /// Closes the connection after each answer.
    Closes,
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Paths asked for, without query, in order.
    pub(crate) paths: Vec<String>,
    /// User names that signed in.
    pub(crate) users: HashSet<String>,
    pending: HashMap<String, String>,
    codes: HashSet<String>,
    refresh: HashSet<String>,
    count: usize,
    token_requests: usize,
}

pub(crate) struct Fake {
    pub(crate) url: String,
    pub(crate) log: Arc<Mutex<Log>>,
}

impl Fake {
    pub(crate) async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/dex", listener.local_addr().unwrap());
        let log = Arc::<Mutex<Log>>::default();
        let (base, shared) = (url.clone(), Arc::clone(&log));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (base, log) = (base.clone(), Arc::clone(&shared));
                let service = service_fn(move |request| {
                    let (base, log) = (base.clone(), Arc::clone(&log));
                    async move { Ok::<_, Infallible>(answer(request, behaviour, &base, &log).await) }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .keep_alive(behaviour != Behaviour::Closes)
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { url, log }
    }

    pub(crate) fn asked_for(&self, path: &str) -> usize {
        let log = self.log.lock().unwrap();
        log.paths.iter().filter(|asked| *asked == path).count()
    }
}

type Pairs = HashMap<String, String>;

fn pairs(text: &[u8]) -> Pairs {
    form_urlencoded::parse(text).into_owned().collect()
}

fn reply(status: u16, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

fn redirect(to: &str) -> Response<Full<Bytes>> {
    let mut response = reply(303, "");
    response.headers_mut().insert(LOCATION, to.parse().unwrap());
    response
}

async fn answer(
    request: Request<Incoming>,
    behaviour: Behaviour,
    base: &str,
    log: &Mutex<Log>,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let path = head.uri.path().strip_prefix("/dex").unwrap_or_default();
    let query = pairs(head.uri.query().unwrap_or_default().as_bytes());
    let header = |name| {
        let value = head
            .headers
            .get(name)
            .and_then(|value: &http::HeaderValue| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let mut log = log.lock().unwrap();
    log.paths.push(path.to_owned());
    let get = |name: &str| query.get(name).cloned().unwrap_or_default();
    match path {
        "/.well-known/openid-configuration" => reply(200, discovery(base)),
        "/keys" => reply(200, r#"{"keys":[]}"#),
        "/auth" if !query.contains_key("req") => {
            if get("client_id").is_empty()
                || get("connector_id") != "mock"
                || get("scope").is_empty()
            {
                return reply(400, "bad request");
            }
            log.count += 1;
            let id = format!("r{}", log.count);
            let to = format!("{}?state={}", get("redirect_uri"), get("state"));
            log.pending.insert(id.clone(), to);
            // Relative, as servers may.
            let mut response = redirect(&format!("auth/mock?state={id}"));
            response.headers_mut().insert(
                SET_COOKIE,
                format!("flow-{id}=1; Path=/dex; HttpOnly").parse().unwrap(),
            );
            response
        }
        "/auth/mock" | "/callback" | "/auth" | "/login" => {
            let id = if path == "/auth" {
                get("req")
            } else {
                get("state")
            };
            if header(COOKIE) != format!("flow-{id}=1") {
                return reply(400, "no cookie");
            }
            match path {
                "/auth/mock" if behaviour == Behaviour::Asks => {
                    redirect(&format!("/dex/login?state={id}"))
                }
                "/auth/mock" => redirect(&format!("{base}/callback?state={id}")),
                "/login" if head.method == http::Method::GET => reply(
                    200,
                    format!(
                        r#"<form method="post" action="/dex/login?state={id}&amp;x=1"><input type="hidden" name="h" value="1"><input name="login"><input type="password" name="password"></form>"#
                    ),
                ),
                "/login" => {
                    let form = pairs(&body);
                    if form["password"] != "secret" || form["h"] != "1" {
                        return reply(401, "wrong password");
                    }
                    log.users.insert(form["login"].clone());
                    redirect(&format!("/dex/callback?state={id}"))
                }
                "/callback" => redirect(&format!("/dex/auth?req={id}")),
                _ if behaviour == Behaviour::Asks && head.method == http::Method::GET => reply(
                    200,
                    format!(
                        r#"<form method="post"><input type="hidden" name="req" value="{id}"><button name="approval" value="rejected"></button><button name="approval" value="approve"></button></form>"#
                    ),
                ),
                _ => {
                    if behaviour == Behaviour::Asks
                        && pairs(&body).get("approval").map(String::as_str) != Some("approve")
                    {
                        return reply(400, "not approved");
                    }
                    let to = log.pending.remove(&id).unwrap();
                    log.codes.insert(format!("code-{id}"));
                    redirect(&format!("{to}&code=code-{id}"))
                }
            }
        }
        "/token" => token(&mut log, behaviour, &header(AUTHORIZATION), &pairs(&body)),
        "/userinfo" if header(AUTHORIZATION).starts_with("Bearer access-") => reply(200, "{}"),
        "/userinfo" => reply(403, r#"{"error":"access_denied"}"#),
        _ => reply(404, "not found"),
    }
}

fn token(
    log: &mut Log,
    behaviour: Behaviour,
    authorization: &str,
    form: &Pairs,
) -> Response<Full<Bytes>> {
    let error = |status, code| {
        let mut response = reply(status, format!(r#"{{"error":"{code}"}}"#));
        let json = "application/json".parse().unwrap();
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    };
    if authorization != format!("Basic {}", STANDARD.encode("load:s%2Bt")) {
        return error(401, "invalid_client");
    }
    log.token_requests += 1;
    if behaviour == Behaviour::Fails && log.token_requests.is_multiple_of(3) {
        return error(500, "server_error");
    }
    let is_good = match form["grant_type"].as_str() {
        "authorization_code" => log.codes.remove(&form["code"]),
        "refresh_token" => log.refresh.remove(&form["refresh_token"]),
        _ => return error(400, "unsupported_grant_type"),
    };
    if !is_good {
        return error(400, "invalid_grant");
    }
    log.count += 1;
    let number = log.count;
    log.refresh.insert(format!("refresh-{number}"));
    reply(
        200,
        format!(
            r#"{{"access_token":"access-{number}","token_type":"bearer","refresh_token":"refresh-{number}"}}"#
        ),
    )
}

fn discovery(base: &str) -> String {
    format!(
        r#"{{"issuer":"{base}","authorization_endpoint":"{base}/auth","token_endpoint":"{base}/token","jwks_uri":"{base}/keys","userinfo_endpoint":"{base}/userinfo"}}"#
    )
}
