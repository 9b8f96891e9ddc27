//! `local`: the password database.

use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;
use dex_connectors::hashing::HashingPool;
use dex_connectors::{
    Connector, ConnectorError, Identity, PasswordDirectory, PasswordLookupError, Registry, Scopes,
};
use dex_core::records::{Blob, Claims, Password};

use crate::{context, password_login};

/// `password`, cost 10.
const COST_10: &str = "$2a$10$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W";

struct Directory(Vec<Password>);

#[async_trait]
impl PasswordDirectory for Directory {
    async fn find(&self, email: &str) -> Result<Option<Password>, PasswordLookupError> {
        if email == "broken@example.com" {
            return Err("disk on fire".into());
        }
        Ok(self
            .0
            .iter()
            .find(|user| user.email.eq_ignore_ascii_case(email))
            .cloned())
    }
}

fn user(email: &str, hash: &str) -> Password {
    Password {
        email: email.into(),
        hash: Blob::from(hash.as_bytes().to_vec()),
        username: "jane".into(),
        user_id: "42".into(),
        preferred_username: "jd".into(),
        groups: vec!["staff".into()],
        ..Password::default()
    }
}

async fn local(users: Vec<Password>) -> (Arc<dyn Connector>, Arc<HashingPool>) {
    let pool = Arc::new(HashingPool::new(NonZeroUsize::MIN, 8));
    let context = context()
        .with_passwords(Arc::new(Directory(users)))
        .with_hashing(Arc::clone(&pool));
    let connector = Registry::with_all()
        .open("local", "local", b"", &context)
        .await
        .unwrap();
    (connector, pool)
}

async fn login(
    connector: &dyn Connector,
    email: &str,
    password: &str,
) -> Result<Option<Identity>, ConnectorError> {
    password_login(connector)
        .login(Scopes::default(), email, &password.into())
        .await
}

#[tokio::test]
async fn the_right_password_gives_the_stored_identity() {
    let (connector, _) = local(vec![user("Jane@Example.com", COST_10)]).await;
    assert_eq!(password_login(&*connector).prompt(), "Email Address");
    let identity = login(&*connector, "jane@example.com", "password")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        identity.claims,
        Claims {
            user_id: "42".into(),
            username: "jane".into(),
            preferred_username: "jd".into(),
            email: "Jane@Example.com".into(),
            email_verified: true,
            groups: vec!["staff".into()],
        }
    );
    assert!(identity.connector_data.is_empty());
}

#[tokio::test]
async fn name_and_verified_flag_are_taken_when_set() {
    let mut jane = user("jane@example.com", COST_10);
    jane.name = "Jane Doe".into();
    jane.email_verified = Some(false);
    let (connector, _) = local(vec![jane]).await;
    let identity = login(&*connector, "jane@example.com", "password")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(identity.claims.username, "Jane Doe");
    assert!(!identity.claims.email_verified);
}

#[tokio::test]
async fn d15_a_wrong_or_empty_password_is_refused() {
    let (connector, _) = local(vec![user("jane@example.com", COST_10)]).await;
    for password in ["", "Password", "password ", "pass\0word"] {
        assert_eq!(
            login(&*connector, "jane@example.com", password)
                .await
                .unwrap(),
            None
        );
    }
}

#[tokio::test]
async fn o23_unknown_users_and_unusable_hashes_cost_the_same_work() {
    let cheap = COST_10.replacen("$10$", "$04$", 1);
    let dear = COST_10.replacen("$10$", "$17$", 1);
    let (connector, pool) = local(vec![
        user("jane@example.com", COST_10),
        user("cheap@example.com", &cheap),
        user("dear@example.com", &dear),
        user("broken-hash@example.com", "plain text"),
    ])
    .await;
    let mut before = 0;
    for email in [
        "nobody@example.com",
        "jane@example.com",
        "cheap@example.com",
        "dear@example.com",
        "broken-hash@example.com",
        "",
    ] {
        assert_eq!(
            login(&*connector, email, "wrong").await.unwrap(),
            None,
            "{email}"
        );
        assert_eq!(pool.work_done() - before, 1 << 10, "{email}");
        before = pool.work_done();
    }
}

#[tokio::test]
async fn o23_a_decoy_costs_what_the_stored_hashes_cost() {
    let (connector, pool) = local(vec![user(
        "jane@example.com",
        &COST_10.replacen("$10$", "$11$", 1),
    )])
    .await;
    login(&*connector, "jane@example.com", "x").await.unwrap();
    assert_eq!(pool.work_done(), 1 << 11);
    login(&*connector, "nobody@example.com", "x").await.unwrap();
    assert_eq!(pool.work_done(), 2 << 11);
}

#[tokio::test]
async fn connectors_2_local_a_cheap_hash_never_lets_anybody_in() {
    let hash = bcrypt::hash("password", 4).unwrap();
    let (connector, _) = local(vec![user("jane@example.com", &hash)]).await;
    assert_eq!(
        login(&*connector, "jane@example.com", "password")
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn a_failing_directory_is_an_error_not_a_wrong_password() {
    let (connector, _) = local(Vec::new()).await;
    let error = login(&*connector, "broken@example.com", "x")
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "get password");
}

#[tokio::test]
async fn refresh_reads_the_entry_again() {
    let mut jane = user("jane@example.com", COST_10);
    jane.email_verified = Some(false);
    jane.name = "Jane Doe".into();
    let (connector, _) = local(vec![jane]).await;
    let refresh = connector.refresh().unwrap();
    let known = |user_id: &str, email: &str| Identity {
        claims: Claims {
            user_id: user_id.into(),
            email: email.into(),
            username: "before".into(),
            ..Claims::default()
        },
        connector_data: Blob::default(),
    };
    let now = refresh
        .refresh(Scopes::default(), known("42", "JANE@example.com"))
        .await
        .unwrap();
    assert_eq!(now.claims.username, "Jane Doe");
    assert_eq!(now.claims.email, "JANE@example.com");
    assert_eq!(now.claims.groups, ["staff"]);
    assert!(!now.claims.email_verified);
    for gone in [
        known("43", "jane@example.com"),
        known("42", "x@example.com"),
    ] {
        let error = refresh.refresh(Scopes::default(), gone).await.unwrap_err();
        assert_eq!(error.to_string(), "user not found");
    }
}
