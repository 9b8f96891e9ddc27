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

mod stored_values {
    use dex_core::records::{Kind, RefreshToken, SigningKeys, UserIdentity, Value};
    use proptest::prelude::*;
    use rusqlite::types::Value as Sql;

    use super::*;

    /// A migrated database; what `case` writes is undone afterwards.
    fn with_database<T>(case: impl FnOnce(&Connection) -> T) -> T {
        thread_local! {
            static MIGRATED: Connection = {
                let mut connection = Connection::open_in_memory().unwrap();
                assert_eq!(migrate::migrate(&mut connection).unwrap(), 23);
                assert_eq!(migrate::migrate(&mut connection).unwrap(), 0);
                connection
            };
        }
        MIGRATED.with(|connection| {
            let transaction = connection.unchecked_transaction().unwrap();
            case(&transaction)
        })
    }

    fn value(kind: Kind) -> BoxedStrategy<Value> {
        match kind {
            Kind::Text => any::<String>().prop_map(Value::Text).boxed(),
            Kind::Bytes => prop_oneof![
                Just(Value::Null),
                // 0xff: not text, wherever it goes.
                prop::collection::vec(any::<u8>(), 0..40).prop_map(|mut bytes| {
                    bytes.push(0xff);
                    Value::Bytes(bytes)
                }),
            ]
            .boxed(),
            Kind::Json => "\\[\"[a-z\u{0}-\u{1f}ü🔐]{0,9}\"\\]"
                .prop_map(|text| Value::Bytes(text.into_bytes()))
                .boxed(),
            Kind::Time => (-62_135_596_800_i64..253_402_300_799, 0_u32..1_000_000_000)
                .prop_map(|(secs, nanos)| Value::Time(Timestamp::from_unix(secs, nanos).unwrap()))
                .boxed(),
            Kind::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
            Kind::Int => any::<i64>().prop_map(Value::Int).boxed(),
        }
    }

    fn row() -> impl Strategy<Value = Row> {
        prop::sample::select(Entity::ALL.to_vec()).prop_flat_map(|entity| {
            let columns = &entity.description().columns;
            let values: Vec<_> = columns.iter().map(|column| value(column.kind)).collect();
            values.prop_map(move |values| Row { entity, values })
        })
    }

    /// How a row comes back: keys may be folded, and two columns are never `NULL`.
    fn as_stored(mut row: Row) -> Row {
        let key = row.key().parts;
        for (value, part) in row.values.iter_mut().zip(key) {
            *value = Value::Text(part);
        }
        let columns = &row.entity.description().columns;
        for (value, column) in row.values.iter_mut().zip(columns) {
            if *value == Value::Null {
                match (row.entity, column.name) {
                    (Entity::Password, "hash") => *value = Value::Bytes(vec![]),
                    (Entity::DeviceToken, "token") => *value = Value::Text(String::new()),
                    _ => {}
                }
            }
        }
        row
    }

    fn any_class() -> impl Strategy<Value = Sql> {
        prop_oneof![
            any::<i64>().prop_map(Sql::Integer),
            any::<f64>().prop_map(Sql::Real),
            any::<String>().prop_map(Sql::Text),
            prop::collection::vec(any::<u8>(), 0..20).prop_map(Sql::Blob),
        ]
    }

    proptest! {
        #[test]
        fn rows_round_trip(row in row(), again in row()) {
            with_database(|connection| {
                rows::write(connection, &Write::Create(row.clone())).unwrap();
                let found = rows::find(connection, &row.key()).unwrap();
                prop_assert!(found == Some(as_stored(row.clone())));
                // Replacing changes every column but the key.
                if again.entity == row.entity {
                    let mut replaced = again;
                    let keys = row.entity.description().key_len;
                    replaced.values.splice(..keys, row.values[..keys].iter().cloned());
                    rows::write(connection, &Write::Put(replaced.clone())).unwrap();
                    let listed = rows::list(connection, row.entity).unwrap();
                    prop_assert!(listed == [as_stored(replaced)]);
                }
                Ok(())
            })?;
        }

        #[test]
        fn no_stored_value_panics_a_reader(entity in prop::sample::select(Entity::ALL.to_vec()), values in prop::collection::vec(any_class(), 32)) {
            with_database(|connection| {
                let values = &values[..entity.description().columns.len()];
                connection.execute(&statements::of(entity).insert, rusqlite::params_from_iter(values)).unwrap();
                for row in rows::list(connection, entity).unwrap() {
                    let _ = (Client::from_row(row.clone()), RefreshToken::from_row(row.clone()), Password::from_row(row.clone()));
                    let _ = (SigningKeys::from_row(row.clone()), UserIdentity::from_row(row.clone()), AuthRequest::from_row(row));
                }
            });
        }
    }
}

#[tokio::test]
async fn commits_are_flushed_to_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&at_path(&directory.path().join("dex.db"))).unwrap();
    let settings: (String, i64) = store
        .writer
        .run(|c| {
            let ask = |sql| c.query_row(sql, [], |row| row.get(0));
            Ok((
                c.query_row("PRAGMA journal_mode", [], |row| row.get(0))?,
                ask("PRAGMA synchronous")?,
            ))
        })
        .await
        .unwrap();
    assert_eq!(settings, ("wal".to_owned(), 2));
}
