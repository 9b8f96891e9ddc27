//! People log in through the real binary.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::flow::{APP, App, claims};
use crate::harness::{MINIMAL, Run, get, minimal_but, minimal_with};

/// bcrypt of "password".
const HASH: &str = "$2a$10$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W";

fn with_jane(extra: &str) -> String {
    minimal_with(&format!(
        "{APP}\nstaticPasswords: [{{email: Jane@Example.com, hash: '{HASH}', username: jane, userID: '1', groups: [admins]}}]\n{extra}"
    ))
}

async fn json_of(url: &str) -> Value {
    let (status, body) = get(url).await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test]
async fn config_06_30_discovery_tells_the_configured_issuer_and_the_grants_there_are() {
    let mut dexd = Run::serve(MINIMAL).start();
    let document = json_of(&dexd.url("http", "/dex/.well-known/openid-configuration")).await;
    assert_eq!(document["issuer"], "http://127.0.0.1:5556/dex");
    assert_eq!(
        document["grant_types_supported"],
        json!(["authorization_code", "refresh_token"])
    );
    dexd.stop();
}

#[tokio::test]
async fn a_person_logs_in_with_a_password_and_the_app_refreshes() {
    let mut dexd = Run::serve(&with_jane("")).start();
    let mut app = App::of(&mut dexd);
    assert_eq!(
        app.log_in("local", "jane@example.com", "wrong").await,
        Err(401)
    );
    let tokens = app
        .log_in("local", "jane@example.com", "password")
        .await
        .unwrap();
    let claims = claims(&tokens);
    assert_eq!(claims["iss"], "http://127.0.0.1:5556/dex");
    assert_eq!(claims["groups"], json!(["admins"]));
    let (status, fresh) = app.refresh(&tokens).await;
    assert_eq!(status, 200, "{fresh}");
    assert_ne!(fresh["refresh_token"], tokens["refresh_token"]);
    dexd.stop();
}

#[tokio::test]
async fn config_20_client_credentials_come_from_the_environment() {
    let config = minimal_with(
        "oauth2: {skipApprovalScreen: true}\nconnectors: [{type: mockCallback, id: mock, name: Mock}]\n\
         staticClients: [{idEnv: APP_ID, secretEnv: APP_SECRET, name: App, redirectURIs: ['http://127.0.0.1:5555/callback']}]",
    );
    let mut dexd = Run::serve(&config)
        .env("APP_ID", "from-env")
        .env("APP_SECRET", "s3cret")
        .start();
    let mut app = App::of(&mut dexd).with_credentials("from-env", "s3cret");
    let code = app.begin("mock").await.code().unwrap();
    let (status, tokens) = app.redeem(&code).await;
    assert_eq!(status, 200, "{tokens}");
    assert_eq!(claims(&tokens)["aud"], "from-env");
    dexd.stop();
}

#[tokio::test]
async fn config_22_a_hash_may_be_given_in_base64() {
    let config = minimal_with(&format!(
        "{APP}\nstaticPasswords: [{{email: jane@example.com, hash: '{}', userID: '1'}}]",
        STANDARD.encode(HASH)
    ));
    let mut dexd = Run::serve(&config).start();
    let mut app = App::of(&mut dexd);
    assert!(
        app.log_in("local", "jane@example.com", "password")
            .await
            .is_ok()
    );
    dexd.stop();
}

#[tokio::test]
async fn config_28_29_connector_values_are_expanded() {
    for (written, environment, typed) in [
        ("$P", &[][..], "a\"b\\c"),
        ("$P", &[("DEX_EXPAND_ENV", "false")], "$P"),
        ("$P", &[("DEX_EXPAND_ENV", "maybe")], "a\"b\\c"),
        ("pa$$word", &[], "paword"),
    ] {
        let config = minimal_with(&format!(
            "{APP}\nconnectors: [{{type: mockPassword, id: m, name: M, config: {{username: jane, password: {written}}}}}]"
        ));
        let mut run = Run::serve(&config).env("P", "a\"b\\c");
        for (name, value) in environment {
            run = run.env(name, value);
        }
        let mut dexd = run.start();
        let mut app = App::of(&mut dexd);
        assert_eq!(app.log_in("m", "jane", "nope").await, Err(401));
        assert!(
            app.log_in("m", "jane", typed).await.is_ok(),
            "{written} {environment:?}"
        );
        dexd.stop();
    }
}

#[tokio::test]
async fn config_34_the_local_signer_makes_keys_of_the_configured_algorithm() {
    for (algorithm, kind, curve) in [
        ("ES256", "EC", Some("P-256")),
        ("RS256", "RSA", None),
        ("PS256", "RSA", None),
        ("EdDSA", "OKP", Some("Ed25519")),
    ] {
        let signer = format!(
            "signer: {{type: local, config: {{keysRotationPeriod: 6h, algorithm: {algorithm}}}}}"
        );
        let mut dexd = Run::serve(&minimal_with(&signer)).start();
        let keys = json_of(&dexd.url("http", "/dex/keys")).await;
        assert_eq!(keys["keys"][0]["kty"], kind, "{keys}");
        assert_eq!(keys["keys"][0]["crv"].as_str(), curve);
        let document = json_of(&dexd.url("http", "/dex/.well-known/openid-configuration")).await;
        assert_eq!(
            document["id_token_signing_alg_values_supported"],
            json!([algorithm])
        );
        dexd.stop();
    }
}

#[tokio::test]
async fn config_37_a_login_record_without_the_excluded_field() {
    for (extra, has_email) in [
        ("", true),
        ("logger: {excludeFields: [email, request_id]}", false),
    ] {
        let mut dexd = Run::serve(&with_jane(extra)).start();
        let mut app = App::of(&mut dexd);
        app.log_in("local", "jane@example.com", "password")
            .await
            .unwrap();
        let record = dexd.expect_line("msg=\"login successful\"");
        assert_eq!(record.contains(" email="), has_email, "{record}");
        assert_eq!(record.contains(" request_id="), has_email, "{record}");
        assert!(record.contains(" connector_id=local"), "{record}");
        dexd.stop();
    }
}

#[tokio::test]
async fn secrets_never_reach_the_log() {
    let mut dexd = Run::serve(&with_jane("logger: {level: debug-4}")).start();
    let mut app = App::of(&mut dexd);
    let form = app.begin("local").await;
    let page = app
        .type_password(&form, "jane@example.com", "password")
        .await;
    let code = page.code().unwrap();
    let (_, tokens) = app.redeem(&code).await;
    let (_, fresh) = app.refresh(&tokens).await;
    let logged = dexd.stop();
    for secret in [
        code.as_str(),
        tokens["id_token"].as_str().unwrap(),
        tokens["access_token"].as_str().unwrap(),
        fresh["refresh_token"].as_str().unwrap(),
        "app-secret",
        HASH,
        "=password",
    ] {
        assert!(!logged.contains(secret), "{secret} in {logged}");
    }
}

#[tokio::test]
async fn the_client_address_is_taken_from_trusted_proxies_only() {
    for (trusted, address) in [("127.0.0.0/8", "203.0.113.9"), ("10.0.0.0/8", "127.0.0.1")] {
        let web = format!(
            "web: {{http: 127.0.0.1:0, clientRemoteIP: {{header: X-Real-IP, trustedProxies: [{trusted}]}}}}\n{APP}\nconnectors: [{{type: mockCallback, id: mock, name: Mock}}]"
        );
        let mut dexd = Run::serve(&minimal_but("web", &web)).start();
        let url = dexd.url("http", "/dex/auth/mock?client_id=app&redirect_uri=http://127.0.0.1:5555/callback&response_type=code&scope=openid");
        let mut app = App::of(&mut dexd);
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .redirect(reqwest::redirect::Policy::none())
            .default_headers(
                [("x-real-ip".parse().unwrap(), "203.0.113.9".parse().unwrap())]
                    .into_iter()
                    .collect(),
            )
            .build()
            .unwrap();
        app.use_client(http.clone());
        assert!(app.follow(http.get(url)).await.code().is_some());
        let record = dexd.expect_line("msg=\"login successful\"");
        assert!(
            record.contains(&format!(" client_remote_addr={address} request_id=")),
            "{record}"
        );
        dexd.stop();
    }
}

#[tokio::test]
async fn config_44_the_main_port_tells_its_health() {
    let mut dexd = Run::serve(MINIMAL).start();
    let (status, body) = get(&dexd.url("http", "/dex/healthz")).await;
    assert_eq!((status, body.trim()), (200, "Health check passed"));
    dexd.stop();
}

#[tokio::test]
async fn config_55_configured_headers_are_on_every_answer() {
    let web =
        "web: {http: 127.0.0.1:0, headers: {X-Frame-Options: DENY, Strict-Transport-Security: ''}}";
    let mut dexd = Run::serve(&minimal_but("web", web)).start();
    for path in ["/dex/keys", "/dex/static/main.css", "/dex/nosuch"] {
        let url = dexd.url("http", path);
        let response = crate::harness::client().get(url).send().await.unwrap();
        assert_eq!(response.headers()["x-frame-options"], "DENY", "{path}");
        assert!(
            !response.headers().contains_key("strict-transport-security"),
            "{path}"
        );
    }
    dexd.stop();
}

#[tokio::test]
async fn tokens_and_keys_outlive_a_restart_and_a_kill() {
    let config = with_jane("").replace("{type: memory}", "{type: sqlite3, config: {file: dex.db}}");
    let mut dexd = Run::serve(&config).start();
    let mut app = App::of(&mut dexd);
    let mut tokens = app
        .log_in("local", "jane@example.com", "password")
        .await
        .unwrap();
    let keys = json_of(&dexd.url("http", "/dex/keys")).await;
    for signal in ["KILL", "TERM"] {
        dexd.signal(signal);
        dexd.wait();
        let file = std::fs::read(dexd.path("dex.db")).unwrap();
        let log = std::fs::read(dexd.path("dex.db-wal"));
        let run = Run::serve(&config);
        std::fs::write(run.path("dex.db"), file).unwrap();
        if let Ok(log) = log {
            std::fs::write(run.path("dex.db-wal"), log).unwrap();
        }
        dexd = run.start();
        assert_eq!(
            json_of(&dexd.url("http", "/dex/keys")).await,
            keys,
            "{signal}"
        );
        let (status, fresh) = App::of(&mut dexd).refresh(&tokens).await;
        assert_eq!(status, 200, "{signal}: {fresh}");
        tokens = fresh;
    }
    dexd.stop();
}
