//! What has to happen to the stored keys now: pure, so that every rule is a row of a table and every race can be tried.
//!
//! Dex's rules (compat: `signer.md` §2.3) with one addition: the next key is published before it signs. Its public half stands among
//! the verification keys of the shared record, so that a Dex on the same database publishes it too; its private half is ours.

use dex_core::Timestamp;
use dex_core::records::{Json, NextSigningKey, SecretJson, SigningKeys, VerificationKey};
use serde_json::Value;

use super::LocalConfig;
use crate::KeyChange;
use crate::generate::KeyPair;
use crate::jwk::Members;

/// Why a new key is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// There is none at all.
    Missing,
    /// The time for rotation has come and no key was published ahead.
    Expired,
    /// The key after this one is to be published.
    NextDue,
}

impl Reason {
    /// As Dex logs it.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Missing => "missing signing key",
            Self::Expired => "expired",
            Self::NextDue => "next key due",
        }
    }
}

/// What a change achieves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    Rotated {
        reason: Reason,
        kid: String,
        next_rotation: Timestamp,
    },
    Published {
        kid: String,
        signs_from: Timestamp,
    },
    /// A next key of no use was removed.
    Tidied,
}

/// The outcome of a look at the records.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Nothing,
    /// Make a key pair and look again.
    Generate(Reason),
    Change(KeyChange, Event),
}

/// The stored next key, as far as the rules care.
struct Next {
    record: NextSigningKey,
    kid: String,
    public: Value,
}

/// Decides the one next step for the records as they are. `starting` is true until this process has done so once.
pub(super) fn step(
    config: &LocalConfig,
    now: Timestamp,
    starting: bool,
    keys: Option<SigningKeys>,
    next: Option<NextSigningKey>,
    fresh: Option<&KeyPair>,
) -> Step {
    let mut keys = keys.unwrap_or_default();
    SigningKeys::ID.clone_into(&mut keys.id);
    let current = keys.signing_key.expose().map(key_id);
    let (next, tidy) = usable_next(config, starting, current.as_deref(), next, &mut keys);

    if current.is_none() {
        return match (next, fresh) {
            (Some(next), _) => promote(config, now, Reason::Missing, keys, next),
            (None, Some(fresh)) => install(config, now, Reason::Missing, keys, fresh),
            (None, None) => Step::Generate(Reason::Missing),
        };
    }
    let is_due = now >= keys.next_rotation;
    match (next, fresh) {
        (Some(next), _) if !is_published(&keys, &next.kid) => {
            // A Dex on the same database has pruned it; its time of publication starts again.
            publish(config, now, keys, next)
        }
        (Some(next), _)
            if is_due
                && now
                    >= next
                        .record
                        .published_at
                        .saturating_add(config.publication_lead) =>
        {
            promote(config, now, Reason::Expired, keys, next)
        }
        // As Dex does: nobody was there to publish ahead, and the key is over its time.
        (None, Some(fresh)) if is_due && starting => {
            install(config, now, Reason::Expired, keys, fresh)
        }
        (None, None) if is_due && starting => Step::Generate(Reason::Expired),
        (None, fresh) if now.saturating_add(config.publication_lead) >= keys.next_rotation => {
            match fresh {
                Some(fresh) => publish(config, now, keys, Next::of(fresh)),
                None => Step::Generate(Reason::NextDue),
            }
        }
        (None, _) if tidy => change(keys, None, Event::Tidied),
        _ => Step::Nothing,
    }
}

/// For an emergency: `fresh` signs at once, whatever the time; a key published ahead is dropped, as its private half may be known.
pub(super) fn rotate_at_once(
    config: &LocalConfig,
    now: Timestamp,
    keep_old: bool,
    keys: Option<SigningKeys>,
    next: Option<&NextSigningKey>,
    fresh: &KeyPair,
) -> KeyChange {
    let mut keys = keys.unwrap_or_default();
    SigningKeys::ID.clone_into(&mut keys.id);
    let current = keys.signing_key.expose().map(key_id);
    if let Some(kid) = next
        .and_then(|next| next.signing_key.expose())
        .map(key_id)
        .filter(|kid| Some(kid) != current.as_ref())
    {
        withdraw(&mut keys, &kid);
    }
    if !keep_old {
        keys.verification_keys = Json(None);
        keys.signing_key_pub = Json(None);
    }
    take_over(
        config,
        now,
        &mut keys,
        fresh.private.clone(),
        fresh.public.clone(),
    );
    keys.verification_keys.0.take_if(|list| list.is_empty());
    KeyChange::Write {
        keys: Box::new(keys),
        next: None,
    }
}

/// The `kid` of a stored JWK; empty when there is none, as in the header of its tokens.
pub(super) fn key_id(jwk: &Value) -> String {
    jwk.get("kid")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

impl Next {
    fn of(fresh: &KeyPair) -> Self {
        Self {
            record: NextSigningKey {
                id: NextSigningKey::ID.to_owned(),
                signing_key: SecretJson::from(fresh.private.clone()),
                published_at: Timestamp::ZERO,
            },
            kid: fresh.kid.clone(),
            public: fresh.public.clone(),
        }
    }
}

/// The next key if it can become one; otherwise its public half is withdrawn from `keys` and the second value is true.
fn usable_next(
    config: &LocalConfig,
    starting: bool,
    current: Option<&str>,
    next: Option<NextSigningKey>,
    keys: &mut SigningKeys,
) -> (Option<Next>, bool) {
    let Some(record) = next else {
        return (None, false);
    };
    let read = record.signing_key.expose().map(Members::read);
    match read {
        // Promoted already, by a writer that was killed before it removed this record.
        Some(Ok((members, _))) if current == Some(members.kid.as_str()) => (None, true),
        // The configuration has changed since. Only at the start, lest replicas with two configurations replace it in turn.
        Some(Ok((members, algorithm))) if starting && algorithm != config.algorithm => {
            withdraw(keys, &members.kid);
            (None, true)
        }
        Some(Ok((members, _))) if members.d.is_some() => {
            let next = Next {
                record,
                public: members.public().to_value(),
                kid: members.kid,
            };
            (Some(next), false)
        }
        _ => {
            if let Some(jwk) = record.signing_key.expose() {
                withdraw(keys, &key_id(jwk));
            }
            (None, true)
        }
    }
}

fn is_published(keys: &SigningKeys, kid: &str) -> bool {
    verification_keys(keys).any(|key| key_id(&key.public_key) == kid)
}

fn verification_keys(keys: &SigningKeys) -> impl Iterator<Item = &VerificationKey> {
    keys.verification_keys.0.iter().flatten()
}

fn withdraw(keys: &mut SigningKeys, kid: &str) {
    if let Some(list) = &mut keys.verification_keys.0 {
        list.retain(|key| key_id(&key.public_key) != kid);
    }
}

fn publish(config: &LocalConfig, now: Timestamp, mut keys: SigningKeys, next: Next) -> Step {
    let signs_from = keys
        .next_rotation
        .max(now.saturating_add(config.publication_lead));
    keys.verification_keys
        .0
        .get_or_insert_default()
        .push(VerificationKey {
            public_key: next.public,
            // Dex prunes by this when it rotates. One period more than needed, should Dex win the next rotation.
            expiry: signs_from
                .saturating_add(config.rotation_period)
                .saturating_add(config.verification_lifetime),
        });
    let record = NextSigningKey {
        published_at: now,
        ..next.record
    };
    let event = Event::Published {
        kid: next.kid,
        signs_from,
    };
    change(keys, Some(record), event)
}

fn promote(
    config: &LocalConfig,
    now: Timestamp,
    reason: Reason,
    mut keys: SigningKeys,
    next: Next,
) -> Step {
    withdraw(&mut keys, &next.kid);
    let private = next.record.signing_key.expose().cloned();
    take_over(
        config,
        now,
        &mut keys,
        private.unwrap_or_default(),
        next.public,
    );
    rotated(reason, keys, next.kid)
}

fn install(
    config: &LocalConfig,
    now: Timestamp,
    reason: Reason,
    mut keys: SigningKeys,
    fresh: &KeyPair,
) -> Step {
    take_over(
        config,
        now,
        &mut keys,
        fresh.private.clone(),
        fresh.public.clone(),
    );
    rotated(reason, keys, fresh.kid.clone())
}

/// Dex's steps 5 to 7: prune, retire the old key, install the new one.
fn take_over(
    config: &LocalConfig,
    now: Timestamp,
    keys: &mut SigningKeys,
    private: Value,
    public: Value,
) {
    let mut list = keys.verification_keys.0.take().unwrap_or_default();
    list.retain(|key| key.expiry >= now);
    if let Some(old) = keys.signing_key_pub.0.take() {
        list.retain(|key| key.public_key != old);
        list.push(VerificationKey {
            public_key: old,
            expiry: now.saturating_add(config.verification_lifetime),
        });
    }
    keys.verification_keys = Json(Some(list));
    keys.signing_key = SecretJson::from(private);
    keys.signing_key_pub = Json(Some(public));
    keys.next_rotation = now.saturating_add(config.rotation_period);
}

fn rotated(reason: Reason, keys: SigningKeys, kid: String) -> Step {
    let next_rotation = keys.next_rotation;
    change(
        keys,
        None,
        Event::Rotated {
            reason,
            kid,
            next_rotation,
        },
    )
}

fn change(mut keys: SigningKeys, next: Option<NextSigningKey>, event: Event) -> Step {
    // Dex stores `null`, not an empty list.
    keys.verification_keys.0.take_if(|list| list.is_empty());
    let change = KeyChange::Write {
        keys: Box::new(keys),
        next: next.map(Box::new),
    };
    Step::Change(change, event)
}
