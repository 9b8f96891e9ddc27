//! A small OpenID Connect client: logs a person in at an issuer, shows the tokens and claims that came back, refreshes them.
//!
//! It is the counterpart to try an issuer with, by hand and from the browser tests. `example-app --help` lists the options; once it can
//! be reached it prints one line on standard output, `listening on http://ADDRESS`, so that `--listen 127.0.0.1:0` may take any port.
//!
//! The flow is the authorization code flow (OpenID Connect Core 1.0 §3.1) with `state`, `nonce` and PKCE S256 (RFC 7636), all three kept
//! in this process and bound to the browser by a cookie. The issuer is asked for its metadata when somebody first logs in.
//!
//! | route | what it does |
//! |---|---|
//! | `GET /` | the login form, or what the last login brought |
//! | `POST /login` | sends the browser to the issuer |
//! | `GET` path of the redirect URI | takes the code, checks everything, shows the result |
//! | `POST /refresh` | uses the refresh token |
//! | `POST /logout` | forgets the tokens; says nothing to the issuer |
//!
//! # Elements that tests may rely on
//!
//! | id | page | what it is |
//! |---|---|---|
//! | `login` | form | the button that begins a login |
//! | `extra-scopes`, `connector-id`, `offline-access` | form | input fields; `scope-NAME` for each scope offered |
//! | `claims` | result | the ID token's claims, JSON |
//! | `header` | result | the ID token's header, JSON |
//! | `userinfo` | result | the answer of the userinfo endpoint, JSON; absent if the issuer has none |
//! | `id-token`, `access-token`, `refresh-token` | result | the tokens as they came; `refresh-token` is absent without one |
//! | `refresh` | result | the button that uses the refresh token; absent without one |
//! | `refreshed` | result | how often it was used since the login |
//! | `logout` | result | the button that forgets the tokens |
//! | `error` | error | what went wrong; the issuer's `error` and `error_description` if it gave any |
//! | `again` | error | the link back to the form |

mod http_client;
mod options;
mod pages;
mod relying_party;
mod sessions;
mod web;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser as _;

use crate::options::Options;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    match serve(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: Options) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(&options.listen)
        .await
        .with_context(|| format!("listening on {}", options.listen))?;
    let address = listener.local_addr().context("asking for the address")?;

    let http = http_client::HttpClient::open(options.issuer_root_ca.as_deref())?;
    let redirect_uri = options.redirect_uri(address)?;
    let app = web::App {
        relying_party: relying_party::RelyingParty::new(&options, redirect_uri.clone(), http),
        scopes: options.offered_scopes(),
        sessions: sessions::Sessions::default(),
        pages: pages::Pages::load()?,
        redirect_uri,
    };

    // The line that whoever started this program waits for.
    println!("listening on http://{address}");
    axum::serve(listener, web::router(Arc::new(app)))
        .with_graceful_shutdown(stop_signal()?)
        .await
        .context("serving")
}

fn stop_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
