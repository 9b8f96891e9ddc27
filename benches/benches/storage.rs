//! What storing costs on SQLite with its durable settings: reading a refresh token, rotating one, and 64 rotations at a time, which
//! share their commits.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dex_core::records::{Claims, RefreshToken};
use dex_storage::{Storage, StorageExt as _, sqlite};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

/// As many families as a small installation has.
const FAMILIES: usize = 10_000;
const AT_A_TIME: usize = 64;

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime starts")
}

fn id(number: usize) -> String {
    format!("family{number:019}")
}

fn family(number: usize) -> RefreshToken {
    RefreshToken {
        id: id(number),
        client_id: "load".to_owned(),
        scopes: ["openid", "email", "groups", "profile", "offline_access"]
            .map(str::to_owned)
            .to_vec(),
        nonce: "state-1-1".to_owned(),
        claims: Claims {
            user_id: format!("0-385-28089-{number}"),
            username: "Kilgore Trout".to_owned(),
            email: "kilgore@kilgore.trout".to_owned(),
            ..Claims::default()
        },
        connector_id: "mock".to_owned(),
        token: "abcdefghijklmnopqrstuvwxyz2345670".into(),
        ..RefreshToken::default()
    }
}

async fn rotate(storage: Arc<dyn Storage>, number: usize) {
    storage
        .update(id(number).as_str(), |mut token: RefreshToken| {
            std::mem::swap(&mut token.token, &mut token.obsolete_token);
            Ok::<_, Infallible>(token)
        })
        .await
        .expect("the file can be written");
}

fn storage(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let options = sqlite::Options {
        file: directory.path().join("bench.db").display().to_string(),
        ..sqlite::Options::default()
    };
    let storage = sqlite::Sqlite::open(&options).expect("the file can be created");
    let storage: Arc<dyn Storage> = Arc::new(storage);
    let runtime = runtime();
    runtime.block_on(async {
        let mut writes = JoinSet::new();
        for number in 0..FAMILIES {
            let storage = Arc::clone(&storage);
            writes.spawn(async move { storage.create(&family(number)).await });
        }
        for written in writes.join_all().await {
            written.expect("the file can be written");
        }
    });

    let mut group = criterion.benchmark_group("sqlite");
    let mut next = 0;
    let mut another = move || {
        next = (next + 7919) % FAMILIES;
        next
    };
    group.bench_function("read a refresh token", |bencher| {
        bencher.iter(|| {
            let id = id(another());
            let found = runtime.block_on(storage.find::<RefreshToken>(&id));
            black_box(found.expect("the file can be read"))
        });
    });
    group.bench_function("rotate a refresh token", |bencher| {
        bencher.iter(|| runtime.block_on(rotate(Arc::clone(&storage), another())));
    });
    group.throughput(Throughput::Elements(AT_A_TIME as u64));
    group.bench_function("rotate 64 refresh tokens at a time", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let mut rotations = JoinSet::new();
                for _ in 0..AT_A_TIME {
                    rotations.spawn(rotate(Arc::clone(&storage), another()));
                }
                rotations.join_all().await
            })
        });
    });
    group.finish();
    runtime.block_on(storage.close());
}

criterion_group!(benches, storage);
criterion_main!(benches);
