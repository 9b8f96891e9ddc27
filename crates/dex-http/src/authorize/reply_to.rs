//! [`ReplyTo`]: the proof that an answer may be sent to a client.

use dex_core::records::Client;
use dex_core::redirect_uri::{RedirectUri, Unregistered};

use crate::IssuerUrl;

/// Where an authorization response may go: a redirect URI of the client, and the `state` to send along (RFC 6749 §3.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReplyTo {
    redirect_uri: RedirectUri,
    state: String,
}

impl ReplyTo {
    /// The only way to establish one.
    ///
    /// # Errors
    /// [`Unregistered`] when the client may not use this redirect URI, or no longer.
    pub(super) fn establish(
        issuer: &IssuerUrl,
        client: &Client,
        redirect_uri: &str,
        state: &str,
    ) -> Result<Self, Unregistered> {
        let device_callback = issuer.path("/device/callback");
        Ok(Self {
            redirect_uri: RedirectUri::of_client(client, redirect_uri, &device_callback)?,
            state: state.to_owned(),
        })
    }

    pub(super) fn redirect_uri(&self) -> &RedirectUri {
        &self.redirect_uri
    }

    pub(super) fn state(&self) -> &str {
        &self.state
    }

    /// The target of an error (RFC 6749 §4.1.2.1). `state` is there even if the request had none, as Dex has it.
    pub(super) fn error_location(&self, code: &str, description: &str) -> String {
        let mut parameters = vec![("error", code), ("state", self.state.as_str())];
        if !description.is_empty() {
            parameters.push(("error_description", description));
        }
        self.redirect_uri.with_query(&[], &parameters)
    }

    /// The target of a code (RFC 6749 §4.1.2).
    pub(super) fn code_location(&self, code: &str) -> String {
        self.redirect_uri
            .with_query(&[("code", code), ("state", &self.state)], &[])
    }
}
