//! Every order in which two replicas, a Dex, the clock, crashes and lost answers can come, to a depth, with the rules checked after
//! each write. The decisions are the real ones; keys are numbers in the shape of keys.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dex_core::Timestamp;
use dex_core::records::{Json, NextSigningKey, SecretJson, SigningKeys, VerificationKey};
use serde_json::{Value, json};

use super::LocalConfig;
use super::decision::{Step, key_id, step};
use crate::generate::KeyPair;
use crate::{Algorithm, KeyChange};

const TICK: Duration = Duration::from_secs(5);
const DEPTH: usize = 24;

fn config() -> LocalConfig {
    LocalConfig {
        rotation_period: Duration::from_secs(20),
        algorithm: Algorithm::EdDsa,
        verification_lifetime: Duration::from_secs(15),
        publication_lead: Duration::from_secs(10),
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Action {
    Tick,
    /// A Dex on the same database looks and rotates if it is time.
    Dex,
    /// A replica reads the records and, if a key is wanted, makes one.
    Look(usize),
    /// It writes what it then decides.
    Write(usize),
    /// It writes, and is killed before it knows.
    WriteAndDie(usize),
    /// It is killed and starts again.
    Die(usize),
}

const ACTIONS: [Action; 10] = [
    Action::Tick,
    Action::Dex,
    Action::Look(0),
    Action::Write(0),
    Action::WriteAndDie(0),
    Action::Die(0),
    Action::Look(1),
    Action::Write(1),
    Action::WriteAndDie(1),
    Action::Die(1),
];

#[derive(Clone)]
struct Replica {
    starting: bool,
    pending: Option<Pending>,
}

/// It has looked and found something to do, and made a key if one is wanted for that.
#[derive(Clone)]
struct Pending {
    fresh: Option<KeyPair>,
}

#[derive(Clone)]
struct World {
    now: Timestamp,
    keys: Option<SigningKeys>,
    next: Option<NextSigningKey>,
    replicas: [Replica; 2],
    made: u8,
    /// Since when each verification key has been published without a break.
    published: BTreeMap<String, Timestamp>,
    /// Until when each key that has signed must verify.
    owed: BTreeMap<String, Timestamp>,
}

fn pair(number: u8) -> KeyPair {
    let kid = format!("key {number}");
    let text = URL_SAFE_NO_PAD.encode([number; 32]);
    let public = json!({"use": "sig", "kty": "OKP", "kid": kid, "crv": "Ed25519", "alg": "EdDSA", "x": text});
    let mut private = public.clone();
    private["d"] = Value::from(text);
    KeyPair {
        kid,
        private,
        public,
    }
}

impl World {
    fn new() -> Self {
        let replica = Replica {
            starting: true,
            pending: None,
        };
        Self {
            now: Timestamp::from_unix(1_000_000, 0).unwrap(),
            keys: None,
            next: None,
            replicas: [replica.clone(), replica],
            made: 0,
            published: BTreeMap::new(),
            owed: BTreeMap::new(),
        }
    }

    fn make(&mut self) -> KeyPair {
        self.made += 1;
        pair(self.made)
    }

    fn signing(&self) -> Option<String> {
        Some(key_id(self.keys.as_ref()?.signing_key.expose()?))
    }

    fn list(&self) -> Vec<VerificationKey> {
        let list = self
            .keys
            .as_ref()
            .and_then(|k| k.verification_keys.0.clone());
        list.unwrap_or_default()
    }

    /// `None` when the action cannot happen or changes nothing.
    fn after(&self, action: Action) -> Option<Self> {
        let mut world = self.clone();
        match action {
            Action::Tick => world.now = world.now.saturating_add(TICK),
            Action::Dex => world.dex()?,
            Action::Look(who) => world.look(who)?,
            Action::Write(who) => world.write(who)?,
            Action::WriteAndDie(who) => {
                world.write(who)?;
                world.replicas[who].starting = true;
            }
            Action::Die(who) => {
                let replica = &mut world.replicas[who];
                if replica.starting && replica.pending.is_none() {
                    return None;
                }
                replica.starting = true;
                replica.pending = None;
            }
        }
        Some(world)
    }

    fn look(&mut self, who: usize) -> Option<()> {
        let replica = &self.replicas[who];
        if replica.pending.is_some() {
            return None;
        }
        let (starting, keys, next) = (replica.starting, self.keys.clone(), self.next.clone());
        self.replicas[who].pending = match step(&config(), self.now, starting, keys, next, None) {
            Step::Nothing if !starting => return None,
            Step::Nothing => {
                self.replicas[who].starting = false;
                None
            }
            Step::Generate(_) => Some(Pending {
                fresh: Some(self.make()),
            }),
            Step::Change(..) => Some(Pending { fresh: None }),
        };
        Some(())
    }

    fn write(&mut self, who: usize) -> Option<()> {
        let Pending { fresh } = self.replicas[who].pending.take()?;
        let starting = std::mem::replace(&mut self.replicas[who].starting, false);
        let before = self.clone();
        let decided = step(
            &config(),
            self.now,
            starting,
            self.keys.clone(),
            self.next.clone(),
            fresh.as_ref(),
        );
        if let Step::Change(KeyChange::Write { keys, next }, _) = decided {
            self.keys = Some(*keys);
            self.next = next.map(|next| *next);
            self.check_write(&before, starting);
        }
        Some(())
    }

    /// Dex's own rotation (compat: `signer.md` §2.3), with a key of its own.
    fn dex(&mut self) -> Option<()> {
        let mut keys = self.keys.clone().unwrap_or_default();
        if keys.signing_key.expose().is_some() && self.now < keys.next_rotation {
            return None;
        }
        let fresh = self.make();
        let before = self.clone();
        let mut list = keys.verification_keys.0.take().unwrap_or_default();
        list.retain(|key| key.expiry >= self.now);
        if let Some(public_key) = keys.signing_key_pub.0.take() {
            list.push(VerificationKey {
                public_key,
                expiry: self.now.saturating_add(config().verification_lifetime),
            });
        }
        self.keys = Some(SigningKeys {
            id: SigningKeys::ID.to_owned(),
            verification_keys: Json(Some(list)),
            signing_key: SecretJson::from(fresh.private),
            signing_key_pub: Json(Some(fresh.public)),
            next_rotation: self.now.saturating_add(config().rotation_period),
        });
        self.keep_account(&before);
        Some(())
    }

    /// The rules for a write of ours.
    fn check_write(&mut self, before: &Self, starting: bool) {
        let (now, lead) = (self.now, config().publication_lead);
        if let (Some(old), Some(new)) = (before.signing(), self.signing())
            && old != new
        {
            let due = before.keys.as_ref().unwrap().next_rotation;
            assert!(now >= due, "rotated too early");
            let was_published = before
                .published
                .get(&new)
                .is_some_and(|since| since.saturating_add(lead) <= now);
            assert!(
                was_published || (starting && before.next.is_none()),
                "signs without having been published"
            );
        }
        if let Some(next) = &self.next {
            let jwk = next.signing_key.expose().unwrap();
            assert!(jwk.get("d").is_some());
            assert_ne!(Some(key_id(jwk)), self.signing(), "next key signs already");
            let published = |key: &VerificationKey| key_id(&key.public_key) == key_id(jwk);
            assert!(
                self.list().iter().any(published),
                "next key is not published"
            );
        }
        self.keep_account(before);
    }

    /// The rules that hold whoever wrote.
    fn keep_account(&mut self, before: &Self) {
        let now = self.now;
        let list = self.list();
        let mut kids: Vec<String> = list.iter().map(|key| key_id(&key.public_key)).collect();
        for key in &list {
            assert!(key.public_key.get("d").is_none(), "private key published");
        }
        let keys = self.keys.as_ref().unwrap();
        let public = keys.signing_key_pub.0.as_ref().unwrap();
        assert_eq!(Some(key_id(public)), self.signing(), "halves differ");
        if let Some(old) = before
            .signing()
            .filter(|old| Some(old) != self.signing().as_ref())
        {
            self.owed
                .insert(old, now.saturating_add(config().verification_lifetime));
        }
        self.owed.retain(|_, until| *until > now);
        kids.push(self.signing().unwrap());
        for kid in self.owed.keys() {
            assert!(kids.contains(kid), "a retired key went too early");
        }
        let distinct: HashSet<_> = kids.iter().collect();
        assert_eq!(distinct.len(), kids.len(), "a key is listed twice");
        self.published.retain(|kid, _| kids.contains(kid));
        for kid in kids {
            self.published.entry(kid).or_insert(now);
        }
    }

    /// Undisturbed, the key is replaced within a period and two leads.
    fn check_progress(&self) {
        let mut world = self.clone();
        let before = world.signing();
        for _ in 0..9 {
            for who in [0, 1] {
                while world.look(who).is_some() {
                    let _ = world.write(who);
                }
                let _ = world.write(who);
            }
            world.now = world.now.saturating_add(TICK);
        }
        assert_ne!(world.signing(), before, "no rotation");
    }

    /// The state up to the names of keys and the absolute time.
    fn shape(&self) -> String {
        let mut names: Vec<String> = Vec::new();
        let mut name = |kid: String| {
            names
                .iter()
                .position(|known| *known == kid)
                .unwrap_or_else(|| {
                    names.push(kid);
                    names.len() - 1
                })
        };
        let from_now = |at: Timestamp| {
            let seconds = at.unix_secs() - self.now.unix_secs();
            seconds.clamp(-20, 60)
        };
        let mut text = String::new();
        if let Some(keys) = &self.keys {
            let signing = self.signing().map(&mut name);
            write!(text, "{signing:?}@{} ", from_now(keys.next_rotation)).unwrap();
        }
        for key in self.list() {
            let kid = key_id(&key.public_key);
            let since = self.published.get(&kid).map(|at| from_now(*at));
            let owed = self.owed.get(&kid).map(|at| from_now(*at));
            let kid = name(kid);
            write!(text, "{kid}:{}:{since:?}:{owed:?} ", from_now(key.expiry)).unwrap();
        }
        if let Some(next) = &self.next {
            let kid = name(key_id(next.signing_key.expose().unwrap()));
            write!(text, "next {kid}@{} ", from_now(next.published_at)).unwrap();
        }
        for replica in &self.replicas {
            let pending = replica.pending.as_ref().map(|it| it.fresh.is_some());
            write!(text, "{}{pending:?} ", replica.starting).unwrap();
        }
        text
    }
}

#[test]
fn no_order_of_events_breaks_a_rule() {
    let mut seen = HashSet::from([World::new().shape()]);
    let mut worlds = vec![World::new()];
    for _ in 0..DEPTH {
        let mut reached = Vec::new();
        for world in &worlds {
            for world in ACTIONS.iter().filter_map(|action| world.after(*action)) {
                if seen.insert(world.shape()) {
                    reached.push(world);
                }
            }
        }
        worlds = reached;
    }
    assert!(seen.len() > 3000, "only {} states", seen.len());
    for world in worlds.iter().step_by(7) {
        world.check_progress();
    }
}
