//! Model check: the decisions of this module under every order of several requests over several replicas, with lost answers, crashes
//! and time passing. A transaction is one step, as storage promises; everything around it may interleave.

use std::collections::HashSet;
use std::time::Duration;

use super::*;

/// One refresh request of a holder of a token.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Request {
    /// Not sent yet.
    Waiting,
    /// Has read the family and found the secret good; about to commit.
    Read {
        secret: String,
        seen: Timestamp,
    },
    /// Committed (or refused); the answer is on its way.
    Answered {
        token: Option<String>,
    },
    Done,
}

/// Somebody who presents the newest token they were given, for as long as they have requests left.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Holder {
    token: String,
    requests_left: u8,
    request: Request,
    /// Answers that this holder did not get although the family changed.
    lost: u8,
    refused: bool,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    now: i64,
    /// Current and obsolete secret and the time of the last use; `None`: the family has ended.
    family: Option<(String, String, i64)>,
    rotations: u32,
    ended_by_replay: bool,
    holders: Vec<Holder>,
    time_left: u8,
    losses_left: u8,
}

/// Secrets of the model have the shape of real ones, so that reuse detection applies.
fn secret(number: u32) -> String {
    let letter = char::from(b'a' + u8::try_from(number).unwrap());
    letter.to_string().repeat(25)
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_unix(1_000_000 + secs, 0).unwrap()
}

fn record(family: &(String, String, i64)) -> RefreshToken {
    RefreshToken {
        client_id: "app".into(),
        token: family.0.as_str().into(),
        obsolete_token: family.1.as_str().into(),
        last_used: at(family.2),
        created_at: at(0),
        ..RefreshToken::default()
    }
}

impl World {
    fn new(holders: usize, requests: u8, time_left: u8, losses_left: u8) -> Self {
        let token = secret(0);
        Self {
            now: 0,
            family: Some((token.clone(), String::new(), 0)),
            rotations: 0,
            ended_by_replay: false,
            holders: vec![
                Holder {
                    token,
                    requests_left: requests,
                    request: Request::Waiting,
                    lost: 0,
                    refused: false,
                };
                holders
            ],
            time_left,
            losses_left,
        }
    }

    fn verdict(
        &self,
        secret: &str,
        policy: &RefreshPolicy,
        now: Timestamp,
    ) -> Result<Redemption, RefreshRejected> {
        let record = self.family.as_ref().map(record);
        decide(record.as_ref(), "app", secret, policy, now)
    }

    /// Every world that one step can lead to.
    fn steps(&self, policy: &RefreshPolicy) -> Vec<World> {
        let mut worlds = Vec::new();
        if self.time_left > 0 {
            // Beyond the 30 s in which requests may cross, or well within.
            for secs in [1, 31] {
                let mut world = self.clone();
                world.time_left -= 1;
                world.now += secs;
                worlds.push(world);
            }
        }
        for index in 0..self.holders.len() {
            self.steps_of(index, policy, &mut worlds);
        }
        worlds
    }

    fn steps_of(&self, index: usize, policy: &RefreshPolicy, worlds: &mut Vec<World>) {
        let holder = &self.holders[index];
        let with = |change: &dyn Fn(&mut World)| {
            let mut world = self.clone();
            change(&mut world);
            world
        };
        match holder.request.clone() {
            Request::Waiting if holder.requests_left > 0 => {
                worlds.push(with(&|world| {
                    let (now, token) = (at(world.now), holder.token.clone());
                    let verdict = world.verdict(&token, policy, now);
                    let holder = &mut world.holders[index];
                    holder.requests_left -= 1;
                    holder.request = match verdict {
                        Ok(_) => Request::Read {
                            secret: token,
                            seen: now,
                        },
                        Err(_) => Request::Answered { token: None },
                    };
                    if verdict == Err(RefreshRejected::Reused) {
                        world.end();
                    }
                }));
            }
            Request::Read { secret, seen } => {
                worlds.push(with(&|world| world.commit(index, &secret, seen, policy)));
                if self.losses_left > 0 {
                    // The process dies before it commits.
                    worlds.push(with(&|world| {
                        world.losses_left -= 1;
                        world.holders[index].request = Request::Waiting;
                    }));
                }
            }
            Request::Answered { token } => {
                worlds.push(with(&|world| {
                    let holder = &mut world.holders[index];
                    match &token {
                        Some(token) => holder.token.clone_from(token),
                        None => holder.refused = true,
                    }
                    holder.request = if holder.refused {
                        Request::Done
                    } else {
                        Request::Waiting
                    };
                }));
                if self.losses_left > 0 && token.is_some() {
                    // The answer is lost; the holder will try again with what it has.
                    worlds.push(with(&|world| {
                        world.losses_left -= 1;
                        world.holders[index].lost += 1;
                        world.holders[index].request = Request::Waiting;
                    }));
                }
            }
            Request::Waiting | Request::Done => {}
        }
    }

    /// The transaction: the decision is taken again on what is stored then.
    fn commit(&mut self, index: usize, presented: &str, now: Timestamp, policy: &RefreshPolicy) {
        let verdict = self.verdict(presented, policy, now);
        let token = match (verdict, self.family.as_ref().map(record)) {
            (Ok(redemption), Some(before)) => {
                let next = secret(self.rotations + 1);
                let renewal = Renewal {
                    next_secret: next.into(),
                    claims: Claims::default(),
                    connector_data: Blob::default(),
                };
                let current = before.token.clone();
                let after = apply(redemption, before, &renewal, now);
                if redemption == Redemption::Rotate {
                    assert_eq!(current.expose(), presented, "only the live token rotates");
                    self.rotations += 1;
                }
                let last_used = after.last_used.unix_secs() - 1_000_000;
                let answer = answer_secret(&after, presented, policy).to_owned();
                self.family = Some((
                    after.token.expose().to_owned(),
                    after.obsolete_token.expose().to_owned(),
                    last_used,
                ));
                Some(answer)
            }
            (verdict, _) => {
                if verdict == Err(RefreshRejected::Reused) {
                    self.end();
                }
                None
            }
        };
        self.holders[index].request = Request::Answered { token };
    }

    fn end(&mut self) {
        self.family = None;
        self.ended_by_replay = true;
    }
}

/// Visits every world that can be reached and checks it.
fn explore(start: World, policy: &RefreshPolicy, check: impl Fn(&World)) -> usize {
    let mut seen = HashSet::new();
    let mut open = vec![start];
    while let Some(world) = open.pop() {
        if !seen.insert(world.clone()) {
            continue;
        }
        check(&world);
        open.extend(world.steps(policy));
    }
    seen.len()
}

fn policy(reuse_secs: u64) -> RefreshPolicy {
    RefreshPolicy {
        reuse_interval: Duration::from_secs(reuse_secs),
        ..RefreshPolicy::default()
    }
}

/// No holder believes in a token that the family never had, and at most one secret is live.
fn tokens_are_real(world: &World) {
    for holder in &world.holders {
        assert!((0..=world.rotations).any(|n| secret(n) == holder.token));
    }
    if let Some((current, obsolete, _)) = &world.family {
        assert_eq!(
            *current,
            secret(world.rotations),
            "the newest secret is the live one"
        );
        assert_ne!(current, obsolete);
    }
}

#[test]
fn a_single_client_that_gets_its_answers_is_never_refused() {
    let visited = explore(World::new(1, 4, 3, 0), &policy(0), |world| {
        tokens_are_real(world);
        assert!(!world.holders[0].refused);
        assert!(!world.ended_by_replay);
    });
    assert!(visited > 50, "{visited}");
}

#[test]
fn a_crash_before_the_commit_costs_nothing() {
    let visited = explore(World::new(1, 4, 2, 2), &policy(0), |world| {
        tokens_are_real(world);
        let holder = &world.holders[0];
        assert!(
            !holder.refused || holder.lost > 0,
            "only a lost answer can hurt"
        );
    });
    assert!(visited > 100, "{visited}");
}

#[test]
fn a_lost_answer_is_given_again_within_the_reuse_interval() {
    let visited = explore(World::new(1, 4, 0, 2), &policy(60), |world| {
        tokens_are_real(world);
        assert!(!world.holders[0].refused);
        assert!(!world.ended_by_replay);
    });
    assert!(visited > 20, "{visited}");
}

/// Two tabs of one client, no time passing between: whatever the order, the family survives, and somebody holds its live token.
#[test]
fn requests_that_cross_each_other_never_end_the_family() {
    let visited = explore(World::new(3, 1, 0, 0), &policy(0), |world| {
        tokens_are_real(world);
        assert!(!world.ended_by_replay);
        assert!(world.rotations <= 1, "one token is redeemed once");
        let answers = world
            .holders
            .iter()
            .filter(|holder| {
                holder.token != secret(0)
                    || matches!(&holder.request, Request::Answered { token: Some(_) })
            })
            .count();
        assert!(answers <= 1, "and one request gets the new one");
        let settled = world.holders.iter().all(|holder| {
            holder.requests_left == 0 && matches!(holder.request, Request::Waiting | Request::Done)
        });
        if settled {
            assert_eq!(answers, 1);
        }
    });
    assert!(visited > 50, "{visited}");
}

/// A thief and the client hold the same token. Once both have come back after the crossing time with what they have, nobody can go on:
/// the family has ended, or one of them has already been refused for good.
#[test]
fn a_stolen_token_does_not_serve_two_for_long() {
    let visited = explore(World::new(2, 3, 3, 0), &policy(0), |world| {
        tokens_are_real(world);
        let holds_live = |holder: &&Holder| {
            !holder.refused
                && world
                    .family
                    .as_ref()
                    .is_some_and(|(current, ..)| *current == holder.token)
        };
        if world.rotations > 0 {
            assert!(
                world.holders.iter().filter(holds_live).count() <= 1,
                "at most one of them holds the live token"
            );
        }
    });
    assert!(visited > 1000, "{visited}");
}

#[test]
fn with_a_reuse_interval_every_secret_but_two_is_dead() {
    let visited = explore(World::new(2, 3, 2, 1), &policy(10), |world| {
        tokens_are_real(world);
        let alive = (0..=world.rotations)
            .filter(|n| {
                world
                    .verdict(&secret(*n), &policy(10), at(world.now))
                    .is_ok()
            })
            .count();
        assert!(alive <= 2, "the live one and the one it replaced");
        assert_eq!(alive == 0, world.family.is_none());
    });
    assert!(visited > 1000, "{visited}");
}
