//! A person with a real browser, the example app, `dexd`, and where it matters a foreign provider behind it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::chromium::Chromium;
use crate::harness::{Dexd, Run};

/// Connector page, wrong password, password, consent, claims, refresh, log out of the app.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_with_a_password() {
    let setup = Setup::start(&json!({
        "enablePasswordDB": true,
        "staticPasswords": [{
            "email": "jane@example.com", "username": "jane", "name": "Jane Doe", "userID": "jane-1",
            "hash": bcrypt::hash("correct horse", 10).unwrap(),
        }],
        "connectors": [{"type": "mockCallback", "id": "mock", "name": "Mock"}],
    }));
    let browser = Chromium::start().await;
    browser.page.goto(&setup.app.url).await.unwrap();
    browser.picture("app-start").await;
    browser.click("#login").await;
    browser
        .find("a.dex-btn-provider, .dex-btn-icon--local")
        .await;
    browser.picture("connectors").await;
    browser.click("a[href*='/auth/local']").await;
    browser.type_into("#login", "jane@example.com").await;
    browser.type_into("#password", "wrong").await;
    browser.picture("password").await;
    browser.click("#submit-login").await;
    assert!(browser.text("#login-error").await.contains("Invalid"));
    browser.picture("password-wrong").await;
    browser.type_into("#password", "correct horse").await;
    browser.click("#submit-login").await;
    approve(&browser).await;

    let claims: Value = serde_json::from_str(&browser.text("#claims").await).unwrap();
    assert_eq!(
        (&claims["email"], &claims["name"]),
        (&json!("jane@example.com"), &json!("Jane Doe"))
    );
    browser.picture("app-claims").await;
    refresh_and_log_out(&browser).await;
    browser.stop().await;
}

/// The same through the `oidc` connector, with a provider that is not ours behind it: PKCE, claims, refresh.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_through_a_foreign_provider() {
    let issuer_port = free_port();
    let peer = Process::start(
        Command::new("node")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/oidc-provider.mjs"))
            .args([
                "--redirect-uri",
                &format!("http://127.0.0.1:{issuer_port}/dex/callback"),
            ])
            .stdin(Stdio::null()),
    );
    let setup = Setup::start_on(
        issuer_port,
        &json!({
            "connectors": [{"type": "oidc", "id": "foreign", "name": "Foreign", "config": {
                "issuer": peer.url, "clientID": "dexd", "clientSecret": "dexd-secret",
                "redirectURI": format!("http://127.0.0.1:{issuer_port}/dex/callback"),
                "scopes": ["profile", "email", "groups", "offline_access"],
                "insecureEnableGroups": true, "getUserInfo": true,
            }}],
        }),
    );
    let browser = Chromium::start().await;
    browser.page.goto(&setup.app.url).await.unwrap();
    browser.click("#login").await;
    // One connector: straight to the upstream.
    browser.find("#submit").await;
    browser.type_into("#login", "kim").await;
    browser.type_into("#password", "anything").await;
    browser.click("#submit").await;
    approve(&browser).await;

    let claims: Value = serde_json::from_str(&browser.text("#claims").await).unwrap();
    assert_eq!(claims["email"], "kim@upstream.example");
    assert_eq!(claims["name"], "kim of upstream");
    assert_eq!(claims["groups"], json!(["staff", "kim"]));
    refresh_and_log_out(&browser).await;
    browser.stop().await;
}

async fn approve(browser: &Chromium) {
    let consent = browser.find("input[name=approval][value=approve]").await;
    browser.picture("approval").await;
    drop(consent);
    browser.click("form:has(input[value=approve]) button").await;
}

async fn refresh_and_log_out(browser: &Chromium) {
    let before = browser.text("#refresh-token").await;
    browser.click("#refresh").await;
    browser.find("#claims").await;
    let after = browser.text("#refresh-token").await;
    assert!(!after.is_empty());
    assert_ne!(before, after, "the refresh token rotated");
    browser.click("#logout").await;
    browser.find("#login").await;
    assert!(!browser.page.source().await.unwrap().contains(&after));
}

/// `dexd` and the example app, knowing each other.
struct Setup {
    app: Process,
    _dexd: Dexd,
}

impl Setup {
    fn start(config: &Value) -> Self {
        Self::start_on(free_port(), config)
    }

    fn start_on(issuer_port: u16, config: &Value) -> Self {
        let issuer = format!("http://127.0.0.1:{issuer_port}/dex");
        let app_port = free_port();
        let mut whole = json!({
            "issuer": issuer,
            "storage": {"type": "memory"},
            "web": {"http": format!("127.0.0.1:{issuer_port}")},
            "staticClients": [{
                "id": "example-app", "secret": "example-secret", "name": "Example App",
                "redirectURIs": [format!("http://127.0.0.1:{app_port}/callback")],
            }],
        });
        whole
            .as_object_mut()
            .unwrap()
            .extend(config.as_object().unwrap().clone());
        let mut dexd = Run::serve(&whole.to_string()).start();
        dexd.address("http");
        let app = Process::start(Command::new(example_app()).args([
            "--listen",
            &format!("127.0.0.1:{app_port}"),
            "--issuer",
            &issuer,
            "--client-id",
            "example-app",
            "--client-secret",
            "example-secret",
            "--redirect-uri",
            &format!("http://127.0.0.1:{app_port}/callback"),
        ]));
        Self { app, _dexd: dexd }
    }
}

/// A child that prints `listening on URL` once it can be reached; ends with the test.
struct Process {
    url: String,
    child: Child,
}

impl Process {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let url = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .find_map(|line| Some(line.strip_prefix("listening on ")?.to_owned()))
            .unwrap_or_else(|| panic!("{command:?} does not say where it listens"));
        Self { url, child }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// The example app lies beside `dexd`; the workspace's tests build both.
fn example_app() -> std::path::PathBuf {
    Path::new(env!("CARGO_BIN_EXE_dexd")).with_file_name("example-app")
}
