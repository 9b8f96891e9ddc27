//! `mockCallback` and `mockPassword`.

use dex_connectors::{BeginLogin, Callback, Identity, Login, Scopes, SubjectTokenType};
use dex_core::records::Blob;
use http::HeaderMap;

use crate::{open, password_login};

#[tokio::test]
async fn connectors_1_06_mock_callback_comes_straight_back() {
    let connector = open("mockCallback", "{}").await.unwrap();
    let Login::Redirect(login) = connector.login() else {
        panic!("not a redirect login");
    };
    let callback_url = "http://127.0.0.1/dex/callback".parse().unwrap();
    let redirect = login
        .begin(BeginLogin {
            scopes: Scopes::default(),
            callback_url: &callback_url,
            state: "a&b",
            login_hint: None,
        })
        .await
        .unwrap();
    assert_eq!(
        redirect.url.as_str(),
        "http://127.0.0.1/dex/callback?state=a%26b"
    );
    let identity = login
        .complete(Callback {
            scopes: Scopes::default(),
            callback_url: &callback_url,
            state: "a&b",
            connector_data: &redirect.connector_data,
            parameters: &[],
            headers: &HeaderMap::new(),
        })
        .await
        .unwrap();
    assert_eq!(identity.claims.user_id, "0-385-28089-0");
    assert_eq!(identity.claims.username, "Kilgore Trout");
    assert_eq!(identity.claims.preferred_username, "");
    assert_eq!(identity.claims.email, "kilgore@kilgore.trout");
    assert!(identity.claims.email_verified);
    assert_eq!(identity.claims.groups, ["authors"]);
    assert_eq!(identity.connector_data.expose(), b"foobar");

    let refreshed = connector
        .refresh()
        .unwrap()
        .refresh(Scopes::default(), Identity::default())
        .await
        .unwrap();
    assert_eq!(refreshed, identity);
    let vouched = connector
        .token_identity()
        .unwrap()
        .token_identity(SubjectTokenType::AccessToken, &"anything".into())
        .await
        .unwrap();
    assert_eq!(vouched, identity);
}

#[tokio::test]
async fn connectors_1_11_mock_password_lets_one_user_in() {
    let connector = open("mockPassword", r#"{"username":"foo","password":"bar"}"#)
        .await
        .unwrap();
    let login = password_login(&*connector);
    assert_eq!(login.prompt(), "Username");
    for (name, password) in [("foo", "baz"), ("foo", ""), ("fo", "bar"), ("", "")] {
        let outcome = login
            .login(Scopes::default(), name, &password.into())
            .await
            .unwrap();
        assert_eq!(outcome, None, "{name} {password}");
    }
    let identity = login
        .login(Scopes::default(), "foo", &"bar".into())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(identity.claims.username, "Kilgore Trout");
    assert!(identity.claims.groups.is_empty());
    assert_eq!(
        identity.connector_data,
        Blob::from(br#"{"test": "true"}"#.to_vec())
    );
    let refreshed = connector
        .refresh()
        .unwrap()
        .refresh(Scopes::default(), identity.clone())
        .await
        .unwrap();
    assert_eq!(refreshed, identity);
}

#[tokio::test]
async fn mock_password_needs_a_name_and_a_password() {
    for (config, expected) in [
        ("", "no username supplied"),
        (r#"{"password":"bar"}"#, "no username supplied"),
        (r#"{"username":"foo"}"#, "no password supplied"),
        (
            r#"{"username":"foo","password":null}"#,
            "no password supplied",
        ),
    ] {
        let error = open("mockPassword", config).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn secrets_do_not_show() {
    let connector = open("mockPassword", r#"{"username":"foo","password":"hunter2"}"#)
        .await
        .unwrap();
    assert!(!format!("{connector:?}").contains("hunter2"));
}
