//! Requests sealed in the browser, and the attacks they must withstand (`SECURITY-TESTS` D1, D9, D14, D16, D19, O13, O23, O24).

use std::sync::Arc;

use dex_core::records::{AuthCode, AuthRequest, Entity};
use dex_http::AuthRequestMode;

use crate::support::{
    AuthorizeRequest, Browser, FormPost, Page, REDIRECT_URI, TestProvider, USER_EMAIL, app,
    mock_callback,
};

/// A browser that has begun a login with `connector`; gives the handle.
async fn begin(op: &TestProvider, browser: &mut Browser, connector: &str) -> String {
    let start = browser
        .get(&AuthorizeRequest::good().auth_with(op, connector))
        .await;
    assert_eq!(start.status, 302, "{start:?}");
    start.redirect_parameter("state").unwrap()
}

/// A browser at the consent page.
async fn at_consent(op: &TestProvider, browser: &mut Browser) -> Page {
    let start = browser.get(&AuthorizeRequest::good().auth(op)).await;
    let page = browser.follow(start).await;
    page.assert_page(200, "name=\"approval\"");
    page
}

#[tokio::test]
async fn d01_a_login_cannot_be_finished_in_another_browser() {
    let op = TestProvider::usual().build().await;
    let (mut attacker, mut victim) = (op.browser(), op.browser());
    // The attacker begins and lures the victim to the upstream's answer.
    let x = begin(&op, &mut attacker, "mock").await;
    let lured = victim.get(&op.path(&format!("/callback?state={x}"))).await;
    lured.assert_page(400, "Requested resource does not exist.");
    assert!(lured.unescaped().contains("did not send the cookie"));
    assert!(op.rows(Entity::AuthRequest).await.is_empty());
}

#[tokio::test]
async fn d01_step_links_are_worthless_in_another_browser() {
    let op = TestProvider::usual().build().await;
    let (mut victim, mut attacker) = (op.browser(), op.browser());
    let x = begin(&op, &mut victim, "mock").await;
    let logged_in = victim.get(&op.path(&format!("/callback?state={x}"))).await;
    let continue_link = logged_in.location().unwrap();
    let approval_link = victim.get(&continue_link).await.location().unwrap();
    let approved_link = victim
        .post(&approval_link, &[("approval", "approve")])
        .await
        .location()
        .unwrap();
    for stolen in [&continue_link, &approval_link, &approved_link] {
        attacker
            .get(stolen)
            .await
            .assert_page(401, "Unauthorized request");
    }
    attacker
        .post(&approval_link, &[("approval", "approve")])
        .await
        .assert_page(401, "Unauthorized request");
    // Nor with a cookie of the attacker's own login under the victim's handle.
    let own = at_consent(&op, &mut attacker).await;
    let own_handle = own.hidden_field("req").unwrap();
    let own_cookie = attacker.cookies[&format!("dexd_req_{own_handle}")].clone();
    attacker.cookies.insert(format!("dexd_req_{x}"), own_cookie);
    attacker
        .get(&approved_link)
        .await
        .assert_page(401, "Unauthorized request");
    assert!(op.rows(Entity::AuthCode).await.is_empty());
    // The victim goes on undisturbed.
    let done = victim.get(&approved_link).await;
    assert!(done.redirect_parameter("code").is_some());
}

#[tokio::test]
async fn o24_a_callback_is_good_once_and_in_one_browser() {
    let op = TestProvider::usual().build().await;
    let mut browser = op.browser();
    let x = begin(&op, &mut browser, "mock").await;
    let callback = op.path(&format!("/callback?state={x}"));
    let mut saved = browser.clone();
    let logged_in = browser.get(&callback).await;
    assert_eq!(logged_in.status, 303);
    // Again in the same browser, and with a copy of its cookies from before.
    for again in [browser.get(&callback).await, saved.get(&callback).await] {
        again.assert_page(400, "This login was used already.");
    }
    let requests = op.all::<AuthRequest>().await;
    assert_eq!(requests.len(), 1);
    let page = browser.follow(logged_in).await;
    let done = browser
        .post(&page.requested, &[("approval", "approve")])
        .await;
    browser.follow(done).await;
    browser
        .get(&callback)
        .await
        .assert_page(400, "Requested resource does not exist.");
}

#[tokio::test]
async fn d14_two_submissions_of_consent_create_one_code() {
    let op = Arc::new(TestProvider::usual().build().await);
    let mut browser = op.browser();
    let page = at_consent(&op, &mut browser).await;
    let approved = browser
        .post(&page.requested, &[("approval", "approve")])
        .await
        .location()
        .unwrap();
    let tries = (0..50).map(|_| {
        let (mut browser, approved) = (browser.clone(), approved.clone());
        tokio::spawn(async move { browser.get(&approved).await })
    });
    let mut codes = 0;
    for answer in futures_util::future::join_all(tries).await {
        let answer = answer.unwrap();
        if answer.location().is_some() {
            codes += 1;
        } else {
            answer.assert_page(400, "User session error.");
        }
    }
    assert_eq!(codes, 1);
    assert_eq!(op.rows(Entity::AuthCode).await.len(), 1);
    assert!(op.rows(Entity::AuthRequest).await.is_empty());
}

#[tokio::test]
async fn d14_a_failure_leaves_the_request_as_it_was() {
    let op = TestProvider::usual().build().await;
    let mut browser = op.browser();
    let page = at_consent(&op, &mut browser).await;
    let approved = browser
        .post(&page.requested, &[("approval", "approve")])
        .await
        .location()
        .unwrap();
    op.storage.fail(true);
    assert_eq!(browser.get(&approved).await.status, 500);
    op.storage.fail(false);
    let done = browser.get(&approved).await;
    assert!(done.redirect_parameter("code").is_some(), "{done:?}");
}

#[tokio::test]
async fn d16_requests_that_authenticate_nobody_write_nothing() {
    let op = TestProvider::with_password_db().build().await;
    let request = AuthorizeRequest::good();
    // The first request of an installation makes the sealing keys, and nothing else.
    op.browser().get(&request.auth_with(&op, "mock")).await;
    let before = rows(&op).await;
    op.storage.forget_writes();
    let (chooser, begin, form) = (
        request.auth(&op),
        request.auth_with(&op, "mock"),
        request.auth_with(&op, "local"),
    );
    for round in 0..100_000 {
        let path = match round % 50 {
            0 => &chooser,
            1 => &form,
            _ => &begin,
        };
        let page = op.browser().get(path).await;
        assert!(page.status.as_u16() < 400);
    }
    assert_eq!(op.storage.writes(), 0);
    assert_eq!(rows(&op).await, before);
}

async fn rows(op: &TestProvider) -> usize {
    let mut count = 0;
    for entity in Entity::ALL {
        count += op.rows(entity).await.len();
    }
    count
}

#[tokio::test]
async fn d16_callbacks_and_wrong_passwords_write_nothing_either() {
    let op = TestProvider::with_password_db().build().await;
    let mut browser = op.browser();
    let start = browser
        .get(&AuthorizeRequest::good().auth_with(&op, "local"))
        .await;
    let form = start.location().unwrap();
    op.storage.forget_writes();
    browser.get(&form).await.assert_page(200, "");
    browser
        .post(&form, &[("login", USER_EMAIL), ("password", "wrong")])
        .await;
    browser.get(&op.path("/callback?state=zzz")).await;
    op.browser()
        .post_cross_site(&op.path("/callback"), &[("state", &"a".repeat(25))])
        .await;
    browser.get(&op.path("/approval?req=x&hmac=AQ")).await;
    assert_eq!(op.storage.writes(), 0);
}

#[tokio::test]
async fn d19_backslashes_lead_nowhere() {
    let op = TestProvider::new()
        .client(dex_core::records::Client {
            redirect_uris: vec![
                "http:\\\\evil.example\\cb".to_owned(),
                "https://app.example\\@evil.example/".to_owned(),
            ],
            ..app()
        })
        .connector(mock_callback("mock", "Example"))
        .build()
        .await;
    for redirect_uri in [
        "http:\\\\evil.example\\cb",
        "https://app.example\\@evil.example/",
    ] {
        let request = AuthorizeRequest::good().with("redirect_uri", redirect_uri);
        op.browser()
            .get(&request.auth(&op))
            .await
            .assert_page(400, "Unregistered redirect_uri.");
    }
}

#[tokio::test]
async fn o04_pages_escape_what_they_show() {
    let script = "\"><script>alert(1)</script>";
    let op = TestProvider::new()
        .client(dex_core::records::Client {
            name: script.to_owned(),
            ..app()
        })
        .connector(mock_callback("mock", script))
        .connector(mock_callback("other", "Other"))
        .build()
        .await;
    let request = AuthorizeRequest::good().with("state", script);
    let mut browser = op.browser();
    let chooser = browser.get(&request.auth(&op)).await;
    let start = browser.get(&request.auth_with(&op, "other")).await;
    let consent = browser.follow(start).await;
    for page in [chooser, consent] {
        page.assert_page(200, "");
        assert!(!page.body.contains("<script>alert"), "{page:?}");
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("script-src 'self'") && policy.contains("default-src 'none'"));
        assert_eq!(page.headers["cache-control"], "no-store");
        assert_eq!(page.headers["referrer-policy"], "no-referrer");
        assert_eq!(page.headers["x-frame-options"], "DENY");
    }
}

#[tokio::test]
async fn o13_a_response_type_that_is_not_served_cannot_be_slipped_in() {
    let op = TestProvider::usual().build().await;
    let mut browser = op.browser();
    let page = at_consent(&op, &mut browser).await;
    let mut record = op.all::<AuthRequest>().await.remove(0);
    record.response_types = vec!["code".to_owned(), "token".to_owned()];
    op.put(&record).await;
    let approved = browser
        .post(&page.requested, &[("approval", "approve")])
        .await;
    let done = browser.follow(approved).await;
    done.assert_redirect_error(
        "unsupported_response_type",
        "The response type is not served.",
    );
    assert!(op.rows(Entity::AuthCode).await.is_empty());
}

#[tokio::test]
async fn o23_an_unknown_name_and_a_wrong_password_look_alike() {
    let op = TestProvider::with_password_db().build().await;
    let mut browser = op.browser();
    let start = browser
        .get(&AuthorizeRequest::good().auth_with(&op, "local"))
        .await;
    let form = start.location().unwrap();
    let mut answers = Vec::new();
    for name in [USER_EMAIL, "nobody@example.com"] {
        let page = browser
            .post(&form, &[("login", name), ("password", "wrong")])
            .await;
        answers.push((
            page.status,
            page.headers.clone(),
            page.body.replace(name, ""),
        ));
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn several_tabs_log_in_side_by_side() {
    let op = TestProvider::usual().build().await;
    let mut browser = op.browser();
    let mut handles = Vec::new();
    for _ in 0..7 {
        op.clock.advance(std::time::Duration::from_secs(1));
        handles.push(begin(&op, &mut browser, "mock").await);
    }
    assert_eq!(browser.cookies.len(), 5);
    for (index, handle) in handles.iter().enumerate() {
        let page = browser
            .get(&op.path(&format!("/callback?state={handle}")))
            .await;
        if index < 2 {
            page.assert_page(400, "Requested resource does not exist.");
        } else {
            assert_eq!(page.status, 303);
        }
    }
}

#[tokio::test]
async fn a_request_that_does_not_fit_a_cookie_is_told_so() {
    let op = TestProvider::usual().build().await;
    let request = AuthorizeRequest::good().with("state", &"s".repeat(4_000));
    let page = op.browser().get(&request.auth_with(&op, "mock")).await;
    page.assert_redirect_error(
        "invalid_request",
        "The request is too large to be kept in the browser. Shorten its parameters, state for example.",
    );
    assert!(page.cookies_set().is_empty());
}

#[tokio::test]
async fn a_foreign_post_is_sent_once_more_from_our_own_origin() {
    let op = TestProvider::new()
        .client(app())
        .open_connector("form", "Form", FormPost)
        .build()
        .await;
    let mut browser = op.browser();
    let x = begin(&op, &mut browser, "form").await;
    let fields = [("state", x.as_str()), ("user", "u\"<>")];
    let path = op.path("/callback");
    let repost = browser.post_cross_site(&path, &fields).await;
    repost.assert_page(200, "id=\"repost\"");
    assert_eq!(repost.form_action().as_deref(), Some("/dex/callback"));
    let again = [
        ("state", x.as_str()),
        ("user", &repost.hidden_field("user").unwrap_or_default()),
        ("dexd_reposted", "1"),
    ];
    assert_eq!(repost.hidden_field("dexd_reposted").as_deref(), Some("1"));
    // The marker keeps a browser without cookies from going round in circles.
    browser
        .clone()
        .post_cross_site(&path, &again)
        .await
        .assert_page(400, "did not send the cookie");
    let logged_in = browser.post(&path, &again).await;
    assert_eq!(logged_in.status, 303, "{logged_in:?}");
    let page = browser.follow(logged_in).await;
    page.assert_page(200, "name=\"approval\"");
}

#[tokio::test]
async fn a_login_begun_at_one_replica_is_finished_at_another() {
    let one = TestProvider::usual().build().await;
    let two = TestProvider::new().replica_of(&one).build().await;
    let mut browser = one.browser();
    let start = browser
        .get(&AuthorizeRequest::good().auth_with(&one, "mock"))
        .await;
    let mut moved = two.browser();
    moved.cookies = browser.cookies.clone();
    let page = moved.follow(start).await;
    page.assert_page(200, "name=\"approval\"");
    browser.cookies = moved.cookies.clone();
    let approved = browser
        .post(&page.requested, &[("approval", "approve")])
        .await;
    let done = browser.follow(approved).await;
    assert!(done.redirect_parameter("code").is_some());
}

#[tokio::test]
async fn in_stored_mode_a_script_without_cookies_logs_in_as_with_dex() {
    let op = TestProvider::with_password_db()
        .policy(|policy| policy.auth_requests = AuthRequestMode::Stored)
        .build()
        .await;
    for connector in ["mock", "local"] {
        // A browser that forgets everything between two requests.
        let mut page = op
            .browser()
            .get(&AuthorizeRequest::good().auth_with(&op, connector))
            .await;
        assert!(page.cookies_set().is_empty());
        if connector == "local" {
            let form = page.location().unwrap();
            let credentials = [("login", USER_EMAIL), ("password", "password")];
            page = op.browser().post(&form, &credentials).await;
        }
        while let Some(location) = page.location() {
            if location.starts_with(REDIRECT_URI) {
                break;
            }
            page = op.browser().get(&location).await;
            if page.location().is_none() {
                let path = page.requested.clone();
                page = op.browser().post(&path, &[("approval", "approve")]).await;
            }
            assert!(page.cookies_set().is_empty());
        }
        assert!(page.redirect_parameter("code").is_some(), "{page:?}");
    }
    assert_eq!(op.rows(Entity::AuthCode).await.len(), 2);
    assert!(op.rows(Entity::SealingKeys).await.is_empty());
}

#[tokio::test]
async fn a_request_that_dex_stored_is_finished_here() {
    let op = TestProvider::usual().build().await;
    let mut stored = AuthRequest {
        id: "kxwyt4amrgh5y7nkzcv27zzzz".to_owned(),
        client_id: "app".to_owned(),
        response_types: vec!["code".to_owned()],
        scopes: vec!["openid".to_owned()],
        redirect_uri: REDIRECT_URI.to_owned(),
        state: "S".to_owned(),
        connector_id: "mock".to_owned(),
        expiry: dex_core::Timestamp::from_unix(1_786_017_600 + 600, 0).unwrap(),
        hmac_key: b"flow-hmac-test-key".to_vec().into(),
        max_age: -1,
        ..AuthRequest::default()
    };
    op.put(&stored).await;
    let mut browser = op.browser();
    let callback = op.path(&format!("/callback?state={}", stored.id));
    let logged_in = browser.get(&callback).await;
    let page = browser.follow(logged_in).await;
    page.assert_page(200, "name=\"approval\"");
    let updated = op.all::<AuthRequest>().await.remove(0);
    assert_ne!(
        updated.hmac_key, stored.hmac_key,
        "old links died with the login"
    );
    assert!(updated.logged_in && !updated.mfa_validated);
    browser
        .get(&callback)
        .await
        .assert_page(400, "Requested resource does not exist.");

    // One that has expired, and one whose key is empty: everybody could compute such links.
    stored.expiry = dex_core::Timestamp::from_unix(1_786_017_600 - 1, 0).unwrap();
    op.put(&stored).await;
    browser
        .get(&callback)
        .await
        .assert_page(400, "User session has expired.");
    stored.logged_in = true;
    stored.hmac_key = Vec::new().into();
    stored.expiry = dex_core::Timestamp::from_unix(1_786_017_600 + 600, 0).unwrap();
    op.put(&stored).await;
    browser
        .get(&op.path(&format!("/auth?req={}&hmac=AQ", stored.id)))
        .await
        .assert_page(401, "Unauthorized request");
}

#[tokio::test]
async fn a_client_that_lost_its_redirect_uri_meanwhile_gets_nothing() {
    let op = TestProvider::usual().build().await;
    let mut browser = op.browser();
    let page = at_consent(&op, &mut browser).await;
    op.put(&dex_core::records::Client {
        redirect_uris: vec!["http://elsewhere.example/".to_owned()],
        ..app()
    })
    .await;
    let approved = browser
        .post(&page.requested, &[("approval", "approve")])
        .await;
    browser
        .follow(approved)
        .await
        .assert_page(500, "Invalid redirect URI.");
    assert!(op.all::<AuthCode>().await.is_empty());
}

#[tokio::test]
async fn a_login_hint_reaches_the_upstream() {
    let op = TestProvider::new()
        .client(app())
        .open_connector("form", "Form", FormPost)
        .build()
        .await;
    let request = AuthorizeRequest::good().with("login_hint", "jane@example.com");
    let page = op.browser().get(&request.auth_with(&op, "form")).await;
    assert_eq!(
        page.redirect_parameter("login_hint").as_deref(),
        Some("jane@example.com")
    );
}
