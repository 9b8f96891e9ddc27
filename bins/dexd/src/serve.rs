//! `dexd serve`: opens everything in Dex's order, serves, and drains (compat: `config.md` §8, §13, §14).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use dex_core::clock::SystemClock;
use dex_core::entropy::SystemEntropy;
use dex_http::{Issuer, IssuerService, PeerAddress, StorageKeyStore};
use dex_signer::LocalSigner;
use dex_storage::Storage;
use dex_storage::garbage::GarbageCollector;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::signal::unix::Signal;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;

use crate::config::Settings;
use crate::health::Health;
use crate::listen::body::Timely;
use crate::listen::tls::Certificate;
use crate::listen::{Handler, Listener, Servers};
use crate::metrics::{Counted, Metrics};
use crate::open::chain;
use crate::process::StopSignals;
use crate::telemetry::Telemetry;
use crate::{open, process, startup_log};

/// Runs until a signal says stop. `welcome` is printed when everything listens; `{http}` in it stands for that address.
pub(crate) async fn run(settings: Settings, welcome: Option<String>) -> anyhow::Result<()> {
    let mut signals = StopSignals::listen()?;
    let hangups = process::hangups()?;
    startup_log::begin(&settings);
    // The signer's library reads its own configuration and error texts at first use; here that happens while the storage opens.
    tokio::task::spawn_blocking(openssl::init);
    let metrics = Metrics::new()?;
    let store = open::storage(&settings.storage).await?;
    tracing::info!(storage_type = settings.storage.kind(), "config storage");
    let mut background = Background::default();
    let outcome = start(&settings, &store, metrics, hangups, &mut background).await;
    match outcome {
        Ok(servers) => {
            if let Some(welcome) = welcome {
                process::print(&welcome)?;
            }
            let (signal, _) = signals.next().await;
            tracing::info!(signal, "shutdown now");
            tokio::spawn(end_at_once_on(signals));
            servers.drain(DRAIN).await;
            background.end().await;
            store.close().await;
            Ok(())
        }
        Err(error) => {
            background.end().await;
            store.close().await;
            Err(error)
        }
    }
}

/// Builds the provider and binds the listeners.
async fn start(
    settings: &Settings,
    store: &Arc<dyn Storage>,
    metrics: Arc<Metrics>,
    hangups: Signal,
    background: &mut Background,
) -> anyhow::Result<Servers> {
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy::new()));
    startup_log::static_records(settings);
    let storage = open::with_static_records(Arc::clone(store), settings);
    let signer = LocalSigner::open(
        Arc::new(StorageKeyStore::new(Arc::clone(&storage))),
        open::signer_config(settings),
        clock.clone(),
        entropy.clone(),
    )
    .await
    .map_err(|error| anyhow::anyhow!("failed to open local signer: {}", chain(&error)))?;
    startup_log::lifetimes(settings);
    let health = Arc::new(Health::default());
    let issuer = Issuer::builder(&settings.issuer, Arc::clone(&storage), signer.clone())
        .clock(clock.clone())
        .entropy(entropy.clone())
        .policy(settings.policy.clone())
        .frontend(open::frontend(settings))
        .health(health.flag())
        .build()
        .map_err(|error| anyhow::anyhow!("failed to initialize server: server: {error}"))?;
    open_connectors(&issuer, settings).await?;
    background.spawn(|stop| async move { signer.run(stop).await });
    let collector = GarbageCollector::new(Arc::clone(&storage), clock.clone(), entropy);
    background.spawn(|stop| collector.run_until(stop.cancelled_owned()));
    background.spawn({
        let health = Arc::clone(&health);
        |stop| health.watch(storage, clock, stop)
    });
    let telemetry = Telemetry {
        health,
        metrics: Arc::clone(&metrics),
    };
    let provider = Counted {
        inner: Provider(issuer.into_service()),
        metrics,
    };
    listen(settings, telemetry, provider, hangups, background).await
}

/// Opens what there is, and decides whether to go on with what does not open.
async fn open_connectors(issuer: &Issuer, settings: &Settings) -> anyhow::Result<()> {
    const PREFIX: &str = "failed to initialize server: server";
    let opening = issuer.open_connectors();
    let outcomes = if settings.continue_on_connector_failure {
        // An upstream that does not answer must not keep the others' users out: it is opened again at its first use.
        let Ok(outcomes) = tokio::time::timeout(OPEN_PATIENCE, opening).await else {
            tracing::warn!("some connectors are still being opened, going on without them");
            return Ok(());
        };
        outcomes
    } else {
        opening.await
    }
    .map_err(|error| {
        anyhow::anyhow!("{PREFIX}: failed to list connector objects from storage: {error}")
    })?;
    let total = outcomes.len();
    anyhow::ensure!(total > 0, "{PREFIX}: no connectors specified");
    let mut failed = 0;
    for (id, outcome) in outcomes {
        let Err(error) = outcome else { continue };
        let reason = chain(&error);
        anyhow::ensure!(
            settings.continue_on_connector_failure,
            "{PREFIX}: Failed to open connector {id}: {reason}"
        );
        tracing::error!(id, err = reason, "server: Failed to open connector");
        failed += 1;
    }
    anyhow::ensure!(
        failed < total,
        "{PREFIX}: failed to open all connectors ({failed}/{total})"
    );
    Ok(())
}

/// Binds everything before anything is served.
async fn listen(
    settings: &Settings,
    telemetry: Telemetry,
    provider: Counted<Provider>,
    mut hangups: Signal,
    background: &mut Background,
) -> anyhow::Result<Servers> {
    let mut bound = Vec::new();
    for (name, address) in [
        ("telemetry", settings.telemetry.as_deref()),
        ("http", settings.http.as_deref()),
        (
            "https",
            settings.https.as_ref().map(|https| https.address.as_str()),
        ),
    ] {
        if let Some(address) = address {
            bound.push((name, Listener::bind(name, address).await?));
        }
    }
    let mut acceptor = None;
    let mut certificate = None;
    if let Some(https) = &settings.https {
        let loaded = Certificate::load(https)
            .map_err(|error| anyhow::anyhow!("invalid config: get HTTP TLS: {error:#}"))?;
        acceptor = Some(loaded.acceptor(https)?);
        background.spawn({
            let loaded = Arc::clone(&loaded);
            |stop| loaded.watch(stop)
        });
        certificate = Some(loaded);
    }
    background.spawn(|stop| async move {
        loop {
            tokio::select! {
                _ = hangups.recv() => {}
                () = stop.cancelled() => return,
            }
            if let Some(certificate) = &certificate {
                certificate.reload();
            } else {
                tracing::debug!("nothing to reload");
            }
        }
    });
    let servers = Servers::default();
    for (name, listener) in bound {
        match name {
            "telemetry" => servers.serve(listener, None, telemetry.clone()),
            "https" => servers.serve(listener, acceptor.clone(), provider.clone()),
            _ => servers.serve(listener, None, provider.clone()),
        }
    }
    Ok(servers)
}

/// The provider as the handler of a listener.
#[derive(Debug, Clone)]
struct Provider(IssuerService);

impl Handler for Provider {
    async fn handle(&self, mut request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        request.extensions_mut().insert(PeerAddress(peer));
        let request = request.map(|body| Timely::new(body, BODY_PATIENCE));
        match self.0.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// Work beside the requests, ended together.
#[derive(Debug, Default)]
struct Background {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Background {
    fn spawn<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        task: impl FnOnce(CancellationToken) -> F,
    ) {
        self.tasks.spawn(task(self.stop.clone()));
    }

    async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Somebody who asks twice does not want to wait.
async fn end_at_once_on(mut signals: StopSignals) {
    let (_, number) = signals.next().await;
    std::process::exit(128 + number);
}

/// How long requests in flight may take once a stop was asked for.
const DRAIN: Duration = Duration::from_mins(1);
/// How long a request's body may take; bodies here are forms.
const BODY_PATIENCE: Duration = Duration::from_secs(30);
/// How long the start waits for upstreams that connectors ask when they are opened.
const OPEN_PATIENCE: Duration = Duration::from_secs(5);
