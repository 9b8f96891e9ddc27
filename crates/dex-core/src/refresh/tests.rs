use proptest::prelude::*;

use super::*;

const NEW: &str = "bcdefghijklmnopqrstuvwxyz23456723";
const OLD: &str = "abcdefghijklmnopqrstuvwxyz2345672";
const OLDER: &str = "zabcdefghijklmnopqrstuvwxyz234567";
const OLDER_OF_DEX: &str = "zabcdefghijklmnopqrstuvwx";

fn at(secs: i64) -> Timestamp {
    Timestamp::from_unix(1_000_000 + secs, 0).unwrap()
}

/// Rotated at 100 s, ten seconds after login.
fn family() -> RefreshToken {
    RefreshToken {
        id: "family".into(),
        client_id: "app".into(),
        connector_id: "mock".into(),
        scopes: vec!["openid".into(), "email".into()],
        claims: Claims {
            user_id: "u".into(),
            username: "Old Name".into(),
            ..Claims::default()
        },
        connector_data: b"old".to_vec().into(),
        token: NEW.into(),
        obsolete_token: OLD.into(),
        created_at: at(90),
        last_used: at(100),
        ..RefreshToken::default()
    }
}

fn policy(rotate: bool, reuse_secs: u64) -> RefreshPolicy {
    RefreshPolicy {
        rotate,
        reuse_interval: Duration::from_secs(reuse_secs),
        ..RefreshPolicy::default()
    }
}

fn judge(secret: &str, policy: &RefreshPolicy, now: i64) -> Result<Redemption, RefreshRejected> {
    decide(Some(&family()), "app", secret, policy, at(now))
}

/// compat: `tokens.md` §6.5 and §6.4 step 5, each row; and reuse detection.
#[test]
fn a_presented_secret_is_judged_by_rotation_and_reuse() {
    use Redemption::{Renew, Repeat, Rotate};
    use RefreshRejected::{Malformed, Reused, Superseded};
    for (rotate, reuse, secret, now, expected) in [
        // rotation on, no reuse
        (true, 0, NEW, 100, Ok(Rotate)),
        (true, 0, NEW, 5_000, Ok(Rotate)),
        (true, 0, OLD, 100, Err(Superseded)),
        (true, 0, OLD, 130, Err(Superseded)),
        (true, 0, OLD, 131, Err(Reused)),
        (true, 0, OLDER, 101, Err(Reused)),
        (true, 0, OLDER_OF_DEX, 101, Err(Reused)),
        // rotation on, reuse within 10 s of the last use
        (true, 10, NEW, 110, Ok(Repeat)),
        (true, 10, OLD, 110, Ok(Repeat)),
        (true, 10, NEW, 111, Ok(Rotate)),
        (true, 10, OLD, 111, Err(Superseded)),
        (true, 10, OLD, 131, Err(Reused)),
        (true, 10, OLDER, 105, Err(Reused)),
        // a long reuse interval
        (true, 3600, OLD, 3_700, Ok(Repeat)),
        (true, 3600, OLD, 3_701, Err(Reused)),
        // rotation off
        (false, 0, NEW, 100, Ok(Renew)),
        (false, 0, OLD, 131, Err(Reused)),
        (false, 10, NEW, 110, Ok(Repeat)),
        (false, 10, OLD, 110, Ok(Repeat)),
        (false, 10, NEW, 111, Ok(Renew)),
        // never a secret of ours
        (true, 0, "", 500, Err(Malformed)),
        (true, 0, "x", 500, Err(Malformed)),
        (true, 0, "ABCDEFGHIJKLMNOPQRSTUVWXY", 500, Err(Malformed)),
    ] {
        assert_eq!(
            judge(secret, &policy(rotate, reuse), now),
            expected,
            "rotate {rotate}, reuse {reuse}, {secret} at {now}"
        );
    }
}

#[test]
fn o17_a_truncated_or_extended_secret_is_invalid_and_ends_nothing() {
    let policy = policy(true, 0);
    for known in [NEW, OLD] {
        for cut in 0..known.len() {
            assert_eq!(
                judge(&known[..cut], &policy, 500),
                Err(RefreshRejected::Malformed),
                "{cut}"
            );
        }
        for more in ["a", "=", "aaaaaaaa"] {
            assert_eq!(
                judge(&format!("{known}{more}"), &policy, 500),
                Err(RefreshRejected::Malformed)
            );
        }
    }
    let of_dex = RefreshToken {
        token: "abcdefghijklmnopqrstuvwxy".into(),
        obsolete_token: SecretText::default(),
        ..family()
    };
    let stretched = "abcdefghijklmnopqrstuvwxyaaaaaaaa";
    assert_eq!(
        decide(Some(&of_dex), "app", stretched, &policy, at(500)),
        Err(RefreshRejected::Malformed)
    );
}

#[test]
fn an_empty_obsolete_secret_matches_nothing() {
    let record = RefreshToken {
        obsolete_token: SecretText::default(),
        ..family()
    };
    assert_eq!(
        decide(Some(&record), "app", "", &policy(true, 60), at(101)),
        Err(RefreshRejected::Malformed)
    );
}

#[test]
fn the_family_must_exist_and_belong_to_the_client() {
    let policy = policy(true, 0);
    assert_eq!(
        decide(None, "app", NEW, &policy, at(100)),
        Err(RefreshRejected::Unknown)
    );
    for secret in [NEW, OLD, OLDER, ""] {
        assert_eq!(
            decide(Some(&family()), "other", secret, &policy, at(500)),
            Err(RefreshRejected::OtherClient)
        );
    }
}

/// compat: `tokens.md` §6.3: strictly later than the limit counts as passed, zero is no limit.
#[test]
fn lifetimes_end_strictly_after_the_limit() {
    let secs = |secs| Some(Duration::from_secs(secs));
    for (absolute, idle, now, expected) in [
        (None, None, 1_000_000, Ok(Redemption::Rotate)),
        (secs(0), secs(0), 1_000_000, Ok(Redemption::Rotate)),
        (secs(50), None, 140, Ok(Redemption::Rotate)),
        (secs(50), None, 141, Err(RefreshRejected::Expired)),
        (None, secs(50), 150, Ok(Redemption::Rotate)),
        (None, secs(50), 151, Err(RefreshRejected::Idle)),
        (secs(50), secs(50), 151, Err(RefreshRejected::Expired)),
    ] {
        let policy = RefreshPolicy {
            absolute_lifetime: absolute,
            valid_if_not_used_for: idle,
            ..RefreshPolicy::default()
        };
        assert_eq!(
            judge(NEW, &policy, now),
            expected,
            "{absolute:?} {idle:?} {now}"
        );
    }
    let policy = RefreshPolicy {
        absolute_lifetime: secs(1),
        ..RefreshPolicy::default()
    };
    assert_eq!(
        judge(OLDER, &policy, 5_000),
        Err(RefreshRejected::Reused),
        "a replay is noticed however old the family is"
    );
}

fn renewal() -> Renewal {
    Renewal {
        next_secret: "next".into(),
        claims: Claims {
            user_id: "somebody else".into(),
            username: "New Name".into(),
            email_verified: true,
            groups: vec!["g".into()],
            ..Claims::default()
        },
        connector_data: b"new".to_vec().into(),
    }
}

#[test]
fn a_rotation_replaces_the_secret_and_keeps_the_user() {
    let record = apply(Redemption::Rotate, family(), &renewal(), at(500));
    assert_eq!(
        (record.token.expose(), record.obsolete_token.expose()),
        ("next", NEW)
    );
    assert_eq!((record.last_used, record.created_at), (at(500), at(90)));
    assert_eq!(record.claims.user_id, "u");
    assert_eq!(record.claims.username, "New Name");
    assert_eq!(record.claims.groups, ["g"]);
    assert_eq!(record.connector_data.expose(), b"new");
    assert_eq!((record.id.as_str(), record.scopes.len()), ("family", 2));
}

#[test]
fn without_rotation_the_secret_stays() {
    let record = apply(Redemption::Renew, family(), &renewal(), at(500));
    assert_eq!(
        (record.token.expose(), record.obsolete_token.expose()),
        (NEW, OLD)
    );
    assert_eq!(record.last_used, at(500));
    assert_eq!(record.claims.username, "New Name");
}

#[test]
fn a_repetition_changes_nothing() {
    assert_eq!(
        apply(Redemption::Repeat, family(), &renewal(), at(105)),
        family()
    );
}

#[test]
fn kept_connector_data_survives_a_connector_that_says_nothing() {
    let silent = Renewal {
        connector_data: Blob::default(),
        ..renewal()
    };
    let record = apply(Redemption::Rotate, family(), &silent, at(500));
    assert_eq!(record.connector_data.expose(), b"old");
}

/// compat: `tokens.md` §6.5, last columns.
#[test]
fn the_answer_and_the_reference_follow_the_table() {
    let record = family();
    for (redemption, rotate, secret, last_used) in [
        (Redemption::Rotate, true, NEW, at(500)),
        (Redemption::Repeat, true, NEW, at(100)),
        (Redemption::Renew, false, OLD, at(500)),
        (Redemption::Repeat, false, OLD, at(500)),
    ] {
        let policy = policy(rotate, 0);
        assert_eq!(answer_secret(&record, OLD, &policy), secret);
        assert_eq!(
            reference_last_used(redemption, &record, &policy, at(500)),
            last_used
        );
    }
}

#[test]
fn the_offline_session_follows_the_newest_family_only() {
    let record = family();
    let session = record_issue(None, &record, "sid");
    assert_eq!(
        (session.user_id.as_str(), session.conn_id.as_str()),
        ("u", "mock")
    );
    assert_eq!(session.refresh["app"].id, "family");
    assert_eq!(session.refresh["app"].session_id, "sid");
    assert_eq!(session.connector_data.expose(), b"old");

    let touched = touch_offline_session(
        Some(session.clone()),
        &record,
        at(500),
        &b"new".to_vec().into(),
    )
    .unwrap();
    assert_eq!(touched.refresh["app"].last_used, at(500));
    assert_eq!(touched.connector_data.expose(), b"new");
    assert_eq!(
        touch_offline_session(Some(session.clone()), &record, at(100), &Blob::default()),
        None,
        "nothing changes, nothing is written"
    );

    let newer = RefreshToken {
        id: "newer".into(),
        connector_data: Blob::default(),
        ..family()
    };
    let session = record_issue(Some(session), &newer, "");
    assert_eq!(session.refresh["app"].id, "newer");
    assert_eq!(session.connector_data.expose(), b"old");
    assert_eq!(
        touch_offline_session(Some(session.clone()), &record, at(500), &Blob::default()),
        None
    );
    assert_eq!(
        touch_offline_session(None, &record, at(500), &Blob::default()),
        None
    );
    assert_eq!(forget(Some(session.clone()), &record), None);
    assert_eq!(forget(None, &record), None);
    let forgotten = forget(Some(session), &newer).unwrap();
    assert!(forgotten.refresh.is_empty());
    assert_eq!(forgotten.connector_data.expose(), b"old");
}

#[test]
fn scopes_can_be_narrowed_but_not_widened() {
    let granted = ["openid".to_owned(), "email".to_owned()];
    for (requested, expected) in [
        ("", Ok(vec!["openid", "email"])),
        (" \t\n", Ok(vec!["openid", "email"])),
        ("email", Ok(vec!["email"])),
        (" email  openid ", Ok(vec!["email", "openid"])),
        ("email email", Ok(vec!["email", "email"])),
        ("x openid y", Err(vec!["x", "y"])),
        ("Email", Err(vec!["Email"])),
    ] {
        assert_eq!(
            narrow_scopes(&granted, requested),
            expected,
            "{requested:?}"
        );
    }
}

proptest! {
    #[test]
    fn only_the_current_or_just_replaced_secret_ever_passes(secret in "([a-z2-7]{25}|[a-z2-7]{33}|.*)", now in 0_i64..10_000,
                                                            rotate in any::<bool>(), reuse in 0_u64..1000) {
        prop_assume!(secret != NEW && secret != OLD);
        prop_assert!(judge(&secret, &policy(rotate, reuse), now).is_err());
    }
}
