//! The provider's endpoints.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, StatusCode, header};
use ring::digest::{SHA256, SHA384, SHA512, digest};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::behaviour::{changed, members};
use super::{PendingCode, Received, Shared, keys, parameter};

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/keys", get(key_set))
        .route("/authorize", get(authorize))
        .route("/token", post(token))
        .route("/userinfo", get(userinfo))
        .route("/logout", get(logout))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), note))
        .with_state(shared)
}

/// Remembers the request, and fails it if it is to fail. Forms are noted by the token endpoint, which reads them.
async fn note(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let status = shared.behaviour().statuses.get(&path).copied();
    if path != "/token" || status.is_some() {
        let parameters = pairs(request.uri().query().unwrap_or_default().as_bytes());
        shared.receive(&path, request.headers(), parameters);
    }
    match status {
        Some(status) => StatusCode::from_u16(status)
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            .into_response(),
        None => next.run(request).await,
    }
}

async fn discovery(State(shared): State<Arc<Shared>>) -> Response {
    let issuer = shared.issuer();
    let behaviour = shared.behaviour();
    let document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "end_session_endpoint": format!("{issuer}/logout"),
        "id_token_signing_alg_values_supported": [behaviour.algorithm],
    });
    json_answer(&changed(document, &behaviour.discovery))
}

async fn key_set(State(shared): State<Arc<Shared>>) -> Response {
    let generation = shared.state().key_generation;
    let behaviour = shared.behaviour();
    let mut answer = json_answer(&keys::published(&behaviour.algorithm, generation));
    let cache_control = behaviour.keys_cache_control.as_deref();
    if let Some(value) = cache_control.and_then(|value| value.parse().ok()) {
        answer.headers_mut().insert(header::CACHE_CONTROL, value);
    }
    answer
}

async fn authorize(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery) -> Response {
    let query = pairs(query.unwrap_or_default().as_bytes());
    match shared.authorize(&query) {
        Ok((mut redirect_uri, parameters)) => {
            redirect_uri.query_pairs_mut().extend_pairs(parameters);
            Redirect::to(redirect_uri.as_str()).into_response()
        }
        Err(reason) => (StatusCode::BAD_REQUEST, reason).into_response(),
    }
}

async fn token(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let form = pairs(&body);
    shared.receive("/token", &headers, form.clone());
    match shared.token(&headers, &form) {
        Ok(answer) => json_answer(&answer),
        Err((status, error)) => (status, json_answer(&json!({"error": error}))).into_response(),
    }
}

async fn userinfo(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let Some(bearer) = text(&headers, "authorization").and_then(|v| v.strip_prefix("Bearer "))
    else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    // ID tokens are not told from access tokens here: that is for the connector to get right.
    let is_good = bearer.contains('.') || shared.state().tokens.contains(bearer);
    if !is_good {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let claims = changed(json!({}), &shared.behaviour().userinfo);
    if shared.behaviour().signs_userinfo {
        let token = shared.sign(&claims);
        return (
            [(header::CONTENT_TYPE, "application/jwt; charset=utf-8")],
            token,
        )
            .into_response();
    }
    json_answer(&claims)
}

/// OpenID Connect RP-Initiated Logout 1.0 §2, without asking.
async fn logout(RawQuery(query): RawQuery) -> Response {
    let query = pairs(query.unwrap_or_default().as_bytes());
    match parameter(&query, "post_logout_redirect_uri") {
        Some(url) => Redirect::to(url).into_response(),
        None => "logged out".into_response(),
    }
}

/// Where the browser goes next, and with which parameters.
pub(super) type Answer = (Url, Vec<(String, String)>);
type TokenRefusal = (StatusCode, &'static str);

impl Shared {
    fn receive(&self, path: &str, headers: &HeaderMap, parameters: Vec<(String, String)>) {
        self.state().requests.push(Received {
            path: path.to_owned(),
            authorization: text(headers, "authorization").map(str::to_owned),
            parameters,
        });
    }

    pub(super) fn authorize(&self, query: &[(String, String)]) -> Result<Answer, &'static str> {
        let get = |name| parameter(query, name);
        let behaviour = self.behaviour();
        if get("client_id") != Some(&*behaviour.client_id) {
            return Err("unknown client");
        }
        if get("response_type") != Some("code") {
            return Err("unsupported response type");
        }
        let redirect_uri = get("redirect_uri")
            .and_then(|uri| Url::parse(uri).ok())
            .ok_or("no redirect_uri")?;
        let mut answer: Vec<(String, String)> = Vec::new();
        if let Some((error, description)) = &behaviour.denial {
            answer.push(("error".into(), error.clone()));
            answer.push(("error_description".into(), description.clone()));
        } else {
            let code = self.new_token("code");
            let pending = PendingCode {
                redirect_uri: get("redirect_uri").unwrap_or_default().to_owned(),
                nonce: get("nonce").map(str::to_owned),
                challenge: get("code_challenge").map(str::to_owned),
                challenge_method: get("code_challenge_method").unwrap_or("plain").to_owned(),
            };
            self.state().codes.insert(code.clone(), pending);
            answer.push(("code".into(), code));
        }
        answer.extend(get("state").map(|state| ("state".into(), state.to_owned())));
        Ok((redirect_uri, answer))
    }

    fn token(&self, headers: &HeaderMap, form: &[(String, String)]) -> Result<Value, TokenRefusal> {
        let invalid_grant = (StatusCode::BAD_REQUEST, "invalid_grant");
        self.authenticate(headers, form)?;
        let nonce = match parameter(form, "grant_type") {
            Some("authorization_code") => self.redeem(form).ok_or(invalid_grant)?.nonce,
            Some("refresh_token") => {
                let token = parameter(form, "refresh_token").unwrap_or_default();
                if !self.state().tokens.remove(token) {
                    return Err(invalid_grant);
                }
                None
            }
            _ => return Err((StatusCode::BAD_REQUEST, "unsupported_grant_type")),
        };
        let access_token = self.new_token("access");
        let answer = json!({
            "access_token": access_token,
            "token_type": "bearer",
            "expires_in": 3600,
            "refresh_token": self.new_token("refresh"),
            "id_token": self.id_token(nonce.as_deref(), Some(&access_token), &json!({})),
        });
        Ok(changed(answer, &self.behaviour().token_answer))
    }

    fn authenticate(
        &self,
        headers: &HeaderMap,
        form: &[(String, String)],
    ) -> Result<(), TokenRefusal> {
        let behaviour = self.behaviour();
        let encoded =
            |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!(
            "{}:{}",
            encoded(&behaviour.client_id),
            encoded(&behaviour.client_secret)
        );
        let basic = format!("Basic {}", STANDARD.encode(pair));
        let by_header = !behaviour.refuses_basic && text(headers, "authorization") == Some(&*basic);
        let by_body = parameter(form, "client_id") == Some(&*behaviour.client_id)
            && parameter(form, "client_secret").unwrap_or_default() == behaviour.client_secret;
        if by_header || by_body {
            Ok(())
        } else {
            Err((StatusCode::UNAUTHORIZED, "invalid_client"))
        }
    }

    /// The login that the code stands for, if code, redirect URI and verifier are right. A code works once, whatever comes of it.
    fn redeem(&self, form: &[(String, String)]) -> Option<PendingCode> {
        let code = parameter(form, "code")?;
        let pending = self.state().codes.remove(code)?;
        let verifier = parameter(form, "code_verifier");
        let answer = verifier.map(|verifier| match pending.challenge_method.as_str() {
            "S256" => URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())),
            _ => verifier.to_owned(),
        });
        let is_right = parameter(form, "redirect_uri") == Some(&*pending.redirect_uri)
            && answer == pending.challenge;
        is_right.then_some(pending)
    }

    pub(super) fn id_token(
        &self,
        nonce: Option<&str>,
        access_token: Option<&str>,
        changes: &Value,
    ) -> String {
        let behaviour = self.behaviour().clone();
        let now = behaviour.clock.now().unix_secs();
        let nonce = nonce.filter(|_| !behaviour.ignores_nonce);
        let usual = json!({
            "iss": self.issuer(),
            "aud": behaviour.client_id,
            "iat": now,
            "exp": now + 3600,
            "nonce": nonce,
            "at_hash": access_token.map(|token| at_hash(&behaviour.algorithm, token)),
        });
        let claims = changed(usual, &behaviour.claims);
        self.sign(&changed(claims, &members(changes.clone())))
    }

    fn sign(&self, payload: &Value) -> String {
        let generation = self.state().key_generation;
        let behaviour = self.behaviour();
        keys::sign(
            &behaviour.algorithm,
            generation,
            behaviour.signature,
            &behaviour.header,
            payload,
        )
    }
}

/// OpenID Connect Core 1.0 §3.1.3.6.
fn at_hash(algorithm: &str, access_token: &str) -> String {
    let hash = match algorithm {
        "RS384" | "PS384" | "ES384" => &SHA384,
        "RS512" | "PS512" | "ES512" | "EdDSA" => &SHA512,
        _ => &SHA256,
    };
    let digest = digest(hash, access_token.as_bytes());
    let (half, _) = digest.as_ref().split_at(digest.as_ref().len() / 2);
    URL_SAFE_NO_PAD.encode(half)
}

fn json_answer(value: &Value) -> Response {
    let body = value.to_string();
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
