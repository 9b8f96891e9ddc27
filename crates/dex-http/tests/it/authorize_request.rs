//! How requests are judged and connectors chosen (compat: `authflow.md` checks 1 to 3, 12 to 36, `web.md` 2, 6 to 10, 19, 48 to 50).

use dex_core::records::{Client, Connector, Entity};
use dex_http::Policy;
use http::Method;

use crate::support::{
    AuthorizeRequest, Denying, REDIRECT_URI, TestProvider, app, local, mock_callback, user,
};

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Sends the request to `/auth` and to `/auth/mock`: both must answer with this error.
async fn assert_refused(
    op: &TestProvider,
    request: &AuthorizeRequest,
    error: &str,
    description: &str,
) {
    for path in [request.auth(op), request.auth_with(op, "mock")] {
        let page = op.browser().get(&path).await;
        page.assert_redirect_error(error, description);
        assert!(page.location().unwrap().starts_with(REDIRECT_URI));
        assert!(page.cookies_set().is_empty());
    }
}

#[tokio::test]
async fn authflow_01_one_connector_is_gone_to_at_once() {
    let op = TestProvider::usual().build().await;
    let page = op.browser().get(&AuthorizeRequest::good().auth(&op)).await;
    assert_eq!(page.status, 302);
    assert_eq!(
        page.location().unwrap(),
        "/dex/auth/mock?client_id=app&redirect_uri=http%3A%2F%2F127.0.0.1%3A5555%2Fcallback\
         &response_type=code&scope=openid&state=S"
    );
    assert!(
        page.body
            .starts_with("<a href=\"/dex/auth/mock?client_id=app&amp;")
    );
}

#[tokio::test]
async fn authflow_02_and_web_08_an_unknown_client_is_told_on_a_page() {
    let op = TestProvider::usual().build().await;
    let request = AuthorizeRequest::good().with("client_id", "nope");
    op.browser()
        .get(&request.auth(&op))
        .await
        .assert_page(400, "Invalid client_id provided.");
    op.browser()
        .get(&request.auth_with(&op, "mock"))
        .await
        .assert_page(404, "Invalid client_id.");
}

#[tokio::test]
async fn authflow_03_web_09_and_d12_an_unregistered_redirect_uri_is_never_followed() {
    let op = TestProvider::usual().build().await;
    for redirect_uri in [
        "http://evil/",
        "",
        "http://127.0.0.1:5555/callback/",
        "http://127.0.0.1:5555/callback#x",
        "http://127.0.0.1:5555/Callback",
        "http://127.0.0.1:5555/callback?x",
        "http://127.0.0.1:5555\\@evil/",
        "javascript:alert(1)",
        // D12: decoded once, not twice.
        "http%3A%2F%2F127.0.0.1%3A5555%2Fcallback",
    ] {
        // Whatever else is wrong with the request must not be told to that place.
        let request = AuthorizeRequest::good()
            .with("redirect_uri", redirect_uri)
            .with("scope", "bogus");
        for path in [request.auth(&op), request.auth_with(&op, "mock")] {
            op.browser()
                .get(&path)
                .await
                .assert_page(400, "Unregistered redirect_uri.");
        }
    }
}

#[tokio::test]
async fn authflow_12_to_14_scopes_are_checked() {
    let op = TestProvider::usual()
        .client(Client {
            id: "peer".to_owned(),
            name: "Peer".to_owned(),
            trusted_peers: vec!["app".to_owned()],
            ..Client::default()
        })
        .build()
        .await;
    let good = AuthorizeRequest::good();
    for (scope, description) in [
        ("email", r#"Missing required scope(s) ["openid"]."#),
        ("openid foo bar", r#"Unrecognized scope(s) ["foo" "bar"]"#),
        (
            "openid audience:server:client_id:ghost",
            r#"Client can't request scope(s) ["audience:server:client_id:ghost"]"#,
        ),
    ] {
        let request = good.clone().with("scope", scope);
        assert_refused(&op, &request, "invalid_scope", description).await;
    }
    for scope in [
        "openid audience:server:client_id:peer",
        "openid audience:server:client_id:app",
    ] {
        let request = good.clone().with("scope", scope);
        let page = op.browser().get(&request.auth_with(&op, "mock")).await;
        assert_eq!(page.status, 302, "{scope}");
    }
}

#[tokio::test]
async fn authflow_15_response_types_are_checked() {
    let op = TestProvider::usual().build().await;
    let good = AuthorizeRequest::good();
    assert_refused(
        &op,
        &good.clone().without("response_type"),
        "invalid_request",
        "No response_type provided",
    )
    .await;
    assert_refused(
        &op,
        &good.clone().with("response_type", "foo"),
        "invalid_request",
        r#"Invalid response type "foo""#,
    )
    .await;
    for response_type in ["id_token", "token", "code id_token"] {
        let word = response_type.rsplit(' ').next().unwrap();
        assert_refused(
            &op,
            &good.clone().with("response_type", response_type),
            "unsupported_response_type",
            &format!("Unsupported response type \"{word}\""),
        )
        .await;
    }
}

#[tokio::test]
async fn authflow_19_request_objects_are_refused() {
    let op = TestProvider::usual().build().await;
    let good = AuthorizeRequest::good();
    assert_refused(
        &op,
        &good.clone().with("request", "abc"),
        "request_not_supported",
        "Server does not support request parameter.",
    )
    .await;
    assert_refused(
        &op,
        &good.with("request_uri", "https://app.example/r"),
        "request_uri_not_supported",
        "Server does not support request_uri parameter.",
    )
    .await;
}

#[tokio::test]
async fn authflow_20_and_21_proof_keys_are_checked() {
    let op = TestProvider::usual().build().await;
    let good = AuthorizeRequest::good();
    let s512 = good.clone().with("code_challenge_method", "S512");
    assert_refused(
        &op,
        &s512.clone().with("code_challenge", "x"),
        "invalid_request",
        r#"Unsupported PKCE challenge method ("S512")."#,
    )
    .await;
    let page = op.browser().get(&s512.auth_with(&op, "mock")).await;
    assert_eq!(page.status, 302);

    let strict = TestProvider::usual()
        .policy(|policy: &mut Policy| policy.pkce_required = true)
        .build()
        .await;
    assert_refused(
        &strict,
        &good,
        "invalid_request",
        "PKCE is required. The code_challenge parameter must be provided.",
    )
    .await;
}

#[tokio::test]
async fn authflow_22_and_23_prompt_and_max_age_are_checked() {
    let op = TestProvider::usual().build().await;
    for (name, value, description) in [
        (
            "prompt",
            "none login",
            "Invalid prompt parameter: prompt=none must not be combined with other values",
        ),
        (
            "prompt",
            "bogus",
            r#"Invalid prompt parameter: invalid prompt value "bogus""#,
        ),
        ("max_age", "-1", r#"Invalid max_age value "-1""#),
        ("max_age", "abc", r#"Invalid max_age value "abc""#),
    ] {
        let request = AuthorizeRequest::good().with(name, value);
        assert_refused(&op, &request, "invalid_request", description).await;
    }
}

#[tokio::test]
async fn authflow_24_a_hint_must_be_a_token_of_ours() {
    let op = TestProvider::usual().build().await;
    for hint in ["junk", "a.b.c", "eyJhbGciOiJub25lIn0.e30."] {
        let request = AuthorizeRequest::good().with("id_token_hint", hint);
        assert_refused(&op, &request, "invalid_request", "Invalid id_token_hint.").await;
    }
    let mut browser = op.browser();
    let code = op.sign_in(&mut browser, &AuthorizeRequest::good()).await;
    let hint = op.exchange_code(&code).await.text("id_token");
    // That it has expired is in a hint's nature.
    op.clock.advance(std::time::Duration::from_hours(25));
    let request = AuthorizeRequest::good().with("id_token_hint", &hint);
    let page = op.browser().get(&request.auth_with(&op, "mock")).await;
    assert_eq!(page.status, 302, "{page:?}");
    let mut forged = hint.clone();
    forged.replace_range(hint.len() - 6.., "AAAAAA");
    let request = AuthorizeRequest::good().with("id_token_hint", &forged);
    assert_refused(&op, &request, "invalid_request", "Invalid id_token_hint.").await;
}

#[tokio::test]
async fn authflow_25_an_error_carries_a_state_even_if_there_was_none() {
    let op = TestProvider::usual().build().await;
    let request = AuthorizeRequest::good()
        .without("state")
        .with("scope", "openid foo");
    let location = op.browser().get(&request.auth(&op)).await.location();
    assert!(location.unwrap().ends_with("&state="));
}

#[tokio::test]
async fn authflow_29_and_web_06_two_connectors_are_chosen_from() {
    let op = TestProvider::with_password_db()
        .connector(mock_callback("b", "apple"))
        .build()
        .await;
    let request = AuthorizeRequest::good();
    let page = op.browser().get(&request.auth(&op)).await;
    page.assert_page(200, "Log in with Example");
    let links = page.links_with("/dex/auth/");
    let ids: Vec<_> = links
        .iter()
        .map(|link| link.split(['/', '?']).nth(3).unwrap())
        .collect();
    assert_eq!(ids, ["b", "local", "mock"], "apple, Email, Example");
    for link in &links {
        let (_, query) = link.split_once('?').unwrap();
        assert_eq!(query, request.query());
    }
    // Dex shows the page here and finds the fault after the choice.
    let bad = request.with("redirect_uri", "http://evil/");
    op.browser()
        .get(&bad.auth(&op))
        .await
        .assert_page(400, "Unregistered redirect_uri.");
}

#[tokio::test]
async fn authflow_30_and_web_07_a_connector_can_be_named() {
    let op = TestProvider::with_password_db().build().await;
    let request = AuthorizeRequest::good().with("connector_id", "mock");
    let page = op.browser().get(&request.auth(&op)).await;
    assert_eq!(page.status, 302);
    let location = page.location().unwrap();
    assert!(location.starts_with("/dex/auth/mock?"), "{location}");
    assert!(!location.contains("connector_id"));
    let unknown = request.with("connector_id", "zzz");
    op.browser()
        .get(&unknown.auth(&op))
        .await
        .assert_page(400, "Connector ID does not match a valid Connector");
}

#[tokio::test]
async fn a_connector_named_twice_must_be_the_same() {
    let op = TestProvider::new()
        .client(Client {
            allowed_connectors: vec!["mock".to_owned(), "local".to_owned()],
            ..app()
        })
        .connector(mock_callback("mock", "Example"))
        .connector(mock_callback("other", "Other"))
        .connector(local())
        .build()
        .await;
    let named = |id: &str| AuthorizeRequest::good().with("connector_id", id);
    let ask = async |id: &str| op.browser().get(&named(id).auth_with(&op, "mock")).await;
    ask("zzz")
        .await
        .assert_redirect_error("invalid_request", "Invalid ConnectorID");
    ask("other")
        .await
        .assert_redirect_error("invalid_request", "Connector not allowed for this client");
    ask("local").await.assert_page(400, "Bad connector ID");
    assert_eq!(ask("mock").await.status, 302);
}

#[tokio::test]
async fn authflow_31_and_web_50_a_client_may_be_limited_to_connectors() {
    let limited = |connector: &str| {
        TestProvider::new()
            .client(Client {
                allowed_connectors: vec![connector.to_owned()],
                ..app()
            })
            .connector(mock_callback("mock", "Example"))
            .connector(mock_callback("mock2", "Example 2"))
    };
    let op = limited("mock").build().await;
    let request = AuthorizeRequest::good();
    let page = op.browser().get(&request.auth(&op)).await;
    assert!(page.location().unwrap().starts_with("/dex/auth/mock?"));
    op.browser()
        .get(&request.auth_with(&op, "mock2"))
        .await
        .assert_page(403, "Connector not allowed for this client.");
    let op = limited("ghost").build().await;
    op.browser()
        .get(&request.auth(&op))
        .await
        .assert_page(400, "No connectors available for this client.");
}

#[tokio::test]
async fn authflow_32_a_connector_may_be_limited_to_grants() {
    let op = TestProvider::new()
        .client(app())
        .connector(Connector {
            grant_types: vec![DEVICE_GRANT.to_owned()],
            ..mock_callback("mock", "Example")
        })
        .build()
        .await;
    let request = AuthorizeRequest::good();
    op.browser()
        .get(&request.auth_with(&op, "mock"))
        .await
        .assert_page(400, "does not support this grant type");
    op.browser()
        .get(&request.auth(&op))
        .await
        .assert_page(400, "No connectors available for this client.");
}

#[tokio::test]
async fn authflow_33_a_request_may_be_posted_but_a_login_begins_with_get() {
    let op = TestProvider::usual().build().await;
    let request = AuthorizeRequest::good();
    let page = op
        .browser()
        .post(&op.path("/auth"), &request.fields())
        .await;
    assert_eq!(page.status, 302);
    assert!(
        page.location()
            .unwrap()
            .starts_with("/dex/auth/mock?client_id=app&")
    );
    assert_eq!(page.body, "");
    let mut browser = op.browser();
    browser
        .post(&op.path("/auth/mock"), &request.fields())
        .await
        .assert_page(400, "Unsupported request method.");
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn authflow_34_and_web_19_a_callback_needs_a_known_state() {
    let op = TestProvider::usual().build().await;
    let mut browser = op.browser();
    browser
        .get(&op.path("/callback"))
        .await
        .assert_page(400, "User session error.");
    browser
        .get(&op.path("/callback?state=zzz"))
        .await
        .assert_page(400, "Requested resource does not exist.");
    for method in [Method::PUT, Method::HEAD, Method::DELETE] {
        let page = browser
            .request(method, &op.path("/callback?state=zzz"))
            .await;
        page.assert_page(400, "Method not supported");
    }
}

#[tokio::test]
async fn authflow_35_and_36_a_callback_must_fit_its_connector() {
    let op = TestProvider::usual()
        .connector(mock_callback("other", "Other"))
        .build()
        .await;
    let mut browser = op.browser();
    let start = browser
        .get(&AuthorizeRequest::good().auth_with(&op, "mock"))
        .await;
    let x = start.redirect_parameter("state").unwrap();
    browser
        .post(&op.path("/callback"), &[("RelayState", &x)])
        .await
        .assert_page(400, "Invalid request");
    browser
        .get(&op.path(&format!("/callback/other?state={x}")))
        .await
        .assert_page(400, "Requested resource does not exist.");
    let page = browser
        .get(&op.path(&format!("/callback/mock?state={x}")))
        .await;
    assert_eq!(page.status, 303);
}

#[tokio::test]
async fn authflow_43_and_web_02_paths_match_exactly() {
    let op = TestProvider::usual().build().await;
    for path in [
        "/dex/auth/",
        "/dex//auth",
        "/dex/%61uth",
        "/dex/auth/mock/",
        "/dex/auth//login",
        "/dex/auth/mock/login/",
        "/dex/callback/",
        "/dex/",
        "/auth",
    ] {
        let page = op.browser().get(path).await;
        assert_eq!(
            (page.status.as_u16(), page.body.as_str()),
            (404, "404 page not found\n"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn authflow_44_a_malformed_form_is_told_on_a_page() {
    let op = TestProvider::usual().build().await;
    let form = "application/x-www-form-urlencoded";
    let page = op
        .browser()
        .post_raw(&op.path("/auth"), form, "invalid%body")
        .await;
    page.assert_page(400, "Invalid request. Please try again.");
    let broken = op.path("/auth/mock?client_id=%zz");
    op.browser()
        .get(&broken)
        .await
        .assert_page(400, "Failed to parse request.");
}

#[tokio::test]
async fn web_10_the_chooser_can_be_shown_for_one_connector() {
    let op = TestProvider::usual()
        .policy(|policy| policy.always_show_login_screen = true)
        .build()
        .await;
    let request = AuthorizeRequest::good();
    op.browser()
        .get(&request.auth(&op))
        .await
        .assert_page(200, "Log in with Example");
    let named = request.with("connector_id", "mock");
    assert_eq!(op.browser().get(&named.auth(&op)).await.status, 302);
}

#[tokio::test]
async fn web_32_operator_headers_are_on_every_answer_of_the_flow() {
    let op = TestProvider::usual()
        .policy(|policy| {
            policy.headers.insert(
                http::header::X_FRAME_OPTIONS,
                http::HeaderValue::from_static("SAMEORIGIN"),
            );
        })
        .build()
        .await;
    let request = AuthorizeRequest::good();
    for path in [
        request.auth(&op),
        request.clone().with("client_id", "nope").auth(&op),
        op.path("/callback"),
        op.path("/approval"),
    ] {
        let page = op.browser().get(&path).await;
        assert_eq!(page.headers["x-frame-options"], "SAMEORIGIN", "{path}");
    }
}

#[tokio::test]
async fn web_36_the_flow_is_nothing_for_scripts_of_other_origins() {
    let op = TestProvider::usual()
        .policy(|policy| policy.allowed_origins = vec!["*".to_owned()])
        .build()
        .await;
    let mut browser = op.browser();
    browser
        .headers
        .insert("origin", "https://a.example".parse().unwrap());
    let page = browser.get(&AuthorizeRequest::good().auth(&op)).await;
    assert!(!page.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn web_40_names_and_logos_are_the_operators() {
    let mut frontend = dex_http::pages::FrontendOptions::default();
    frontend.issuer_name = "Acme".to_owned();
    let op = TestProvider::with_password_db()
        .frontend(frontend)
        .build()
        .await;
    let mut browser = op.browser();
    let chooser = browser.get(&AuthorizeRequest::good().auth(&op)).await;
    chooser.assert_page(200, "<title>Acme</title>");
    let form = browser.get(&chooser.links_with("/auth/local")[0]).await;
    let form = browser.follow(form).await;
    form.assert_page(200, "src=\"../../theme/logo.png\"");
}

#[tokio::test]
async fn web_44_an_issuer_without_a_path() {
    let op = TestProvider::usual()
        .issuer("https://dex.example.com")
        .build()
        .await;
    let mut browser = op.browser();
    assert_eq!(browser.get("/").await.status, 200);
    let start = browser
        .get(&AuthorizeRequest::good().auth_with(&op, "mock"))
        .await;
    let cookies = start.cookies_set();
    assert!(cookies[0].contains("; Path=/; "), "{cookies:?}");
    assert!(cookies[0].ends_with("; Secure"));
    assert!(
        start
            .location()
            .unwrap()
            .starts_with("https://dex.example.com/callback?")
    );
    let done = op
        .sign_in_to_the_end(&mut op.browser(), &AuthorizeRequest::good())
        .await;
    assert!(done.redirect_parameter("code").is_some());
}

#[tokio::test]
async fn web_48_a_connector_is_named_by_one_encoded_segment() {
    let op = TestProvider::usual()
        .connector(mock_callback("my conn", "Spaced"))
        .connector(Connector {
            ..mock_callback("a/b", "Slashed")
        })
        .build()
        .await;
    let request = AuthorizeRequest::good();
    let page = op.browser().get(&request.auth_with(&op, "no%2Fbody")).await;
    page.assert_page(400, "Connector failed to initialize");
    // Links are encoded once, so that the connector is found again.
    let mut browser = op.browser();
    let chooser = browser.get(&request.auth(&op)).await;
    for link in chooser.links_with("/dex/auth/") {
        let page = browser.get(&link).await;
        assert_eq!(page.status, 302, "{link}");
    }
    assert_eq!(chooser.links_with("/dex/auth/my%20conn?").len(), 1);
    assert_eq!(chooser.links_with("/dex/auth/a%2Fb?").len(), 1);
    browser
        .get(&request.auth_with(&op, "%zz"))
        .await
        .assert_page(400, "Requested resource does not exist");
}

#[tokio::test]
async fn web_49_headers_of_a_proxy_count_on_the_named_path_only() {
    let op = TestProvider::new()
        .client(app())
        .open_connector("proxy", "Proxy", crate::support::FormPost)
        .build()
        .await;
    for (route, status) in [("/callback", 500), ("/callback/proxy", 303)] {
        let mut browser = op.browser();
        let start = browser
            .get(&AuthorizeRequest::good().auth_with(&op, "proxy"))
            .await;
        let x = start.redirect_parameter("state").unwrap();
        browser
            .headers
            .insert("X-Remote-User", "u@x".parse().unwrap());
        let page = browser.get(&op.path(&format!("{route}?state={x}"))).await;
        assert_eq!(page.status.as_u16(), status, "{route}");
        if status == 500 {
            page.assert_page(
                500,
                "Authentication failed. Please contact your administrator or try again later.",
            );
        }
    }
}

#[tokio::test]
async fn authflow_45_refusals_of_an_upstream_are_told_apart() {
    let op = TestProvider::new()
        .client(app())
        .open_connector("up", "Upstream", Denying)
        .build()
        .await;
    let answer = async |outcome: &str| {
        let mut browser = op.browser();
        let start = browser
            .get(&AuthorizeRequest::good().auth_with(&op, "up"))
            .await;
        let x = start.redirect_parameter("state").unwrap();
        let page = browser
            .get(&op.path(&format!("/callback?state={x}&outcome={outcome}&error=leak")))
            .await;
        (page, browser)
    };
    let (groups, _) = answer("groups").await;
    groups.assert_page(
        403,
        "You are not a member of any of the required groups to authenticate.",
    );
    let (broken, _) = answer("broken").await;
    broken.assert_page(
        500,
        "Authentication failed. Please contact your administrator or try again later.",
    );
    assert!(!broken.body.contains("leak") && !broken.body.contains("secret detail"));
    let (denied, browser) = answer("denied").await;
    denied.assert_redirect_error(
        "access_denied",
        "Access was denied at the identity provider.",
    );
    assert!(browser.cookies.is_empty());
    assert!(op.rows(Entity::AuthRequest).await.is_empty());
}

#[tokio::test]
async fn o14_a_repeated_parameter_is_refused() {
    let op = TestProvider::usual().build().await;
    for name in [
        "scope",
        "state",
        "response_type",
        "nonce",
        "prompt",
        "code_challenge",
    ] {
        let request = AuthorizeRequest::good();
        let path = format!("{}&{name}=x&{name}=y", request.auth(&op));
        let page = op.browser().get(&path).await;
        page.assert_redirect_error(
            "invalid_request",
            &format!("Parameter \"{name}\" must not be repeated."),
        );
    }
    for name in ["client_id", "redirect_uri"] {
        let path = format!("{}&{name}=x", AuthorizeRequest::good().auth(&op));
        op.browser()
            .get(&path)
            .await
            .assert_page(400, "Invalid request. Please try again.");
    }
    // Others may be repeated (RFC 8707 §2) and travel along.
    let path = format!(
        "{}&resource=a&resource=b",
        AuthorizeRequest::good().auth(&op)
    );
    let page = op.browser().get(&path).await;
    assert!(page.location().unwrap().contains("&resource=a&resource=b&"));
}

#[tokio::test]
async fn a_query_that_is_too_long_is_not_read() {
    let op = TestProvider::usual().build().await;
    let request = AuthorizeRequest::good().with("x", &"a".repeat(17_000));
    op.browser()
        .get(&request.auth(&op))
        .await
        .assert_page(400, "Invalid request. Please try again.");
}

#[tokio::test]
async fn a_connector_that_is_down_is_tried_again() {
    let op = TestProvider::with_password_db()
        .connector(Connector {
            kind: "nothing-like-it".to_owned(),
            ..mock_callback("down", "Down")
        })
        .build()
        .await;
    let request = AuthorizeRequest::good();
    let mut browser = op.browser();
    let chooser = browser.get(&request.auth(&op)).await;
    chooser.assert_page(200, "Log in with Down");
    let down = request.auth_with(&op, "down");
    browser
        .get(&down)
        .await
        .assert_page(400, "Connector failed to initialize");
    op.put(&mock_callback("down", "Down")).await;
    assert_eq!(browser.get(&down).await.status, 302);
    let openings = op.issuer.open_connectors().await.unwrap();
    assert!(openings.iter().all(|(_, outcome)| outcome.is_ok()));
    assert_eq!(openings.len(), 3);
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_told_on_a_page() {
    let op = TestProvider::with_password_db().build().await;
    let _ = user();
    op.storage.fail(true);
    let request = AuthorizeRequest::good();
    op.browser()
        .get(&request.auth(&op))
        .await
        .assert_page(500, "Database error.");
    op.browser()
        .get(&op.path("/auth?req=abc&hmac=AQ"))
        .await
        .assert_page(500, "Database error.");
}
