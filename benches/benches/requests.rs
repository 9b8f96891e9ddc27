//! What the first two steps of a code flow cost inside the provider, without a network: an authorization request is checked, then
//! sealed into a cookie on the way to the connector. Neither writes to storage.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use dex_core::clock::SystemClock;
use dex_core::entropy::SystemEntropy;
use dex_core::records::{Client, Connector};
use dex_http::{Issuer, IssuerService};
use dex_signer::{Algorithm, LocalConfig, LocalSigner, MemoryKeyStore};
use dex_storage::memory::Memory;
use dex_storage::{Storage, StorageExt as _};
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, Request};
use http_body_util::Full;
use tokio::runtime::Builder;
use tower::ServiceExt as _;

const ISSUER: &str = "http://127.0.0.1:5556/dex";
const BEGIN: &str = "/dex/auth?client_id=load&redirect_uri=http%3A%2F%2F127.0.0.1%3A5555%2Fcallback&response_type=code\
    &scope=openid+email+groups+profile+offline_access&state=state-1-1&nonce=state-1-1&connector_id=mock";

async fn open() -> IssuerService {
    let storage: Arc<dyn Storage> = Arc::new(Memory::new());
    let client = Client {
        id: "load".to_owned(),
        secret: "secret".into(),
        redirect_uris: vec!["http://127.0.0.1:5555/callback".to_owned()],
        name: "Load".to_owned(),
        ..Client::default()
    };
    let connector = Connector {
        id: "mock".to_owned(),
        kind: "mockCallback".to_owned(),
        name: "Mock".to_owned(),
        resource_version: "1".to_owned(),
        config: b"{}".to_vec().into(),
        ..Connector::default()
    };
    storage.create(&client).await.expect("memory takes records");
    storage
        .create(&connector)
        .await
        .expect("memory takes records");
    let mut config = LocalConfig::default();
    config.algorithm = Algorithm::Es256;
    let signer = LocalSigner::open(
        Arc::new(MemoryKeyStore::new()),
        config,
        Arc::new(SystemClock),
        Arc::new(SystemEntropy::new()),
    )
    .await
    .expect("the settings are valid");
    Issuer::builder(ISSUER, storage, signer)
        .build()
        .expect("the settings are valid")
        .into_service()
}

/// Sends a request and returns the headers of the redirect that answers it.
async fn redirect(service: &IssuerService, path: &str) -> HeaderMap {
    let request = Request::get(path)
        .body(Full::new(Bytes::new()))
        .expect("the path is one");
    let Ok(response) = service.clone().oneshot(request).await;
    let status = response.status();
    assert!(status.is_redirection(), "{path} answers {status}");
    response.headers().clone()
}

fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .expect("the redirect has the header")
}

fn requests(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    let service = runtime.block_on(open());
    let mut group = criterion.benchmark_group("requests");
    group.bench_function("check an authorization request", |bencher| {
        bencher.iter(|| black_box(runtime.block_on(redirect(&service, BEGIN))));
    });
    let begun = runtime.block_on(redirect(&service, BEGIN));
    let next = text(&begun, LOCATION).trim_start_matches("http://127.0.0.1:5556");
    let sent_off = runtime.block_on(redirect(&service, next));
    assert!(
        !text(&sent_off, SET_COOKIE).is_empty(),
        "nothing was sealed"
    );
    group.bench_function("check it, seal it, go to the connector", |bencher| {
        bencher.iter(|| black_box(runtime.block_on(redirect(&service, next))));
    });
    group.finish();
}

criterion_group!(benches, requests);
criterion_main!(benches);
