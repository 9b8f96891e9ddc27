//! How the provider behaves.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use dex_core::clock::{Clock, SystemClock};
use serde_json::{Map, Value, json};

/// How the provider behaves: well, unless told otherwise. Settings are chained.
#[derive(Clone)]
pub struct Behaviour {
    pub(super) client_id: String,
    pub(super) client_secret: String,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) claims: Map<String, Value>,
    pub(super) userinfo: Map<String, Value>,
    pub(super) discovery: Map<String, Value>,
    pub(super) token_answer: Map<String, Value>,
    pub(super) header: Map<String, Value>,
    pub(super) algorithm: String,
    pub(super) signature: Signature,
    pub(super) ignores_nonce: bool,
    pub(super) refuses_basic: bool,
    pub(super) signs_userinfo: bool,
    pub(super) keys_cache_control: Option<String>,
    pub(super) denial: Option<(String, String)>,
    pub(super) statuses: HashMap<String, u16>,
}

/// Who signs ID tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Signature {
    /// The published key.
    #[default]
    Published,
    /// A key that is not published, under the id of the published one.
    Unpublished,
    /// HMAC with the published key's text as its secret, as `HS256`.
    HmacOfPublicKey,
    /// Nobody: `none`.
    Missing,
}

impl Behaviour {
    /// Another client than `dexd` with secret `upstream-secret`.
    #[must_use]
    pub fn client(mut self, id: &str, secret: &str) -> Self {
        id.clone_into(&mut self.client_id);
        secret.clone_into(&mut self.client_secret);
        self
    }

    /// Tells the time by this clock. Default: the system's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// A claim of ID tokens; `null` removes it.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// A claim of userinfo; `null` removes it. Default: `sub` only.
    #[must_use]
    pub fn userinfo(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.userinfo.insert(name.to_owned(), value.into());
        self
    }

    /// A member of the discovery document; `null` removes it.
    #[must_use]
    pub fn discovery(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.discovery.insert(name.to_owned(), value.into());
        self
    }

    /// A member of token answers; `null` removes it.
    #[must_use]
    pub fn token_answer(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.token_answer.insert(name.to_owned(), value.into());
        self
    }

    /// Puts the ID token back into token answers.
    #[must_use]
    pub fn with_id_token(mut self) -> Self {
        self.token_answer.remove("id_token");
        self
    }

    /// A member of ID tokens' headers.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// Signs with this algorithm, and advertises it alone. Default: `RS256`.
    #[must_use]
    pub fn algorithm(mut self, name: &str) -> Self {
        name.clone_into(&mut self.algorithm);
        self
    }

    /// Signs ID tokens like this.
    #[must_use]
    pub fn signature(mut self, signature: Signature) -> Self {
        self.signature = signature;
        self
    }

    /// Leaves `nonce` out of ID tokens.
    #[must_use]
    pub fn ignore_nonce(mut self) -> Self {
        self.ignores_nonce = true;
        self
    }

    /// Answers 401 to HTTP Basic at the token endpoint.
    #[must_use]
    pub fn refuse_basic(mut self) -> Self {
        self.refuses_basic = true;
        self
    }

    /// Answers userinfo requests with a JWT.
    #[must_use]
    pub fn sign_userinfo(mut self) -> Self {
        self.signs_userinfo = true;
        self
    }

    /// The `Cache-Control` of the key set.
    #[must_use]
    pub fn keys_cache_control(mut self, value: &str) -> Self {
        self.keys_cache_control = Some(value.to_owned());
        self
    }

    /// Sends browsers back with an error.
    #[must_use]
    pub fn deny(mut self, error: &str, description: &str) -> Self {
        self.denial = Some((error.to_owned(), description.to_owned()));
        self
    }

    /// Answers requests to this path with this status and nothing else; 200 makes the path work again.
    #[must_use]
    pub fn status(mut self, path: &str, status: u16) -> Self {
        if status == 200 {
            self.statuses.remove(path);
        } else {
            self.statuses.insert(path.to_owned(), status);
        }
        self
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            client_id: "dexd".into(),
            client_secret: "upstream-secret".into(),
            clock: Arc::new(SystemClock),
            claims: members(json!({
                "sub": "upstream-42",
                "name": "Jane Doe",
                "preferred_username": "jane",
                "email": "jane@example.com",
                "email_verified": true,
            })),
            userinfo: members(json!({"sub": "upstream-42"})),
            discovery: Map::new(),
            token_answer: Map::new(),
            header: Map::new(),
            algorithm: "RS256".into(),
            signature: Signature::default(),
            ignores_nonce: false,
            refuses_basic: false,
            signs_userinfo: false,
            keys_cache_control: None,
            denial: None,
            statuses: HashMap::new(),
        }
    }
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behaviour").finish_non_exhaustive()
    }
}

/// The members of an object.
pub(super) fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// Puts `changes` over `base`; `null` removes.
pub(super) fn changed(base: Value, changes: &Map<String, Value>) -> Value {
    let mut result = members(base);
    result.extend(changes.clone());
    result.retain(|_, value| !value.is_null());
    Value::Object(result)
}
