//! Settings of ours that bring Dex's way back.

use serde_json::Value;

use crate::agent::{Agent, Answer};
use crate::harness::{Dexd, Run, minimal_with};

const CLIENT: &str = "staticClients: [{id: app, secret: s3cret, name: App, redirectURIs: ['http://127.0.0.1:5555/callback']}]\nconnectors: [{type: mockCallback, id: mock, name: Mock}]";

const AUTHORIZE: &str = "/dex/auth/mock?client_id=app&redirect_uri=http%3A%2F%2F127.0.0.1%3A5555%2Fcallback&response_type=code&scope=openid+offline_access&state=s";

#[test]
fn a_stored_request_needs_no_cookie() {
    let mut dexd = start("oauth2: {skipApprovalScreen: true, authRequests: stored}");
    let origin = dexd.url("http", "");
    let mut target = AUTHORIZE.to_owned();
    // A new agent for each step: nothing but the URL goes on.
    for status in [302, 303, 303] {
        let answer = Agent::new(&origin).get(&target);
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.headers.get("set-cookie").is_none());
        answer.location().clone_into(&mut target);
    }
    assert!(
        target.starts_with("http://127.0.0.1:5555/callback?code="),
        "{target}"
    );
}

#[test]
fn tokens_30_a_second_login_ends_the_first_where_the_switch_says_so() {
    for (extra, first_lives) in [
        ("", true),
        ("\nexpiry: {refreshTokens: {onePerClient: true}}", false),
    ] {
        let mut dexd = start(&format!("oauth2: {{skipApprovalScreen: true}}{extra}"));
        let mut agent = Agent::new(&dexd.url("http", ""));
        let first = log_in(&mut agent);
        let second = log_in(&mut agent);
        assert_eq!(refresh(&agent, &second), 200);
        assert_eq!(refresh(&agent, &first), if first_lives { 200 } else { 400 });
    }
}

#[test]
fn an_unknown_way_of_keeping_requests_is_refused() {
    let text = Run::serve(&minimal_with("oauth2: {authRequests: cookie}")).fails();
    assert!(
        text.contains("unsupported oauth2.authRequests \"cookie\": want \"sealed\" or \"stored\""),
        "{text}"
    );
}

fn start(extra: &str) -> Dexd {
    Run::serve(&minimal_with(&format!("{CLIENT}\n{extra}"))).start()
}

fn log_in(agent: &mut Agent) -> String {
    let mut answer: Answer = agent.get(AUTHORIZE);
    while !answer.location().starts_with("http://127.0.0.1:5555/") {
        answer = agent.get(answer.location());
    }
    let callback = url::Url::parse(answer.location()).unwrap();
    let code = callback
        .query_pairs()
        .find(|(name, _)| name == "code")
        .unwrap()
        .1
        .into_owned();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", "http://127.0.0.1:5555/callback"),
    ];
    let (status, answer): (u16, Value) = agent.token("app", "s3cret", &form);
    assert_eq!(status, 200, "{answer}");
    answer["refresh_token"].as_str().unwrap().to_owned()
}

fn refresh(agent: &Agent, token: &str) -> u16 {
    agent
        .token(
            "app",
            "s3cret",
            &[("grant_type", "refresh_token"), ("refresh_token", token)],
        )
        .0
}
