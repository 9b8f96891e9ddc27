//! Connectors that behave in ways the mock connectors do not.

use async_trait::async_trait;
use dex_connectors::{
    BeginLogin, Callback, Connector, ConnectorError, Identity, Login, LoginRedirect, RedirectLogin,
};
use dex_core::records::{Blob, Claims};

/// An upstream whose answer is `outcome`, named in the callback: `denied`, `groups`, `broken`, or a login.
#[derive(Debug)]
pub(crate) struct Denying;

impl Connector for Denying {
    fn login(&self) -> Login<'_> {
        Login::Redirect(self)
    }
}

#[async_trait]
impl RedirectLogin for Denying {
    async fn begin(&self, request: BeginLogin<'_>) -> Result<LoginRedirect, ConnectorError> {
        redirect(&request, Vec::new())
    }

    async fn complete(&self, callback: Callback<'_>) -> Result<Identity, ConnectorError> {
        match callback.parameter("outcome") {
            Some("denied") => Err(ConnectorError::Denied("access_denied: no".to_owned())),
            Some("groups") => Err(ConnectorError::NotInRequiredGroups {
                user_id: "u".to_owned(),
                required: vec!["admins".to_owned()],
            }),
            Some("broken") => Err(ConnectorError::Rejected("secret detail".to_owned())),
            _ => Ok(identity("u")),
        }
    }
}

/// An upstream that posts its answer (`response_mode=form_post`), keeps data of its own, and reads a header.
#[derive(Debug)]
pub(crate) struct FormPost;

impl Connector for FormPost {
    fn login(&self) -> Login<'_> {
        Login::Redirect(self)
    }
}

#[async_trait]
impl RedirectLogin for FormPost {
    async fn begin(&self, request: BeginLogin<'_>) -> Result<LoginRedirect, ConnectorError> {
        redirect(&request, b"kept".to_vec())
    }

    async fn complete(&self, callback: Callback<'_>) -> Result<Identity, ConnectorError> {
        if callback.connector_data.expose() != b"kept" {
            return Err(ConnectorError::Rejected("the data is gone".to_owned()));
        }
        let user = callback
            .headers
            .get("x-remote-user")
            .and_then(|value| value.to_str().ok())
            .or(callback.parameter("user"))
            .ok_or_else(|| ConnectorError::Rejected("nobody".to_owned()))?;
        Ok(identity(user))
    }
}

fn redirect(request: &BeginLogin<'_>, data: Vec<u8>) -> Result<LoginRedirect, ConnectorError> {
    let mut url: url::Url = "https://upstream.example/authorize"
        .parse()
        .map_err(|error| ConnectorError::upstream("parse", error))?;
    url.query_pairs_mut().append_pair("state", request.state);
    if let Some(hint) = request.login_hint {
        url.query_pairs_mut().append_pair("login_hint", hint);
    }
    Ok(LoginRedirect {
        url,
        connector_data: Blob::from(data),
    })
}

fn identity(user: &str) -> Identity {
    Identity {
        claims: Claims {
            user_id: user.to_owned(),
            username: user.to_owned(),
            ..Claims::default()
        },
        connector_data: Blob::default(),
    }
}
