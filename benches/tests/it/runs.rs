//! Whole runs of the tool.

use benches::cli::{Options, Scenario};
use benches::report::{self, Report};
use benches::run::run;
use clap::Parser as _;

use crate::fake::{Behaviour, Fake};

fn options(issuers: &[&Fake], more: &[&str]) -> Options {
    let mut line = vec!["load"];
    line.extend(more);
    for issuer in issuers {
        line.extend(["--issuer", &issuer.url]);
    }
    line.extend([
        "--client-secret",
        "s+t",
        "-d",
        "0.1",
        "-w",
        "0.02",
        "-r",
        "2",
        "-c",
        "3",
    ]);
    let options = Options::try_parse_from(line).unwrap();
    options.check().unwrap();
    options
}

async fn report(issuers: &[&Fake], more: &[&str]) -> Report {
    run(&options(issuers, more)).await.unwrap()
}

#[tokio::test]
async fn every_scenario_is_driven() {
    let fake = Fake::start(Behaviour::Mock).await;
    let pid = std::process::id().to_string();
    let report = report(&[&fake], &["--pid", &pid]).await;
    let outcomes = &report.targets[0].scenarios;
    let names: Vec<_> = outcomes.iter().map(|outcome| outcome.scenario).collect();
    assert_eq!(names, Scenario::ALL);
    for outcome in outcomes {
        assert!(outcome.operations > 0, "{outcome:?}");
        assert_eq!(outcome.failed, 0, "{outcome:?}");
        assert_eq!(outcome.windows.len(), 2);
        assert!(outcome.throughput > 0.0);
        assert!(outcome.latency.as_ref().unwrap().p50 > 0.0);
        assert!(outcome.server_cpu_ms.is_some());
        let requests = outcome.requests_per_operation.unwrap();
        let expected = if outcome.scenario == Scenario::Code {
            5.0
        } else {
            1.0
        };
        assert!((requests - expected).abs() < 1e-9, "{outcome:?}");
    }
    assert!(report.rsa2048_sign_ms.unwrap() > 0.0);
    assert!(report.targets[0].peak_rss_bytes.unwrap() > 0);
    assert!(!report.has_errors() && !report.has_dead_scenario());
    let text = report::text(&report);
    for word in [
        "code",
        "refresh",
        "discovery",
        "keys",
        "userinfo",
        "S = ",
        "memory: peak",
    ] {
        assert!(text.contains(word), "{text}");
    }
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["targets"][0]["scenarios"][0]["scenario"], "code");
    let flows = fake.asked_for("/callback");
    assert_eq!(fake.asked_for("/auth/mock"), flows);
    assert_eq!(fake.asked_for("/auth"), 2 * flows);
}

#[tokio::test]
async fn forms_are_filled_in_and_consent_is_given_when_told_to() {
    let fake = Fake::start(Behaviour::Asks).await;
    let user = ["code", "--login", "user{worker}", "--password", "secret"];
    let with_consent = [&user[..], &["--approve"]].concat();
    let good = report(&[&fake], &with_consent).await;
    assert!(good.targets[0].scenarios[0].operations > 0);
    assert!(!good.has_errors());
    let users = fake.log.lock().unwrap().users.clone();
    assert_eq!(users, ["user0", "user1", "user2"].map(str::to_owned).into());

    for (more, kind) in [
        (&user[..], "approval page shown: --approve needed"),
        (
            &["code"],
            "sign-in form shown: --login and --password needed",
        ),
        (
            &["code", "--login", "u", "--password", "wrong"],
            "login: 401",
        ),
    ] {
        let bad = report(&[&fake], more).await;
        let outcome = &bad.targets[0].scenarios[0];
        assert_eq!(outcome.operations, 0);
        let kinds: Vec<_> = outcome.errors.keys().collect();
        assert_eq!(kinds, [kind]);
        assert!(bad.has_dead_scenario());
        assert!(report::text(&bad).contains(kind));
    }
}

#[tokio::test]
async fn failures_are_counted_by_kind_and_work_goes_on() {
    let fake = Fake::start(Behaviour::Fails).await;
    let mut options = options(&[&fake], &["refresh"]);
    options.concurrency = 1;
    let report = run(&options).await.unwrap();
    let outcome = &report.targets[0].scenarios[0];
    assert!(outcome.operations > 0);
    assert!(report.has_errors() && !report.has_dead_scenario());
    assert_eq!(outcome.failed, outcome.errors.values().sum::<u64>());
    assert!(outcome.errors["token: 500 server_error"] > 0, "{outcome:?}");
}

#[tokio::test]
async fn a_server_that_closes_connections_can_be_driven() {
    let fake = Fake::start(Behaviour::Closes).await;
    let report = report(&[&fake], &["code", "keys"]).await;
    assert!(!report.has_errors(), "{report:?}");
    assert!(!report.has_dead_scenario());
}

#[tokio::test]
async fn two_servers_are_compared() {
    let (one, other) = (
        Fake::start(Behaviour::Mock).await,
        Fake::start(Behaviour::Closes).await,
    );
    let report = report(&[&one, &other], &["discovery", "code"]).await;
    assert_eq!(report.targets.len(), 2);
    assert_eq!(report.ratios.len(), 2);
    for (number, ratio) in report.ratios.iter().enumerate() {
        let throughput = |target: usize| report.targets[target].scenarios[number].throughput;
        let expected = throughput(1) / throughput(0);
        assert!((ratio.throughput.unwrap() - expected).abs() < 1e-9);
        assert_eq!(ratio.server_cpu, None);
    }
    assert!(report::text(&report).contains("second to first"));
}

#[tokio::test]
async fn a_server_that_cannot_be_driven_is_one_clear_error() {
    let fake = Fake::start(Behaviour::Mock).await;
    let nowhere = Fake {
        url: fake.url.replace("/dex", "/other"),
        log: std::sync::Arc::default(),
    };
    let error = run(&options(&[&nowhere], &[])).await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("openid-configuration answers 404 Not Found"),
        "{error}"
    );

    let mut wrong_client = options(&[&fake], &["userinfo"]);
    wrong_client.client_id = vec!["other".to_owned()];
    let error = run(&wrong_client).await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("preparing userinfo: token: 401 invalid_client"),
        "{error}"
    );

    // A name that is not the one under which the server knows itself.
    let alias = Fake {
        url: fake.url.replace("127.0.0.1", "localhost"),
        log: std::sync::Arc::default(),
    };
    let error = run(&options(&[&alias], &[])).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("is not on the server of --issuer"),
        "{error}"
    );
}
