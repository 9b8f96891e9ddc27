//! The harness of the endpoint tests: a provider over memory, a browser with a cookie jar, and the usual people.
//!
//! ```ignore
//! let op = TestProvider::new().client(app()).connector(mock("mock", "Mock")).build().await;
//! let mut browser = op.browser();
//! let code = op.sign_in(&mut browser, &AuthorizeRequest::good()).await;
//! ```

mod browser;
mod provider;
mod request;
mod token;
mod upstream;

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;

pub(crate) use browser::{Browser, Page};
pub(crate) use provider::{
    CLIENT_ID, CLIENT_SECRET, ISSUER, Mount, PASSWORD, REDIRECT_URI, TestBuilder, TestProvider,
    USER_EMAIL, app, local, mock_callback, user,
};
pub(crate) use request::AuthorizeRequest;
pub(crate) use token::{Answer, basic, form, part, payload};
pub(crate) use upstream::{Denying, FormPost};

/// Keeps every log call awake. With a single listener in the process, a call that another thread reaches first is put to sleep for
/// good, because that thread has none; a listener for all threads prevents it.
pub(crate) fn keep_logging() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Undecided).unwrap());
}

/// Wants to be asked about every call, and never wants to hear it.
struct Undecided;

impl tracing::Subscriber for Undecided {
    fn register_callsite(&self, _: &'static tracing::Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        false
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &tracing::Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
