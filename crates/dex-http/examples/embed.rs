//! An axum application with its own routes and an OpenID Connect provider under `/dex`, in one process.
//!
//! `cargo run -p dex-http --example embed` prints a URL that begins a login; the name is `jane`, the password `open sesame`.

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::extract::Query;
use axum::routing::get;
use dex_connectors::{Connector, ConnectorError, Identity, Login, PasswordLogin, Scopes};
use dex_core::clock::SystemClock;
use dex_core::entropy::SystemEntropy;
use dex_core::records::{Claims, Client};
use dex_http::{Issuer, StorageKeyStore};
use dex_signer::{Algorithm, LocalConfig, LocalSigner};
use dex_storage::memory::Memory;
use dex_storage::{Storage, StorageExt as _};
use secrecy::{ExposeSecret as _, SecretString};

#[cfg_attr(
    test,
    expect(dead_code, reason = "the tests serve the application themselves")
)]
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    println!(
        "{origin}/dex/auth?client_id=notes&redirect_uri={origin}/signed-in&response_type=code&scope=openid+profile"
    );
    axum::serve(listener, application(&origin).await?).await?;
    Ok(())
}

/// The whole application: `/` and `/signed-in` are its own, everything under `/dex` is the provider's.
pub(crate) async fn application(origin: &str) -> Result<Router, Box<dyn Error>> {
    let storage: Arc<dyn Storage> = Arc::new(Memory::new());
    storage
        .create(&Client {
            id: "notes".to_owned(),
            secret: "notes-secret".into(),
            name: "Notes".to_owned(),
            redirect_uris: vec![format!("{origin}/signed-in")],
            ..Client::default()
        })
        .await?;
    let mut keys = LocalConfig::default();
    keys.algorithm = Algorithm::Es256;
    let signer = LocalSigner::open(
        Arc::new(StorageKeyStore::new(Arc::clone(&storage))),
        keys,
        Arc::new(SystemClock),
        Arc::new(SystemEntropy::new()),
    )
    .await?;
    let issuer = Issuer::builder(&format!("{origin}/dex"), storage, signer)
        .connector("staff", "Staff", Arc::new(OurPeople))
        .build()?;
    Ok(Router::new()
        .route("/", get(|| async { "Notes" }))
        .route("/signed-in", get(signed_in))
        .nest_service("/dex", issuer.into_service()))
}

/// Where the provider sends people back to. A real client redeems the code at `/dex/token` now.
async fn signed_in(Query(answer): Query<Vec<(String, String)>>) -> &'static str {
    if answer.iter().any(|(name, _)| name == "code") {
        "signed in"
    } else {
        "not signed in"
    }
}

/// A connector of our own: the people this application knows.
#[derive(Debug)]
struct OurPeople;

impl Connector for OurPeople {
    fn login(&self) -> Login<'_> {
        Login::Password(self)
    }
}

#[async_trait]
impl PasswordLogin for OurPeople {
    async fn login(
        &self,
        _scopes: Scopes,
        username: &str,
        password: &SecretString,
    ) -> Result<Option<Identity>, ConnectorError> {
        let is_jane = username == "jane" && password.expose_secret() == "open sesame";
        Ok(is_jane.then(|| Identity {
            claims: Claims {
                user_id: "1".to_owned(),
                username: "Jane".to_owned(),
                ..Claims::default()
            },
            ..Identity::default()
        }))
    }
}
