//! Databases that Dex wrote are opened in place, lose nothing, and stay readable for Dex.

use std::collections::BTreeMap;
use std::path::Path;

use dex_core::Timestamp;
use dex_core::records::{
    AuthCode, AuthRequest, AuthSession, Client, Connector, DeviceRequest, DeviceToken, Entity,
    OfflineSession, Password, Record, RefreshToken, SigningKeys, UserIdentity,
};
use dex_storage::sqlite::{Options, Sqlite};
use dex_storage::{Storage, StorageExt, Transaction, Write};
use rusqlite::Connection;
use rusqlite::types::Value;

#[path = "../../../../testdata/dex-databases/mod.rs"]
pub(crate) mod testdata;

fn open(path: &Path) -> Sqlite {
    Sqlite::open(&Options {
        file: path.to_str().unwrap().to_owned(),
        ..Options::default()
    })
    .unwrap()
}

/// Runs `check` over a copy of each database. One runtime each: the stores have threads.
fn for_each_database(check: impl AsyncFn(&str, &Path)) {
    for name in testdata::names() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("dex.db");
        testdata::materialise(&name, &path);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(check(&name, &path));
    }
}

/// Table → column → declared type.
fn columns(database: &Connection) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut statement = database
        .prepare(
            "SELECT t.name, c.name, lower(c.type) FROM sqlite_schema t, pragma_table_info(t.name) c
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'",
        )
        .unwrap();
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap();
    let mut tables: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for row in rows {
        let (table, column, kind): (String, String, String) = row.unwrap();
        tables.entry(table).or_default().insert(column, kind);
    }
    tables
}

/// Every value of the named columns, with its storage class.
fn contents(database: &Connection, table: &str, columns: &[&String]) -> Vec<Vec<Value>> {
    let names: Vec<String> = columns.iter().map(|name| format!("[{name}]")).collect();
    let mut statement = database
        .prepare(&format!(
            "SELECT {} FROM [{table}] ORDER BY rowid",
            names.join(",")
        ))
        .unwrap();
    let rows = statement
        .query_map([], |row| (0..columns.len()).map(|i| row.get(i)).collect())
        .unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn migrations(path: &Path) -> Vec<(i64, String)> {
    let database = Connection::open(path).unwrap();
    let mut statement = database
        .prepare("SELECT num, at FROM migrations ORDER BY rowid")
        .unwrap();
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn storage_09_databases_of_every_release_reach_step_23_once() {
    for_each_database(async |name, path| {
        let before = migrations(path);
        open(path).close().await;
        let after = migrations(path);
        assert!(after.starts_with(&before), "{name}");
        let numbers: Vec<i64> = after.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (1..=23).collect::<Vec<_>>(), "{name}");
        assert!(after.iter().all(|(_, at)| at.len() == "YYYY-MM-DD".len()));
        open(path).close().await;
        assert_eq!(migrations(path), after, "{name}");
    });
}

#[test]
fn no_row_is_lost_doubled_or_changed() {
    for_each_database(async |name, path| {
        let before = Connection::open(path).unwrap();
        let tables = columns(&before);
        let read = |database: &Connection| -> BTreeMap<String, Vec<Vec<Value>>> {
            tables
                .iter()
                .filter(|(table, _)| *table != "migrations")
                .map(|(table, columns)| {
                    let columns: Vec<&String> = columns.keys().collect();
                    (table.clone(), contents(database, table, &columns))
                })
                .collect()
        };
        // The one repair: groups as text become the same groups as bytes.
        before
            .execute_batch(
                "UPDATE password SET groups = CAST(groups AS blob) WHERE typeof(groups) = 'text'",
            )
            .or_else(|error| {
                if error.to_string().contains("no such column") {
                    Ok(())
                } else {
                    Err(error)
                }
            })
            .unwrap();
        let expected = read(&before);
        before.close().unwrap();
        open(path).close().await;
        let after = Connection::open(path).unwrap();
        assert!(read(&after) == expected, "{name}");
        assert!(!expected["keys"].is_empty());
        let text_groups: i64 = after
            .query_row(
                "SELECT count(*) FROM password WHERE typeof(groups) <> 'blob'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(text_groups, 0, "{name}");
    });
}

#[test]
fn every_table_and_column_of_dex_keeps_its_type() {
    for_each_database(async |name, path| {
        let reference = Connection::open_in_memory().unwrap();
        reference.execute_batch(&testdata::schema(name)).unwrap();
        open(path).close().await;
        let after = columns(&Connection::open(path).unwrap());
        for (table, expected) in columns(&reference) {
            for (column, kind) in expected {
                assert_eq!(
                    after[&table].get(&column),
                    Some(&kind),
                    "{name}: {table}.{column}"
                );
            }
        }
    });
}

#[test]
fn every_record_decodes_and_counts_are_those_of_the_manifest() {
    for_each_database(async |name, path| {
        let store = open(path);
        let manifest = testdata::manifest(name);
        let counts = manifest["counts"].as_object().unwrap();
        for (table, count) in [
            ("client", count::<Client>(&store).await),
            ("auth_request", count::<AuthRequest>(&store).await),
            ("auth_code", count::<AuthCode>(&store).await),
            ("refresh_token", count::<RefreshToken>(&store).await),
            ("offline_session", count::<OfflineSession>(&store).await),
            ("password", count::<Password>(&store).await),
            ("connector", count::<Connector>(&store).await),
            ("device_request", count::<DeviceRequest>(&store).await),
            ("device_token", count::<DeviceToken>(&store).await),
            ("keys", count::<SigningKeys>(&store).await),
            ("user_identity", count::<UserIdentity>(&store).await),
            ("auth_session", count::<AuthSession>(&store).await),
        ] {
            let expected = counts.get(table).and_then(serde_json::Value::as_u64);
            assert_eq!(count, expected.unwrap_or(0), "{name}: {table}");
        }
        store.close().await;
    });
}

async fn count<R: Record>(store: &Sqlite) -> u64 {
    store.all::<R>().await.unwrap().len().try_into().unwrap()
}

#[test]
fn storage_26_keys_clients_and_people_are_those_the_world_knows() {
    for_each_database(async |name, path| {
        let store = open(path);
        let manifest = testdata::manifest(name);
        let keys = store.find::<SigningKeys>(SigningKeys::ID).await.unwrap();
        let keys = keys.unwrap();
        let mut kids = vec![keys.signing_key_pub.0.as_ref().unwrap()["kid"].clone()];
        for key in keys.verification_keys.0.iter().flatten() {
            kids.push(key.public_key["kid"].clone());
        }
        assert_eq!(serde_json::Value::from(kids), manifest["kids"], "{name}");
        let private = keys.signing_key.expose().unwrap();
        assert_eq!(private["kid"], manifest["signing_kid"]);
        let next_rotation = manifest["next_rotation"].as_str().unwrap();
        let next_rotation: Timestamp = next_rotation.replacen(' ', "T", 1).parse().unwrap();
        assert_eq!(keys.next_rotation, next_rotation, "{name}");

        for client in manifest["clients"].as_array().unwrap() {
            let id = client["id"].as_str().unwrap();
            let found = store.find::<Client>(id).await.unwrap().expect(id);
            assert!(
                found
                    .secret
                    .matches(client["secret"].as_str().unwrap_or_default())
            );
        }
        let mut people = 0;
        for password in store.all::<Password>().await.unwrap() {
            let upper = password.email.to_uppercase();
            let found = store.find::<Password>(&upper).await.unwrap();
            assert!(found == Some(password), "{name}: {upper}");
            people += 1;
        }
        assert_eq!(people, 4, "{name}");
        store.close().await;
    });
}

#[test]
fn records_written_back_read_the_same() {
    for_each_database(async |name, path| {
        let store = open(path);
        let mut before = Vec::new();
        for entity in Entity::ALL {
            let rows = store.list(entity).await.unwrap();
            for row in &rows {
                let (key, row) = (row.key(), row.clone());
                store
                    .transact(Transaction::new(vec![key], move |_| {
                        Ok(vec![Write::Put(row.clone())])
                    }))
                    .await
                    .unwrap();
            }
            before.push(rows);
        }
        store.close().await;
        let store = open(path);
        for (entity, rows) in Entity::ALL.into_iter().zip(before) {
            let after = store.list(entity).await.unwrap();
            assert!(after == rows, "{name}: {entity:?}");
        }
        store.close().await;
    });
}

#[test]
fn a_closed_database_is_one_plain_file_as_dex_leaves_it() {
    for_each_database(async |name, path| {
        for by_dropping in [false, true] {
            let store = open(path);
            store.find::<Client>("web-app").await.unwrap().unwrap();
            assert!(path.with_extension("db-wal").exists(), "{name}");
            if by_dropping {
                drop(store);
            } else {
                store.close().await;
            }
            for extension in ["db-wal", "db-shm", "db-journal"] {
                assert!(
                    !path.with_extension(extension).exists(),
                    "{name}: {extension}"
                );
            }
            let database = Connection::open(path).unwrap();
            let pragma =
                |sql: &str| -> String { database.query_row(sql, [], |row| row.get(0)).unwrap() };
            assert_eq!(pragma("PRAGMA journal_mode"), "delete");
            assert_eq!(pragma("PRAGMA integrity_check"), "ok");
        }
    });
}
