//! The two ways a request can fail: [`OAuthError`] for the client, [`PageError`] for the person.
//!
//! The code knows its status and how loud it is logged, so no call site writes either. The cause goes to the log, never into the answer.

use std::error::Error as StdError;
use std::fmt;

use http::StatusCode;

/// Error codes of OAuth 2.0 and OpenID Connect that this provider sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant is the code it is named after")]
pub enum ErrorCode {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    InvalidScope,
    UnauthorizedClient,
    UnsupportedGrantType,
    UnsupportedResponseType,
    AccessDenied,
    RequestNotSupported,
    RequestUriNotSupported,
    LoginRequired,
    ConsentRequired,
    InteractionRequired,
    TemporarilyUnavailable,
    ServerError,
}

impl ErrorCode {
    /// The code as sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidScope => "invalid_scope",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::AccessDenied => "access_denied",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::InteractionRequired => "interaction_required",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::ServerError => "server_error",
        }
    }

    /// The status of a JSON answer with this code.
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidClient => StatusCode::UNAUTHORIZED,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// An answer to the client: code, a sentence it may read, a private cause.
///
/// A JSON answer carries its error in the extensions, as `Arc<OAuthError>`: tests and embedders can tell what the wire does not say.
#[derive(Debug)]
pub struct OAuthError {
    code: ErrorCode,
    description: String,
    status: Option<StatusCode>,
    challenge: Option<&'static str>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

impl OAuthError {
    /// An error with a sentence for the client; empty for none.
    pub fn new(code: ErrorCode, description: impl Into<String>) -> Self {
        Self {
            code,
            description: description.into(),
            status: None,
            challenge: None,
            cause: None,
        }
    }

    /// `server_error` without a sentence; the cause is logged.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(ErrorCode::ServerError, "").because(cause)
    }

    /// Adds what logs and tests read.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Answers with another status than the code's own: for the places where Dex does, each with its test.
    #[must_use]
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// Adds a `WWW-Authenticate` header (RFC 9110 §11.6.1).
    #[must_use]
    pub(crate) fn with_challenge(mut self, challenge: &'static str) -> Self {
        self.challenge = Some(challenge);
        self
    }

    /// The status of a JSON answer.
    pub fn status(&self) -> StatusCode {
        self.status.unwrap_or_else(|| self.code.status())
    }

    /// The `WWW-Authenticate` header of a JSON answer.
    pub(crate) fn challenge(&self) -> Option<&'static str> {
        self.challenge
    }

    /// The code.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The sentence for the client; empty for none.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The private cause.
    pub fn cause(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.cause.as_deref()
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.description)
    }
}

/// An answer to the person: a status and a fixed sentence (compat: `web.md` §10).
#[derive(Debug)]
pub struct PageError {
    status: StatusCode,
    message: &'static str,
    cause: Option<Box<dyn StdError + Send + Sync>>,
    /// Where the person can begin again, a rooted path of ours.
    start_again: Option<String>,
}

impl PageError {
    /// An error page.
    pub fn new(status: StatusCode, message: &'static str) -> Self {
        Self {
            status,
            message,
            cause: None,
            start_again: None,
        }
    }

    /// Status 400.
    pub fn bad_request(message: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// Status 500; the cause is logged.
    pub fn internal(
        message: &'static str,
        cause: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message).because(cause)
    }

    /// Adds what logs and tests read.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Offers to begin again at `path`.
    #[must_use]
    pub fn start_again_at(mut self, path: String) -> Self {
        self.start_again = Some(path);
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The sentence on the page.
    pub fn message(&self) -> &'static str {
        self.message
    }

    /// The private cause.
    pub fn cause(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.cause.as_deref()
    }

    /// Where the person can begin again.
    pub fn start_again(&self) -> Option<&str> {
        self.start_again.as_deref()
    }
}
