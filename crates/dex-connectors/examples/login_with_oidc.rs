//! "Sign in with …" in an app of one's own: one connector, without the issuer and without a storage.
//!
//! ```sh
//! cargo run -p dex-connectors --example login_with_oidc -- https://accounts.example.com my-client-id my-client-secret
//! ```
//! Register `http://127.0.0.1:8085/callback` as the client's redirect URI, then open `http://127.0.0.1:8085/`.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use dex_connectors::oidc::Config;
use dex_connectors::{
    BeginLogin, Callback, Connector, ConnectorConfig, Login, OpenContext, RedirectLogin, Scopes,
};
use dex_core::entropy::{SystemEntropy, new_token};
use dex_core::records::Blob;
use http::{HeaderMap, StatusCode, header};
use serde_json::json;
use tokio::net::TcpListener;
use url::Url;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [issuer, client_id, client_secret] = arguments.as_slice() else {
        return Err("usage: login_with_oidc ISSUER CLIENT_ID CLIENT_SECRET".into());
    };
    let listener = TcpListener::bind("127.0.0.1:8085").await?;
    println!("open http://{}/", listener.local_addr()?);
    serve(listener, issuer, client_id, client_secret).await
}

/// Opens the connector and serves the app.
pub(crate) async fn serve(
    listener: TcpListener,
    issuer: &str,
    client_id: &str,
    client_secret: &str,
) -> Result<(), Box<dyn Error>> {
    let callback_url = Url::parse(&format!("http://{}/callback", listener.local_addr()?))?;
    let config = Config::from_json(json!({
        "issuer": issuer,
        "clientID": client_id,
        "clientSecret": client_secret,
        "redirectURI": callback_url,
    }))?;
    let connector = config.open("upstream", &OpenContext::system()).await?;
    let app = Arc::new(App {
        connector,
        callback_url,
        pending: Mutex::default(),
    });
    let router = Router::new()
        .route("/", get(home))
        .route("/login", get(begin))
        .route("/callback", get(complete))
        .with_state(app);
    Ok(axum::serve(listener, router).await?)
}

struct App {
    connector: Arc<dyn Connector>,
    callback_url: Url,
    /// Logins under way: state → what the connector wants kept.
    pending: Mutex<HashMap<String, Blob>>,
}

async fn home() -> Html<&'static str> {
    Html("<!doctype html><title>App</title><a href=\"/login\">Sign in</a>")
}

/// Sends the browser to the provider. The cookie ties the answer to this browser.
async fn begin(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    let state = new_token(&SystemEntropy::new());
    let redirect = app
        .login()?
        .begin(BeginLogin {
            scopes: Scopes::default(),
            callback_url: &app.callback_url,
            state: &state,
            login_hint: None,
        })
        .await?;
    let cookie = format!("login={state}; HttpOnly; SameSite=Lax; Path=/callback; Max-Age=600");
    let mut pending = app.pending.lock().unwrap_or_else(PoisonError::into_inner);
    pending.insert(state, redirect.connector_data);
    Ok((
        [(header::SET_COOKIE, cookie)],
        Redirect::to(redirect.url.as_str()),
    )
        .into_response())
}

/// Takes what the browser brought back.
async fn complete(
    State(app): State<Arc<App>>,
    Query(parameters): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<String, Failure> {
    let state = parameters
        .iter()
        .find(|(name, _)| name == "state")
        .map(|(_, state)| state.clone())
        .ok_or("no state")?;
    if !has_cookie(&headers, &format!("login={state}")) {
        return Err("this browser did not begin this login".into());
    }
    // Taken out: an answer counts once.
    let connector_data = app
        .pending
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&state)
        .ok_or("no such login")?;
    let identity = app
        .login()?
        .complete(Callback {
            scopes: Scopes::default(),
            callback_url: &app.callback_url,
            state: &state,
            connector_data: &connector_data,
            parameters: &parameters,
            headers: &headers,
        })
        .await?;
    let claims = identity.claims;
    Ok(format!(
        "Hello {}, you are {} at the provider.\n",
        claims.username, claims.user_id
    ))
}

fn has_cookie(headers: &HeaderMap, wanted: &str) -> bool {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split("; "))
        .any(|cookie| cookie == wanted)
}

impl App {
    fn login(&self) -> Result<&dyn RedirectLogin, &'static str> {
        match self.connector.login() {
            Login::Redirect(login) => Ok(login),
            _ => Err("not a connector with redirects"),
        }
    }
}

/// The person reads that it failed; the reason is for the log.
struct Failure(Box<dyn Error + Send + Sync>);

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        eprintln!("login failed: {}", self.0);
        (StatusCode::BAD_REQUEST, "Login failed.\n").into_response()
    }
}
