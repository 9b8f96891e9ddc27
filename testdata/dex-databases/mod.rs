//! Makes database files of the dumps beside this file. Tests include it by path:
//! `#[path = "../../../../testdata/dex-databases/mod.rs"] mod dex_databases;` (needs `rusqlite` and `serde_json`).

use std::path::{Path, PathBuf};

/// The names of all databases, oldest first among equals.
pub(crate) fn names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(root())
        .expect("the test data is part of the source tree")
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("dex.dump.sql").exists())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    assert!(names.len() >= 10, "databases are missing: {names:?}");
    names
}

/// Writes the database `name` as Dex left it to the new file `path`.
pub(crate) fn materialise(name: &str, path: &Path) {
    assert!(!path.exists(), "{} exists already", path.display());
    let database = rusqlite::Connection::open(path).expect("a new file can be opened");
    database
        .execute_batch(&text(name, "dex.dump.sql"))
        .expect("a dump is valid SQL");
    database.close().expect("the file can be closed");
}

/// What the outside world holds of the database `name`.
pub(crate) fn manifest(name: &str) -> serde_json::Value {
    serde_json::from_str(&text(name, "manifest.json")).expect("a manifest is JSON")
}

/// The schema that Dex left.
pub(crate) fn schema(name: &str) -> String {
    text(name, "dex.schema.sql")
}

fn text(name: &str, file: &str) -> String {
    let path = root().join(name).join(file);
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| unreachable!("{}: {error}", path.display()))
}

/// Crates lie two folders below the root of the source tree.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/dex-databases")
}
