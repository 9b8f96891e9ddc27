//! The suite over every backend here.

use std::sync::Arc;

use dex_storage::conformance::{self, Fixture};
use dex_storage::memory::Memory;
use dex_storage::sqlite::{Options, Sqlite};
use dex_storage::static_overlay::StaticOverlay;

conformance::suite!(memory, async || Arc::new(Memory::new()));

conformance::suite!(static_overlay, async || {
    let inner = Arc::new(Memory::new());
    Arc::new(StaticOverlay::new(inner, vec![], vec![], vec![]))
});

conformance::suite!(sqlite_file, async || {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        file: directory.path().join("dex.db").to_str().unwrap().to_owned(),
        ..Options::default()
    };
    let store = Arc::new(Sqlite::open(&options).unwrap());
    Fixture::new(store, directory)
});

conformance::suite!(sqlite_in_memory, async || {
    let options = Options {
        file: ":memory:".to_owned(),
        ..Options::default()
    };
    Arc::new(Sqlite::open(&options).unwrap())
});

conformance::suite!(sqlite_temporary, async || {
    Arc::new(Sqlite::open(&Options::default()).unwrap())
});
