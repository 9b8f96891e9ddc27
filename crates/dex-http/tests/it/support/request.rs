//! Authorization requests and token requests, as a client makes them.

use url::form_urlencoded;

use super::provider::{CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, TestProvider};
use super::{Browser, Page};

/// Parameters of an authorization request, begun from a good one.
#[derive(Debug, Clone)]
pub(crate) struct AuthorizeRequest(Vec<(String, String)>);

impl AuthorizeRequest {
    /// What the compatibility text calls the good request.
    pub(crate) fn good() -> Self {
        Self(Vec::new())
            .with("client_id", CLIENT_ID)
            .with("redirect_uri", REDIRECT_URI)
            .with("response_type", "code")
            .with("scope", "openid")
            .with("state", "S")
    }

    /// Sets a parameter.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Removes a parameter.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self
    }

    /// The encoded parameters.
    pub(crate) fn query(&self) -> String {
        encode(&self.fields())
    }

    /// The parameters, for a form.
    pub(crate) fn fields(&self) -> Vec<(&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }

    /// `/auth` with these parameters.
    pub(crate) fn auth(&self, op: &TestProvider) -> String {
        op.path(&format!("/auth?{}", self.query()))
    }

    /// `/auth/{connector}` with these parameters.
    pub(crate) fn auth_with(&self, op: &TestProvider, connector: &str) -> String {
        op.path(&format!("/auth/{connector}?{}", self.query()))
    }
}

/// A token response, decoded.
#[derive(Debug, Clone)]
pub(crate) struct Tokens(pub(crate) serde_json::Value);

impl Tokens {
    /// A member of the response.
    #[track_caller]
    pub(crate) fn text(&self, member: &str) -> String {
        self.0[member]
            .as_str()
            .unwrap_or_else(|| panic!("no {member} in {}", self.0))
            .to_owned()
    }
}

impl TestProvider {
    /// Goes through the whole login with `browser`: mock connectors, the password form, consent. Gives the code.
    pub(crate) async fn sign_in(
        &self,
        browser: &mut Browser,
        request: &AuthorizeRequest,
    ) -> String {
        let page = self.sign_in_to_the_end(browser, request).await;
        page.redirect_parameter("code")
            .unwrap_or_else(|| panic!("no code: {page:?}"))
    }

    /// As [`sign_in`](Self::sign_in), but gives the last answer: the redirect to the client, or whatever stopped the flow.
    pub(crate) async fn sign_in_to_the_end(
        &self,
        browser: &mut Browser,
        request: &AuthorizeRequest,
    ) -> Page {
        let mut page = browser.get(&request.auth(self)).await;
        for _ in 0..10 {
            page = browser.follow(page).await;
            if page.location().is_some() {
                return page;
            }
            page = if let Some(req) = page.hidden_field("req") {
                let path = page.form_action().unwrap_or(page.requested);
                browser
                    .post(&path, &[("req", &req), ("approval", "approve")])
                    .await
            } else if let Some(post_url) = page.form_action() {
                browser
                    .post(
                        &post_url,
                        &[("login", super::USER_EMAIL), ("password", super::PASSWORD)],
                    )
                    .await
            } else {
                return page;
            };
        }
        page
    }

    /// Redeems a code with the client's secret.
    pub(crate) async fn redeem(&self, code: &str) -> Page {
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
            ("client_id", CLIENT_ID),
            ("client_secret", CLIENT_SECRET),
        ])
        .await
    }

    /// Redeems a code; fails unless tokens come back.
    pub(crate) async fn exchange_code(&self, code: &str) -> Tokens {
        let page = self.redeem(code).await;
        assert_eq!(page.status, 200, "{page:?}");
        Tokens(page.json())
    }

    /// `POST /token`.
    pub(crate) async fn token(&self, fields: &[(&str, &str)]) -> Page {
        self.browser().post(&self.path("/token"), fields).await
    }
}

/// Form encoding.
pub(crate) fn encode(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}
