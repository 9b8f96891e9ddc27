//! `/token`: the phases every grant shares, and the grant of authorization codes (compat: `tokens.md` §2, §4, §14).

use std::time::Duration;

use axum::body::Body;
use dex_core::code::CodeRejected;
use dex_core::pkce::PkceError;
use dex_core::records::{AuthCode, Client, Connector, Entity, OfflineSession, RefreshToken};
use dex_http::ClientRejected;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};

use crate::support::{
    CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, TestProvider, app, basic, form, mock_callback, payload,
};

const INVALID_CLIENT: &str = "Invalid client credentials.";
const INVALID_CODE: &str = "Invalid or expired code parameter.";
const S256: &str = "lyyl-X4a69qrqgEfUL8wodWic3Be9ZZ5eovBgIKKi-w";
const VERIFIER: &str = "challenge123";

#[tokio::test]
async fn tokens_01_only_post_is_a_token_request() {
    let op = TestProvider::for_tokens().build().await;
    for method in ["GET", "HEAD", "PUT", "OPTIONS"] {
        let answer = op.call(method, "/token", &[], "").await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(
            answer.text(),
            r#"{"error":"invalid_request","error_description":"method not allowed"}"#
        );
    }
}

#[tokio::test]
async fn tokens_02_the_grant_is_judged_before_the_client() {
    let op = TestProvider::for_tokens().build().await;
    for grant in ["foo", "", "implicit", "client_credentials", "password"] {
        op.grant(&[("grant_type", grant)])
            .await
            .assert_error(400, "unsupported_grant_type", "");
    }
    op.grant(&[("x", "y")])
        .await
        .assert_error(400, "unsupported_grant_type", "");
}

#[tokio::test]
async fn a_grant_that_is_switched_off_is_unsupported() {
    let op = TestProvider::for_tokens()
        .policy(|policy| policy.grant_types = vec!["authorization_code".into()])
        .build()
        .await;
    op.refresh("x")
        .await
        .assert_error(400, "unsupported_grant_type", "");
}

#[tokio::test]
async fn tokens_03_only_forms_are_read() {
    let op = TestProvider::for_tokens().build().await;
    for (content_type, body) in [
        ("application/json", r#"{"grant_type":"refresh_token"}"#),
        ("text/plain", "grant_type=refresh_token"),
        (
            "multipart/form-data; boundary=x",
            "grant_type=refresh_token",
        ),
    ] {
        op.call("POST", "/token", &[("content-type", content_type)], body)
            .await
            .assert_error(400, "unsupported_grant_type", "");
    }
    op.call("POST", "/token", &[], "grant_type=refresh_token")
        .await
        .assert_error(400, "unsupported_grant_type", "");
    op.call(
        "POST",
        "/token?grant_type=refresh_token",
        &[("content-type", "application/x-www-form-urlencoded")],
        "",
    )
    .await
    .assert_error(400, "unsupported_grant_type", "");
    op.call(
        "POST",
        "/token",
        &[(
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        )],
        "grant_type=refresh_token",
    )
    .await
    .assert_error(401, "invalid_client", INVALID_CLIENT);
}

#[tokio::test]
async fn a_malformed_form_is_an_invalid_request() {
    let op = TestProvider::for_tokens().build().await;
    for (route, body) in [
        ("/token", "grant_type=%zz"),
        ("/token", "a;b"),
        ("/token?x=%", "grant_type=refresh_token"),
        ("/token?a;b", "grant_type=refresh_token"),
    ] {
        op.call(
            "POST",
            route,
            &[("content-type", "application/x-www-form-urlencoded")],
            body,
        )
        .await
        .assert_error(400, "invalid_request", "");
    }
}

#[tokio::test]
async fn tokens_04_a_client_without_credentials_is_refused() {
    let op = TestProvider::for_tokens().build().await;
    let answer = op
        .grant(&[("grant_type", "authorization_code"), ("code", "x")])
        .await;
    answer.assert_error(401, "invalid_client", INVALID_CLIENT);
    assert_eq!(answer.header("www-authenticate"), "");
    assert_eq!(
        answer.text(),
        r#"{"error":"invalid_client","error_description":"Invalid client credentials."}"#
    );
    assert_eq!(answer.cause::<ClientRejected>(), ClientRejected::Unknown);
}

#[tokio::test]
async fn tokens_05_a_wrong_secret_is_refused_and_the_used_scheme_is_named() {
    let op = TestProvider::for_tokens().build().await;
    let fields = [("grant_type", "authorization_code"), ("code", "x")];
    for (id, secret, cause) in [
        (CLIENT_ID, "wrong", ClientRejected::WrongSecret),
        (CLIENT_ID, "", ClientRejected::WrongSecret),
        ("nobody", CLIENT_SECRET, ClientRejected::Unknown),
        ("a%00b", "x", ClientRejected::Unknown),
        (&"x".repeat(10_000), "x", ClientRejected::Unknown),
    ] {
        let answer = op.grant_as(id, secret, &fields).await;
        answer.assert_error(401, "invalid_client", INVALID_CLIENT);
        assert_eq!(answer.header("www-authenticate"), r#"Basic realm="token""#);
        assert_eq!(answer.cause::<ClientRejected>(), cause);
    }
    let answer = op
        .grant(&[
            ("grant_type", "authorization_code"),
            ("client_id", CLIENT_ID),
            ("client_secret", "wrong"),
        ])
        .await;
    answer.assert_error(401, "invalid_client", INVALID_CLIENT);
    assert_eq!(answer.header("www-authenticate"), "");
}

#[tokio::test]
async fn tokens_06_basic_credentials_win_completely() {
    let op = TestProvider::for_tokens().build().await;
    op.grant_as(
        CLIENT_ID,
        CLIENT_SECRET,
        &[
            ("grant_type", "authorization_code"),
            ("code", "x"),
            ("client_id", "pub"),
            ("client_secret", ""),
        ],
    )
    .await
    .assert_error(400, "invalid_grant", INVALID_CODE);
    op.grant_as(
        CLIENT_ID,
        "wrong",
        &[
            ("grant_type", "authorization_code"),
            ("client_id", CLIENT_ID),
            ("client_secret", CLIENT_SECRET),
        ],
    )
    .await
    .assert_error(401, "invalid_client", INVALID_CLIENT);
}

#[tokio::test]
async fn tokens_07_badly_encoded_basic_credentials_are_named() {
    let op = TestProvider::for_tokens().build().await;
    let fields = [("grant_type", "authorization_code")];
    op.grant_as("%zz", "%zz", &fields).await.assert_error(
        400,
        "invalid_request",
        "client_id improperly encoded",
    );
    op.grant_as(CLIENT_ID, "%z", &fields).await.assert_error(
        400,
        "invalid_request",
        "client_secret improperly encoded",
    );
}

#[tokio::test]
async fn tokens_08_basic_credentials_are_form_encoded() {
    let op = TestProvider::for_tokens()
        .client(Client {
            id: "plus".into(),
            secret: "a+b".into(),
            ..Client::default()
        })
        .build()
        .await;
    let fields = [("grant_type", "authorization_code"), ("code", "x")];
    op.grant_as("plus", "a+b", &fields)
        .await
        .assert_error(401, "invalid_client", INVALID_CLIENT);
    op.grant_as("plus", "a%2Bb", &fields)
        .await
        .assert_error(400, "invalid_grant", INVALID_CODE);
}

#[tokio::test]
async fn a_header_that_is_not_basic_leaves_the_form_in_charge() {
    let op = TestProvider::for_tokens().build().await;
    for value in ["Bearer x", "Basic !!!", "Basic YWI="] {
        let mut request = form(
            &op.path("/token"),
            &[
                ("grant_type", "authorization_code"),
                ("code", "x"),
                ("client_id", CLIENT_ID),
                ("client_secret", CLIENT_SECRET),
            ],
        );
        request
            .headers_mut()
            .insert(AUTHORIZATION, value.parse().unwrap());
        op.send(request)
            .await
            .assert_error(400, "invalid_grant", INVALID_CODE);
    }
}

#[tokio::test]
async fn public_clients_have_an_empty_secret_and_confidential_ones_never() {
    let op = TestProvider::for_tokens()
        .client(Client {
            id: "careless".into(),
            ..Client::default()
        })
        .client(Client {
            id: "pub-with-secret".into(),
            secret: "s".into(),
            public: true,
            ..Client::default()
        })
        .build()
        .await;
    let grant = async |id| {
        op.grant(&[
            ("grant_type", "authorization_code"),
            ("code", "x"),
            ("client_id", id),
        ])
        .await
    };
    grant("pub")
        .await
        .assert_error(400, "invalid_grant", INVALID_CODE);
    for (id, cause) in [
        ("careless", ClientRejected::NoSecret),
        ("pub-with-secret", ClientRejected::WrongSecret),
    ] {
        let answer = grant(id).await;
        answer.assert_error(401, "invalid_client", INVALID_CLIENT);
        assert_eq!(answer.cause::<ClientRejected>(), cause);
    }
}

#[tokio::test]
async fn o14_repeated_parameters_are_an_invalid_request() {
    let op = TestProvider::for_tokens().build().await;
    let code = op.code("openid", |_| {}).await;
    let good = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT_URI),
        ("client_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
    ];
    for (name, value) in good {
        for again in [value, "other", ""] {
            let mut fields = good.to_vec();
            fields.push((name, again));
            op.grant(&fields).await.assert_error(
                400,
                "invalid_request",
                &format!("Repeated parameter: {name}."),
            );
        }
    }
    let mut fields = good.to_vec();
    fields.extend([("resource", "a"), ("resource", "b")]);
    op.grant(&fields).await.assert_ok();
}

#[tokio::test]
async fn tokens_09_a_code_is_required() {
    let op = TestProvider::for_tokens().build().await;
    for fields in [
        &[("grant_type", "authorization_code")][..],
        &[("grant_type", "authorization_code"), ("code", "")],
    ] {
        op.grant_as(CLIENT_ID, CLIENT_SECRET, fields)
            .await
            .assert_error(400, "invalid_request", "Required param: code.");
    }
}

#[tokio::test]
async fn tokens_10_a_wrong_redirect_uri_does_not_spend_the_code() {
    let op = TestProvider::for_tokens().build().await;
    let code = op.code("openid", |_| {}).await;
    for uri in [
        "",
        "http://127.0.0.1:5555/callback/",
        "http://evil.example/",
    ] {
        let answer = op
            .grant_as(
                CLIENT_ID,
                CLIENT_SECRET,
                &[
                    ("grant_type", "authorization_code"),
                    ("code", &code),
                    ("redirect_uri", uri),
                ],
            )
            .await;
        answer.assert_error(
            400,
            "invalid_request",
            "redirect_uri did not match URI from initial request.",
        );
        assert_eq!(answer.cause::<CodeRejected>(), CodeRejected::RedirectUri);
    }
    op.redeem_code(&code).await.assert_ok();
}

#[tokio::test]
async fn tokens_11_a_code_is_redeemed_once() {
    let op = TestProvider::for_tokens().build().await;
    let code = op.code("openid", |_| {}).await;
    op.redeem_code(&code).await.assert_ok();
    let answer = op.redeem_code(&code).await;
    answer.assert_error(400, "invalid_grant", INVALID_CODE);
    assert_eq!(answer.cause::<CodeRejected>(), CodeRejected::Unknown);
    assert!(op.all::<AuthCode>().await.is_empty());
}

#[tokio::test]
async fn a_code_that_comes_back_ends_what_was_issued_for_it() {
    let op = TestProvider::for_tokens().build().await;
    let other = op.refresh_token("openid").await;
    let code = op.code("openid offline_access", |_| {}).await;
    let tokens = op.redeem_code(&code).await.assert_ok();
    let token = tokens["refresh_token"].as_str().unwrap();
    op.clock.advance(Duration::from_secs(30));
    let answer = op.redeem_code(&code).await;
    assert_eq!(
        answer.cause::<CodeRejected>(),
        CodeRejected::Unknown,
        "two requests of one client that crossed each other"
    );
    let token = op.refresh(token).await.assert_ok()["refresh_token"].clone();
    op.clock.advance(Duration::from_secs(1));
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
    ];
    let answer = op.grant_as("peer", "p", &fields).await;
    assert_eq!(answer.cause::<CodeRejected>(), CodeRejected::Unknown);
    let answer = op.redeem_code(&code).await;
    answer.assert_error(400, "invalid_grant", INVALID_CODE);
    assert_eq!(answer.cause::<CodeRejected>(), CodeRejected::Replayed);
    assert_eq!(op.refresh(token.as_str().unwrap()).await.status, 400);
    op.refresh(&other).await.assert_ok();
    let answer = op.redeem_code(&code).await;
    assert_eq!(answer.cause::<CodeRejected>(), CodeRejected::Unknown);
}

#[tokio::test]
async fn a_lapsed_code_is_refused_with_400() {
    let op = TestProvider::for_tokens().build().await;
    let code = op.code("openid", |_| {}).await;
    op.clock.advance(Duration::from_mins(30));
    let other = op.code("openid", |_| {}).await;
    op.redeem_code(&code).await.assert_ok();
    op.clock.advance(Duration::from_secs(30 * 60 + 1));
    let answer = op.redeem_code(&other).await;
    answer.assert_error(400, "invalid_grant", INVALID_CODE);
    assert_eq!(answer.cause::<CodeRejected>(), CodeRejected::Expired);
}

#[tokio::test]
async fn o07_a_code_is_for_its_client_only() {
    let op = TestProvider::for_tokens().build().await;
    let code = op.code("openid", |_| {}).await;
    let answer = op
        .grant_as(
            "peer",
            "p",
            &[
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("redirect_uri", REDIRECT_URI),
            ],
        )
        .await;
    answer.assert_error(400, "invalid_grant", INVALID_CODE);
    assert_eq!(answer.cause::<CodeRejected>(), CodeRejected::OtherClient);
    op.redeem_code(&code).await.assert_ok();
}

#[tokio::test]
async fn o17_a_mangled_code_is_unknown() {
    let op = TestProvider::for_tokens().build().await;
    let code = op.code("openid", |_| {}).await;
    for mangled in [
        &code[..code.len() - 1],
        &format!("{code}a"),
        &code.to_uppercase(),
        "\0",
        &"a".repeat(100_000),
    ] {
        op.redeem_code(mangled)
            .await
            .assert_error(400, "invalid_grant", INVALID_CODE);
    }
    op.redeem_code(&code).await.assert_ok();
}

#[tokio::test]
async fn tokens_12_the_answer_has_dex_headers_and_order() {
    let op = TestProvider::for_tokens().build().await;
    let code = op.code("openid offline_access", |_| {}).await;
    let answer = op.redeem_code(&code).await;
    let tokens = answer.assert_ok();
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("pragma"), "no-cache");
    let members = [
        "access_token",
        "token_type",
        "expires_in",
        "refresh_token",
        "id_token",
    ];
    let places: Vec<_> = members
        .iter()
        .map(|member| answer.text().find(&format!("\"{member}\":")).unwrap())
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    assert_eq!(tokens.as_object().unwrap().len(), members.len());
    assert_eq!(tokens["token_type"], "bearer");
    assert_eq!(tokens["expires_in"], 86_400);
    assert!(!answer.text().contains('\n'));
}

#[tokio::test]
async fn tokens_20_the_verifier_must_fit_the_challenge() {
    let op = TestProvider::for_tokens().build().await;
    let code = op
        .code("openid", |code| {
            code.pkce.challenge = S256.into();
            code.pkce.method = "S256".into();
        })
        .await;
    let redeem = async |verifier| {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", verifier),
            ("code_challenge_method", "plain"),
        ];
        op.grant_as(CLIENT_ID, CLIENT_SECRET, &fields).await
    };
    for (verifier, description, cause) in [
        (
            "",
            "Expecting parameter code_verifier in PKCE flow.",
            PkceError::VerifierMissing,
        ),
        (
            "challenge124",
            "Invalid code_verifier.",
            PkceError::Mismatch,
        ),
        (S256, "Invalid code_verifier.", PkceError::Mismatch),
    ] {
        let answer = redeem(verifier).await;
        answer.assert_error(400, "invalid_grant", description);
        assert_eq!(
            answer.cause::<CodeRejected>(),
            CodeRejected::ProofKey(cause)
        );
    }
    redeem(VERIFIER).await.assert_ok();
}

#[tokio::test]
async fn tokens_21_o06_a_verifier_without_a_challenge_is_refused() {
    let op = TestProvider::for_tokens().build().await;
    let code = op
        .code("openid", |code| code.pkce.method = "plain".into())
        .await;
    op.grant_as(
        CLIENT_ID,
        CLIENT_SECRET,
        &[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ],
    )
    .await
    .assert_error(
        400,
        "invalid_request",
        "No PKCE flow started. Cannot check code_verifier.",
    );
    op.redeem_code(&code).await.assert_ok();
}

#[tokio::test]
async fn an_unknown_stored_challenge_method_is_a_server_error() {
    let op = TestProvider::for_tokens().build().await;
    let code = op
        .code("openid", |code| {
            code.pkce.challenge = S256.into();
            code.pkce.method = "S512".into();
        })
        .await;
    op.grant_as(
        CLIENT_ID,
        CLIENT_SECRET,
        &[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("code_verifier", VERIFIER),
        ],
    )
    .await
    .assert_error(500, "server_error", "");
}

#[tokio::test]
async fn d12_the_redirect_uri_is_decoded_exactly_once() {
    let op = TestProvider::for_tokens().build().await;
    let uri = "http://127.0.0.1:5555/callback?next=%2Fa%2520b";
    let code = op
        .code("openid", |code| code.redirect_uri = uri.into())
        .await;
    let redeem = async |uri| {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", uri),
        ];
        op.grant_as(CLIENT_ID, CLIENT_SECRET, &fields).await
    };
    for other in [
        "http://127.0.0.1:5555/callback?next=/a%20b",
        "http://127.0.0.1:5555/callback?next=%252Fa%252520b",
    ] {
        assert_eq!(
            redeem(other).await.cause::<CodeRejected>(),
            CodeRejected::RedirectUri
        );
    }
    redeem(uri).await.assert_ok();
}

#[tokio::test]
async fn tokens_22_offline_access_gives_a_refresh_token() {
    let op = TestProvider::for_tokens().build().await;
    let token = op.refresh_token("openid").await;
    assert!(token.starts_with("Chl"), "{token}");
    let families = op.all::<RefreshToken>().await;
    let [family] = families.as_slice() else {
        panic!("{families:?}");
    };
    assert_eq!(family.id.len(), 25);
    assert_eq!(family.token.expose().len(), 33);
    assert_eq!(family.connector_data.expose(), b"foobar");
    let sessions = op.all::<OfflineSession>().await;
    let [session] = sessions.as_slice() else {
        panic!("{sessions:?}");
    };
    assert_eq!(session.refresh[CLIENT_ID].id, family.id);
    assert_eq!(session.connector_data.expose(), b"foobar");
}

#[tokio::test]
async fn d20_nothing_is_kept_without_offline_access() {
    let op = TestProvider::for_tokens().build().await;
    let code = op.code("openid email profile groups", |_| {}).await;
    let tokens = op.redeem_code(&code).await.assert_ok();
    assert!(tokens.get("refresh_token").is_none());
    for entity in [
        Entity::RefreshToken,
        Entity::OfflineSession,
        Entity::AuthCode,
    ] {
        assert!(op.rows(entity).await.is_empty(), "{entity:?}");
    }
}

#[tokio::test]
async fn tokens_60_a_connector_that_may_not_refresh_gives_no_refresh_token() {
    let op = TestProvider::for_tokens()
        .connector(Connector {
            grant_types: vec!["authorization_code".into()],
            ..mock_callback("once", "Once")
        })
        .build()
        .await;
    let code = op
        .code("openid offline_access", |code| {
            code.connector_id = "once".into();
        })
        .await;
    let tokens = op.redeem_code(&code).await.assert_ok();
    assert!(tokens.get("refresh_token").is_none());
    assert!(op.rows(Entity::RefreshToken).await.is_empty());
    assert!(op.rows(Entity::OfflineSession).await.is_empty());
}

#[tokio::test]
async fn tokens_30_with_one_token_per_client_a_second_login_ends_the_first() {
    let op = TestProvider::for_tokens()
        .policy(|policy| policy.refresh.one_per_client = true)
        .build()
        .await;
    let first = op.refresh_token("openid").await;
    let second = op.refresh_token("openid").await;
    op.refresh(&first).await.assert_error(
        400,
        "invalid_request",
        "Refresh token is invalid or has already been claimed by another client.",
    );
    op.refresh(&second).await.assert_ok();
    assert_eq!(op.rows(Entity::RefreshToken).await.len(), 1);
}

#[tokio::test]
async fn each_login_begins_a_family_of_its_own() {
    let op = TestProvider::for_tokens().build().await;
    let first = op.refresh_token("openid").await;
    let second = op.refresh_token("openid").await;
    op.refresh(&first).await.assert_ok();
    op.refresh(&second).await.assert_ok();
    let families = op.all::<RefreshToken>().await;
    assert_eq!(families.len(), 2);
    let sessions = op.all::<OfflineSession>().await;
    assert_eq!(sessions.len(), 1);
    let named = &sessions[0].refresh[CLIENT_ID].id;
    let newest = dex_core::opaque::RefreshTokenValue::parse(&second).refresh_id;
    assert_eq!(*named, newest);
}

#[tokio::test]
async fn a_failing_store_spends_nothing() {
    let op = TestProvider::for_tokens().build().await;
    let code = op.code("openid offline_access", |_| {}).await;
    op.storage.fail(true);
    op.redeem_code(&code)
        .await
        .assert_error(500, "server_error", "");
    op.storage.fail(false);
    op.storage.fail_writes(true);
    op.redeem_code(&code)
        .await
        .assert_error(500, "server_error", "");
    op.storage.fail_writes(false);
    let tokens = op.redeem_code(&code).await.assert_ok();
    assert!(payload(&tokens["id_token"])["c_hash"].is_string());
}

#[tokio::test]
async fn a_redemption_is_one_transaction() {
    let op = TestProvider::for_tokens().build().await;
    for scopes in ["openid", "openid offline_access"] {
        let code = op.code(scopes, |_| {}).await;
        op.storage.forget_writes();
        op.redeem_code(&code).await.assert_ok();
        assert_eq!(op.storage.writes(), 1, "{scopes}");
        // The client, the code and the connector: the first and last are in memory for those of the configuration file.
        assert_eq!(op.storage.reads(), 3, "{scopes}");
    }
}

#[tokio::test]
async fn a_large_body_is_refused_unread() {
    let op = TestProvider::for_tokens().build().await;
    let request = Request::post(op.path("/token"))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from("a".repeat(1024 * 1024 + 1)))
        .unwrap();
    assert_eq!(op.send(request).await.status, 413);
}

#[tokio::test]
async fn a_changed_secret_counts_at_once() {
    let op = TestProvider::for_tokens().build().await;
    let mut client = app();
    client.secret = "changed".into();
    op.put(&client).await;
    let mut request = form(&op.path("/token"), &[("grant_type", "refresh_token")]);
    request.headers_mut().insert(
        AUTHORIZATION,
        basic(&format!("{CLIENT_ID}:{CLIENT_SECRET}")),
    );
    op.send(request)
        .await
        .assert_error(401, "invalid_client", INVALID_CLIENT);
}
