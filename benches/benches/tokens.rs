//! What issuing and checking tokens costs: an access token and an ID token signed by one key, and the verification of one.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use dex_core::clock::SystemClock;
use dex_core::entropy::SystemEntropy;
use dex_signer::{Algorithm, KeySet, LocalConfig, LocalSigner, MemoryKeyStore, Signer, SigningKey};
use tokio::runtime::{Builder, Runtime};

/// About what an ID token of Dex carries.
const CLAIMS: &str = r#"{"iss":"http://127.0.0.1:5556/dex","sub":"Cg0wLTM4NS0yODA4OS0wEgRtb2Nr","aud":"load","exp":1786104000,"iat":1786017600,"jti":"c4578cef-c17f-484a-87a9-097488f393ee","nonce":"state-1-1","at_hash":"piwt8oCH-K2D9pXlaS1Y-w","email":"kilgore@kilgore.trout","email_verified":true,"groups":["authors"],"name":"Kilgore Trout"}"#;

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime starts")
}

async fn open(algorithm: Algorithm) -> (Arc<dyn SigningKey>, Arc<KeySet>) {
    let mut config = LocalConfig::default();
    config.algorithm = algorithm;
    let signer = LocalSigner::open(
        Arc::new(MemoryKeyStore::new()),
        config,
        Arc::new(SystemClock),
        Arc::new(SystemEntropy::new()),
    )
    .await
    .expect("the settings are valid");
    let key = signer.signing_key().await.expect("the store answers");
    let keys = signer.key_set().await.expect("the store answers");
    (key, keys)
}

async fn issue(key: &dyn SigningKey) -> (String, String) {
    let access = key.sign(None, CLAIMS.into()).await.expect("the key signs");
    black_box(key.algorithm().half_hash(&access));
    let id = key.sign(None, CLAIMS.into()).await.expect("the key signs");
    (access, id)
}

fn tokens(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut group = criterion.benchmark_group("tokens");
    for algorithm in Algorithm::LOCAL {
        let (key, keys) = runtime.block_on(open(algorithm));
        let name = algorithm.name();
        group.bench_function(BenchmarkId::new("issue access and id", name), |bencher| {
            bencher.iter(|| runtime.block_on(issue(&*key)));
        });
        let (token, _) = runtime.block_on(issue(&*key));
        group.bench_function(BenchmarkId::new("verify", name), |bencher| {
            bencher.iter(|| keys.verify(black_box(&token)));
        });
    }
    group.finish();
}

criterion_group!(benches, tokens);
criterion_main!(benches);
