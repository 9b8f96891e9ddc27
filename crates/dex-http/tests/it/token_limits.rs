//! D5: every grant of the token endpoint against everything that a client or a connector may forbid.

use dex_core::records::{Client, Connector, Entity, RefreshToken};
use dex_storage::StorageExt as _;
use http::StatusCode;

use crate::support::{Answer, TestProvider, app, mock_callback};

const NOT_FOR_CLIENT: (&str, &str) = ("invalid_grant", "Connector not allowed for this client.");
const MISSING: (&str, &str) = ("invalid_request", "Requested connector does not exist.");
const NOT_FOR_GRANT: (&str, &str) = (
    "invalid_request",
    "Requested connector does not support this grant type.",
);

/// Something that is good for one exchange, whatever the grant.
enum Credential {
    Code(String),
    RefreshToken(String),
}

/// Makes what a grant needs. A grant that discovery lists and that is not here fails the test: add it.
async fn credential(op: &TestProvider, grant: &str) -> Credential {
    match grant {
        "authorization_code" => Credential::Code(op.code("openid offline_access", |_| {}).await),
        "refresh_token" => Credential::RefreshToken(op.refresh_token("openid").await),
        other => panic!("the grant {other} is not in the table of D5"),
    }
}

async fn exchange(op: &TestProvider, credential: &Credential) -> Answer {
    match credential {
        Credential::Code(code) => op.redeem_code(code).await,
        Credential::RefreshToken(token) => op.refresh(token).await,
    }
}

async fn grants(op: &TestProvider) -> Vec<String> {
    let document = op
        .fetch("/.well-known/openid-configuration", &[])
        .await
        .json();
    serde_json::from_value(document["grant_types_supported"].clone()).unwrap()
}

#[tokio::test]
async fn d05_tokens_31_every_grant_passes_every_limit() {
    let every_grant = grants(&TestProvider::for_tokens().build().await).await;
    assert!(!every_grant.is_empty());
    for grant in &every_grant {
        for limit in ["client", "missing", "unknown type", "grant"] {
            let op = TestProvider::for_tokens().build().await;
            let credential = credential(&op, grant).await;
            let (code, description) = forbid(&op, limit, grant).await;
            let before = snapshot(&op).await;
            exchange(&op, &credential)
                .await
                .assert_error(400, code, description);
            assert_eq!(
                snapshot(&op).await,
                before,
                "{grant}, {limit}: left something behind"
            );
            allow(&op).await;
            let answer = exchange(&op, &credential).await;
            assert_eq!(answer.status, StatusCode::OK, "{grant}, {limit}");
        }
    }
}

/// Check 31 of `tokens.md` is the row of the refresh grant and the client's list.
async fn forbid(op: &TestProvider, limit: &str, grant: &str) -> (&'static str, &'static str) {
    match limit {
        "client" => {
            op.put(&Client {
                allowed_connectors: vec!["another".into()],
                ..app()
            })
            .await;
            NOT_FOR_CLIENT
        }
        "missing" => {
            op.storage.delete::<Connector>("mock").await.unwrap();
            MISSING
        }
        "unknown type" => {
            op.put(&Connector {
                kind: "nosuch".into(),
                resource_version: "2".into(),
                ..mock_callback("mock", "Example")
            })
            .await;
            MISSING
        }
        "grant" => {
            let others = ["authorization_code", "refresh_token", "implicit"];
            op.put(&Connector {
                grant_types: others
                    .iter()
                    .filter(|other| **other != grant)
                    .map(|&other| other.to_owned())
                    .collect(),
                resource_version: "2".into(),
                ..mock_callback("mock", "Example")
            })
            .await;
            NOT_FOR_GRANT
        }
        other => panic!("{other}"),
    }
}

async fn allow(op: &TestProvider) {
    op.put(&app()).await;
    op.put(&mock_callback("mock", "Example")).await;
}

async fn snapshot(op: &TestProvider) -> (Vec<RefreshToken>, usize, usize) {
    (
        op.all::<RefreshToken>().await,
        op.rows(Entity::AuthCode).await.len(),
        op.rows(Entity::OfflineSession).await.len(),
    )
}
