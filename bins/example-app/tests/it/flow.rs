//! Logging in, refreshing, logging out, and everything that must not work.

use http::StatusCode;
use tokio::net::TcpListener;

use crate::app::{App, Browser};
use crate::issuer::{Fault, Issuer};

const ASK_FOR_ALL: [(&str, &str); 4] = [
    ("scope", "email"),
    ("scope", "offline_access"),
    ("extra_scopes", "federated:id"),
    ("connector_id", "mock"),
];

#[tokio::test]
async fn a_login_shows_what_came_and_a_refresh_renews_it() {
    let issuer = Issuer::start(Fault::None).await;
    let app = App::start(&issuer.url);
    let mut browser = Browser::new(&app);

    let form = browser.get("/").await;
    assert_eq!(form.status, StatusCode::OK);
    for id in [
        "login",
        "offline-access",
        "scope-groups",
        "extra-scopes",
        "connector-id",
    ] {
        assert!(form.body.contains(&format!("id=\"{id}\"")), "{id}");
    }

    let result = browser.submit("/login", &ASK_FOR_ALL).await;
    assert_eq!(result.status, StatusCode::OK, "{}", result.body);
    let request = issuer.last_request();
    assert_eq!(request["scope"], "openid email offline_access federated:id");
    assert_eq!(request["connector_id"], "mock");
    assert_eq!(request["response_type"], "code");
    assert_eq!(request["redirect_uri"], format!("{}/callback", app.url));

    let claims = result.element("claims").unwrap();
    assert!(
        claims.contains("&lt;staff&gt;") && claims.contains("issued&quot;: 1"),
        "{claims}"
    );
    assert!(result.element("header").unwrap().contains("RS256"));
    assert!(
        result
            .element("userinfo")
            .unwrap()
            .contains("jane@example.org")
    );
    assert_eq!(result.element("access-token"), Some("access-1"));
    assert_eq!(result.element("refresh-token"), Some("refresh-0"));
    assert_eq!(result.element("id-token").unwrap().split('.').count(), 3);
    assert_eq!(result.element("refreshed"), Some("0"));

    let result = browser.submit("/refresh", &[]).await;
    assert_eq!(
        result.element("access-token"),
        Some("access-2"),
        "{}",
        result.body
    );
    assert_eq!(result.element("refresh-token"), Some("refresh-1"));
    assert_eq!(result.element("refreshed"), Some("1"));
    assert!(
        result
            .element("claims")
            .unwrap()
            .contains("issued&quot;: 2")
    );

    let form = browser.submit("/logout", &[]).await;
    assert!(form.element("login").is_some() && form.element("claims").is_none());
    assert!(browser.get("/").await.element("claims").is_none());
}

#[tokio::test]
async fn without_a_refresh_token_there_is_no_refresh_button() {
    let issuer = Issuer::start(Fault::None).await;
    let app = App::start(&issuer.url);
    let result = Browser::new(&app).submit("/login", &[]).await;
    assert!(result.element("claims").is_some(), "{}", result.body);
    assert!(result.element("refresh").is_none() && result.element("refresh-token").is_none());
}

#[tokio::test]
async fn what_the_issuer_says_is_shown_escaped() {
    let issuer = Issuer::start(Fault::Denies).await;
    let app = App::start(&issuer.url);
    let page = Browser::new(&app).submit("/login", &ASK_FOR_ALL).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        page.element("error"),
        Some("access_denied: &lt;b&gt;not today&lt;&#x2f;b&gt;")
    );

    let issuer = Issuer::start(Fault::RefreshRefused).await;
    let app = App::start(&issuer.url);
    let mut browser = Browser::new(&app);
    browser.submit("/login", &ASK_FOR_ALL).await;
    let page = browser.submit("/refresh", &[]).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        page.element("error"),
        Some("invalid_grant: &lt;i&gt;used up&lt;&#x2f;i&gt;")
    );
    // The tokens of the login are still there to look at.
    assert!(browser.get("/").await.element("claims").is_some());
}

#[tokio::test]
async fn tokens_that_are_not_of_this_login_are_refused() {
    for (fault, cause) in [
        (Fault::ForeignNonce, "the nonce is not that of this login"),
        (
            Fault::ForeignAccessToken,
            "it belongs to another access token",
        ),
        (Fault::UnpublishedKey, "The ID token cannot be trusted: "),
        (Fault::MixedUp, "another issuer"),
    ] {
        let issuer = Issuer::start(fault).await;
        let app = App::start(&issuer.url);
        let mut browser = Browser::new(&app);
        let page = browser.submit("/login", &ASK_FOR_ALL).await;
        assert_eq!(page.status, StatusCode::BAD_GATEWAY);
        let error = page.element("error").unwrap();
        assert!(error.contains(cause), "{error}");
        assert!(browser.get("/").await.element("claims").is_none());
    }
}

#[tokio::test]
async fn a_callback_counts_once_and_only_in_the_browser_that_began() {
    let issuer = Issuer::start(Fault::None).await;
    let app = App::start(&issuer.url);
    let mut browser = Browser::new(&app);
    browser.submit("/login", &ASK_FOR_ALL).await;
    let state = issuer.last_request()["state"].clone();
    let callback = format!("/callback?code=code&state={state}");

    let mut other = Browser::new(&app);
    for browser in [&mut browser, &mut other] {
        let page = browser.get(&callback).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST);
        assert!(
            page.element("error")
                .unwrap()
                .contains("not begun in this browser")
        );
    }
    other.cookie = Some("made-up".into());
    assert_eq!(other.get(&callback).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(other.get("/callback").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_session_changes_its_name_at_login() {
    let issuer = Issuer::start(Fault::None).await;
    let app = App::start(&issuer.url);
    let mut browser = Browser::new(&app);
    browser.submit("/login", &ASK_FOR_ALL).await;
    let first = browser.cookie.clone().unwrap();
    browser.submit("/login", &ASK_FOR_ALL).await;
    assert_ne!(browser.cookie.clone().unwrap(), first);
    browser.cookie = Some(first);
    assert!(browser.get("/").await.element("claims").is_none());
}

#[tokio::test]
async fn the_issuer_may_start_later() {
    // A port that was free a moment ago: nobody answers at it yet.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let app = App::start(&format!("http://{address}/issuer"));
    let mut browser = Browser::new(&app);
    let page = browser.submit("/login", &ASK_FOR_ALL).await;
    assert_eq!(page.status, StatusCode::BAD_GATEWAY);
    assert!(page.element("error").unwrap().contains("cannot be used"));

    let _issuer = Issuer::start_on(TcpListener::bind(address).await.unwrap(), Fault::None);
    let page = browser.submit("/login", &ASK_FOR_ALL).await;
    assert!(page.element("claims").is_some(), "{}", page.body);
}

#[tokio::test]
async fn the_issuer_may_change_its_keys() {
    let issuer = Issuer::start(Fault::None).await;
    let app = App::start(&issuer.url);
    let mut browser = Browser::new(&app);
    browser.submit("/login", &ASK_FOR_ALL).await;
    issuer.rotate_keys();
    let page = browser.submit("/refresh", &[]).await;
    assert_eq!(page.element("refreshed"), Some("1"), "{}", page.body);
}

#[tokio::test]
async fn pages_allow_no_script_and_no_inline_style() {
    let issuer = Issuer::start(Fault::None).await;
    let app = App::start(&issuer.url);
    let mut browser = Browser::new(&app);
    let pages = [
        browser.get("/").await,
        browser.submit("/login", &ASK_FOR_ALL).await,
        browser.get("/callback").await,
    ];
    for page in pages {
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self'"),
            "{policy}"
        );
        assert_eq!(page.headers["cache-control"], "no-store");
        assert_eq!(page.headers["x-content-type-options"], "nosniff");
        assert!(
            !page.body.contains("<script") && !page.body.contains("style="),
            "{}",
            page.body
        );
    }
}
