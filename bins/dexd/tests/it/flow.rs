//! A browser and an app, as far as a login needs them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use serde_json::Value;
use url::Url;

use crate::harness::{Dexd, client};

/// Lines of a configuration that [`App`] fits.
pub(crate) const APP: &str = "oauth2: {skipApprovalScreen: true}\nstaticClients: [{id: app, secret: app-secret, name: App, redirectURIs: ['http://127.0.0.1:5555/callback']}]";

/// A client of the issuer, with a browser of its own.
pub(crate) struct App {
    http: reqwest::Client,
    origin: String,
    cookies: BTreeMap<String, String>,
    id: String,
    secret: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Page {
    url: Url,
    pub(crate) status: u16,
    location: Option<String>,
    pub(crate) body: String,
}

impl App {
    pub(crate) fn of(dexd: &mut Dexd) -> Self {
        Self {
            http: client(),
            origin: dexd.url("http", ""),
            cookies: BTreeMap::new(),
            id: "app".to_owned(),
            secret: "app-secret".to_owned(),
        }
    }

    pub(crate) fn with_credentials(mut self, id: &str, secret: &str) -> Self {
        (self.id, self.secret) = (id.to_owned(), secret.to_owned());
        self
    }

    /// Another client, with headers of its own.
    pub(crate) fn use_client(&mut self, http: reqwest::Client) {
        self.http = http;
    }

    /// Sends the browser to a connector's login; what it shows.
    pub(crate) async fn begin(&mut self, connector: &str) -> Page {
        let mut url = Url::parse(&format!("{}/dex/auth", self.origin)).unwrap();
        url.query_pairs_mut()
            .append_pair("client_id", &self.id)
            .append_pair("redirect_uri", "http://127.0.0.1:5555/callback")
            .append_pair("response_type", "code")
            .append_pair("scope", "openid email profile groups offline_access")
            .append_pair("connector_id", connector);
        let request = self.http.get(url);
        self.follow(request).await
    }

    /// Types a name and a password into the form of `page`.
    pub(crate) async fn type_password(&mut self, page: &Page, login: &str, password: &str) -> Page {
        let request = self
            .http
            .post(page.form_action())
            .form(&[("login", login), ("password", password)]);
        self.follow(request).await
    }

    /// The whole way with a password; the status of the last page if it leads nowhere.
    pub(crate) async fn log_in(
        &mut self,
        connector: &str,
        login: &str,
        password: &str,
    ) -> Result<Value, u16> {
        let form = self.begin(connector).await;
        assert_eq!(form.status, 200, "{form:?}");
        let page = self.type_password(&form, login, password).await;
        match page.code() {
            Some(code) => Ok(self.redeem(&code).await.1),
            None => Err(page.status),
        }
    }

    pub(crate) async fn redeem(&self, code: &str) -> (u16, Value) {
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", "http://127.0.0.1:5555/callback"),
        ])
        .await
    }

    pub(crate) async fn refresh(&self, tokens: &Value) -> (u16, Value) {
        let token = tokens["refresh_token"].as_str().unwrap();
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)])
            .await
    }

    async fn token(&self, form: &[(&str, &str)]) -> (u16, Value) {
        let response = self
            .http
            .post(format!("{}/dex/token", self.origin))
            .basic_auth(&self.id, Some(&self.secret))
            .form(form)
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// Follows redirects within the issuer.
    pub(crate) async fn follow(&mut self, request: reqwest::RequestBuilder) -> Page {
        let mut page = self.send(request).await;
        for _ in 0..10 {
            match page.target() {
                Some(next) if next.as_str().starts_with(&self.origin) => {
                    let request = self.http.get(next);
                    page = self.send(request).await;
                }
                _ => return page,
            }
        }
        panic!("redirects do not end");
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Page {
        let line: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let response = request
            .header(COOKIE, line.join("; "))
            .send()
            .await
            .unwrap();
        for line in response.headers().get_all(SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            if line.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        // The issuer's own URL names a port that only the configuration knows.
        let location = response.headers().get(LOCATION).map(|value| {
            value
                .to_str()
                .unwrap()
                .replace("http://127.0.0.1:5556", &self.origin)
        });
        Page {
            url: response.url().clone(),
            status: response.status().as_u16(),
            location,
            body: response.text().await.unwrap(),
        }
    }
}

impl Page {
    fn target(&self) -> Option<Url> {
        self.location
            .as_ref()
            .map(|location| self.url.join(location).unwrap())
    }

    /// The code of a redirect to the app.
    pub(crate) fn code(&self) -> Option<String> {
        let target = self.target()?;
        target
            .query_pairs()
            .find(|(name, _)| name == "code")
            .map(|(_, code)| code.into_owned())
    }

    fn form_action(&self) -> Url {
        let form = self.body.split_once("<form").unwrap().1;
        let action = form
            .split_once("action=\"")
            .unwrap()
            .1
            .split('"')
            .next()
            .unwrap();
        let action = action
            .replace("&amp;", "&")
            .replace("&#x2f;", "/")
            .replace("&#x27;", "'");
        self.url.join(&action).unwrap()
    }
}

/// The claims of an ID token, unverified.
pub(crate) fn claims(tokens: &Value) -> Value {
    let token = tokens["id_token"].as_str().unwrap();
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}
