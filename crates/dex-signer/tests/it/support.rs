//! Signers on a shared store and a shared clock.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dex_core::Timestamp;
use dex_core::clock::ManualClock;
use dex_core::entropy::SystemEntropy;
use dex_core::records::{NextSigningKey, SigningKeys};
use dex_signer::{
    Algorithm, Checked, DecideKeys, KeyStore, LocalConfig, LocalSigner, MemoryKeyStore, Signer,
    SignerError,
};
use serde_json::Value;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const HOUR: Duration = Duration::from_hours(1);

/// A memory store that counts what it is asked and can be switched off.
#[derive(Default)]
pub(crate) struct TestStore {
    pub(crate) inner: MemoryKeyStore,
    pub(crate) loads: AtomicUsize,
    pub(crate) is_down: AtomicBool,
}

impl TestStore {
    pub(crate) fn with(keys: SigningKeys) -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryKeyStore::with(keys, None),
            ..Self::default()
        })
    }

    pub(crate) async fn keys(&self) -> SigningKeys {
        self.inner.load().await.unwrap().0.unwrap()
    }

    pub(crate) async fn next(&self) -> Option<NextSigningKey> {
        self.inner.load().await.unwrap().1
    }

    fn answer(&self) -> Result<(), SignerError> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(SignerError::Unavailable {
                context: "the store is down".to_owned(),
                source: None,
            });
        }
        Ok(())
    }
}

impl fmt::Debug for TestStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TestStore")
    }
}

#[async_trait]
impl KeyStore for TestStore {
    async fn load(&self) -> Result<(Option<SigningKeys>, Option<NextSigningKey>), SignerError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.answer()?;
        self.inner.load().await
    }

    async fn update(&self, decide: DecideKeys) -> Result<(), SignerError> {
        self.answer()?;
        self.inner.update(decide).await
    }
}

/// One store, one clock, any number of signers.
pub(crate) struct World {
    pub(crate) store: Arc<TestStore>,
    pub(crate) clock: ManualClock,
    pub(crate) config: LocalConfig,
}

impl World {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let mut config = LocalConfig::default();
        config.algorithm = algorithm;
        Self {
            store: Arc::default(),
            clock: ManualClock::at(start()),
            config,
        }
    }

    pub(crate) fn on(mut self, store: Arc<TestStore>) -> Self {
        self.store = store;
        self
    }

    pub(crate) async fn open(&self) -> Arc<LocalSigner> {
        LocalSigner::open(
            Arc::<TestStore>::clone(&self.store),
            self.config.clone(),
            Arc::new(self.clock.clone()),
            Arc::new(SystemEntropy::new()),
        )
        .await
        .unwrap()
    }

    /// A signer that has done what was due.
    pub(crate) async fn start(&self) -> Arc<LocalSigner> {
        let signer = self.open().await;
        settle(&signer).await;
        signer
    }

    /// Moves the clock in the steps in which a running signer looks at its keys.
    pub(crate) async fn run(&self, signers: &[&Arc<LocalSigner>], by: Duration) {
        let mut left = by;
        while !left.is_zero() {
            let step = left.min(Duration::from_secs(25));
            self.clock.advance(step);
            left -= step;
            for signer in signers {
                settle(signer).await;
            }
        }
    }
}

/// 2026-08-06, noon.
pub(crate) fn start() -> Timestamp {
    Timestamp::from_unix(1_786_017_600, 0).unwrap()
}

/// What `run` does between two pauses.
pub(crate) async fn settle(signer: &LocalSigner) {
    while signer.check().await.unwrap() == Checked::Changed {}
}

pub(crate) async fn sign(signer: &LocalSigner, payload: &str) -> String {
    let key = signer.signing_key().await.unwrap();
    key.sign(None, payload.into()).await.unwrap()
}

pub(crate) async fn kids(signer: &LocalSigner) -> Vec<String> {
    let set = signer.key_set().await.unwrap();
    set.key_ids().map(str::to_owned).collect()
}

pub(crate) async fn signing_kid(signer: &LocalSigner) -> String {
    signer.signing_key().await.unwrap().id().to_owned()
}

pub(crate) async fn jwks(signer: &LocalSigner) -> Value {
    serde_json::from_slice(&signer.key_set().await.unwrap().jwks()).unwrap()
}

pub(crate) fn part(token: &str, number: usize) -> Vec<u8> {
    URL_SAFE_NO_PAD
        .decode(token.split('.').nth(number).unwrap())
        .unwrap()
}

pub(crate) fn header(token: &str) -> String {
    String::from_utf8(part(token, 0)).unwrap()
}
