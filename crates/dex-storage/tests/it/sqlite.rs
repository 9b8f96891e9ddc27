//! The SQLite file: made, shared with Dex, damaged, locked, crashed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dex_core::records::{
    AuthCode, AuthSession, Client, DeviceRequest, Json, Password, Record, RefreshToken, SigningKeys,
};
use dex_storage::sqlite::{Options, Sqlite};
use dex_storage::{Storage, StorageError, StorageExt, UpdateError, Write};
use rusqlite::Connection;

use crate::dex_databases::testdata;

struct File {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl File {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("dex.db");
        Self {
            _directory: directory,
            path,
        }
    }

    fn of_dex(name: &str) -> Self {
        let file = Self::new();
        testdata::materialise(name, &file.path);
        file
    }

    fn open(&self) -> Sqlite {
        open(self.path.to_str().unwrap()).unwrap()
    }

    /// With the time to wait that servers have.
    fn open_patiently(&self) -> Sqlite {
        Sqlite::open(&Options {
            file: self.path.to_str().unwrap().to_owned(),
            ..Options::default()
        })
        .unwrap()
    }

    /// As another program would.
    fn connect(&self) -> Connection {
        Connection::open(&self.path).unwrap()
    }

    /// The one value that `sql` yields, as text.
    fn ask(&self, sql: &str) -> String {
        self.connect()
            .query_row(&format!("SELECT CAST(({sql}) AS text)"), [], |row| {
                row.get(0)
            })
            .unwrap()
    }
}

fn open(file: &str) -> Result<Sqlite, StorageError> {
    Sqlite::open(&Options {
        file: file.to_owned(),
        busy_timeout: Duration::from_millis(200),
    })
}

fn refusal(file: &str) -> String {
    open(file).expect_err(file).to_string()
}

fn client(id: &str) -> Client {
    Client {
        id: id.into(),
        ..Client::default()
    }
}

#[tokio::test]
async fn storage_04_a_new_file_has_steps_1_to_23_dated_by_the_day() {
    let file = File::new();
    file.open().close().await;
    assert_eq!(
        file.ask("SELECT group_concat(num, ' ') FROM migrations"),
        (1..=23)
            .map(|n| n.to_string())
            .collect::<Vec<_>>()
            .join(" ")
    );
    assert_eq!(
        file.ask("SELECT min(typeof(at) || ' ' || (at = date('now') OR at = date('now', '-1 day'))) FROM migrations"),
        "text 1"
    );
    assert_eq!(file.ask("SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name = 'auth_session_user_idx'"), "1");
}

#[tokio::test]
async fn storage_05_a_restart_adds_no_rows_and_keeps_the_records() {
    let file = File::new();
    let store = file.open();
    store.create(&client("a")).await.unwrap();
    store.close().await;
    let store = file.open();
    assert!(store.find::<Client>("a").await.unwrap().is_some());
    store.close().await;
    assert_eq!(file.ask("SELECT count(*) FROM migrations"), "23");
}

#[tokio::test]
async fn storage_08_a_higher_number_than_ours_is_accepted() {
    let file = File::new();
    file.open().close().await;
    file.connect()
        .execute_batch("INSERT INTO migrations VALUES (99, '2030-01-01')")
        .unwrap();
    let store = file.open();
    store.create(&client("a")).await.unwrap();
    store.close().await;
    assert_eq!(
        file.ask("SELECT count(*) || ' ' || max(num) FROM migrations"),
        "24 99"
    );
}

#[tokio::test]
async fn a_new_file_has_the_columns_of_dex() {
    let columns = "SELECT group_concat(line, char(10)) FROM (
        SELECT t.name || '.' || c.name || ' ' || lower(c.type) || ' ' || c.[notnull] || ' ' || c.pk || ' '
            || iif(c.name = 'groups', '', coalesce(c.dflt_value, 'none')) AS line
        FROM sqlite_schema t, pragma_table_info(t.name) c
        WHERE t.type = 'table' AND t.name NOT LIKE 'dexd_%' ORDER BY 1)";
    let (ours, dex) = (File::new(), File::of_dex("sqlite3-classic-master"));
    ours.open().close().await;
    similar_lines(&ours.ask(columns), &dex.ask(columns));
}

fn similar_lines(ours: &str, dex: &str) {
    let (ours, dex): (Vec<_>, Vec<_>) = (ours.lines().collect(), dex.lines().collect());
    for line in &dex {
        assert!(ours.contains(line), "only in Dex: {line}");
    }
    for line in &ours {
        assert!(dex.contains(line), "only here: {line}");
    }
    assert!(dex.len() > 100);
}

#[tokio::test]
async fn storage_10_groups_as_text_are_read_and_repaired() {
    let file = File::of_dex("sqlite3-classic-v2.24.0-to-v2.45.1");
    assert_eq!(
        file.ask("SELECT count(*) FROM password WHERE typeof(groups) = 'text'"),
        "4"
    );
    let store = file.open();
    for password in store.all::<Password>().await.unwrap() {
        assert!(password.groups.is_empty());
    }
    // Another program may write one at any time.
    file.connect()
        .execute_batch("UPDATE password SET groups = '[\"a\"]'")
        .unwrap();
    let passwords = store.all::<Password>().await.unwrap();
    assert_eq!(passwords.len(), 4);
    assert!(passwords.iter().all(|password| password.groups == ["a"]));
    store.close().await;
    file.open().close().await;
    assert_eq!(
        file.ask("SELECT count(*) FROM password WHERE typeof(groups) = 'blob'"),
        "4"
    );
}

#[tokio::test]
async fn rows_that_an_older_dex_adds_after_us_can_be_read_by_a_newer_one() {
    let file = File::of_dex("sqlite3-classic-v2.24.0");
    file.open().close().await;
    // v2.24 knows four columns.
    file.connect()
        .execute_batch("INSERT INTO password (email, hash, username, user_id) VALUES ('new@example.com', x'00', 'n', 'n')")
        .unwrap();
    assert_eq!(
        file.ask("SELECT typeof(groups) || CAST(groups AS text) FROM password WHERE email = 'new@example.com'"),
        "blob[]"
    );
}

#[tokio::test]
async fn columns_that_a_recorded_step_should_have_made_are_added() {
    let file = File::new();
    file.open().close().await;
    file.connect()
        .execute_batch(
            "ALTER TABLE client DROP COLUMN mfa_chain;
             ALTER TABLE client DROP COLUMN refresh_token_lifetime;
             ALTER TABLE auth_request DROP COLUMN max_age;
             DROP TABLE user_identity;
             DROP TABLE dexd_sealing_keys;
             DROP TABLE auth_session;
             CREATE TABLE auth_session (user_id text not null, connector_id text not null, nonce text not null default '',
                 client_states blob not null, PRIMARY KEY (user_id, connector_id));
             INSERT INTO auth_session VALUES ('u', 'c', 'n', x'7b7d');",
        )
        .unwrap();
    let store = file.open();
    store.create(&client("a")).await.unwrap();
    assert!(store.all::<AuthSession>().await.unwrap().is_empty());
    store
        .create(&AuthSession {
            id: "s".into(),
            ..AuthSession::default()
        })
        .await
        .unwrap();
    assert!(
        store
            .all::<dex_core::records::SealingKeys>()
            .await
            .unwrap()
            .is_empty()
    );
    store.close().await;
    assert_eq!(file.ask("SELECT count(*) FROM migrations"), "23");
}

#[tokio::test]
async fn columns_of_steps_that_were_not_recorded_are_left_alone() {
    // As after a step that failed half-way on an engine that commits in between.
    let file = File::of_dex("sqlite3-classic-v2.41.1");
    file.connect()
        .execute_batch(
            "ALTER TABLE password ADD COLUMN preferred_username text not null default 'kept'",
        )
        .unwrap();
    let store = file.open();
    let passwords = store.all::<Password>().await.unwrap();
    assert!(passwords.iter().all(|p| p.preferred_username == "kept"));
    store.close().await;
}

#[tokio::test]
async fn storage_22_23_and_24_rows_expire_by_the_instant_and_only_where_they_should() {
    let file = File::new();
    let store = file.open();
    file.connect()
        .execute_batch(
            "INSERT INTO device_request VALUES
                ('past', 'd', 'c', '', x'5b5d', '2026-08-06 10:59:59.999999999+00:00'),
                ('now', 'd', 'c', NULL, x'5b5d', '2026-08-06 11:00:00+00:00'),
                ('soon', 'd', 'c', '', x'5b5d', '2026-08-06 11:00:00.000000001+00:00');
             INSERT INTO refresh_token (id, client_id, scopes, nonce, claims_user_id, claims_username, claims_email,
                claims_email_verified, claims_groups, connector_id, last_used, obsolete_token)
                VALUES ('old', '', x'5b5d', '', '', '', '', 0, x'6e756c6c', '', '2001-01-01 00:00:00+00:00', NULL);
             INSERT INTO auth_session (id, user_id, connector_id, client_states, created_at, last_activity, absolute_expiry, idle_expiry)
                VALUES ('idle', '', '', x'7b7d', '', '', '2036-01-01 00:00:00+00:00', '2026-08-06 10:00:00+00:00');",
        )
        .unwrap();
    let now = "2026-08-06T11:00:00Z".parse().unwrap();
    let collected = store.collect_garbage(now, 10).await.unwrap();
    assert_eq!((collected.device_requests, collected.auth_sessions), (1, 1));
    let mut left: Vec<_> = store
        .all::<DeviceRequest>()
        .await
        .unwrap()
        .into_iter()
        .map(|request| request.user_code)
        .collect();
    left.sort();
    assert_eq!(left, ["now", "soon"]);
    let token = store.find::<RefreshToken>("old").await.unwrap().unwrap();
    assert!(token.obsolete_token.is_empty() && token.created_at.is_unset());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_on_the_same_file_loses_nothing_and_neither_do_we() {
    let file = File::new();
    let store = Arc::new(file.open_patiently());
    store
        .create(&Client {
            name: "0".into(),
            ..client("counter")
        })
        .await
        .unwrap();
    // Dex takes no lock until it writes; here the increment is one statement.
    let mut dex = file.connect();
    let beside = std::thread::spawn(move || {
        dex.busy_timeout(Duration::from_secs(5)).unwrap();
        for _ in 0..50 {
            let transaction = dex.transaction().unwrap();
            transaction
                .execute_batch("UPDATE client SET name = CAST(name + 1 AS text)")
                .unwrap();
            transaction.commit().unwrap();
        }
    });
    let mut ours = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let store = Arc::clone(&store);
        ours.spawn(async move {
            let updated: Result<Client, UpdateError<()>> = store
                .update("counter", |mut old: Client| {
                    let count: u32 = old.name.parse().unwrap();
                    old.name = (count + 1).to_string();
                    Ok(old)
                })
                .await;
            updated.unwrap();
        });
    }
    ours.join_all().await;
    beside.join().unwrap();
    let counter = store.find::<Client>("counter").await.unwrap().unwrap();
    assert_eq!(counter.name, "100");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_held_too_long_by_another_process_is_an_error_that_passes() {
    let file = File::new();
    let store = file.open();
    let other = file.connect();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.create(&client("a")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "sqlite3 database {} is locked by another process",
            file.path.display()
        )
    );
    // Reading goes on meanwhile.
    assert!(store.find::<Client>("a").await.unwrap().is_none());
    assert_eq!(
        refusal(file.path.to_str().unwrap()),
        format!(
            "sqlite3 database {} is locked by another process",
            file.path.display()
        )
    );
    other.execute_batch("ROLLBACK").unwrap();
    store.create(&client("a")).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn what_a_crash_left_in_the_log_is_read_back() {
    let file = File::new();
    let store = file.open();
    store.create(&client("a")).await.unwrap();
    // A copy of both files in mid-flight is what a power cut leaves.
    let crashed = File::new();
    for extension in ["db", "db-wal"] {
        std::fs::copy(
            file.path.with_extension(extension),
            crashed.path.with_extension(extension),
        )
        .unwrap();
    }
    store.close().await;
    let store = crashed.open();
    assert!(store.find::<Client>("a").await.unwrap().is_some());
    store.close().await;
    assert!(!crashed.path.with_extension("db-wal").exists());
}

#[tokio::test]
async fn what_cannot_be_opened_is_named_with_the_reason_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let text = path("text.db");
    std::fs::write(
        &text,
        "this is a text file, not a database at all\n".repeat(100),
    )
    .unwrap();
    assert_eq!(
        refusal(&text),
        format!("sqlite3 database {text} is not an SQLite database")
    );
    for unusable in [
        directory.path().to_str().unwrap().to_owned(),
        path("missing/dex.db"),
        path("text.db/dex.db"),
    ] {
        assert_eq!(
            refusal(&unusable),
            format!(
                "sqlite3 database {unusable} cannot be opened or created; check the path and its permissions"
            )
        );
    }
    let fresh = path("fresh.db");
    open(&fresh).unwrap().close().await;
    let read_only = refusal(&format!("file:{fresh}?mode=ro&_auth_pass=hunter2"));
    assert_eq!(
        read_only,
        format!(
            "sqlite3 database {fresh} cannot be written; check the permissions of the file and of its directory"
        )
    );
    // What was there is untouched.
    assert!(
        std::fs::read_to_string(&text)
            .unwrap()
            .starts_with("this is a text")
    );
}

#[tokio::test]
async fn a_corrupt_file_is_named_and_left_as_it_is() {
    let file = File::of_dex("sqlite3-classic-master");
    let mut bytes = std::fs::read(&file.path).unwrap();
    // Everything behind the first page, on which the list of tables begins.
    for byte in bytes.iter_mut().skip(4096) {
        *byte = 0xff;
    }
    std::fs::write(&file.path, &bytes).unwrap();
    assert_eq!(
        refusal(file.path.to_str().unwrap()),
        format!(
            "sqlite3 database {} is corrupt; restore it from a backup",
            file.path.display()
        )
    );
    assert!(std::fs::read(&file.path).unwrap() == bytes);
}

#[tokio::test]
async fn the_tables_of_the_other_engine_are_refused_and_untouched() {
    let file = File::new();
    file.connect()
        .execute_batch("CREATE TABLE oauth2clients (id text); CREATE TABLE keys (id text)")
        .unwrap();
    let before = std::fs::read(&file.path).unwrap();
    let error = refusal(file.path.to_str().unwrap());
    assert!(error.contains("DEX_ENT_ENABLED"), "{error}");
    assert!(std::fs::read(&file.path).unwrap() == before);
}

#[tokio::test]
async fn a_database_of_something_else_is_refused_and_untouched() {
    let file = File::new();
    file.connect()
        .execute_batch("CREATE TABLE client (id integer primary key, phone text)")
        .unwrap();
    let before = std::fs::read(&file.path).unwrap();
    assert_eq!(
        refusal(file.path.to_str().unwrap()),
        format!(
            "sqlite3 database {} is not a database of Dex: table client has no column secret",
            file.path.display()
        )
    );
    assert!(std::fs::read(&file.path).unwrap() == before);
}

#[tokio::test]
async fn uris_and_driver_parameters_open_the_file_they_name() {
    let file = File::new();
    let path = file.path.to_str().unwrap();
    let store = open(&format!("{path}?_fk=1&_journal_mode=DELETE")).unwrap();
    store.create(&client("a")).await.unwrap();
    store.close().await;
    assert!(Path::new(path).exists());
    let store = open(&format!("file:{path}?cache=shared&mode=rwc")).unwrap();
    assert!(store.find::<Client>("a").await.unwrap().is_some());
    store.close().await;
    for private in ["", ":memory:", "file::memory:?cache=shared"] {
        let store = open(private).unwrap();
        store.create(&client("a")).await.unwrap();
        let other = open(private).unwrap();
        assert!(other.find::<Client>("a").await.unwrap().is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_finishes_what_was_asked_before() {
    let file = File::new();
    let store = Arc::new(file.open());
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..200 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let code = AuthCode {
                id: format!("code{index}").into(),
                ..AuthCode::default()
            };
            store.create(&code).await.is_ok()
        });
    }
    store.close().await;
    let acknowledged = tasks.join_all().await.into_iter().filter(|ok| *ok).count();
    assert_eq!(
        file.ask("SELECT count(*) FROM auth_code"),
        acknowledged.to_string()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_14_a_code_is_redeemed_once_across_two_replicas() {
    let file = File::new();
    let replicas = [
        Arc::new(file.open_patiently()),
        Arc::new(file.open_patiently()),
    ];
    let code = AuthCode {
        id: "code".into(),
        ..AuthCode::default()
    };
    replicas[0].create(&code).await.unwrap();
    let mut redeemers = tokio::task::JoinSet::new();
    for index in 0..20 {
        let store = Arc::clone(&replicas[index % 2]);
        redeemers.spawn(async move {
            match store.delete::<AuthCode>("code").await {
                Ok(()) => 1,
                Err(StorageError::NotFound) => 0,
                Err(error) => unreachable!("{error}"),
            }
        });
    }
    assert_eq!(redeemers.join_all().await.into_iter().sum::<i32>(), 1);
    for replica in replicas {
        replica.close().await;
    }
    // A file that dexd made keeps its log; Dex's own are left as they were found (`dex_databases`).
    let mode = file.ask("SELECT journal_mode FROM pragma_journal_mode");
    assert_eq!(mode, "wal");
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_28_of_two_replicas_one_rotates_the_keys_and_both_see_it() {
    let file = File::new();
    let replicas = [
        Arc::new(file.open_patiently()),
        Arc::new(file.open_patiently()),
    ];
    for round in 0..10 {
        let mut rotations = tokio::task::JoinSet::new();
        for (index, replica) in replicas.iter().enumerate() {
            let store = Arc::clone(replica);
            rotations.spawn(async move {
                let kid = format!("{round}-{index}");
                let outcome: Result<(), UpdateError<()>> = store
                    .decide(
                        vec![SigningKeys::record_key(SigningKeys::ID)],
                        move |mut seen| {
                            let keys = seen.pop().flatten().map(SigningKeys::from_row);
                            let rotated = keys.is_some_and(|keys| {
                                let public = keys.unwrap().signing_key_pub.0.unwrap();
                                public["kid"]
                                    .as_str()
                                    .unwrap()
                                    .starts_with(&round.to_string())
                            });
                            if rotated {
                                return Err(UpdateError::Refused(()));
                            }
                            let keys = SigningKeys {
                                id: SigningKeys::ID.into(),
                                signing_key_pub: Json(Some(serde_json::json!({ "kid": kid }))),
                                ..SigningKeys::default()
                            };
                            Ok((vec![Write::put(&keys)], ()))
                        },
                    )
                    .await;
                match outcome {
                    Ok(()) => 1,
                    Err(UpdateError::Refused(())) => 0,
                    Err(error) => unreachable!("{error}"),
                }
            });
        }
        assert_eq!(rotations.join_all().await.into_iter().sum::<i32>(), 1);
        let seen = [
            replicas[0]
                .find::<SigningKeys>(SigningKeys::ID)
                .await
                .unwrap(),
            replicas[1]
                .find::<SigningKeys>(SigningKeys::ID)
                .await
                .unwrap(),
        ];
        assert!(seen[0].is_some() && seen[0] == seen[1]);
    }
}

#[test]
fn replicas_that_start_together_migrate_once() {
    for name in [None, Some("sqlite3-classic-v2.24.0")] {
        let file = name.map_or_else(File::new, File::of_dex);
        std::thread::scope(|scope| {
            let starts: Vec<_> = (0..6)
                .map(|_| scope.spawn(|| file.open_patiently()))
                .collect();
            for start in starts {
                drop(start.join().unwrap());
            }
        });
        assert_eq!(
            file.ask("SELECT count(*) || ' ' || max(num) FROM migrations"),
            "23 23"
        );
    }
}

#[tokio::test]
async fn storage_15_to_18_names_are_taken_once_and_addresses_in_any_case() {
    let file = File::new();
    let store = file.open();
    let password = |email: &str| Password {
        email: email.into(),
        ..Password::default()
    };
    store.create(&password("Foo@Example.com")).await.unwrap();
    let again = store.create(&password("fOO@example.COM")).await;
    assert!(matches!(again, Err(StorageError::AlreadyExists)));
    let found = store.find::<Password>("FOO@example.com").await.unwrap();
    assert_eq!(found.unwrap().email, "foo@example.com");
    let unknown = store.delete::<Client>("unknown").await;
    assert!(matches!(unknown, Err(StorageError::NotFound)));
    for secret in ["first", "second"] {
        let outcome = store
            .create(&Client {
                secret: secret.into(),
                ..client("a")
            })
            .await;
        assert_eq!(outcome.is_ok(), secret == "first");
    }
    let kept = store.find::<Client>("a").await.unwrap().unwrap();
    assert!(kept.secret.matches("first"));
    store.close().await;
    assert_eq!(file.ask("SELECT email FROM password"), "foo@example.com");
}

#[tokio::test]
async fn storage_59_sharing_with_nobody_and_the_default_are_stored_apart() {
    let file = File::new();
    let store = file.open();
    for (id, shared) in [("nobody", Some(vec![])), ("default", None)] {
        store
            .create(&Client {
                sso_shared_with: shared,
                ..client(id)
            })
            .await
            .unwrap();
        let renamed: Result<Client, UpdateError<()>> = store
            .update(id, |mut old: Client| {
                old.name = "renamed".into();
                Ok(old)
            })
            .await;
        renamed.unwrap();
    }
    store.close().await;
    assert_eq!(
        file.ask("SELECT group_concat(id || ' ' || typeof(sso_shared_with) || ' ' || CAST(sso_shared_with AS text), ', ') FROM client"),
        "nobody blob [], default blob null"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_is_for_its_owner_only_and_an_existing_one_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let file = File::new();
    let store = file.open();
    store.create(&client("a")).await.unwrap();
    for extension in ["db", "db-wal", "db-shm"] {
        assert_eq!(mode(&file.path.with_extension(extension)), 0o600);
    }
    store.close().await;
    std::fs::set_permissions(&file.path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let store = file.open();
    store.create(&client("b")).await.unwrap();
    assert_eq!(mode(&file.path.with_extension("db-wal")), 0o640);
    store.close().await;
    assert_eq!(mode(&file.path), 0o640);
}
