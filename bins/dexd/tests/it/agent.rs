//! A small HTTP client that behaves like a browser without scripts: keeps cookies, follows nothing by itself.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// Where the answer redirects to.
    pub(crate) fn location(&self) -> &str {
        self.headers
            .get("location")
            .unwrap_or_else(|| panic!("status {} does not redirect: {}", self.status, self.body))
            .to_str()
            .unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }
}

/// One browser: its cookies, and the server it talks to.
#[derive(Debug)]
pub(crate) struct Agent {
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    /// `http://127.0.0.1:PORT`, whatever the issuer says.
    origin: String,
    cookies: BTreeMap<String, String>,
}

impl Agent {
    pub(crate) fn new(origin: &str) -> Self {
        let client = crate::harness::client();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        Self {
            client,
            runtime,
            origin: origin.to_owned(),
            cookies: BTreeMap::new(),
        }
    }

    /// `GET` of a rooted path, or of any URL whose path is taken.
    pub(crate) fn get(&mut self, target: &str) -> Answer {
        let request = self.client.get(self.url(target));
        self.send(request)
    }

    pub(crate) fn post_form(&mut self, target: &str, form: &[(&str, &str)]) -> Answer {
        let request = self.client.post(self.url(target)).form(form);
        self.send(request)
    }

    /// `POST /dex/token` with Basic credentials.
    pub(crate) fn token(&self, client: &str, secret: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let encode =
            |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let credentials = STANDARD.encode(format!("{}:{}", encode(client), encode(secret)));
        let request = self
            .client
            .post(self.url("/dex/token"))
            .header("authorization", format!("Basic {credentials}"))
            .form(form);
        let answer = self.exchange(request);
        (answer.status, answer.json())
    }

    pub(crate) fn userinfo(&self, access_token: &str) -> (u16, Value) {
        let request = self
            .client
            .get(self.url("/dex/userinfo"))
            .bearer_auth(access_token);
        let answer = self.exchange(request);
        (answer.status, answer.json())
    }

    pub(crate) fn get_json(&self, path: &str) -> (u16, Value) {
        let answer = self.exchange(self.client.get(self.url(path)));
        (answer.status, answer.json())
    }

    fn url(&self, target: &str) -> String {
        if target.starts_with('/') {
            return format!("{}{target}", self.origin);
        }
        let url = url::Url::parse(target).unwrap();
        format!(
            "{}{}?{}",
            self.origin,
            url.path(),
            url.query().unwrap_or_default()
        )
    }

    fn send(&mut self, request: reqwest::RequestBuilder) -> Answer {
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = if cookies.is_empty() {
            request
        } else {
            request.header("cookie", cookies.join("; "))
        };
        let answer = self.exchange(request);
        for line in answer.headers.get_all("set-cookie") {
            let line = line.to_str().unwrap();
            let (name, value) = line
                .split(';')
                .next()
                .and_then(|pair| pair.split_once('='))
                .unwrap();
            if line.to_ascii_lowercase().contains("max-age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    fn exchange(&self, request: reqwest::RequestBuilder) -> Answer {
        self.runtime.block_on(async {
            let response = request.send().await.unwrap();
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            Answer {
                status,
                headers,
                body: response.text().await.unwrap(),
            }
        })
    }
}

/// The claims of a JWS, unverified.
pub(crate) fn jws_payload(token: &str) -> Value {
    part(token, 1)
}

/// The protected header of a JWS.
pub(crate) fn jws_header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, index: usize) -> Value {
    let encoded = token
        .split('.')
        .nth(index)
        .unwrap_or_else(|| panic!("not a JWS"));
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap()
}

/// Verifies a JWS with a published key set, by a library that is not ours.
pub(crate) fn verify_jws(token: &str, jwks: &Value) -> Value {
    use josekit::jws::{ES256, EdDSA, PS256, RS256};
    let header = jws_header(token);
    let key = jwks["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["kid"] == header["kid"])
        .expect("the key is published");
    let key = josekit::jwk::Jwk::from_map(key.as_object().unwrap().clone()).unwrap();
    let verifier: Box<dyn josekit::jws::JwsVerifier> = match header["alg"].as_str().unwrap() {
        "RS256" => Box::new(RS256.verifier_from_jwk(&key).unwrap()),
        "ES256" => Box::new(ES256.verifier_from_jwk(&key).unwrap()),
        "PS256" => Box::new(PS256.verifier_from_jwk(&key).unwrap()),
        "EdDSA" => Box::new(EdDSA.verifier_from_jwk(&key).unwrap()),
        other => panic!("unexpected algorithm {other}"),
    };
    let (payload, _) = josekit::jws::deserialize_compact(token, verifier.as_ref())
        .expect("the signature is right");
    serde_json::from_slice(&payload).unwrap()
}
