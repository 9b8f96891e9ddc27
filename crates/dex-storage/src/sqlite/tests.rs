use std::sync::mpsc;

use dex_core::records::{AuthCode, Client, Password};

use super::*;
use crate::{StorageExt, UpdateError};

fn in_memory() -> Sqlite {
    Sqlite::open(&Options {
        file: ":memory:".into(),
        ..Options::default()
    })
    .unwrap()
}

fn at_path(path: &std::path::Path) -> Options {
    Options {
        file: path.to_str().unwrap().to_owned(),
        busy_timeout: Duration::from_millis(50),
    }
}

fn client(id: &str) -> Client {
    Client {
        id: id.into(),
        ..Client::default()
    }
}

/// Lets the writer do arbitrary SQL.
async fn sql(store: &Sqlite, sql: &'static str) {
    store
        .writer
        .run(move |c| {
            let mut statement = c.prepare(sql)?;
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_panicking_decision_leaves_nothing_and_harms_nobody() {
    let store = in_memory();
    let outcome = store
        .decide::<(), (), _>(vec![], |_| panic!("a bug in a decision"))
        .await;
    assert!(matches!(
        outcome,
        Err(UpdateError::Storage(StorageError::Unavailable { .. }))
    ));
    store.create(&client("a")).await.unwrap();
    assert!(store.find::<Client>("a").await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_disk_is_full_nothing_of_the_batch_is_acknowledged_and_nothing_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(Sqlite::open(&at_path(&directory.path().join("dex.db"))).unwrap());
    store.create(&client("before")).await.unwrap();
    sql(&store, "PRAGMA max_page_count = 1").await;
    let big = Client {
        name: "x".repeat(200_000),
        ..client("big")
    };
    let error = store.create(&big).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "sqlite3 database {}/dex.db cannot grow; the disk is full",
            directory.path().display()
        )
    );
    sql(&store, "PRAGMA max_page_count = 1000000").await;
    assert!(store.find::<Client>("big").await.unwrap().is_none());
    assert!(store.find::<Client>("before").await.unwrap().is_some());
    store.create(&big).await.unwrap();
    store.check_health().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_wedged_writer_is_unhealthy() {
    let store = Arc::new(in_memory());
    let (release, wedge) = mpsc::channel::<()>();
    let stuck = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            store
                .decide::<(), (), _>(vec![], move |_| {
                    let _ = wedge.recv();
                    Ok((vec![], ()))
                })
                .await
        })
    };
    tokio::task::yield_now().await;
    let error = store.check_health().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "sqlite3 database :memory: does not answer"
    );
    drop(release);
    stuck.await.unwrap().unwrap();
    store.writer.run(|_| Ok(())).await.unwrap();
    assert!(store.list(Entity::AuthRequest).await.unwrap().is_empty());
}

#[tokio::test]
async fn storage_58_the_health_check_leaves_no_rows() {
    let store = in_memory();
    store.check_health().await.unwrap();
    assert!(store.list(Entity::AuthRequest).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let directory = tempfile::tempdir().unwrap();
    for file in [":memory:", directory.path().join("a.db").to_str().unwrap()] {
        let store = Sqlite::open(&Options {
            file: file.into(),
            ..Options::default()
        })
        .unwrap();
        store.close().await;
        store.close().await;
        let expected = format!("sqlite3 database {file} has been closed");
        assert_eq!(
            store.find::<Client>("a").await.unwrap_err().to_string(),
            expected
        );
        assert_eq!(
            store.create(&client("a")).await.unwrap_err().to_string(),
            expected
        );
        assert_eq!(
            store.all::<Client>().await.unwrap_err().to_string(),
            expected
        );
        assert_eq!(
            store.check_health().await.unwrap_err().to_string(),
            expected
        );
    }
}

#[tokio::test]
async fn storage_12_storage_classes_are_those_of_dex() {
    let store = in_memory();
    store
        .create(&AuthRequest {
            id: "r".into(),
            scopes: vec!["openid".into()],
            max_age: -1,
            ..AuthRequest::default()
        })
        .await
        .unwrap();
    store
        .create(&dex_core::records::DeviceToken {
            device_code: "d".into(),
            ..Default::default()
        })
        .await
        .unwrap();
    store
        .create(&Password {
            email: "Foo@Example.com".into(),
            ..Password::default()
        })
        .await
        .unwrap();
    for (query, expected) in [
        (
            "SELECT typeof(scopes) || ' ' || CAST(scopes AS text) FROM auth_request",
            "blob [\"openid\"]",
        ),
        (
            "SELECT typeof(expiry) || ' ' || expiry FROM auth_request",
            "text 0001-01-01 00:00:00+00:00",
        ),
        (
            "SELECT typeof(logged_in) || ' ' || max_age FROM auth_request",
            "integer -1",
        ),
        ("SELECT typeof(hmac_key) FROM auth_request", "null"),
        (
            "SELECT typeof(token) || length(token) FROM device_token",
            "text0",
        ),
        (
            "SELECT typeof(hash) || ' ' || email FROM password",
            "blob foo@example.com",
        ),
        (
            "SELECT typeof(groups) || ' ' || CAST(groups AS text) FROM password",
            "blob []",
        ),
        ("SELECT typeof(email_verified) FROM password", "null"),
    ] {
        let found: String = store
            .writer
            .run(move |c| Ok(c.query_row(query, [], |row| row.get(0))?))
            .await
            .unwrap();
        assert_eq!(found, expected, "{query}");
    }
}

#[tokio::test]
async fn storage_60_a_malformed_row_spoils_only_itself() {
    let store = in_memory();
    store.create(&client("good")).await.unwrap();
    store.create(&client("bad")).await.unwrap();
    sql(
        &store,
        "UPDATE client SET redirect_uris = x'7b' WHERE id = 'bad'",
    )
    .await;
    assert!(store.find::<Client>("good").await.unwrap().is_some());
    assert_eq!(
        store.find::<Client>("bad").await.unwrap_err().to_string(),
        "stored client.redirect_uris is malformed: not the expected JSON"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_deleted_once_however_many_try() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(Sqlite::open(&at_path(&directory.path().join("dex.db"))).unwrap());
    store
        .create(&AuthCode {
            id: "code".into(),
            ..AuthCode::default()
        })
        .await
        .unwrap();
    let tries: Vec<_> = (0..50)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.delete::<AuthCode>("code").await })
        })
        .collect();
    let mut deleted = 0;
    for outcome in tries {
        match outcome.await.unwrap() {
            Ok(()) => deleted += 1,
            Err(error) => assert!(matches!(error, StorageError::NotFound)),
        }
    }
    assert_eq!(deleted, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_beyond_the_number_of_connections_wait_their_turn() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(Sqlite::open(&at_path(&directory.path().join("dex.db"))).unwrap());
    store.create(&client("a")).await.unwrap();
    let readers = store.readers.as_ref().unwrap();
    let mut leases = Vec::new();
    while let Ok(Some(lease)) =
        tokio::time::timeout(Duration::from_millis(1), readers.point.lease()).await
    {
        leases.push(lease);
    }
    let waiting = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.find::<Client>("a").await })
    };
    store.create(&client("b")).await.unwrap();
    assert!(!waiting.is_finished());
    drop(leases);
    assert!(waiting.await.unwrap().unwrap().is_some());
}
