//! The provider under test.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use axum::body::Body;
use dex_connectors::Connector;
use dex_core::Timestamp;
use dex_core::clock::ManualClock;
use dex_core::entropy::{Entropy, SystemEntropy};
use dex_core::records::{self, Blob, Client, Entity, Password, Record, RecordKey, Row};
use dex_http::{Issuer, Policy};
use dex_signer::{Algorithm, LocalConfig, LocalSigner, MemoryKeyStore};
use dex_storage::memory::Memory;
use dex_storage::{Collected, Storage, StorageError, StorageExt as _, Transaction, Write};
use http::{Request, Response};
use tower::util::BoxCloneSyncService;

use super::Browser;

pub(crate) const ISSUER: &str = "http://127.0.0.1:5556/dex";
pub(crate) const CLIENT_ID: &str = "app";
pub(crate) const CLIENT_SECRET: &str = "app-secret";
pub(crate) const REDIRECT_URI: &str = "http://127.0.0.1:5555/callback";
pub(crate) const USER_EMAIL: &str = "admin@example.com";
pub(crate) const PASSWORD: &str = "password";

/// bcrypt of [`PASSWORD`], cost 10.
const PASSWORD_HASH: &str = "$2a$10$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W";

/// Sunday, 2026-08-06T12:00:00Z: where every test's clock starts.
const START: i64 = 1_786_017_600;

/// How the service is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mount {
    /// It gets whole paths.
    Root,
    /// Inside an axum router, under the issuer's path.
    Nested,
}

/// The service, ready for browsers.
#[derive(Clone)]
pub(crate) struct Mounted {
    pub(super) service:
        BoxCloneSyncService<Request<Body>, Response<Body>, std::convert::Infallible>,
    /// Scheme, host and port of the issuer.
    pub(super) origin: String,
}

/// A provider under test, and a builder of one.
pub(crate) struct TestProvider {
    pub(crate) storage: Arc<CountingStorage>,
    pub(crate) clock: ManualClock,
    pub(crate) issuer_url: String,
    pub(crate) issuer: Issuer,
    mounted: Mounted,
}

/// What the provider under test is made of.
pub(crate) struct TestBuilder {
    issuer: String,
    policy: Policy,
    mount: Mount,
    entropy: Arc<dyn Entropy>,
    clients: Vec<Client>,
    connectors: Vec<records::Connector>,
    handed_in: Vec<(String, String, Arc<dyn Connector>)>,
    passwords: Vec<Password>,
    frontend: dex_http::pages::FrontendOptions,
    store: Option<Arc<CountingStorage>>,
    clock: ManualClock,
    algorithm: Algorithm,
    health: dex_http::Health,
}

impl TestProvider {
    /// Without clients and connectors; see [`TestBuilder`].
    #[expect(clippy::new_ret_no_self, reason = "begins the builder")]
    pub(crate) fn new() -> TestBuilder {
        super::keep_logging();
        TestBuilder {
            issuer: ISSUER.to_owned(),
            policy: Policy::default(),
            mount: Mount::Root,
            entropy: Arc::new(SystemEntropy::new()),
            clients: Vec::new(),
            connectors: Vec::new(),
            handed_in: Vec::new(),
            passwords: Vec::new(),
            frontend: dex_http::pages::FrontendOptions::default(),
            store: None,
            clock: ManualClock::at(Timestamp::from_unix(START, 0).unwrap()),
            // Made in a moment, unlike RSA keys.
            algorithm: Algorithm::Es256,
            health: dex_http::Health::default(),
        }
    }

    /// The setup of the compatibility texts: client `app`, one `mockCallback` connector `mock`.
    pub(crate) fn usual() -> TestBuilder {
        Self::new()
            .client(app())
            .connector(mock_callback("mock", "Example"))
    }

    /// `mock` and the password database with one user.
    pub(crate) fn with_password_db() -> TestBuilder {
        Self::usual().connector(local()).password(user())
    }

    /// A browser without cookies.
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.mounted.clone())
    }

    /// A path below the issuer's.
    pub(crate) fn path(&self, route: &str) -> String {
        let prefix = url::Url::parse(&self.issuer_url)
            .unwrap()
            .path()
            .trim_end_matches('/')
            .to_owned();
        format!("{prefix}{route}")
    }

    /// Stored records of an entity.
    pub(crate) async fn rows(&self, entity: Entity) -> Vec<Row> {
        self.storage.list(entity).await.unwrap()
    }

    /// Stored records, typed.
    pub(crate) async fn all<R: Record>(&self) -> Vec<R> {
        self.storage.all::<R>().await.unwrap()
    }

    /// Writes a record, whether or not it exists.
    pub(crate) async fn put(&self, record: &impl Record) {
        put(self.storage.as_ref(), record).await;
    }
}

async fn put(storage: &dyn Storage, record: &impl Record) {
    let row = record.to_row();
    storage
        .transact(Transaction::new(vec![row.key()], move |_| {
            Ok(vec![Write::Put(row.clone())])
        }))
        .await
        .unwrap();
}

impl TestBuilder {
    /// The issuer's URL. Default [`ISSUER`].
    pub(crate) fn issuer(mut self, url: &str) -> Self {
        url.clone_into(&mut self.issuer);
        self
    }

    /// Changes the policy.
    pub(crate) fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.policy);
        self
    }

    /// How the service is mounted. Default at the root.
    pub(crate) fn mount(mut self, mount: Mount) -> Self {
        self.mount = mount;
        self
    }

    /// The generator. Default: the system's.
    pub(crate) fn entropy(mut self, entropy: impl Entropy) -> Self {
        self.entropy = Arc::new(entropy);
        self
    }

    /// Adds a client.
    pub(crate) fn client(mut self, client: Client) -> Self {
        self.clients.push(client);
        self
    }

    /// Adds a stored connector.
    pub(crate) fn connector(mut self, connector: records::Connector) -> Self {
        self.connectors.push(connector);
        self
    }

    /// Hands in an open connector.
    pub(crate) fn open_connector(
        mut self,
        id: &str,
        name: &str,
        connector: impl Connector,
    ) -> Self {
        self.handed_in
            .push((id.to_owned(), name.to_owned(), Arc::new(connector)));
        self
    }

    /// Adds a person to the password database.
    pub(crate) fn password(mut self, password: Password) -> Self {
        self.passwords.push(password);
        self
    }

    /// How pages look.
    pub(crate) fn frontend(mut self, frontend: dex_http::pages::FrontendOptions) -> Self {
        self.frontend = frontend;
        self
    }

    /// Keeps records in `storage` instead of memory.
    pub(crate) fn storage(mut self, storage: Arc<dyn Storage>) -> Self {
        self.store = Some(Arc::new(CountingStorage::over(storage)));
        self
    }

    /// What tokens are signed with. Default: ES256.
    pub(crate) fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// What `/healthz` tells.
    pub(crate) fn health(mut self, health: dex_http::Health) -> Self {
        self.health = health;
        self
    }

    /// Shares storage and clock with another provider, as a second replica does.
    pub(crate) fn replica_of(mut self, other: &TestProvider) -> Self {
        self.store = Some(Arc::clone(&other.storage));
        self.clock = other.clock.clone();
        self
    }

    pub(crate) async fn build(self) -> TestProvider {
        let storage = self.store.unwrap_or_default();
        for record in &self.clients {
            put(storage.as_ref(), record).await;
        }
        for record in &self.connectors {
            put(storage.as_ref(), record).await;
        }
        for record in &self.passwords {
            put(storage.as_ref(), record).await;
        }
        let mut config = LocalConfig::default();
        config.algorithm = self.algorithm;
        let signer = LocalSigner::open(
            Arc::new(MemoryKeyStore::new()),
            config,
            Arc::new(self.clock.clone()),
            Arc::new(SystemEntropy::new()),
        )
        .await
        .unwrap();
        let mut builder = Issuer::builder(&self.issuer, storage.clone(), signer)
            .policy(self.policy)
            .clock(Arc::new(self.clock.clone()))
            .entropy(self.entropy)
            .health(self.health)
            .frontend(self.frontend);
        for (id, name, connector) in self.handed_in {
            builder = builder.connector(id, name, connector);
        }
        let issuer = builder.build().unwrap();
        storage.forget_writes();
        TestProvider {
            mounted: mount(self.mount, &self.issuer, issuer.clone()),
            storage,
            clock: self.clock,
            issuer_url: self.issuer,
            issuer,
        }
    }
}

fn mount(how: Mount, issuer_url: &str, issuer: Issuer) -> Mounted {
    let url = url::Url::parse(issuer_url).unwrap();
    let service = issuer.into_service();
    let service = match how {
        Mount::Root => BoxCloneSyncService::new(service),
        Mount::Nested => {
            BoxCloneSyncService::new(axum::Router::new().nest_service(url.path(), service))
        }
    };
    Mounted {
        service,
        origin: url.origin().ascii_serialization(),
    }
}

/// The confidential client `app`.
pub(crate) fn app() -> Client {
    Client {
        id: CLIENT_ID.to_owned(),
        secret: CLIENT_SECRET.into(),
        redirect_uris: vec![REDIRECT_URI.to_owned()],
        name: "Example App".to_owned(),
        ..Client::default()
    }
}

/// The password database as a connector.
pub(crate) fn local() -> records::Connector {
    connector("local", "local", "Email", "{}")
}

/// A connector that signs everybody in as Kilgore Trout.
pub(crate) fn mock_callback(id: &str, name: &str) -> records::Connector {
    connector(id, "mockCallback", name, "{}")
}

fn connector(id: &str, kind: &str, name: &str, config: &str) -> records::Connector {
    records::Connector {
        id: id.to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        resource_version: "1".to_owned(),
        config: Blob::from(config.as_bytes().to_vec()),
        grant_types: Vec::new(),
    }
}

/// The person in the password database: [`USER_EMAIL`], [`PASSWORD`].
pub(crate) fn user() -> Password {
    Password {
        email: USER_EMAIL.to_owned(),
        hash: Blob::from(PASSWORD_HASH.as_bytes().to_vec()),
        username: "admin".to_owned(),
        user_id: "08a8684b-db88-4b73-90a9-3cd1661f5466".to_owned(),
        ..Password::default()
    }
}

/// A store that counts what is read and written, and can be told to fail.
#[derive(Debug)]
pub(crate) struct CountingStorage {
    inner: Arc<dyn Storage>,
    reads: AtomicUsize,
    transactions: AtomicUsize,
    failing: std::sync::atomic::AtomicBool,
    read_only: std::sync::atomic::AtomicBool,
}

impl Default for CountingStorage {
    fn default() -> Self {
        Self::over(Arc::new(Memory::new()))
    }
}

impl CountingStorage {
    /// Counts what goes to `inner`.
    pub(crate) fn over(inner: Arc<dyn Storage>) -> Self {
        Self {
            inner,
            reads: AtomicUsize::default(),
            transactions: AtomicUsize::default(),
            failing: std::sync::atomic::AtomicBool::default(),
            read_only: std::sync::atomic::AtomicBool::default(),
        }
    }

    /// Single reads since [`forget_writes`](Self::forget_writes).
    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }

    /// Transactions that took effect since the provider was built.
    pub(crate) fn writes(&self) -> usize {
        self.transactions.load(Ordering::Relaxed)
    }

    pub(crate) fn forget_writes(&self) {
        self.transactions.store(0, Ordering::Relaxed);
        self.reads.store(0, Ordering::Relaxed);
    }

    /// From now on every operation fails, or none does.
    pub(crate) fn fail(&self, failing: bool) {
        self.failing.store(failing, Ordering::Relaxed);
    }

    /// From now on reads work and writes fail, as on a full disk; or both work.
    pub(crate) fn fail_writes(&self, failing: bool) {
        self.read_only.store(failing, Ordering::Relaxed);
    }

    fn check(&self) -> Result<(), StorageError> {
        if self.failing.load(Ordering::Relaxed) {
            return Err(StorageError::Unavailable {
                context: "the test pulled the plug".to_owned(),
                source: None,
            });
        }
        Ok(())
    }
}

#[async_trait]
impl Storage for CountingStorage {
    async fn get(&self, key: &RecordKey) -> Result<Option<Row>, StorageError> {
        self.check()?;
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.get(key).await
    }

    async fn list(&self, entity: Entity) -> Result<Vec<Row>, StorageError> {
        self.check()?;
        self.inner.list(entity).await
    }

    async fn transact(&self, transaction: Transaction) -> Result<(), StorageError> {
        self.check()?;
        if self.read_only.load(Ordering::Relaxed) {
            return Err(StorageError::Unavailable {
                context: "the disk is full".to_owned(),
                source: None,
            });
        }
        self.inner.transact(transaction).await?;
        self.transactions.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn collect_garbage(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Collected, StorageError> {
        self.inner.collect_garbage(now, limit).await
    }

    async fn check_health(&self) -> Result<(), StorageError> {
        self.check()
    }

    async fn close(&self) {}
}
