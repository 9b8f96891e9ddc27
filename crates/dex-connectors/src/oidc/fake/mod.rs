//! A small OpenID Connect provider on a loopback port, for tests. It signs everybody in without asking, and misbehaves on demand.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use dex_connectors::oidc::fake::{Behaviour, FakeProvider};
//!
//! let behaviour = Behaviour::default().claim("groups", ["admins"]).refuse_basic();
//! let provider = FakeProvider::start(behaviour).await;
//! let config = provider.connector_config("http://127.0.0.1/dex/callback");
//! assert_eq!(config["issuer"], provider.issuer());
//! # });
//! ```

mod behaviour;
mod endpoints;
mod keys;

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use url::Url;

pub use behaviour::{Behaviour, Signature};

/// A running provider. It stops when dropped.
#[derive(Debug)]
pub struct FakeProvider {
    shared: Arc<Shared>,
    server: AbortHandle,
}

/// A request that the provider got.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Received {
    /// Its path.
    pub path: String,
    /// Its `Authorization` header.
    pub authorization: Option<String>,
    /// Its query or form, decoded.
    pub parameters: Vec<(String, String)>,
}

impl FakeProvider {
    /// Starts a provider on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// If the machine has no loopback port.
    pub async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a loopback port is free");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            address,
            behaviour: Mutex::new(behaviour),
            state: Mutex::default(),
        });
        let router = endpoints::router(Arc::clone(&shared));
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            shared,
            server: server.abort_handle(),
        }
    }

    /// The issuer, which is also where discovery starts.
    pub fn issuer(&self) -> String {
        self.shared.issuer()
    }

    /// A configuration of the `oidc` connector for this provider.
    pub fn connector_config(&self, redirect_uri: &str) -> Value {
        let behaviour = self.shared.behaviour();
        json!({
            "issuer": self.issuer(),
            "clientID": behaviour.client_id,
            "clientSecret": behaviour.client_secret,
            "redirectURI": redirect_uri,
        })
    }

    /// Behaves otherwise from now on.
    pub fn change(&self, change: impl FnOnce(Behaviour) -> Behaviour) {
        let mut behaviour = self.shared.behaviour();
        *behaviour = change(behaviour.clone());
    }

    /// Replaces the signing keys by new ones.
    pub fn rotate_keys(&self) {
        self.shared.state().key_generation += 1;
    }

    /// What a browser that is sent to `url` brings back to the redirect URI.
    ///
    /// # Panics
    /// If the request is one that a provider would refuse without redirecting.
    pub fn sign_in(&self, url: &Url) -> Vec<(String, String)> {
        let query: Vec<_> = url.query_pairs().into_owned().collect();
        let answer = self.shared.authorize(&query);
        answer.expect("the authorization request is acceptable").1
    }

    /// An ID token of this provider with these claims over the usual ones; `null` removes one.
    pub fn id_token(&self, claims: &Value) -> String {
        self.shared.id_token(None, None, claims)
    }

    /// An access token that userinfo accepts.
    pub fn access_token(&self) -> String {
        self.shared.new_token("access")
    }

    /// The requests to this path so far.
    pub fn requests(&self, path: &str) -> Vec<Received> {
        let state = self.shared.state();
        let of_path = state.requests.iter().filter(|request| request.path == path);
        of_path.cloned().collect()
    }
}

impl Received {
    /// The first value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        parameter(&self.parameters, name)
    }
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    behaviour: Mutex<Behaviour>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    requests: Vec<Received>,
    codes: HashMap<String, PendingCode>,
    /// Access and refresh tokens that are good.
    tokens: HashSet<String>,
    issued: u32,
    key_generation: u32,
}

/// A login that waits for its code to be redeemed.
#[derive(Debug)]
struct PendingCode {
    redirect_uri: String,
    nonce: Option<String>,
    challenge: Option<String>,
    challenge_method: String,
}

impl Shared {
    fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new name that is good as a token of this kind.
    fn new_token(&self, kind: &str) -> String {
        let mut state = self.state();
        state.issued += 1;
        let token = format!("{kind}-{}", state.issued);
        state.tokens.insert(token.clone());
        token
    }
}

fn parameter<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    parameters
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}
