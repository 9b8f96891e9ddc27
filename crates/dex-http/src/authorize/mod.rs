//! The browser's way from an authorization request to its answer (RFC 6749 §4.1, OpenID Connect Core 1.0 §3.1; compat: `authflow.md`).
//!
//! ```text
//! /auth?client_id=…            validate → choose connector → 302 /auth/{connector}?… (or the connector page)
//! /auth/{connector}?…          validate → seal the request → 302 upstream, or 302 /auth/{connector}/login
//! /callback…, …/login (POST)   identity → stored AuthRequest → 303 /auth?hmac=…&req=…      Step::Continue
//! /auth?req=…&hmac=…           consent needed? → 303 /approval?hmac=…&req=…                Step::Approval
//!                              else issue      → 303 client
//! /approval (POST)             → 303 /auth?hmac=…&req=…                                    Step::Approved
//! ```
//!
//! Until a login succeeds the request is [sealed](crate::sealed) in the browser; from then on it is a stored record, and every link
//! between steps carries a MAC whose key is mixed with a secret of that browser. Before the client and its redirect URI are
//! established ([`ReplyTo`](reply_to::ReplyTo)) errors are pages, afterwards they go to the client.

mod answer;
mod approval;
mod begin;
mod callback;
mod choose;
mod dispatch;
mod issue;
mod login;
mod password;
mod pending;
mod reply_to;
mod request;

use axum::body::Body;
use http::Response;

use crate::provider::Provider;
use crate::request::Incoming;
use crate::sealed::CookieJar;

/// `/auth`: the authorization endpoint, or, with `req`, the dispatcher between steps.
pub(crate) async fn authorize(op: &Provider, request: &Incoming) -> Response<Body> {
    answer::finish(op, request, choose::authorize(op, request).await)
}

/// `/auth/{connector}`: a login with one connector begins. `segment` is percent-encoded.
pub(crate) async fn begin(op: &Provider, request: &Incoming, segment: &str) -> Response<Body> {
    answer::finish(op, request, begin::begin(op, request, segment).await)
}

/// `/auth/{connector}/login`: name and password.
pub(crate) async fn password(op: &Provider, request: &Incoming, segment: &str) -> Response<Body> {
    answer::finish(op, request, password::password(op, request, segment).await)
}

/// `/callback` and `/callback/{connector}`: what an upstream sends the browser back to.
pub(crate) async fn callback(
    op: &Provider,
    request: &Incoming,
    segment: Option<&str>,
) -> Response<Body> {
    answer::finish(op, request, callback::callback(op, request, segment).await)
}

/// `/approval`: consent.
pub(crate) async fn approval(op: &Provider, request: &Incoming) -> Response<Body> {
    answer::finish(op, request, approval::approval(op, request).await)
}

fn jar<'a>(op: &'a Provider, request: &Incoming) -> CookieJar<'a> {
    CookieJar {
        keys: &op.sealing_keys,
        issuer: &op.issuer,
        entropy: op.entropy.as_ref(),
        now: request.now,
    }
}
