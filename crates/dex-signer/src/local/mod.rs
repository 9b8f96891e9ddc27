//! Keys of our own: generated here, stored where Dex stores them, rotated by compare-and-set.

mod decision;
mod emergency;
mod key;
#[cfg(test)]
mod model;
mod pool;

use std::fmt;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use dex_core::Timestamp;
use dex_core::clock::Clock;
use dex_core::entropy::Entropy;
use dex_core::records::{NextSigningKey, SigningKeys};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

pub use emergency::{OldKeys, RotatedNow, rotate_now};

use crate::generate::{self, KeyPair};
use crate::key_set::VerifyingKey;
use crate::{Algorithm, KeyChange, KeySet, KeyStore, Signer, SignerError, SigningKey};
use decision::{Event, Reason, Step};
use key::LocalKey;
use pool::SigningPool;

/// Keys are read again after this long, so that a rotation elsewhere is seen.
const MAX_AGE: Duration = Duration::from_secs(30);
/// How often an unknown key id, or a failure, may cause a read.
const MIN_READ_INTERVAL: Duration = Duration::from_secs(1);
/// Expired keys verify this much longer, for clocks that differ.
const EXPIRY_GRACE: Duration = Duration::from_mins(5);

/// Settings of [`LocalSigner`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalConfig {
    /// How long a key signs. Default: 6 hours, as in Dex. It signs longer if its successor has not been published for
    /// [`publication_lead`](Self::publication_lead) by then.
    pub rotation_period: Duration,
    /// What new keys are made for: one of [`Algorithm::LOCAL`]. A change takes effect at the next rotation. Default: RS256; Dex
    /// offers ES256 besides.
    pub algorithm: Algorithm,
    /// How long a retired key verifies: the lifetime of the tokens it signed. Default: 24 hours, as in Dex.
    pub verification_lifetime: Duration,
    /// How long a key is published before it signs: the `max-age` of the key document (600 s) and a margin for replicas that still
    /// serve the document they have in memory. Default: 660 s. Dex publishes nothing ahead.
    pub publication_lead: Duration,
}

impl Default for LocalConfig {
    fn default() -> Self {
        Self {
            rotation_period: Duration::from_hours(6),
            algorithm: Algorithm::Rs256,
            verification_lifetime: Duration::from_hours(24),
            publication_lead: Duration::from_mins(10 + 1),
        }
    }
}

impl LocalConfig {
    fn check(&self) -> Result<(), SignerError> {
        if self.rotation_period.is_zero() {
            return Err(SignerError::InvalidConfig(
                "the key rotation period must be positive".to_owned(),
            ));
        }
        if !Algorithm::LOCAL.contains(&self.algorithm) {
            return Err(SignerError::InvalidConfig(format!(
                "unsupported local signer algorithm {:?}",
                self.algorithm.name()
            )));
        }
        Ok(())
    }
}

/// What [`LocalSigner::check`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checked {
    /// Nothing was to be done.
    Unchanged,
    /// The stored keys were changed, here or by another replica meanwhile; another check may find more to do.
    Changed,
}

/// Signs with keys it makes and rotates itself, shared with any number of replicas, Dex among them, through a [`KeyStore`].
pub struct LocalSigner {
    store: Arc<dyn KeyStore>,
    config: LocalConfig,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    pool: Arc<SigningPool>,
    current: ArcSwapOption<Loaded>,
    /// Held while the store is asked, so that a burst of requests asks once.
    attempt: Mutex<Attempt>,
}

#[derive(Debug)]
struct Attempt {
    /// No check has succeeded yet.
    starting: bool,
    failed_at: Option<Timestamp>,
}

/// The keys as last read.
struct Loaded {
    at: Timestamp,
    record: SigningKeys,
    /// How many of its verification keys are published.
    published: usize,
    key: Arc<LocalKey>,
    set: Arc<KeySet>,
}

impl Loaded {
    fn is_fresh(&self, now: Timestamp) -> bool {
        now.since(self.at) <= MAX_AGE
    }
}

impl LocalSigner {
    /// Opens the signer and reads the keys if there are any. Makes none: [`run`](Self::run) does, or the first use, so that a first
    /// start answers other requests meanwhile. A store that does not answer yet is not an error here either.
    ///
    /// # Errors
    /// [`SignerError::InvalidConfig`] for a zero period or an algorithm that is not in [`Algorithm::LOCAL`];
    /// [`SignerError::Failed`] when no threads can be started.
    pub async fn open(
        store: Arc<dyn KeyStore>,
        config: LocalConfig,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Arc<Self>, SignerError> {
        config.check()?;
        let pool = SigningPool::start().map_err(|error| SignerError::Failed {
            context: "starting the signing threads",
            source: Box::new(error),
        })?;
        let signer = Self {
            store,
            config,
            clock,
            entropy,
            pool: Arc::new(pool),
            current: ArcSwapOption::empty(),
            attempt: Mutex::new(Attempt {
                starting: true,
                failed_at: None,
            }),
        };
        if let Err(error) = signer.warm_up().await {
            warn!(err = describe(&error), "signing keys not readable yet");
        }
        Ok(Arc::new(signer))
    }

    /// Does what is due, then looks again every half minute until cancelled. Run exactly one of these per signer.
    pub async fn run(&self, cancel: CancellationToken) {
        while !cancel.is_cancelled() {
            match self.check().await {
                Ok(Checked::Changed) => continue,
                Ok(Checked::Unchanged) => {}
                Err(error) => error!(err = describe(&error), "failed to rotate keys"),
            }
            tokio::select! {
                () = tokio::time::sleep(self.pause()) => {}
                () = cancel.cancelled() => {}
            }
        }
    }

    /// One look at the stored keys: reads them, makes or promotes a key if one is due, takes up what is stored then.
    ///
    /// # Errors
    /// From the store, or about a stored key that cannot be used.
    pub async fn check(&self) -> Result<Checked, SignerError> {
        let mut attempt = self.attempt.lock().await;
        self.check_locked(&mut attempt).await
    }

    /// 20 to 30 seconds: replicas started together do not all make a key for the same rotation.
    fn pause(&self) -> Duration {
        let mut byte = [0];
        self.entropy.fill(&mut byte);
        Duration::from_secs(20) + Duration::from_secs(10) * u32::from(byte[0]) / 255
    }

    /// Takes up the stored keys unless there is something to be done first that cannot wait.
    async fn warm_up(&self) -> Result<(), SignerError> {
        let now = self.clock.now();
        let (keys, next) = self.store.load().await?;
        match keys {
            Some(keys) if now < keys.next_rotation => self.take_up(now, keys, next.as_ref()),
            _ => Ok(()),
        }
    }

    async fn check_locked(&self, attempt: &mut Attempt) -> Result<Checked, SignerError> {
        let result = self.advance(attempt.starting).await;
        match &result {
            Ok(_) => {
                attempt.starting = false;
                attempt.failed_at = None;
            }
            Err(_) => attempt.failed_at = Some(self.clock.now()),
        }
        result
    }

    async fn advance(&self, starting: bool) -> Result<Checked, SignerError> {
        let now = self.clock.now();
        let (keys, next) = self.store.load().await?;
        let step = decision::step(
            &self.config,
            now,
            starting,
            keys.clone(),
            next.clone(),
            None,
        );
        let usable = match keys {
            Some(keys) if keys.signing_key.expose().is_some() => {
                self.take_up(now, keys, next.as_ref())
            }
            _ => Ok(()),
        };
        let fresh = match step {
            Step::Nothing => return usable.map(|()| Checked::Unchanged),
            Step::Change(..) => None,
            Step::Generate(reason) => {
                if reason != Reason::NextDue {
                    info!(reason = reason.text(), "rotating signing keys");
                }
                let entropy = Arc::clone(&self.entropy);
                Some(generate_off_worker(self.config.algorithm, entropy).await?)
            }
        };
        if let Some(event) = self.write(starting, fresh).await? {
            log(&event);
        } else {
            info!(
                err = "keys already rotated by another server instance",
                "key rotation not needed"
            );
        }
        self.reload().await?;
        Ok(Checked::Changed)
    }

    /// Decides again inside the store's update; `None` when there was nothing left to do.
    async fn write(
        &self,
        starting: bool,
        fresh: Option<KeyPair>,
    ) -> Result<Option<Event>, SignerError> {
        let outcome = Arc::new(StdMutex::new(None));
        let (slot, config, now) = (Arc::clone(&outcome), self.config.clone(), self.clock.now());
        self.store
            .update(Box::new(move |keys, next| {
                let step = decision::step(&config, now, starting, keys, next, fresh.as_ref());
                let (change, event) = match step {
                    Step::Change(change, event) => (change, Some(event)),
                    Step::Nothing | Step::Generate(_) => (KeyChange::Keep, None),
                };
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = event;
                change
            }))
            .await?;
        let event = outcome
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        Ok(event)
    }

    async fn reload(&self) -> Result<(), SignerError> {
        let now = self.clock.now();
        let (keys, next) = self.store.load().await?;
        self.take_up(now, keys.ok_or(SignerError::NoKey)?, next.as_ref())
    }

    /// Makes the stored keys the ones in use. What has not changed is not parsed again.
    fn take_up(
        &self,
        now: Timestamp,
        record: SigningKeys,
        next: Option<&NextSigningKey>,
    ) -> Result<(), SignerError> {
        let private = record.signing_key.expose().ok_or(SignerError::NoKey)?;
        let before = self.current.load_full();
        let key = match &before {
            Some(before) if before.record.signing_key == record.signing_key => {
                Arc::clone(&before.key)
            }
            _ => Arc::new(LocalKey::read(private, Arc::clone(&self.pool))?),
        };
        let next = next
            .and_then(|next| next.signing_key.expose())
            .map(decision::key_id);
        let verifying: Vec<_> = record
            .verification_keys
            .0
            .iter()
            .flatten()
            .filter(|stored| {
                stored.expiry.saturating_add(EXPIRY_GRACE) >= now
                    || Some(decision::key_id(&stored.public_key)) == next
            })
            .collect();
        let published = verifying.len();
        let set = match &before {
            Some(before) if before.published == published && before.record == record => {
                Arc::clone(&before.set)
            }
            _ => {
                let mut keys = vec![key.public()?];
                for stored in verifying {
                    match VerifyingKey::read(&stored.public_key) {
                        Ok(key) => keys.push(key),
                        Err(error) => warn!(err = %error, "a stored verification key is left out"),
                    }
                }
                Arc::new(KeySet::new(keys))
            }
        };
        self.current.store(Some(Arc::new(Loaded {
            at: now,
            record,
            published,
            key,
            set,
        })));
        Ok(())
    }

    /// The keys in memory, or read now if they are too old or missing.
    async fn loaded(&self) -> Result<Arc<Loaded>, SignerError> {
        let now = self.clock.now();
        let known = self.current.load_full();
        let mut attempt = match &known {
            Some(loaded) if loaded.is_fresh(now) => return Ok(Arc::clone(loaded)),
            // One request reads; the others need not wait for it.
            Some(loaded) if now.since(loaded.at) <= MAX_AGE * 2 => match self.attempt.try_lock() {
                Ok(attempt) => attempt,
                Err(_) => return Ok(Arc::clone(loaded)),
            },
            _ => self.attempt.lock().await,
        };
        self.loaded_since(now, &mut attempt, |loaded| loaded.is_fresh(now))
            .await
    }

    /// Reads the keys unless somebody did while we waited. Keys that are known go on serving when the store fails.
    async fn loaded_since(
        &self,
        now: Timestamp,
        attempt: &mut Attempt,
        is_good: impl Fn(&Loaded) -> bool + Send,
    ) -> Result<Arc<Loaded>, SignerError> {
        let known = self.current.load_full();
        if let Some(loaded) = known.as_ref().filter(|loaded| is_good(loaded)) {
            return Ok(Arc::clone(loaded));
        }
        let has_just_failed = attempt
            .failed_at
            .is_some_and(|at| now.since(at) < MIN_READ_INTERVAL);
        let result = match &known {
            _ if has_just_failed => Err(SignerError::Unavailable {
                context: "the signing keys could not be read a moment ago".to_owned(),
                source: None,
            }),
            None => self.check_locked(attempt).await.map(drop),
            Some(_) => self.reload().await,
        };
        match (result, known) {
            (Ok(()), _) => self.current.load_full().ok_or(SignerError::NoKey),
            (Err(error), Some(known)) => {
                if !has_just_failed {
                    warn!(err = describe(&error), "signing keys not read again");
                    attempt.failed_at = Some(now);
                }
                Ok(known)
            }
            (Err(error), None) => Err(error),
        }
    }
}

#[async_trait]
impl Signer for LocalSigner {
    async fn signing_key(&self) -> Result<Arc<dyn SigningKey>, SignerError> {
        let loaded = self.loaded().await?;
        Ok(Arc::<LocalKey>::clone(&loaded.key))
    }

    async fn key_set(&self) -> Result<Arc<KeySet>, SignerError> {
        Ok(Arc::clone(&self.loaded().await?.set))
    }

    async fn refreshed_key_set(&self) -> Result<Arc<KeySet>, SignerError> {
        let now = self.clock.now();
        let is_recent = |loaded: &Loaded| now.since(loaded.at) < MIN_READ_INTERVAL;
        let known = self.current.load_full();
        if let Some(loaded) = known.as_ref().filter(|loaded| is_recent(loaded)) {
            return Ok(Arc::clone(&loaded.set));
        }
        let mut attempt = self.attempt.lock().await;
        let loaded = self.loaded_since(now, &mut attempt, is_recent).await?;
        Ok(Arc::clone(&loaded.set))
    }

    fn expected_algorithm(&self) -> Algorithm {
        self.current
            .load()
            .as_ref()
            .map_or(self.config.algorithm, |loaded| loaded.key.algorithm())
    }
}

impl fmt::Debug for LocalSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalSigner")
            .field("store", &self.store)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Generation takes up to a second of one core, too long for an async worker, and is rare enough for the blocking pool.
async fn generate_off_worker(
    algorithm: Algorithm,
    entropy: Arc<dyn Entropy>,
) -> Result<KeyPair, SignerError> {
    tokio::task::spawn_blocking(move || generate::key_pair(algorithm, &*entropy))
        .await
        .map_err(|error| SignerError::Failed {
            context: "generating a key pair",
            source: Box::new(error),
        })?
}

fn log(event: &Event) {
    match event {
        Event::Rotated {
            reason,
            kid,
            next_rotation,
        } => info!(reason = reason.text(), %kid, %next_rotation, "keys rotated"),
        Event::Published { kid, signs_from } => {
            info!(%kid, %signs_from, "next signing key published");
        }
        Event::Tidied => info!("unusable next signing key removed"),
    }
}

/// The error with its causes on one line.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
