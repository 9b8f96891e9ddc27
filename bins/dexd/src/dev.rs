//! `dexd serve --dev`: a provider to try things with, without a configuration file.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use anyhow::Context as _;
use dex_core::entropy::{SystemEntropy, new_id};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use tempfile::TempDir;

use crate::cli;
use crate::config::{self, Overrides, Settings};
use crate::flags::Environment;

/// What was chosen for this run. Dropping it removes the temporary directory.
#[derive(Debug)]
pub(crate) struct Dev {
    dir: PathBuf,
    temporary: Option<TempDir>,
    port: u16,
    password: SecretString,
}

/// Chooses a directory, a port and a password.
pub(crate) fn prepare(arguments: &cli::Serve) -> anyhow::Result<Dev> {
    let temporary = match &arguments.dir {
        Some(_) => None,
        None => Some(
            tempfile::Builder::new()
                .prefix("dexd-")
                .tempdir()
                .context("cannot make a temporary directory")?,
        ),
    };
    let dir = match (&arguments.dir, &temporary) {
        (Some(dir), _) => dir.clone(),
        (None, Some(temporary)) => temporary.path().to_path_buf(),
        (None, None) => PathBuf::new(),
    };
    std::fs::create_dir_all(&dir)
        .with_context(|| format!("cannot make the directory {}", dir.display()))?;
    let password = match &arguments.password {
        Some(password) => SecretString::from(password.as_str()),
        None => SecretString::from(new_id(&SystemEntropy::new())),
    };
    Ok(Dev {
        dir,
        temporary,
        port: free_port(arguments.port)?,
        password,
    })
}

impl Dev {
    /// The configuration, through the same checks as a file.
    pub(crate) fn settings(&self, overrides: &Overrides) -> anyhow::Result<Settings> {
        let hash = bcrypt::hash(self.password.expose_secret(), 10)?;
        let configuration = json!({
            "issuer": self.issuer(),
            "storage": {"type": "sqlite3", "config": {"file": self.dir.join("dexd.db")}},
            "web": {"http": format!("127.0.0.1:{}", self.port)},
            "enablePasswordDB": true,
            "staticPasswords": [{
                "email": EMAIL, "hash": hash, "username": "admin", "name": "Admin", "preferredUsername": "admin",
                "userID": "08a8684b-db88-4b73-90a9-3cd1661f5466", "groups": ["admins"],
            }],
            "connectors": [{"type": "mockCallback", "id": "mock", "name": "Example"}],
            "staticClients": [{
                "id": CLIENT_ID, "secret": CLIENT_SECRET, "name": "Example App", "redirectURIs": [REDIRECT_URI],
            }],
        });
        // What the environment says concerns files that somebody wrote, not this one; a `$` in a path stays.
        let environment = Environment::from([("DEX_EXPAND_ENV", "false")]);
        let text = configuration.to_string();
        Ok(config::parse("--dev", &text, overrides, &environment)?)
    }

    /// What to open, and with what.
    pub(crate) fn welcome(&self) -> String {
        let kept = match self.temporary {
            Some(_) => "removed at exit",
            None => "kept",
        };
        format!(
            "dexd in development mode, on this machine only\n\
             \x20 issuer    {issuer}\n\
             \x20 data      {dir} ({kept})\n\
             \x20 client    {CLIENT_ID}, secret {CLIENT_SECRET}, redirect {REDIRECT_URI}\n\
             \x20 log in    \"Log in with Email\": {EMAIL}, password {password}\n\
             \x20           \"Log in with Example\": no password\n\
             Start the example app (example-app --issuer {issuer}) and open http://127.0.0.1:5555\n",
            issuer = self.issuer(),
            dir = self.dir.display(),
            password = self.password.expose_secret(),
        )
    }

    fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}/dex", self.port)
    }
}

/// The issuer's URL has the port in it, so a free one is needed before anything listens.
fn free_port(port: u16) -> anyhow::Result<u16> {
    if port != 0 {
        return Ok(port);
    }
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(socket.local_addr()?.port())
}

const EMAIL: &str = "admin@example.com";
const CLIENT_ID: &str = "example-app";
/// Public: it is in Dex's samples and in the example app.
const CLIENT_SECRET: &str = "ZXhhbXBsZS1hcHAtc2VjcmV0";
const REDIRECT_URI: &str = "http://127.0.0.1:5555/callback";
