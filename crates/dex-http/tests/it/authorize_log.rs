//! What the flow writes to the log, and what it must never write.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use crate::support::{AuthorizeRequest, TestProvider, USER_EMAIL};

/// Collects lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn web_39_logins_are_logged_with_the_request_and_without_secrets() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(lines.clone())
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let op = TestProvider::with_password_db().build().await;
    let mut browser = op.browser();
    let request = AuthorizeRequest::good()
        .with("connector_id", "local")
        .with("state", "state-of-the-client")
        .with("nonce", "nonce-of-the-client");
    let start = browser.get(&request.auth(&op)).await;
    let form = browser.follow(start).await.requested;
    browser
        .post(
            &form,
            &[("login", "nobody"), ("password", "tried-by-nobody")],
        )
        .await;
    let logged_in = browser
        .post(&form, &[("login", USER_EMAIL), ("password", "password")])
        .await;
    let secrets: Vec<String> = browser
        .cookies
        .values()
        .cloned()
        .chain([
            logged_in.redirect_parameter("hmac").unwrap(),
            "tried-by-nobody".to_owned(),
            "state-of-the-client".to_owned(),
            "nonce-of-the-client".to_owned(),
            "$2a$10$".to_owned(),
        ])
        .collect();
    let page = browser.follow(logged_in).await;
    let approved = browser
        .post(&page.requested, &[("approval", "approve")])
        .await;
    let done = browser.follow(approved).await;
    let code = done.redirect_parameter("code").unwrap();

    let text = lines.text();
    let line = |words: &str| {
        text.lines()
            .find(|line| line.contains(words))
            .unwrap_or_else(|| panic!("{words:?} is not in {text}"))
    };
    let success = line("login successful");
    for field in [
        "INFO",
        "request_id=",
        "connector_id=\"local\"",
        "user_id=\"08a8684b-db88-4b73-90a9-3cd1661f5466\"",
        "username=\"admin\"",
        "preferred_username=\"\"",
        "email=admin@example.com",
        "groups=[]",
    ] {
        assert!(success.contains(field), "{field} is not in {success}");
    }
    let failure = line("failed login attempt: Invalid credentials.");
    assert!(failure.contains("ERROR") && failure.contains("user=\"nobody\""));
    for secret in secrets.iter().chain([&code]) {
        assert!(!text.contains(secret.as_str()), "{secret} is in the log");
    }
}
