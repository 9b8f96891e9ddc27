//! The way from the request to the code, hop by hop (compat: `authflow.md` checks 4 to 11, 26 to 28, 37 to 47, `web.md` 11 to 20).

use dex_core::entropy::SeededEntropy;
use dex_core::records::{AuthCode, AuthRequest, Entity};
use http::Method;

use crate::support::{
    AuthorizeRequest, Mount, REDIRECT_URI, TestProvider, USER_EMAIL, app, mock_callback, user,
};

fn is_id(text: &str, len: usize) -> bool {
    text.len() == len
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'))
}

#[tokio::test]
async fn authflow_04_to_07_a_login_goes_hop_by_hop() {
    for mount in [Mount::Root, Mount::Nested] {
        let op = TestProvider::usual().mount(mount).build().await;
        let mut browser = op.browser();
        let request = AuthorizeRequest::good();

        // 4
        let upstream = browser.get(&request.auth_with(&op, "mock")).await;
        assert_eq!(upstream.status, 302);
        let x = upstream.redirect_parameter("state").unwrap();
        assert!(is_id(&x, 25), "{x}");
        assert_eq!(
            upstream.location().unwrap(),
            format!("http://127.0.0.1:5556/dex/callback?state={x}")
        );

        // 5
        let continued = browser.get(&upstream.location().unwrap()).await;
        assert_eq!(continued.status, 303);
        let location = continued.location().unwrap();
        assert!(location.starts_with("/dex/auth?hmac="), "{location}");
        assert!(location.ends_with(&format!("&req={x}")), "{location}");
        assert_eq!(continued.redirect_parameter("hmac").unwrap().len(), 43);

        // 6
        let approval = browser.get(&location).await;
        assert_eq!(approval.status, 303);
        let approval_link = approval.location().unwrap();
        assert!(approval_link.starts_with("/dex/approval?hmac="));
        let page = browser.get(&approval_link).await;
        page.assert_page(200, "has not requested any personal information");
        assert_eq!(page.body.matches("<form").count(), 2);
        assert_eq!(page.hidden_field("req").as_deref(), Some(x.as_str()));

        // 7
        let approved = browser
            .post(&approval_link, &[("approval", "approve"), ("req", &x)])
            .await;
        assert_eq!(approved.status, 303);
        let location = approved.location().unwrap();
        assert!(location.starts_with("/dex/auth?hmac="));
        let done = browser.get(&location).await;
        assert_eq!(done.status, 303);
        let code = done.redirect_parameter("code").unwrap();
        assert!(is_id(&code, 33), "{code}");
        assert_eq!(
            done.location().unwrap(),
            format!("{REDIRECT_URI}?code={code}&state=S")
        );
        assert!(browser.cookies.is_empty(), "nothing stays in the browser");
        assert!(op.rows(Entity::AuthRequest).await.is_empty());

        // 9
        let again = browser
            .post(&approval_link, &[("approval", "approve"), ("req", &x)])
            .await;
        again.assert_page(400, "User session error.");
    }
}

#[tokio::test]
async fn authflow_08_a_refused_consent_tells_the_client() {
    let op = TestProvider::usual().build().await;
    let mut browser = op.browser();
    let start = browser.get(&AuthorizeRequest::good().auth(&op)).await;
    let page = browser.follow(start).await;
    let refused = browser
        .post(&page.requested, &[("approval", "rejected")])
        .await;
    refused.assert_redirect_error("access_denied", "Approval rejected.");
    assert!(refused.location().unwrap().starts_with(REDIRECT_URI));
    assert_eq!(refused.redirect_parameter("state").as_deref(), Some("S"));
    assert!(op.rows(Entity::AuthRequest).await.is_empty());
    assert!(op.rows(Entity::AuthCode).await.is_empty());
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn authflow_10_a_step_link_proves_one_step() {
    let op = TestProvider::usual().build().await;
    let mut browser = op.browser();
    let start = browser.get(&AuthorizeRequest::good().auth(&op)).await;
    let page = browser.follow(start).await;
    let x = page.hidden_field("req").unwrap();
    let bare = op.path(&format!("/auth?req={x}"));
    browser
        .get(&bare)
        .await
        .assert_page(401, "Unauthorized request");
    let with_the_approval_link = page.requested.replace("/approval", "/auth");
    browser
        .get(&with_the_approval_link)
        .await
        .assert_page(401, "Unauthorized request");
    browser
        .get(&op.path(&format!("/approval?hmac=AAAA&req={x}")))
        .await
        .assert_page(401, "Unauthorized request");
}

#[tokio::test]
async fn authflow_11_an_unknown_request_is_a_session_error() {
    let op = TestProvider::usual().build().await;
    let mut browser = op.browser();
    browser
        .get(&op.path("/approval?req=does-not-exist&hmac=AQ"))
        .await
        .assert_page(400, "User session error.");
    browser
        .get(&op.path("/approval?req=does-not-exist"))
        .await
        .assert_page(401, "Unauthorized request");
}

#[tokio::test]
async fn web_18_a_step_link_of_an_unknown_request() {
    let op = TestProvider::usual().build().await;
    let mut browser = op.browser();
    browser
        .get(&op.path("/auth?req=unknown"))
        .await
        .assert_page(401, "Unauthorized request");
    browser
        .get(&op.path("/auth?req=unknown&hmac=AQ"))
        .await
        .assert_page(400, "User session error.");
}

#[tokio::test]
async fn web_20_consent_needs_its_link_and_knows_its_methods() {
    let op = TestProvider::usual().build().await;
    let mut browser = op.browser();
    browser
        .get(&op.path("/approval"))
        .await
        .assert_page(401, "Unauthorized request");
    let start = browser.get(&AuthorizeRequest::good().auth(&op)).await;
    let page = browser.follow(start).await;
    let put = browser.request(Method::PUT, &page.requested).await;
    put.assert_page(405, "");
    assert_eq!(put.headers["allow"], "GET, HEAD, POST");
}

#[tokio::test]
async fn authflow_26_parameters_of_the_redirect_uri_survive() {
    let redirect_uri = "http://127.0.0.1:5555/cb?x=1&code=old";
    let op = TestProvider::new()
        .client(dex_core::records::Client {
            redirect_uris: vec![redirect_uri.to_owned()],
            ..app()
        })
        .connector(mock_callback("mock", "Example"))
        .build()
        .await;
    let request = AuthorizeRequest::good().with("redirect_uri", redirect_uri);
    let done = op
        .sign_in_to_the_end(&mut op.browser(), &request)
        .await
        .target();
    let parameters: Vec<_> = done.query_pairs().collect();
    assert_eq!(parameters.len(), 3, "{parameters:?}");
    assert_ne!(parameters[0].1, "old");
    assert_eq!(parameters[2], ("x".into(), "1".into()));
}

#[tokio::test]
async fn authflow_27_a_bare_public_client_uses_the_loopback_interface() {
    let op = TestProvider::new()
        .client(dex_core::records::Client {
            public: true,
            redirect_uris: Vec::new(),
            ..app()
        })
        .connector(mock_callback("mock", "Example"))
        .build()
        .await;
    for (redirect_uri, status) in [
        ("http://localhost:8000/any", 302),
        ("http://127.0.0.2/x", 302),
        ("http://[::1]:9/", 302),
        ("http://[::1]/", 302),
        ("urn:ietf:wg:oauth:2.0:oob", 302),
        ("https://localhost/", 400),
        ("http://localhost.localhost/", 400),
        ("http://user@localhost/", 400),
    ] {
        let request = AuthorizeRequest::good().with("redirect_uri", redirect_uri);
        let page = op.browser().get(&request.auth_with(&op, "mock")).await;
        assert_eq!(page.status.as_u16(), status, "{redirect_uri}");
    }
}

#[tokio::test]
async fn authflow_28_and_web_45_a_code_can_be_shown_on_a_page() {
    let oob = "urn:ietf:wg:oauth:2.0:oob";
    let op = TestProvider::new()
        .client(dex_core::records::Client {
            public: true,
            redirect_uris: Vec::new(),
            ..app()
        })
        .connector(mock_callback("mock", "Example"))
        .build()
        .await;
    let request = AuthorizeRequest::good().with("redirect_uri", oob);
    let page = op.sign_in_to_the_end(&mut op.browser(), &request).await;
    let codes = op.all::<AuthCode>().await;
    page.assert_page(200, &format!("value=\"{}\"", codes[0].id.expose()));

    let bad = request.with("scope", "openid foo");
    op.browser()
        .get(&bad.auth(&op))
        .await
        .assert_page(400, r#"Unrecognized scope(s) ["foo"]"#);
}

#[tokio::test]
async fn authflow_37_and_web_11_the_password_form_knows_the_way_back() {
    let op = TestProvider::new()
        .client(app())
        .connector(crate::support::local())
        .password(user())
        .build()
        .await;
    let request = AuthorizeRequest::good();
    let alone = op.browser().get(&request.auth_with(&op, "local")).await;
    assert_eq!(alone.status, 302);
    let location = alone.location().unwrap();
    assert!(
        location.starts_with("/dex/auth/local/login?back=&state="),
        "{location}"
    );

    let op = TestProvider::with_password_db().build().await;
    let mut browser = op.browser();
    let one_of_two = browser.get(&request.auth_with(&op, "local")).await;
    let location = one_of_two.location().unwrap();
    assert!(location.contains("?back=%2Fdex%2Fauth%3F"), "{location}");
    let form = browser.get(&location).await;
    form.assert_page(200, "Email Address");
    for part in [
        "name=\"login\"",
        "name=\"password\"",
        "id=\"submit-login\"",
        "placeholder=\"email address\"",
    ] {
        assert!(form.unescaped().contains(part), "{part}");
    }
    let back = form.links_with("/dex/auth?");
    assert_eq!(back.len(), 1);
    browser.get(&back[0]).await.assert_page(200, "Log in");
}

/// A browser at the password form; gives the form's address.
async fn at_the_form(op: &TestProvider, browser: &mut crate::support::Browser) -> String {
    let page = browser
        .get(&AuthorizeRequest::good().auth_with(op, "local"))
        .await;
    page.location().unwrap()
}

#[tokio::test]
async fn authflow_38_web_17_and_d09_a_foreign_way_back_is_dropped() {
    let op = TestProvider::with_password_db().build().await;
    let mut browser = op.browser();
    let form = at_the_form(&op, &mut browser).await;
    let state = url::Url::parse("http://h")
        .unwrap()
        .join(&form)
        .unwrap()
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned();
    for (back, is_shown) in [
        ("https://evil.example", false),
        ("//evil.example", false),
        ("/\\evil.example", false),
        ("/\t/evil.example", false),
        ("javascript:alert(1)", false),
        ("auth", false),
        ("", false),
        ("/dex/auth?x=1", true),
    ] {
        let query = dex_core::redirect_uri::encode_query(&[("back", back), ("state", &state)]);
        let page = browser
            .get(&op.path(&format!("/auth/local/login?{query}")))
            .await;
        page.assert_page(200, "name=\"password\"");
        assert!(!page.unescaped().contains("name=\"remember_me\""));
        let links = page.links_with(if is_shown { back } else { "evil" });
        assert_eq!(links.len(), usize::from(is_shown), "{back:?}");
        assert!(!page.unescaped().contains("href=\"javascript:"));
    }
}

#[tokio::test]
async fn authflow_39_and_web_12_13_wrong_credentials_first_then_the_right_ones() {
    let op = TestProvider::with_password_db().build().await;
    let mut browser = op.browser();
    let form = at_the_form(&op, &mut browser).await;
    let wrong = browser
        .post(&form, &[("login", USER_EMAIL), ("password", "wrong")])
        .await;
    wrong.assert_page(401, "id=\"login-error\"");
    let text = wrong.unescaped();
    assert!(text.contains(&format!("value=\"{USER_EMAIL}\"")));
    assert!(text.contains("Invalid Email Address and password."));
    assert!(!text.contains("value=\"wrong\""));
    assert!(op.rows(Entity::AuthRequest).await.is_empty());

    let right = browser
        .post(&form, &[("login", USER_EMAIL), ("password", "password")])
        .await;
    assert_eq!(right.status, 303);
    let location = right.location().unwrap();
    assert!(location.starts_with("/dex/auth?hmac="), "{location}");
    let approval = browser.follow(right).await;
    approval.assert_page(200, "name=\"approval\"");
}

#[tokio::test]
async fn authflow_40_the_state_counts_in_the_query_only() {
    let op = TestProvider::with_password_db().build().await;
    let mut browser = op.browser();
    let form = at_the_form(&op, &mut browser).await;
    let state = form.rsplit_once("state=").unwrap().1;
    browser
        .post(
            &op.path("/auth/local/login"),
            &[
                ("state", state),
                ("login", USER_EMAIL),
                ("password", "password"),
            ],
        )
        .await
        .assert_page(400, "User session error.");
}

#[tokio::test]
async fn credentials_count_in_the_body_only() {
    let op = TestProvider::with_password_db().build().await;
    let mut browser = op.browser();
    let form = at_the_form(&op, &mut browser).await;
    let with_query = format!("{form}&login=admin%40example.com&password=password");
    browser
        .post(&with_query, &[])
        .await
        .assert_page(401, "id=\"login-error\"");
}

#[tokio::test]
async fn authflow_41_a_weak_hash_lets_nobody_in_and_looks_like_a_wrong_password() {
    let op = TestProvider::usual()
        .connector(crate::support::local())
        .password(dex_core::records::Password {
            // Cost 4.
            hash: b"$2a$04$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W"
                .to_vec()
                .into(),
            ..user()
        })
        .build()
        .await;
    let mut browser = op.browser();
    let form = at_the_form(&op, &mut browser).await;
    browser
        .post(&form, &[("login", USER_EMAIL), ("password", "password")])
        .await
        // Dex answers 500, which tells that the account exists (o23).
        .assert_page(401, "Invalid Email Address and password.");
}

#[tokio::test]
async fn authflow_42_consent_can_be_skipped_unless_it_is_forced() {
    let op = TestProvider::usual()
        .policy(|policy| policy.skip_approval_screen = true)
        .build()
        .await;
    let good = AuthorizeRequest::good();
    for (request, ends_at_client) in [
        (good.clone(), true),
        (good.clone().with("approval_prompt", "force"), false),
        (good.clone().with("prompt", "consent"), false),
        (good.with("approval_prompt", "auto"), true),
    ] {
        let mut browser = op.browser();
        let start = browser.get(&request.auth(&op)).await;
        let page = browser.follow(start).await;
        assert_eq!(page.location().is_some(), ends_at_client, "{request:?}");
    }
}

#[tokio::test]
async fn authflow_46_a_request_that_is_too_old_goes_no_step_further() {
    let op = TestProvider::with_password_db()
        .policy(|policy| policy.auth_requests_valid_for = std::time::Duration::from_secs(10))
        .build()
        .await;
    let mut browser = op.browser();
    let start = browser
        .get(&AuthorizeRequest::good().auth_with(&op, "mock"))
        .await;
    let page = browser.follow(start).await;
    let approved = browser
        .post(&page.requested, &[("approval", "approve")])
        .await;
    let form = at_the_form(&op, &mut browser).await;
    op.clock.advance(std::time::Duration::from_secs(20));
    for stale in [&approved.location().unwrap(), &page.requested] {
        browser
            .get(stale)
            .await
            .assert_page(400, "User session has expired.");
    }
    let expired = browser.get(&form).await;
    expired.assert_page(400, "User session has expired.");
    let again = expired.links_with("/dex/auth?");
    assert_eq!(
        again.len(),
        1,
        "the browser that began is offered to begin again"
    );
    browser.get(&again[0]).await.assert_page(200, "Log in");
    assert!(op.rows(Entity::AuthCode).await.is_empty());
}

#[tokio::test]
async fn prompt_none_cannot_end_in_a_consent_page() {
    let op = TestProvider::usual().build().await;
    let request = AuthorizeRequest::good().with("prompt", "none");
    let page = op.sign_in_to_the_end(&mut op.browser(), &request).await;
    page.assert_redirect_error("interaction_required", "User interaction required");
    assert!(op.rows(Entity::AuthRequest).await.is_empty());
}

#[tokio::test]
async fn a_consent_from_a_time_with_sessions_still_counts() {
    let op = TestProvider::usual().build().await;
    op.put(&dex_core::records::UserIdentity {
        user_id: "0-385-28089-0".to_owned(),
        connector_id: "mock".to_owned(),
        consents: [(
            "app".to_owned(),
            vec!["openid".to_owned(), "email".to_owned()],
        )]
        .into(),
        ..Default::default()
    })
    .await;
    for (scope, ends_at_client) in [
        ("openid", true),
        ("openid email", true),
        ("openid profile", false),
        ("openid offline_access", false),
    ] {
        let mut browser = op.browser();
        let start = browser
            .get(&AuthorizeRequest::good().with("scope", scope).auth(&op))
            .await;
        let page = browser.follow(start).await;
        assert_eq!(page.location().is_some(), ends_at_client, "{scope}");
    }
}

#[tokio::test]
async fn web_14_and_d20_the_code_carries_what_was_asked_and_who_logged_in() {
    let op = TestProvider::usual()
        .entropy(SeededEntropy::new(7))
        .build()
        .await;
    let request = AuthorizeRequest::good()
        .with("scope", "openid  profile groups")
        .with("nonce", "n")
        .with(
            "code_challenge",
            "lyyl-X4a69qrqgEfUL8wodWic3Be9ZZ5eovBgIKKi-w",
        )
        .with("code_challenge_method", "S256");
    let mut browser = op.browser();
    let code = op.sign_in(&mut browser, &request).await;
    let stored = op.all::<AuthCode>().await.remove(0);
    assert_eq!(stored.id.expose(), code);
    assert_eq!(stored.scopes, ["openid", "profile", "groups"]);
    assert_eq!(
        (stored.nonce.as_str(), stored.pkce.method.as_str()),
        ("n", "S256")
    );
    assert_eq!(stored.claims.email, "kilgore@kilgore.trout");
    assert_eq!(stored.claims.groups, ["authors"]);
    assert_eq!(stored.connector_data.expose(), b"foobar");
    assert_eq!(
        stored.expiry.since(stored.auth_time),
        std::time::Duration::from_mins(30)
    );
    assert!(op.rows(Entity::OfflineSession).await.is_empty(), "d20");
}

#[tokio::test]
async fn web_16_the_password_form_knows_its_methods() {
    let op = TestProvider::with_password_db().build().await;
    let mut browser = op.browser();
    let form = at_the_form(&op, &mut browser).await;
    browser
        .request(Method::PUT, &form)
        .await
        .assert_page(400, "Unsupported request method.");
    browser
        .get(&form.replace("/local/", "/mock/"))
        .await
        .assert_page(400, "Requested resource does not exist.");
}

#[tokio::test]
async fn web_46_a_typed_name_is_shown_escaped() {
    let op = TestProvider::with_password_db().build().await;
    let mut browser = op.browser();
    let form = at_the_form(&op, &mut browser).await;
    let page = browser
        .post(&form, &[("login", "a\"><b"), ("password", "x")])
        .await;
    assert_eq!(page.status, 401);
    assert!(!page.body.contains("a\"><b"));
    assert!(page.unescaped().contains("value=\"a\"><b\""));
}

#[tokio::test]
async fn a_second_login_for_one_request_is_told_that_it_was_used() {
    let op = TestProvider::with_password_db().build().await;
    let mut browser = op.browser();
    let form = at_the_form(&op, &mut browser).await;
    let credentials = [("login", USER_EMAIL), ("password", "password")];
    // Two quick submissions: both carry the cookie of the pending request.
    let mut second = browser.clone();
    assert_eq!(browser.post(&form, &credentials).await.status, 303);
    let refused = second.post(&form, &credentials).await;
    refused.assert_page(400, "This login was used already.");
    assert_eq!(refused.links_with("/dex/auth?").len(), 1);
    assert_eq!(op.rows(Entity::AuthRequest).await.len(), 1);
    // The back button, later: the browser knows that it has logged in.
    let back = browser.get(&form).await;
    back.assert_page(400, "This login was used already.");
    assert_eq!(back.links_with("/dex/auth?").len(), 1);
}

#[tokio::test]
async fn every_login_draws_a_new_key_for_its_links() {
    let op = TestProvider::usual().build().await;
    for _ in 0..2 {
        let mut browser = op.browser();
        let start = browser.get(&AuthorizeRequest::good().auth(&op)).await;
        browser.follow(start).await.assert_page(200, "");
    }
    let requests = op.all::<AuthRequest>().await;
    assert_eq!(requests[0].hmac_key.expose().len(), 51);
    assert_ne!(requests[0].hmac_key, requests[1].hmac_key);
}

#[tokio::test]
async fn authflow_47_an_id_token_says_when_the_person_logged_in() {
    use base64::Engine as _;
    let op = TestProvider::usual().build().await;
    let code = op
        .sign_in(&mut op.browser(), &AuthorizeRequest::good())
        .await;
    op.clock.advance(std::time::Duration::from_mins(1));
    let id_token = op.exchange_code(&code).await.text("id_token");
    let payload = id_token.split('.').nth(1).unwrap();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(payload)
        .unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(claims["auth_time"], 1_786_017_600);
    assert_eq!(claims["iat"], 1_786_017_660);
}
