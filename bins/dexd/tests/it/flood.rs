//! D16: whoever is not authenticated costs nothing that lasts.

use std::sync::Arc;

use rusqlite::Connection;

use crate::harness::{Run, client, minimal_but};

#[tokio::test(flavor = "multi_thread")]
async fn d16_a_flood_of_authorization_requests_leaves_no_row_and_no_memory() {
    let config = minimal_but(
        "storage",
        "storage: {type: sqlite3, config: {file: dex.db}}",
    ) + "connectors: [{type: mockCallback, id: mock, name: Mock}]\nstaticClients: [{id: app, secret: s, name: App, redirectURIs: ['http://127.0.0.1:5555/callback']}]\n";
    let mut dexd = Run::serve(&config).start();
    let url = dexd.url(
        "http",
        "/dex/auth/mock?client_id=app&redirect_uri=http%3A%2F%2F127.0.0.1%3A5555%2Fcallback&response_type=code&scope=openid&state=s",
    );
    flood(&url, 20_000).await;
    let rows = rows(&dexd.path("dex.db"));
    let memory = dexd.resident_kib();
    flood(&url, 80_000).await;
    assert_eq!(self::rows(&dexd.path("dex.db")), rows);
    let grown = dexd.resident_kib().saturating_sub(memory);
    assert!(grown < 4 * 1024, "80,000 requests left {grown} KiB behind");
}

async fn flood(url: &str, requests: usize) {
    const WORKERS: usize = 8;
    let client = Arc::new(client());
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..WORKERS {
        let (client, url) = (Arc::clone(&client), url.to_owned());
        workers.spawn(async move {
            for _ in 0..requests / WORKERS {
                let answer = client.get(&url).send().await.unwrap();
                assert_eq!(answer.status().as_u16(), 302);
            }
        });
    }
    workers.join_all().await;
}

/// Rows of all tables.
fn rows(file: &std::path::Path) -> i64 {
    let database = Connection::open(file).unwrap();
    let mut tables = database
        .prepare("select name from sqlite_master where type = 'table'")
        .unwrap();
    let names: Vec<String> = tables
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let count = |table: &String| -> i64 {
        database
            .query_row(&format!("select count(*) from {table}"), [], |row| {
                row.get(0)
            })
            .unwrap()
    };
    names.iter().map(count).sum()
}
