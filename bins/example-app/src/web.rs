//! The routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use http::header::{self, HeaderMap, HeaderValue};
use http::{HeaderName, StatusCode};
use url::Url;

use crate::pages::{Pages, STYLE};
use crate::relying_party::{CallbackParameters, LoginChoice, LoginError, RelyingParty};
use crate::sessions::Sessions;

/// All that the routes need.
pub(crate) struct App {
    pub(crate) relying_party: RelyingParty,
    pub(crate) sessions: Sessions,
    pub(crate) pages: Pages,
    /// The scopes of the form's check boxes.
    pub(crate) scopes: Vec<String>,
    pub(crate) redirect_uri: Url,
}

/// The application.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/login", post(login))
        .route(app.redirect_uri.path(), get(callback))
        .route("/refresh", post(refresh))
        .route("/logout", post(logout))
        .route("/static/style.css", get(style))
        .layer(middleware::from_fn(with_security_headers))
        .with_state(app)
}

async fn home(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    match session_id(&headers).and_then(|id| app.sessions.grant(id)) {
        Some(grant) => page(StatusCode::OK, app.pages.result(&grant)),
        None => page(StatusCode::OK, app.pages.form(&app.scopes)),
    }
}

async fn login(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Form(form): Form<Vec<(String, String)>>,
) -> Response {
    let (url, pending) = match app.relying_party.begin(choice(form)).await {
        Ok(begun) => begun,
        Err(error) => return failure(&app, &error),
    };
    let id = app.sessions.begin_login(session_id(&headers), pending);
    (cookie(&app, &id), Redirect::to(url.as_str())).into_response()
}

async fn callback(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(parameters): Query<CallbackParameters>,
) -> Response {
    // Without the `state` of a login that this browser began, nothing that comes in is looked at (RFC 6749 §10.12).
    let begun = session_id(&headers).and_then(|id| {
        let login = app.sessions.take_login(id, parameters.state.as_deref()?)?;
        Some((id, login))
    });
    let Some((id, login)) = begun else {
        return page(
            StatusCode::BAD_REQUEST,
            app.pages
                .error("This login was not begun in this browser, or it is over already."),
        );
    };
    match app.relying_party.finish(login, parameters).await {
        Ok(grant) => {
            let id = app.sessions.logged_in(id, grant);
            (cookie(&app, &id), Redirect::to("/")).into_response()
        }
        Err(error) => failure(&app, &error),
    }
}

async fn refresh(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let Some(id) = session_id(&headers) else {
        return Redirect::to("/").into_response();
    };
    let Some(grant) = app.sessions.grant(id) else {
        return Redirect::to("/").into_response();
    };
    match app.relying_party.refresh(grant).await {
        Some(Ok(grant)) => app.sessions.refreshed(id, grant),
        Some(Err(error)) => return failure(&app, &error),
        None => {}
    }
    Redirect::to("/").into_response()
}

async fn logout(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    if let Some(id) = session_id(&headers) {
        app.sessions.end(id);
    }
    Redirect::to("/").into_response()
}

async fn style() -> Response {
    let kind = HeaderValue::from_static("text/css; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], STYLE).into_response()
}

async fn with_security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in SECURITY_HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The scopes and the connector that the form's fields ask for.
fn choice(form: Vec<(String, String)>) -> LoginChoice {
    let (mut scopes, mut connector_id) = (Vec::<String>::new(), String::new());
    for (name, value) in form {
        match name.as_str() {
            "scope" | "extra_scopes" => {
                scopes.extend(value.split_whitespace().map(str::to_owned));
            }
            "connector_id" => value.trim().clone_into(&mut connector_id),
            _ => {}
        }
    }
    // The library asks for `openid` by itself.
    scopes.retain(|scope| scope != "openid");
    LoginChoice {
        scopes,
        connector_id,
    }
}

fn failure(app: &App, error: &LoginError) -> Response {
    tracing::warn!("{error}");
    let status = match error {
        LoginError::Refused { .. } => StatusCode::BAD_REQUEST,
        LoginError::Discovery { .. } | LoginError::Protocol(_) | LoginError::Untrusted { .. } => {
            StatusCode::BAD_GATEWAY
        }
    };
    page(status, app.pages.error(&error.to_string()))
}

fn page(status: StatusCode, text: Result<String, minijinja::Error>) -> Response {
    match text {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!("a page cannot be made: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn cookie(app: &App, id: &str) -> [(HeaderName, String); 1] {
    let secure = if app.redirect_uri.scheme() == "https" {
        "; Secure"
    } else {
        ""
    };
    // Lax: the issuer's redirect back is a navigation from another site, which must carry it.
    let value = format!("{COOKIE}={id}; Path=/; HttpOnly; SameSite=Lax{secure}");
    [(header::SET_COOKIE, value)]
}

fn session_id(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE).then_some(value))
}

const COOKIE: &str = "example_app";

/// `form-action` is left open: browsers apply it to every redirect that follows a form, and the login form leads to the issuer, from
/// there to wherever the issuer's users are, and back.
const SECURITY_HEADERS: [(HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_come_from_check_boxes_and_from_the_text_field() {
        let fields = [
            ("scope", "email"),
            ("scope", "offline_access"),
            ("extra_scopes", " federated:id  openid "),
            ("connector_id", " mock "),
            ("unknown", "x"),
        ];
        let choice = choice(fields.map(|(n, v)| (n.into(), v.into())).into());
        assert_eq!(choice.scopes, ["email", "offline_access", "federated:id"]);
        assert_eq!(choice.connector_id, "mock");
    }

    #[test]
    fn the_session_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=b; c=d"));
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("x=y; example_app=id"),
        );
        assert_eq!(session_id(&headers), Some("id"));
        assert_eq!(session_id(&HeaderMap::new()), None);
    }
}
