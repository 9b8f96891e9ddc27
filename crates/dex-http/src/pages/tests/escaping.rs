//! SECURITY-TESTS O4: nothing that comes from outside is ever markup.

use proptest::prelude::*;

use super::*;

/// Every page with the value wherever a value from outside can stand.
fn pages_with(value: &str) -> Vec<(&'static str, PageResponse)> {
    let pages = pages(|options| {
        options.issuer_name = value.to_owned();
        options.logo_url = value.to_owned();
    });
    let connectors = [ConnectorChoice {
        id: value.to_owned(),
        name: value.to_owned(),
        kind: value.to_owned(),
        url: format!("/dex/auth/{value}"),
    }];
    let scopes = [
        value.to_owned(),
        format!("audience:server:client_id:{value}"),
        "audience:server:client_id:named".to_owned(),
    ];
    let peers = BTreeMap::from([("named".to_owned(), value.to_owned())]);
    let local = format!("/dex/{value}");
    let fields = [(value.to_owned(), value.to_owned())];
    let mut rendered = vec![
        ("login", pages.login(&login_view(&connectors))),
        (
            "password",
            pages.password(&PasswordView {
                request_path: value,
                post_url: &local,
                back_link: Some(&local),
                username: value,
                username_prompt: value,
                invalid: true,
                remember_me: RememberMe::Checked,
            }),
        ),
        (
            "approval",
            pages.approval(&ApprovalView {
                request_path: value,
                user: value,
                client_name: value,
                auth_request_id: value,
                scopes: &scopes,
                peer_names: &peers,
            }),
        ),
        (
            "oob",
            pages.oob(&OobView {
                request_path: value,
                code: value,
            }),
        ),
        (
            "repost",
            pages.repost(&RepostView {
                request_path: value,
                action: &local,
                fields: &fields,
            }),
        ),
        (
            "home",
            pages.home(&HomeView {
                request_path: value,
                discovery_url: value,
            }),
        ),
    ];
    for link in [
        ErrorLink::StartAgain(value),
        ErrorLink::BackToApplication(&local),
    ] {
        rendered.push((
            "error",
            pages.error(&ErrorView {
                request_path: value,
                status: StatusCode::BAD_REQUEST,
                message: value,
                link: Some(link),
            }),
        ));
    }
    rendered
}

#[test]
fn o4_markup_in_any_value_stays_text_on_every_page() {
    for value in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' autofocus onfocus='alert(1)",
        "\" onmouseover=\"alert(1)",
        "</title><script>alert(1)</script>",
        "{{ issuer() }}<b>{% raw %}",
    ] {
        for (name, page) in pages_with(value) {
            let html = html(&page);
            assert!(!html.contains(value), "{name}: {html}");
            for forbidden in [
                "<script>",
                "<img src=x",
                "onfocus='",
                "onmouseover=\"",
                "<b>",
            ] {
                assert!(!html.contains(forbidden), "{name} has {forbidden}: {html}");
            }
        }
    }
}

#[test]
fn o4_addresses_that_run_scripts_are_not_linked() {
    for value in [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
    ] {
        for (name, page) in pages_with(value) {
            let html = html(&page).to_lowercase();
            for attribute in ["href=\"", "src=\"", "action=\""] {
                for value in html.split(attribute).skip(1) {
                    let link = value.split('"').next().unwrap();
                    let scheme = link.split(['/', '?', '#']).next().unwrap();
                    assert!(!scheme.contains(':'), "{name}: {attribute}{link}");
                }
            }
        }
    }
}

#[test]
fn o4_a_logo_that_is_no_image_address_is_refused() {
    for refused in [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
    ] {
        let page = pages(|options| options.logo_url = refused.to_owned()).error(&error_view("x"));
        assert!(html(&page).contains("src=\"theme/logo.png\""), "{refused}");
    }
}

#[test]
fn o4_a_page_runs_nothing_inline_and_cannot_be_framed() {
    for (name, page) in pages_with("value") {
        let policy = header(&page, "content-security-policy");
        for directive in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(directive), "{name}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{name}: {policy}");
        let html = html(&page);
        assert!(
            !html.contains(" style=\"") && !html.contains("<style"),
            "{name}"
        );
        assert!(
            html.matches("<script").count() == html.matches("<script src=").count(),
            "{name}: {html}"
        );
        for attribute in [" onclick", " onsubmit", " onload"] {
            assert!(!html.contains(attribute), "{name}");
        }
    }
}

#[test]
fn web_46_a_refused_user_name_is_shown_escaped() {
    let mut view = password_view();
    view.username = "a\"><b";
    view.invalid = true;
    let page = pages(|_| ()).password(&view);
    assert!(html(&page).contains("value=\"a&#34;&gt;&lt;b\""));
    assert!(!html(&page).contains("a\"><b"));
}

/// The structure of a page: its tags with all attribute values left out.
fn skeleton(html: &str) -> String {
    let mut skeleton = String::new();
    let (mut in_tag, mut in_value) = (false, false);
    for current in html.chars() {
        match current {
            '<' if !in_tag => in_tag = true,
            '>' if in_tag && !in_value => {
                in_tag = false;
                skeleton.push('>');
            }
            '"' if in_tag => in_value = !in_value,
            _ => {}
        }
        if in_tag && !in_value {
            skeleton.push(current);
        }
    }
    skeleton
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A value changes texts and attribute values, never the tags: the page has the structure of one with a tame value.
    #[test]
    fn o4_no_value_changes_the_structure_of_a_page(noise in "[a-z<>\"'&=/ {}%#;:\\\\]{1,24}") {
        // Starts as a tame value does, so that it is kept or dropped as an address in the same places.
        let value = format!("x{noise}");
        let tame: String = "x".repeat(value.len());
        prop_assume!(url::Url::parse(&value).is_err());
        for ((name, wild), (_, tame)) in pages_with(&value).iter().zip(&pages_with(&tame)) {
            prop_assert_eq!(skeleton(html(wild)), skeleton(html(tame)), "{}", name);
        }
    }
}
