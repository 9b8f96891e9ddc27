//! Opening, remembering and retrying, against an opener that counts.

use std::sync::atomic::{AtomicUsize, Ordering};

use dex_connectors::{BeginLogin, Callback, Identity, Login, LoginRedirect, RedirectLogin};
use dex_core::clock::ManualClock;
use dex_core::records::Blob;
use dex_storage::Write;
use dex_storage::memory::Memory;

use super::*;

#[derive(Debug)]
struct Nobody;

impl Connector for Nobody {
    fn login(&self) -> Login<'_> {
        Login::Redirect(self)
    }
}

#[async_trait]
impl RedirectLogin for Nobody {
    async fn begin(&self, _: BeginLogin<'_>) -> Result<LoginRedirect, ConnectorError> {
        Err(ConnectorError::Rejected("not here".to_owned()))
    }

    async fn complete(&self, _: Callback<'_>) -> Result<Identity, ConnectorError> {
        Err(ConnectorError::Rejected("not here".to_owned()))
    }
}

/// Opens records whose configuration is `up`; counts.
#[derive(Debug, Default)]
struct Counting(AtomicUsize);

#[async_trait]
impl Opener for Counting {
    async fn open(
        &self,
        record: &records::Connector,
    ) -> Result<Arc<dyn Connector>, ConnectorError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        // Lets the others run, as a real upstream would.
        tokio::task::yield_now().await;
        if record.config.expose() == b"up" {
            Ok(Arc::new(Nobody))
        } else {
            Err(ConnectorError::Config("down".to_owned()))
        }
    }
}

struct World {
    storage: Arc<Memory>,
    clock: ManualClock,
    opener: Arc<Counting>,
    connectors: Connectors,
}

impl World {
    fn new() -> Self {
        let storage = Arc::new(Memory::new());
        let clock = ManualClock::at(Timestamp::from_unix(1_786_017_600, 0).unwrap());
        let opener = Arc::new(Counting::default());
        let connectors = Connectors::new(
            storage.clone(),
            Arc::new(clock.clone()),
            opener.clone(),
            vec![OpenConnector {
                about: ConnectorInfo {
                    id: "embedded".to_owned(),
                    name: "Embedded".to_owned(),
                    kind: "custom".to_owned(),
                    grant_types: Vec::new(),
                },
                connector: Arc::new(Nobody),
            }],
        );
        Self {
            storage,
            clock,
            opener,
            connectors,
        }
    }

    async fn put(&self, config: &[u8], version: &str) {
        let record = records::Connector {
            id: "a".to_owned(),
            kind: "x".to_owned(),
            name: "A".to_owned(),
            resource_version: version.to_owned(),
            config: Blob::from(config.to_vec()),
            grant_types: vec!["authorization_code".to_owned()],
        };
        let key = dex_core::records::Record::key(&record);
        self.storage
            .transact(dex_storage::Transaction::new(vec![key], move |_| {
                Ok(vec![Write::put(&record)])
            }))
            .await
            .unwrap();
    }

    fn opens(&self) -> usize {
        self.opener.0.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn an_open_connector_is_kept_until_its_record_changes() {
    let world = World::new();
    world.put(b"up", "1").await;
    for _ in 0..3 {
        world.connectors.open("a").await.unwrap();
    }
    assert_eq!(world.opens(), 1);
    // Deleted and created again elsewhere: the version is the same, the configuration is not.
    world.put(b"down", "1").await;
    assert!(world.connectors.open("a").await.is_err());
    world.put(b"up", "2").await;
    world.connectors.open("a").await.unwrap();
    assert_eq!(world.opens(), 3);
}

#[tokio::test]
async fn a_failed_open_is_retried_with_growing_pauses() {
    let world = World::new();
    world.put(b"down", "1").await;
    for (opens, pause) in [(1, 1), (2, 2), (3, 4)] {
        for _ in 0..3 {
            let error = world.connectors.open("a").await.unwrap_err();
            assert!(matches!(error, OpenError::Failed { .. }), "{error}");
        }
        assert_eq!(world.opens(), opens);
        world.clock.advance(Duration::from_secs(pause));
    }
}

#[tokio::test]
async fn many_look_ups_open_once() {
    let world = World::new();
    world.put(b"up", "1").await;
    let all = futures_util::future::join_all((0..50).map(|_| world.connectors.open("a"))).await;
    assert!(all.into_iter().all(|open| open.is_ok()));
    assert_eq!(world.opens(), 1);
}

#[tokio::test]
async fn what_embedders_hand_in_is_listed_last_and_needs_no_opening() {
    let world = World::new();
    world.put(b"up", "1").await;
    let ids: Vec<_> = world
        .connectors
        .list()
        .await
        .unwrap()
        .into_iter()
        .map(|about| about.id)
        .collect();
    assert_eq!(ids, ["a", "embedded"]);
    world.connectors.open("embedded").await.unwrap();
    assert!(matches!(
        world.connectors.open("nobody").await,
        Err(OpenError::Unknown(_))
    ));
    assert_eq!(world.opens(), 0);
}

#[test]
fn an_empty_grant_list_allows_every_grant() {
    let mut about = ConnectorInfo {
        id: String::new(),
        name: String::new(),
        kind: String::new(),
        grant_types: Vec::new(),
    };
    assert!(about.allows_grant("authorization_code"));
    about.grant_types = vec!["implicit".to_owned()];
    assert!(!about.allows_grant("authorization_code"));
}
