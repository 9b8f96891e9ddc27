//! What one worker does: the operations themselves.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::StatusCode;
use http::header::{AUTHORIZATION, LOCATION};
use openssl::sha::sha256;
use serde::Deserialize;
use url::{Url, form_urlencoded};

use crate::cli::{ClientAuth, Options, Scenario};
use crate::client::{Answer, Connection, Failure, Jar, Prepared};
use crate::page::{self, Page};
use crate::target::Target;

/// A code flow that takes more steps goes in a circle.
const MAX_STEPS: usize = 12;

/// One worker: a connection, a browser's cookies, a client's credentials, and the tokens of the last sign-in.
#[derive(Debug)]
pub struct Worker {
    target: Target,
    connection: Connection,
    jar: Jar,
    client: Client,
    tokens: Option<Tokens>,
    flows: u64,
    number: usize,
    discovery: Prepared,
    keys: Prepared,
}

/// The registered client and the user, names filled in for this worker.
#[derive(Debug, Clone)]
struct Client {
    id: String,
    secret: Option<String>,
    auth: ClientAuth,
    redirect_uri: String,
    connector: String,
    scope: String,
    login: Option<(String, String)>,
    approve: bool,
    pkce: bool,
    keep_cookies: bool,
}

#[derive(Debug, Clone, Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: Option<String>,
}

impl Worker {
    /// Worker number `number` at `target`.
    pub fn new(options: &Options, target: &Target, number: usize) -> Self {
        let fill = |text: &String| text.replace("{worker}", &number.to_string());
        let client = Client {
            id: Options::for_issuer(&options.client_id, target.number)
                .map(fill)
                .unwrap_or_default(),
            secret: Options::for_issuer(&options.client_secret, target.number).map(fill),
            auth: options.client_auth,
            redirect_uri: options.redirect_uri.clone(),
            connector: options.connector.clone(),
            scope: options.scope.clone(),
            login: options
                .login
                .as_ref()
                .zip(options.password.as_ref())
                .map(|(login, password)| (fill(login), fill(password))),
            approve: options.approve,
            pkce: options.pkce,
            keep_cookies: options.keep_cookies,
        };
        Self {
            connection: Connection::new(target.address.clone()),
            jar: Jar::default(),
            client,
            tokens: None,
            flows: 0,
            number,
            discovery: Prepared::get(&target.discovery),
            keys: Prepared::get(&target.endpoints.jwks_uri),
            target: target.clone(),
        }
    }

    /// HTTP requests sent so far.
    pub fn requests(&self) -> u64 {
        self.connection.requests
    }

    /// What a scenario needs before its first operation.
    ///
    /// # Errors
    /// Why the sign-in did not give what is needed.
    pub async fn prepare(&mut self, scenario: Scenario) -> Result<(), Failure> {
        match scenario {
            Scenario::Refresh => self.sign_in_for_refresh().await,
            Scenario::Userinfo => {
                if self.target.endpoints.userinfo_endpoint.is_none() {
                    return Err(Failure::new("no userinfo_endpoint in discovery"));
                }
                self.code_flow().await
            }
            Scenario::Code | Scenario::Discovery | Scenario::Keys => Ok(()),
        }
    }

    /// One operation.
    ///
    /// # Errors
    /// The kind of failure, as it is to be counted.
    pub async fn operate(&mut self, scenario: Scenario) -> Result<(), Failure> {
        match scenario {
            Scenario::Code => self.code_flow().await,
            Scenario::Refresh => self.refresh().await,
            Scenario::Discovery => {
                let answer = self.connection.send(&self.discovery).await?;
                expect_ok("discovery", &answer)
            }
            Scenario::Keys => {
                let answer = self.connection.send(&self.keys).await?;
                expect_ok("keys", &answer)
            }
            Scenario::Userinfo => self.userinfo().await,
        }
    }

    async fn sign_in_for_refresh(&mut self) -> Result<(), Failure> {
        self.code_flow().await?;
        match &self.tokens {
            Some(Tokens {
                refresh_token: Some(_),
                ..
            }) => Ok(()),
            _ => Err(Failure::new("token: no refresh_token issued")),
        }
    }

    /// From the authorization endpoint through every redirect to the code, and from the code to the tokens.
    async fn code_flow(&mut self) -> Result<(), Failure> {
        if !self.client.keep_cookies {
            self.jar.clear();
        }
        self.flows += 1;
        let state = format!("state-{}-{}", self.number, self.flows);
        let verifier = format!(
            "verifier-of-43-to-128-characters-{:08}-{:08}",
            self.number, self.flows
        );
        let code = self.authorize(&state, &verifier).await?;
        let redirect_uri = self.client.redirect_uri.clone();
        let mut form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code),
            ("redirect_uri", redirect_uri),
        ];
        if self.client.pkce {
            form.push(("code_verifier", verifier));
        }
        self.tokens = Some(self.token_request(form).await?);
        Ok(())
    }

    async fn authorize(&mut self, state: &str, verifier: &str) -> Result<String, Failure> {
        let mut url = self.authorization_url(state, verifier);
        let mut request = Prepared::get(&url);
        for _ in 0..MAX_STEPS {
            let answer = self
                .connection
                .send(&self.jar.add_to(request, &url))
                .await?;
            self.jar.take(&url, &answer.headers);
            if answer.status.is_redirection() {
                let location = answer
                    .headers
                    .get(LOCATION)
                    .and_then(|location| location.to_str().ok())
                    .ok_or_else(|| Failure::new("redirect without Location"))?;
                if let Some(reply) = reply_to(location, &self.client.redirect_uri) {
                    return code_of(reply, state);
                }
                url = url
                    .join(location)
                    .map_err(|_| Failure::new("redirect to no URL"))?;
                if !self.target.is_same_server(&url) {
                    return Err(Failure::new("redirect to another server"));
                }
                request = Prepared::get(&url);
            } else {
                expect_ok(step_name(&url), &answer)?;
                (url, request) = self.answer_page(&url, &answer)?;
            }
        }
        Err(Failure::new("too many redirects"))
    }

    fn authorization_url(&self, state: &str, verifier: &str) -> Url {
        let mut url = self.target.endpoints.authorization_endpoint.clone();
        let client = &self.client;
        let mut query = url.query_pairs_mut();
        query
            .append_pair("client_id", &client.id)
            .append_pair("redirect_uri", &client.redirect_uri)
            .append_pair("response_type", "code")
            .append_pair("scope", &client.scope)
            .append_pair("state", state)
            .append_pair("nonce", state);
        if !client.connector.is_empty() {
            query.append_pair("connector_id", &client.connector);
        }
        if client.pkce {
            let challenge = URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes()));
            query
                .append_pair("code_challenge", &challenge)
                .append_pair("code_challenge_method", "S256");
        }
        drop(query);
        url
    }

    fn answer_page(&self, url: &Url, answer: &Answer) -> Result<(Url, Prepared), Failure> {
        let html = String::from_utf8_lossy(&answer.body);
        let (form, body) = match (Page::read(&html), &self.client.login) {
            (Page::SignIn(form), Some((login, password))) => {
                let body = page::sign_in(&form, login, password);
                (form, body)
            }
            (Page::SignIn(_), None) => {
                return Err(Failure::new(
                    "sign-in form shown: --login and --password needed",
                ));
            }
            (Page::Approval(form), _) if self.client.approve => {
                let body = page::approve(&form);
                (form, body)
            }
            (Page::Approval(_), _) => {
                return Err(Failure::new("approval page shown: --approve needed"));
            }
            (Page::Other, _) => {
                return Err(Failure(format!("unexpected page at {}", step_name(url))));
            }
        };
        let to = url
            .join(form.action())
            .map_err(|_| Failure::new("form without usable action"))?;
        if !self.target.is_same_server(&to) {
            return Err(Failure::new("form to another server"));
        }
        let request = Prepared::post(&to, body);
        Ok((to, request))
    }

    async fn refresh(&mut self) -> Result<(), Failure> {
        let Some(token) = self.tokens.as_ref().and_then(|t| t.refresh_token.clone()) else {
            // The last refresh failed and took the token with it; a person would sign in again.
            self.sign_in_for_refresh().await?;
            return Err(Failure::new("token lost: signed in again"));
        };
        let form = vec![
            ("grant_type", "refresh_token".to_owned()),
            ("refresh_token", token.clone()),
        ];
        let result = self.token_request(form).await;
        match result {
            Ok(mut tokens) => {
                // RFC 6749 §6: without a new one the old one stays.
                tokens.refresh_token.get_or_insert(token);
                self.tokens = Some(tokens);
                Ok(())
            }
            Err(failure) => {
                self.tokens = None;
                Err(failure)
            }
        }
    }

    async fn token_request(
        &mut self,
        mut form: Vec<(&'static str, String)>,
    ) -> Result<Tokens, Failure> {
        let client = &self.client;
        let mut basic = None;
        match (&client.secret, client.auth) {
            (Some(secret), ClientAuth::Basic) => {
                // RFC 6749 §2.3.1: form-encoded before they are joined.
                let encode = |text: &str| {
                    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
                };
                let pair = format!("{}:{}", encode(&client.id), encode(secret));
                basic = Some(format!("Basic {}", STANDARD.encode(pair)));
            }
            (Some(secret), ClientAuth::Post) => {
                form.push(("client_id", client.id.clone()));
                form.push(("client_secret", secret.clone()));
            }
            (None, _) => form.push(("client_id", client.id.clone())),
        }
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let mut request = Prepared::post(&self.target.endpoints.token_endpoint, body);
        if let Some(basic) = basic {
            request = request.with(AUTHORIZATION, &basic);
        }
        let answer = self.connection.send(&request).await?;
        expect_ok("token", &answer)?;
        serde_json::from_slice(&answer.body).map_err(|_| Failure::new("token: unexpected answer"))
    }

    async fn userinfo(&mut self) -> Result<(), Failure> {
        let (Some(url), Some(tokens)) = (&self.target.endpoints.userinfo_endpoint, &self.tokens)
        else {
            return Err(Failure::new("userinfo: not signed in"));
        };
        let bearer = format!("Bearer {}", tokens.access_token);
        let request = Prepared::get(url).with(AUTHORIZATION, &bearer);
        let answer = self.connection.send(&request).await?;
        expect_ok("userinfo", &answer)
    }
}

/// The part of a redirect behind the client's redirect URI, if it goes there.
fn reply_to<'a>(location: &'a str, redirect_uri: &str) -> Option<&'a str> {
    let rest = location.strip_prefix(redirect_uri)?;
    rest.strip_prefix(['?', '&', '#'])
}

fn code_of(reply: &str, state: &str) -> Result<String, Failure> {
    let (mut code, mut error, mut has_state) = (None, None, false);
    for (name, value) in form_urlencoded::parse(reply.as_bytes()) {
        match &*name {
            "code" => code = Some(value.into_owned()),
            "error" => error = Some(value.into_owned()),
            "state" => has_state = value == state,
            _ => {}
        }
    }
    match (code, error) {
        (_, Some(error)) => Err(Failure(format!("authorization refused: {error}"))),
        (Some(_), None) if !has_state => {
            Err(Failure::new("authorization reply with foreign state"))
        }
        (Some(code), None) => Ok(code),
        (None, None) => Err(Failure::new("authorization reply without code")),
    }
}

fn expect_ok(step: &str, answer: &Answer) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct OAuthError {
        error: String,
    }
    if answer.status == StatusCode::OK {
        return Ok(());
    }
    let status = answer.status.as_u16();
    let error = serde_json::from_slice::<OAuthError>(&answer.body)
        .map(|body| format!(" {}", body.error))
        .unwrap_or_default();
    Err(Failure(format!("{step}: {status}{error}")))
}

/// A step of the flow by the last part of its path, so that failures are few kinds and ids do not matter.
fn step_name(url: &Url) -> &str {
    url.path_segments()
        .and_then(|mut parts| parts.next_back())
        .filter(|part| !part.is_empty())
        .unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_redirect_uri_ends_the_flow() {
        let uri = "http://127.0.0.1:5555/callback";
        assert_eq!(
            reply_to("http://127.0.0.1:5555/callback?code=1", uri),
            Some("code=1")
        );
        assert_eq!(
            reply_to("http://127.0.0.1:5555/callback2?code=1", uri),
            None
        );
        assert_eq!(reply_to("/dex/callback?code=1", uri), None);
    }

    #[test]
    fn a_reply_is_a_code_with_our_state_or_a_failure() {
        assert_eq!(code_of("code=c%2B&state=s", "s"), Ok("c+".to_owned()));
        for (reply, failure) in [
            (
                "code=c&state=other",
                "authorization reply with foreign state",
            ),
            ("code=c", "authorization reply with foreign state"),
            ("state=s", "authorization reply without code"),
            (
                "error=access_denied&state=s",
                "authorization refused: access_denied",
            ),
        ] {
            assert_eq!(code_of(reply, "s"), Err(Failure::new(failure)));
        }
    }
}
