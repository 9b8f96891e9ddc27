//! Whole requests to the provider: parameters, forms, cookies and headers of all kinds. No request makes the server fail, every answer
//! carries the headers that guard it, and no browser is sent anywhere but to the provider or to a registered place.
#![no_main]

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use dex_core::clock::SystemClock;
use dex_core::entropy::SystemEntropy;
use dex_core::records::{Client, Connector};
use dex_http::{Issuer, IssuerService};
use dex_signer::{Algorithm, LocalConfig, LocalSigner, MemoryKeyStore};
use dex_storage::memory::Memory;
use dex_storage::static_overlay::StaticOverlay;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;
use tower::Service as _;

#[derive(Debug, Arbitrary)]
struct Input {
    post: bool,
    path: Path,
    /// Sent as they are, unescaped.
    raw_query: Option<String>,
    /// Sent escaped.
    parameters: Vec<(Name, Text)>,
    in_body: bool,
    raw_body: Option<Vec<u8>>,
    cookie: Option<(u8, String)>,
    authorization: Option<String>,
    origin: Option<String>,
}

#[derive(Debug, Arbitrary)]
enum Path {
    Known(u8),
    Below(u8, String),
    Any(String),
}

#[derive(Debug, Arbitrary)]
enum Name {
    Known(u8),
    Any(String),
}

#[derive(Debug, Arbitrary)]
enum Text {
    Known(u8),
    Any(String),
}

impl Path {
    fn text(&self) -> String {
        match self {
            Self::Known(index) => pick(&PATHS, *index).to_owned(),
            Self::Below(index, rest) => format!("{}/{rest}", pick(&PATHS, *index)),
            Self::Any(text) => format!("/{text}"),
        }
    }
}

impl Name {
    fn text(&self) -> &str {
        match self {
            Self::Known(index) => pick(&NAMES, *index),
            Self::Any(text) => text,
        }
    }
}

impl Text {
    fn text(&self) -> &str {
        match self {
            Self::Known(index) => pick(&TEXTS, *index),
            Self::Any(text) => text,
        }
    }
}

fn pick<'a>(list: &[&'a str], index: u8) -> &'a str {
    list[usize::from(index) % list.len()]
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
});

static ISSUER: LazyLock<IssuerService> = LazyLock::new(|| {
    let client = |id: &str, public| Client {
        id: id.into(),
        secret: "secret".to_owned().into(),
        name: id.into(),
        public,
        redirect_uris: if public {
            Vec::new()
        } else {
            vec!["https://app.example/callback".into()]
        },
        ..Client::default()
    };
    let connector = |id: &str, kind: &str, config: &[u8]| Connector {
        id: id.into(),
        kind: kind.into(),
        name: id.into(),
        config: config.to_vec().into(),
        ..Connector::default()
    };
    let storage = StaticOverlay::new(
        Arc::new(Memory::new()),
        vec![client("app", false), client("cli", true)],
        Vec::new(),
        vec![
            connector("mock", "mockCallback", b"{}"),
            connector(
                "form",
                "mockPassword",
                br#"{"username":"u","password":"p"}"#,
            ),
        ],
    );
    RUNTIME.block_on(async {
        let mut config = LocalConfig::default();
        config.algorithm = Algorithm::Es256;
        let keys = Arc::new(MemoryKeyStore::new());
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy::new()));
        let signer = LocalSigner::open(keys, config, clock, entropy)
            .await
            .expect("a signer");
        Issuer::builder(ORIGIN_AND_PREFIX, Arc::new(storage), signer)
            .build()
            .expect("a provider")
            .into_service()
    })
});

fuzz_target!(|input: Input| {
    let Some(request) = request(&input) else {
        return;
    };
    let mut issuer = ISSUER.clone();
    let response = RUNTIME.block_on(issuer.call(request));
    let Ok(response) = response;
    let (status, headers) = (response.status(), response.headers());
    assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{input:?}");
    assert!(
        headers.contains_key(header::X_CONTENT_TYPE_OPTIONS),
        "{input:?}"
    );
    if let Some(location) = headers.get(header::LOCATION) {
        let location = location.to_str().expect("locations are visible ASCII");
        assert!(leads_to_a_known_place(location), "{location}");
    }
});

fn request(input: &Input) -> Option<Request<Full<Bytes>>> {
    let mut encoded = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in &input.parameters {
        encoded.append_pair(name.text(), value.text());
    }
    let encoded = encoded.finish();
    let (query, body) = match (input.in_body, &input.raw_body) {
        (true, Some(raw)) => ("", raw.clone()),
        (true, None) => ("", encoded.clone().into_bytes()),
        (false, _) => (encoded.as_str(), Vec::new()),
    };
    let query = input.raw_query.as_deref().unwrap_or(query);
    let mut request = Request::builder()
        .method(if input.post {
            Method::POST
        } else {
            Method::GET
        })
        .uri(format!("{}?{query}", input.path.text()));
    if input.post {
        request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    }
    if let Some((name, value)) = &input.cookie {
        request = request.header(header::COOKIE, format!("{}={value}", pick(&COOKIES, *name)));
    }
    if let Some(value) = &input.authorization {
        request = request.header(header::AUTHORIZATION, value);
    }
    if let Some(value) = &input.origin {
        request = request.header(header::ORIGIN, value);
    }
    // What is not a request at all never reaches the provider.
    request.body(Full::from(body)).ok()
}

/// The provider itself, the registered callback, or this machine (for the public client without a registration).
fn leads_to_a_known_place(location: &str) -> bool {
    let base = url::Url::parse(ORIGIN_AND_PREFIX).expect("a URL");
    let Ok(target) = base.join(location) else {
        return false;
    };
    let port = target.port_or_known_default();
    match target.host_str() {
        Some("issuer.example") => target.path().starts_with("/dex") && port == Some(443),
        Some("app.example") => target.path() == "/callback" && port == Some(443),
        Some("localhost" | "127.0.0.1" | "[::1]") => target.scheme() == "http",
        _ => false,
    }
}

const ORIGIN_AND_PREFIX: &str = "https://issuer.example/dex";

const PATHS: [&str; 16] = [
    "/dex",
    "/dex/auth",
    "/dex/auth/mock",
    "/dex/auth/form",
    "/dex/auth/form/login",
    "/dex/callback",
    "/dex/callback/mock",
    "/dex/approval",
    "/dex/token",
    "/dex/userinfo",
    "/dex/keys",
    "/dex/.well-known/openid-configuration",
    "/dex/healthz",
    "/dex/static",
    "/dex/theme",
    "/dex/robots.txt",
];

const NAMES: [&str; 30] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "nonce",
    "prompt",
    "max_age",
    "connector_id",
    "code_challenge",
    "code_challenge_method",
    "response_mode",
    "approval_prompt",
    "request",
    "request_uri",
    "login_hint",
    "id_token_hint",
    "back",
    "req",
    "hmac",
    "approval",
    "login",
    "password",
    "grant_type",
    "code",
    "code_verifier",
    "refresh_token",
    "client_secret",
    "error",
    "error_description",
];

const TEXTS: [&str; 25] = [
    HANDLE,
    "app",
    "cli",
    "secret",
    "https://app.example/callback",
    "http://localhost:8000/cb",
    "http://127.0.0.1/cb",
    "urn:ietf:wg:oauth:2.0:oob",
    "code",
    "openid",
    "openid email profile groups offline_access federated:id",
    "openid audience:server:client_id:cli",
    "mock",
    "form",
    "S256",
    "plain",
    "none",
    "login consent",
    "authorization_code",
    "refresh_token",
    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    "approve",
    "query",
    "form_post",
    "//evil.example",
];

/// The shape of a pending request's handle, in `state`, `req` and the name of its cookie.
const HANDLE: &str = "abcdefghijklmnopqrstuvwxy";

const COOKIES: [&str; 3] = [
    "dexd_req_abcdefghijklmnopqrstuvwxy",
    "dexd_req_",
    "dex_session",
];
