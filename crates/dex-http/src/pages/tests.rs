use std::collections::BTreeMap;

use http::StatusCode;

use super::*;

mod assets_over_http;
mod custom_directory;
mod escaping;
mod snapshots;
mod themes;

/// Pages of an issuer at `/dex`, as embedded, with what the test changes.
fn pages(change: impl FnOnce(&mut FrontendOptions)) -> Pages {
    let mut options = FrontendOptions {
        issuer_path: "/dex".to_owned(),
        ..FrontendOptions::default()
    };
    change(&mut options);
    Pages::embedded(options).unwrap()
}

fn html(page: &PageResponse) -> &str {
    std::str::from_utf8(&page.body).unwrap()
}

fn header<'a>(page: &'a PageResponse, name: &str) -> &'a str {
    page.headers
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

fn choice(id: &str, name: &str, kind: &str) -> ConnectorChoice {
    ConnectorChoice {
        id: id.to_owned(),
        name: name.to_owned(),
        kind: kind.to_owned(),
        url: format!("/dex/auth/{id}?client_id=example-app&state=xyz"),
    }
}

fn login_view(connectors: &[ConnectorChoice]) -> LoginView<'_> {
    LoginView {
        request_path: "/dex/auth",
        connectors,
    }
}

fn password_view() -> PasswordView<'static> {
    PasswordView {
        request_path: "/dex/auth/local/login",
        post_url: "/dex/auth/local/login?back=%2Fdex%2Fauth&state=abc",
        back_link: Some("/dex/auth?client_id=example-app&state=xyz"),
        username: "",
        username_prompt: "Email Address",
        invalid: false,
        remember_me: RememberMe::Hidden,
    }
}

static NO_PEERS: BTreeMap<String, String> = BTreeMap::new();

fn approval_view(scopes: &[String]) -> ApprovalView<'_> {
    ApprovalView {
        request_path: "/dex/approval",
        user: "kilgore@kilgore.trout",
        client_name: "Example App",
        auth_request_id: "q5bjufjzbhywjfq5dw6cqgbeq",
        scopes,
        peer_names: &NO_PEERS,
    }
}

fn error_view(message: &str) -> ErrorView<'_> {
    ErrorView {
        request_path: "/dex/auth",
        status: StatusCode::BAD_REQUEST,
        message,
        link: None,
    }
}
