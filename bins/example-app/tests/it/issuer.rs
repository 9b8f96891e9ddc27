//! An issuer that lets everybody in at once and can be told to misbehave.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64URL};
use http::StatusCode;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sha::sha256;
use openssl::sign::Signer;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What the issuer does wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Sends the browser back with an error that contains markup.
    Denies,
    /// Puts a nonce of its own into ID tokens.
    ForeignNonce,
    /// Hashes another access token into ID tokens.
    ForeignAccessToken,
    /// Signs with a key that it does not publish.
    UnpublishedKey,
    /// Claims to be another issuer in the redirect.
    MixedUp,
    /// Refuses the refresh token.
    RefreshRefused,
}

pub(crate) struct Issuer {
    pub(crate) url: String,
    state: Arc<Mutex<Inner>>,
}

struct Inner {
    url: String,
    fault: Fault,
    key: PKey<Private>,
    key_id: u32,
    logins: HashMap<String, HashMap<String, String>>,
    refresh_token: String,
    nonce: String,
    issued: u32,
}

type Shared = State<Arc<Mutex<Inner>>>;

impl Issuer {
    pub(crate) async fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::start_on(listener, fault)
    }

    pub(crate) fn start_on(listener: TcpListener, fault: Fault) -> Self {
        let url = format!("http://{}/issuer", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(Inner {
            url: url.clone(),
            fault,
            key: new_key(),
            key_id: 1,
            logins: HashMap::new(),
            refresh_token: String::new(),
            nonce: String::new(),
            issued: 0,
        }));
        let router = axum::Router::new()
            .route("/issuer/.well-known/openid-configuration", get(discovery))
            .route("/issuer/keys", get(keys))
            .route("/issuer/auth", get(auth))
            .route("/issuer/token", post(token))
            .route("/issuer/userinfo", get(userinfo))
            .with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    /// Signs with a new key from now on, and publishes only that.
    pub(crate) fn rotate_keys(&self) {
        let mut state = self.state.lock().unwrap();
        state.key = new_key();
        state.key_id += 1;
    }

    /// The parameters of the last authorization request.
    pub(crate) fn last_request(&self) -> HashMap<String, String> {
        let state = self.state.lock().unwrap();
        state.logins["code"].clone()
    }
}

async fn discovery(State(state): Shared) -> Response {
    let url = lock(&state).url.clone();
    answer(
        StatusCode::OK,
        &json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/auth"),
            "token_endpoint": format!("{url}/token"),
            "jwks_uri": format!("{url}/keys"),
            "userinfo_endpoint": format!("{url}/userinfo"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }),
    )
}

async fn keys(State(state): Shared) -> Response {
    let state = lock(&state);
    let key = state.key.rsa().unwrap();
    answer(
        StatusCode::OK,
        &json!({ "keys": [{
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        "kid": state.key_id.to_string(),
        "n": BASE64URL.encode(key.n().to_vec()),
        "e": BASE64URL.encode(key.e().to_vec()),
    }] }),
    )
}

async fn auth(State(state): Shared, Query(parameters): Query<HashMap<String, String>>) -> Redirect {
    let mut state = lock(&state);
    let (redirect_uri, request_state) = (&parameters["redirect_uri"], &parameters["state"]);
    let mut answer = url::Url::parse(redirect_uri).unwrap();
    answer.query_pairs_mut().append_pair("state", request_state);
    match state.fault {
        Fault::Denies => answer
            .query_pairs_mut()
            .append_pair("error", "access_denied")
            .append_pair("error_description", "<b>not today</b>"),
        Fault::MixedUp => answer
            .query_pairs_mut()
            .append_pair("code", "code")
            .append_pair("iss", "https://attacker.example"),
        _ => answer.query_pairs_mut().append_pair("code", "code"),
    };
    state.logins.insert("code".into(), parameters);
    Redirect::to(answer.as_str())
}

async fn token(
    State(state): Shared,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let mut state = lock(&state);
    let expected = format!("Basic {}", STANDARD.encode("example-app:s3cret"));
    assert_eq!(headers[AUTHORIZATION], expected.as_str());
    match form["grant_type"].as_str() {
        "authorization_code" => {
            let request = state.logins[&form["code"]].clone();
            let challenge = BASE64URL.encode(sha256(form["code_verifier"].as_bytes()));
            assert_eq!(request["code_challenge"], challenge);
            assert_eq!(request["code_challenge_method"], "S256");
            assert_eq!(request["redirect_uri"], form["redirect_uri"]);
            state.nonce.clone_from(&request["nonce"]);
            if request["scope"].contains("offline_access") {
                state.refresh_token = "refresh-0".into();
            }
        }
        "refresh_token" => {
            if state.fault == Fault::RefreshRefused || form["refresh_token"] != state.refresh_token
            {
                let body =
                    json!({ "error": "invalid_grant", "error_description": "<i>used up</i>" });
                return answer(StatusCode::BAD_REQUEST, &body);
            }
            state.refresh_token = format!("refresh-{}", state.issued);
        }
        other => unreachable!("grant {other}"),
    }
    state.issued += 1;
    answer(StatusCode::OK, &state.token_response())
}

async fn userinfo(headers: HeaderMap) -> Response {
    assert!(
        headers[AUTHORIZATION]
            .to_str()
            .unwrap()
            .starts_with("Bearer access-")
    );
    answer(
        StatusCode::OK,
        &json!({ "sub": "jane", "email": "jane@example.org", "groups": ["<staff>"] }),
    )
}

impl Inner {
    fn token_response(&self) -> Value {
        let access_token = format!("access-{}", self.issued);
        let hashed = match self.fault {
            Fault::ForeignAccessToken => "access-of-another",
            _ => &access_token,
        };
        let nonce = match self.fault {
            Fault::ForeignNonce => "of another login",
            _ => &self.nonce,
        };
        let now = now();
        let header = json!({ "alg": "RS256", "kid": self.key_id.to_string() });
        let claims = json!({
            "iss": self.url,
            "sub": "jane",
            "aud": "example-app",
            "iat": now,
            "exp": now + 600,
            "nonce": nonce,
            "at_hash": BASE64URL.encode(&sha256(hashed.as_bytes())[..16]),
            "groups": ["<staff>"],
            "issued": self.issued,
        });
        let key = match self.fault {
            Fault::UnpublishedKey => &new_key(),
            _ => &self.key,
        };
        let mut answer = json!({
            "access_token": access_token,
            "token_type": "bearer",
            "expires_in": 600,
            "id_token": signed(key, &header, &claims),
        });
        if !self.refresh_token.is_empty() {
            answer["refresh_token"] = json!(self.refresh_token);
        }
        answer
    }
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let kind = [(CONTENT_TYPE, "application/json")];
    (status, kind, body.to_string()).into_response()
}

fn lock(state: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    state.lock().unwrap()
}

fn new_key() -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()
}

fn signed(key: &PKey<Private>, header: &Value, claims: &Value) -> String {
    let input = [header, claims]
        .map(|part| BASE64URL.encode(part.to_string()))
        .join(".");
    let mut signer = Signer::new(MessageDigest::sha256(), key).unwrap();
    let signature = signer.sign_oneshot_to_vec(input.as_bytes()).unwrap();
    format!("{input}.{}", BASE64URL.encode(signature))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the program under test lives in real time"
)]
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_secs()
}
