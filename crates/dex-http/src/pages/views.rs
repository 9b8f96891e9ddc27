//! What each page needs to know.
//!
//! `request_path` is always the decoded path of the request as the browser sent it (with the issuer's own path), since
//! links to assets are relative to it.

use std::collections::BTreeMap;

use http::StatusCode;

/// One way to sign in, offered by the chooser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorChoice {
    /// The connector's id.
    pub id: String,
    /// The connector's display name.
    pub name: String,
    /// The connector's type (`oidc`, `ldap`, …), which chooses the icon.
    pub kind: String,
    /// Where to go: a rooted path, with all parameters of the request except `connector_id`.
    pub url: String,
}

/// `login.html`.
#[derive(Debug, Clone, Copy)]
pub struct LoginView<'a> {
    /// Decoded path of the request.
    pub request_path: &'a str,
    /// In any order; the page sorts them by name, without regard to case.
    pub connectors: &'a [ConnectorChoice],
}

/// Whether the password page offers to remember the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RememberMe {
    /// Sessions are off: no check box.
    Hidden,
    /// A check box that starts empty.
    Unchecked,
    /// A check box that starts ticked.
    Checked,
}

/// `password.html`.
#[derive(Clone, Copy)]
pub struct PasswordView<'a> {
    /// Decoded path of the request.
    pub request_path: &'a str,
    /// The request's own path and query; a rooted path.
    pub post_url: &'a str,
    /// Back to the chooser. Dropped unless it is a rooted path on our own origin.
    pub back_link: Option<&'a str>,
    /// What was typed before, else empty.
    pub username: &'a str,
    /// The connector's word for a user name, for example `Email Address`.
    pub username_prompt: &'a str,
    /// The last attempt failed; the page is a 401.
    pub invalid: bool,
    /// The check box.
    pub remember_me: RememberMe,
}

/// `approval.html`.
#[derive(Debug, Clone, Copy)]
pub struct ApprovalView<'a> {
    /// Decoded path of the request.
    pub request_path: &'a str,
    /// Who is signed in, as that person knows it; may be empty.
    pub user: &'a str,
    /// The client's display name.
    pub client_name: &'a str,
    /// The authorization request's id, for the hidden field `req`.
    pub auth_request_id: &'a str,
    /// The requested scope values, as they came; those without a text are not shown.
    pub scopes: &'a [String],
    /// Display names of clients by id, for `audience:server:client_id:…`; the id is shown where the name is missing.
    pub peer_names: &'a BTreeMap<String, String>,
}

/// `oob.html`.
#[derive(Clone, Copy)]
pub struct OobView<'a> {
    /// Decoded path of the request.
    pub request_path: &'a str,
    /// The authorization code, to be copied by hand.
    pub code: &'a str,
}

/// `repost.html`.
#[derive(Clone, Copy)]
pub struct RepostView<'a> {
    /// Decoded path of the request.
    pub request_path: &'a str,
    /// Where the form goes: the same path and query; a rooted path.
    pub action: &'a str,
    /// The fields of the body, in order.
    pub fields: &'a [(String, String)],
}

/// `error.html`.
#[derive(Debug, Clone, Copy)]
pub struct ErrorView<'a> {
    /// Decoded path of the request.
    pub request_path: &'a str,
    /// Status of the answer; its standard phrase is the heading.
    pub status: StatusCode,
    /// A fixed, public sentence; may be empty.
    pub message: &'a str,
    /// A way out.
    pub link: Option<ErrorLink<'a>>,
}

/// A way out of an error. Anything but a rooted path on our own origin or an `http(s)` address is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorLink<'a> {
    /// Begin the login again.
    StartAgain(&'a str),
    /// Return to the application that sent the person here.
    BackToApplication(&'a str),
}

/// `home.html`.
#[derive(Debug, Clone, Copy)]
pub struct HomeView<'a> {
    /// Decoded path of the request.
    pub request_path: &'a str,
    /// Absolute address of the discovery document.
    pub discovery_url: &'a str,
}
