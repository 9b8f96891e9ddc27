//! What each page looks like as a document. `form` targets and texts of `web.md` §9 are asserted by name besides.

use super::*;

fn document(page: &PageResponse) -> String {
    let mut lines = vec![page.status.to_string()];
    lines.extend(
        page.headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())),
    );
    lines.push(String::new());
    lines.push(html(page).to_owned());
    lines.join("\n")
}

fn connectors() -> Vec<ConnectorChoice> {
    vec![
        choice("mock", "Example", "mockCallback"),
        choice("google", "google", "google"),
        choice("local", "Email", "local"),
        choice("odd", "Odd", "a type with spaces"),
    ]
}

#[test]
fn the_connector_page() {
    let page = pages(|_| ()).login(&login_view(&connectors()));
    insta::assert_snapshot!("login", document(&page));
}

#[test]
fn the_password_page() {
    let page = pages(|_| ()).password(&password_view());
    insta::assert_snapshot!("password", document(&page));
}

#[test]
fn the_password_page_after_a_failure() {
    let page = pages(|_| ()).password(&PasswordView {
        username: "jane@example.com",
        invalid: true,
        remember_me: RememberMe::Checked,
        ..password_view()
    });
    insta::assert_snapshot!("password_invalid", document(&page));
}

#[test]
fn the_consent_page() {
    let scopes: Vec<String> = [
        "openid",
        "profile",
        "email",
        "groups",
        "offline_access",
        "federated:id",
        "audience:server:client_id:peer",
        "email",
    ]
    .map(str::to_owned)
    .to_vec();
    let page = pages(|_| ()).approval(&ApprovalView {
        peer_names: &BTreeMap::from([("peer".to_owned(), "Peer App".to_owned())]),
        ..approval_view(&scopes)
    });
    insta::assert_snapshot!("approval", document(&page));
}

#[test]
fn the_consent_page_without_anything_to_reveal() {
    let page = pages(|_| ()).approval(&ApprovalView {
        user: "",
        ..approval_view(&["openid".to_owned()])
    });
    insta::assert_snapshot!("approval_nothing", document(&page));
}

#[test]
fn the_page_with_a_code_to_copy() {
    let page = pages(|_| ()).oob(&OobView {
        request_path: "/dex/auth",
        code: "j4ix7oqtzxaahqv4kkbkzvf5e",
    });
    insta::assert_snapshot!("oob", document(&page));
}

#[test]
fn the_page_that_posts_once_more() {
    let page = pages(|_| ()).repost(&RepostView {
        request_path: "/dex/callback/saml",
        action: "/dex/callback/saml",
        fields: &[
            ("SAMLResponse".to_owned(), "PHNhbWw+".to_owned()),
            ("RelayState".to_owned(), "abc".to_owned()),
        ],
    });
    insta::assert_snapshot!("repost", document(&page));
}

#[test]
fn the_error_page() {
    let page = pages(|_| ()).error(&error_view("Invalid client_id provided."));
    insta::assert_snapshot!("error", document(&page));
}

#[test]
fn the_error_page_with_a_way_out() {
    let page = pages(|_| ()).error(&ErrorView {
        link: Some(ErrorLink::StartAgain("/dex/auth?client_id=app&state=x")),
        ..error_view("User session has expired.")
    });
    insta::assert_snapshot!("error_start_again", document(&page));
}

#[test]
fn web_01_the_home_page_names_the_kind_of_server_and_links_to_discovery() {
    let page = pages(|_| ()).home(&HomeView {
        request_path: "/dex",
        discovery_url: "http://127.0.0.1:5556/dex/.well-known/openid-configuration",
    });
    assert!(html(&page).contains("Dex IdP"));
    assert!(html(&page).contains("http://127.0.0.1:5556/dex/.well-known/openid-configuration"));
    insta::assert_snapshot!("home", document(&page));
}

#[test]
fn web_06_connectors_are_links_in_the_order_of_their_names() {
    let page = pages(|_| ()).login(&login_view(&connectors()));
    let html = html(&page);
    let order: Vec<usize> = ["Email", "Example", "google", "Odd"]
        .map(|name| html.find(&format!("Log in with {name}")).unwrap())
        .to_vec();
    assert!(order.is_sorted(), "{html}");
    assert!(html.contains("href=\"/dex/auth/mock?client_id=example-app&amp;state=xyz\""));
}

#[test]
fn web_11_the_password_page_has_what_automation_relies_on() {
    let page = pages(|_| ()).password(&password_view());
    let html = html(&page);
    for part in [
        "id=\"login\" name=\"login\" type=\"text\"",
        "id=\"password\" name=\"password\" type=\"password\"",
        "id=\"submit-login\" type=\"submit\"",
        "<label class=\"theme-form-label\" for=\"login\">Email Address</label>",
        "placeholder=\"email address\"",
        "autocomplete=\"username\"",
        "autocomplete=\"current-password\"",
        "method=\"post\"",
        "Select another login method.",
    ] {
        assert!(html.contains(part), "{part}");
    }
    for part in ["login-error", "remember_me"] {
        assert!(!html.contains(part), "{part}");
    }
}

#[test]
fn web_12_a_failed_attempt_keeps_the_name_and_not_the_password() {
    let page = pages(|_| ()).password(&PasswordView {
        username: "jane@example.com",
        invalid: true,
        ..password_view()
    });
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    let html = html(&page);
    assert!(html.contains("id=\"login-error\""));
    assert!(html.contains("Invalid Email Address and password."));
    assert!(html.contains("value=\"jane@example.com\""));
    let (_, after) = html.split_once("id=\"password\"").unwrap();
    let (input, _) = after.split_once('>').unwrap();
    assert!(!input.contains("value="), "{input}");
}

#[test]
fn web_17_a_back_link_elsewhere_is_not_offered() {
    for evil in [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
    ] {
        let page = pages(|_| ()).password(&PasswordView {
            back_link: Some(evil),
            ..password_view()
        });
        assert!(
            !html(&page).contains("Select another login method."),
            "{evil}"
        );
    }
}

#[test]
fn web_29_the_check_box_starts_as_told() {
    for (remember_me, expected) in [
        (RememberMe::Checked, "name=\"remember_me\" checked"),
        (RememberMe::Unchecked, "name=\"remember_me\">"),
    ] {
        let page = pages(|_| ()).password(&PasswordView {
            remember_me,
            ..password_view()
        });
        assert!(html(&page).contains(expected), "{remember_me:?}");
    }
}

#[test]
fn web_13_consent_has_two_forms_with_their_decisions() {
    let page = pages(|_| ()).approval(&approval_view(&["openid".to_owned()]));
    let html = html(&page);
    assert_eq!(html.matches("<form method=\"post\"").count(), 2);
    assert_eq!(
        html.matches("name=\"req\" value=\"q5bjufjzbhywjfq5dw6cqgbeq\"")
            .count(),
        2
    );
    assert!(html.contains("name=\"approval\" value=\"approve\""));
    assert!(html.contains("name=\"approval\" value=\"rejected\""));
    assert!(html.contains("has not requested any personal information"));
    assert!(!html.contains("action="));
}

#[test]
fn web_40_the_display_name_and_the_logo_are_configurable() {
    let acme = pages(|options| {
        options.issuer_name = "Acme".to_owned();
        options.logo_url = "https://img.example/l.png".to_owned();
    });
    let page = acme.login(&login_view(&connectors()));
    assert!(html(&page).contains("<title>Acme</title>"));
    assert!(html(&page).contains("Log in to Acme"));
    assert!(html(&page).contains("src=\"https://img.example/l.png\""));
    assert!(
        header(&page, "content-security-policy").contains("img-src 'self' https://img.example;")
    );

    let page = pages(|_| ()).password(&password_view());
    assert!(html(&page).contains("src=\"../../theme/logo.png\""));
    assert!(html(&page).contains("href=\"../../static/main.css\""));
    assert!(header(&page, "content-security-policy").contains("img-src 'self';"));
}

#[test]
fn every_text_a_template_asks_for_is_in_the_catalogue_and_the_other_way_round() {
    let sources: String = templates::EMBEDDED
        .iter()
        .map(|(_, source)| *source)
        .collect();
    let asked: Vec<&str> = sources
        .split("t(\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(asked.len() > 20);
    for key in &asked {
        assert!(catalogue::ENGLISH.text(key).is_some(), "{key}");
    }
    for key in catalogue::ENGLISH.keys() {
        let in_code = key.starts_with("scope.") || key.starts_with("error.");
        assert!(in_code || asked.contains(&key), "{key} is not used");
    }
}
