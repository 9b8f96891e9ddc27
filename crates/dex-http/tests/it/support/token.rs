//! Requests to the JSON endpoints, and codes as if somebody had logged in.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use dex_core::clock::Clock as _;
use dex_core::records::{AuthCode, Claims, Client};
use dex_http::OAuthError;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use super::provider::{CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, TestProvider, app, mock_callback};
use super::request::encode;

/// What came back, with the private cause of a refusal.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    error: Option<Arc<OAuthError>>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// A header as text; empty when absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The answer is an OAuth error, exactly this.
    #[track_caller]
    pub(crate) fn assert_error(&self, status: u16, code: &str, description: &str) -> &Self {
        let body = if description.is_empty() {
            serde_json::json!({ "error": code })
        } else {
            serde_json::json!({ "error": code, "error_description": description })
        };
        assert_eq!((self.status.as_u16(), self.json()), (status, body));
        assert_eq!(self.header("content-type"), "application/json");
        self
    }

    /// The private cause of the refusal.
    #[track_caller]
    pub(crate) fn cause<E: Error + PartialEq + Copy + 'static>(&self) -> E {
        let error = self.error.as_ref().expect("the answer is an error");
        let mut cause = error.cause().map(|cause| cause as &(dyn Error + 'static));
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref::<E>() {
                return *found;
            }
            cause = error.source();
        }
        panic!("no cause of that type: {error:?}")
    }

    #[track_caller]
    pub(crate) fn assert_ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }
}

impl TestProvider {
    /// The clients and the connector of the compatibility text: `app`, `peer`, `pub`, `mock`.
    pub(crate) fn for_tokens() -> super::provider::TestBuilder {
        Self::new()
            .client(app())
            .client(Client {
                id: "peer".into(),
                secret: "p".into(),
                trusted_peers: vec![CLIENT_ID.into()],
                ..Client::default()
            })
            .client(Client {
                id: "pub".into(),
                public: true,
                ..Client::default()
            })
            .connector(mock_callback("mock", "Example"))
    }

    /// Any request.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.issuer.clone().into_service().oneshot(request).await;
        let (parts, body) = response.unwrap().into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
            error: parts.extensions.get::<Arc<OAuthError>>().cloned(),
        }
    }

    /// `GET` of a route.
    pub(crate) async fn fetch(&self, route: &str, headers: &[(&str, &str)]) -> Answer {
        self.call("GET", route, headers, "").await
    }

    /// Any method of a route.
    pub(crate) async fn call(
        &self,
        method: &str,
        route: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(self.path(route));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap())
            .await
    }

    /// `POST /token` without an `Authorization` header.
    pub(crate) async fn grant(&self, fields: &[(&str, &str)]) -> Answer {
        self.send(form(&self.path("/token"), fields)).await
    }

    /// `POST /token` with Basic credentials.
    pub(crate) async fn grant_as(&self, id: &str, secret: &str, fields: &[(&str, &str)]) -> Answer {
        let mut request = form(&self.path("/token"), fields);
        request
            .headers_mut()
            .insert(AUTHORIZATION, basic(&format!("{id}:{secret}")));
        self.send(request).await
    }

    /// Redeems a code as `app`.
    pub(crate) async fn redeem_code(&self, code: &str) -> Answer {
        self.grant_as(
            CLIENT_ID,
            CLIENT_SECRET,
            &[
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", REDIRECT_URI),
            ],
        )
        .await
    }

    /// Refreshes as `app`.
    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.grant_as(
            CLIENT_ID,
            CLIENT_SECRET,
            &[("grant_type", "refresh_token"), ("refresh_token", token)],
        )
        .await
    }

    /// Stores a code for the user of `mock`, changed by `change`, and gives it.
    pub(crate) async fn code(&self, scopes: &str, change: impl FnOnce(&mut AuthCode)) -> String {
        let now = self.clock.now();
        let mut code = AuthCode {
            id: dex_core::entropy::new_token(&dex_core::entropy::SystemEntropy::new()).into(),
            client_id: CLIENT_ID.into(),
            scopes: scopes.split(' ').map(str::to_owned).collect(),
            nonce: "n-1".into(),
            redirect_uri: REDIRECT_URI.into(),
            claims: kilgore(),
            connector_id: "mock".into(),
            connector_data: b"foobar".to_vec().into(),
            expiry: now.saturating_add(Duration::from_mins(30)),
            auth_time: now,
            ..AuthCode::default()
        };
        change(&mut code);
        self.put(&code).await;
        code.id.expose().to_owned()
    }

    /// A refresh token of `app` with these scopes besides `offline_access`.
    pub(crate) async fn refresh_token(&self, scopes: &str) -> String {
        let code = self.code(&format!("{scopes} offline_access"), |_| {}).await;
        let tokens = self.redeem_code(&code).await.assert_ok();
        tokens["refresh_token"].as_str().unwrap().to_owned()
    }
}

/// A form for `path`.
pub(crate) fn form(path: &str, fields: &[(&str, &str)]) -> Request<Body> {
    Request::post(path)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(encode(fields)))
        .unwrap()
}

/// The value of a Basic `Authorization` header.
pub(crate) fn basic(pair: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair))).unwrap()
}

/// The payload of a JWT, unverified.
#[track_caller]
pub(crate) fn payload(token: &Value) -> Value {
    part(token, 1)
}

/// A part of a JWT, decoded.
#[track_caller]
pub(crate) fn part(token: &Value, index: usize) -> Value {
    let text = token.as_str().unwrap().split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

fn kilgore() -> Claims {
    Claims {
        user_id: "0-385-28089-0".into(),
        username: "Kilgore Trout".into(),
        email: "kilgore@kilgore.trout".into(),
        email_verified: true,
        groups: vec!["authors".into()],
        ..Claims::default()
    }
}
