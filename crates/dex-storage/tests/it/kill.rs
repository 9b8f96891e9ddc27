//! A process that is killed while it writes loses nothing that it acknowledged, and never harms the file.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use dex_core::records::{AuthCode, Client, Record};
use dex_storage::sqlite::{Options, Sqlite};
use dex_storage::{Storage, StorageExt, UpdateError, Write};

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    // This test is also the process that it kills.
    if let Ok(file) = std::env::var(CHILD) {
        return write_until_killed(&file);
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dex.db");
    let mut acknowledged: BTreeMap<String, u64> = BTreeMap::new();
    for round in 0..ROUNDS {
        let mut child = start_child(&path);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Killed earlier and later, in the middle of whatever it is doing.
        let enough = 1 + round * 37;
        let mut seen = 0;
        for line in lines.by_ref() {
            seen += note(&mut acknowledged, &line.unwrap());
            if seen >= enough {
                break;
            }
        }
        assert!(seen >= enough, "the child ended after {seen} writes");
        child.kill().unwrap();
        // What it had acknowledged before the blow.
        for line in lines {
            note(&mut acknowledged, &line.unwrap());
        }
        child.wait().unwrap();
        verify(&path, &acknowledged);
    }
    assert_eq!(acknowledged.len(), WRITERS);
}

/// Keeps what a line of the child says; 1 if it says something.
fn note(acknowledged: &mut BTreeMap<String, u64>, line: &str) -> usize {
    // The test harness prints lines of its own, and its last one may be cut off.
    let Some((writer, count)) = line.strip_prefix("done ").and_then(|l| l.split_once(' ')) else {
        return 0;
    };
    let Some(count) = count.strip_suffix(';').and_then(|c| c.parse().ok()) else {
        return 0;
    };
    acknowledged.insert(writer.to_owned(), count);
    1
}

fn start_child(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--quiet"])
        .arg("kill::nothing_acknowledged_is_lost_when_the_process_is_killed")
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Counters never fall behind what was acknowledged, are never more than one write ahead, and each came with its code.
fn verify(path: &Path, acknowledged: &BTreeMap<String, u64>) {
    let database = rusqlite::Connection::open(path).unwrap();
    let intact: String = database
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(intact, "ok");
    database.close().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = open(path.to_str().unwrap());
        for (writer, acknowledged) in acknowledged {
            let client = store.find::<Client>(writer).await.unwrap().unwrap();
            let stored: u64 = client.name.parse().unwrap();
            assert!(
                stored == *acknowledged || stored == acknowledged + 1,
                "{writer}: stored {stored}, acknowledged {acknowledged}"
            );
            for count in 1..=stored + 1 {
                let code = format!("{writer}-{count}");
                let found = store.find::<AuthCode>(&code).await.unwrap();
                assert_eq!(found.is_some(), count <= stored, "{code}");
            }
        }
        store.close().await;
    });
}

/// Several writers, so that transactions are shared. Each step raises a counter and creates a code, or does neither.
fn write_until_killed(file: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Arc::new(open(file));
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            let store = Arc::clone(&store);
            writers.spawn(async move {
                let id = format!("writer{writer}");
                loop {
                    let count = raise(&store, &id).await;
                    let line = format!("done {id} {count};\n");
                    let mut out = std::io::stdout().lock();
                    // The reader is gone only when this process is about to be.
                    if out
                        .write_all(line.as_bytes())
                        .and_then(|()| out.flush())
                        .is_err()
                    {
                        return;
                    }
                }
            });
        }
        writers.join_all().await;
    });
}

async fn raise(store: &Sqlite, id: &str) -> u64 {
    let id = id.to_owned();
    let raised: Result<u64, UpdateError<()>> = store
        .decide(vec![Client::record_key(&id)], move |mut seen| {
            let client = match seen.pop().flatten() {
                Some(row) => Client::from_row(row).unwrap(),
                None => Client {
                    id: id.clone(),
                    name: "0".into(),
                    ..Client::default()
                },
            };
            let count = client.name.parse::<u64>().unwrap() + 1;
            let code = AuthCode {
                id: format!("{id}-{count}").into(),
                ..AuthCode::default()
            };
            let client = Client {
                name: count.to_string(),
                ..client
            };
            Ok((vec![Write::put(&client), Write::create(&code)], count))
        })
        .await;
    raised.unwrap()
}

fn open(file: &str) -> Sqlite {
    Sqlite::open(&Options {
        file: file.to_owned(),
        ..Options::default()
    })
    .unwrap()
}

/// Set for the child: the file to write to.
const CHILD: &str = "DEX_STORAGE_KILLED_CHILD";

const ROUNDS: usize = 12;

const WRITERS: usize = 6;
