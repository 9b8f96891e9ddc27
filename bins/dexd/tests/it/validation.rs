//! Configurations that must not start, and those that must.

use crate::harness::{MINIMAL, Run, minimal_but, minimal_with};

fn fails(config: &str) -> String {
    Run::serve(config).fails()
}

fn starts(config: &str) {
    Run::serve(config).start().stop();
}

#[test]
fn config_05_an_empty_file_lists_three_rows() {
    assert_eq!(
        fails(""),
        "invalid Config:\n\t-\tno issuer specified in config file\n\t-\tno storage supplied in config file\n\t-\tmust supply a HTTP/HTTPS  address to listen on\n"
    );
}

#[test]
fn config_07_no_connector_is_fatal() {
    let config = minimal_but("enablePasswordDB", "");
    assert!(
        fails(&config).ends_with("failed to initialize server: server: no connectors specified\n")
    );
}

#[test]
fn config_09_unknown_storage_is_fatal() {
    for (storage, message) in [
        ("storage: {type: nosuch}", "unknown storage type \"nosuch\""),
        ("storage:", "unknown storage type \"\""),
        ("storage: {}", "unknown storage type \"\""),
    ] {
        assert!(
            fails(&minimal_but("storage", storage)).contains(message),
            "{storage}"
        );
    }
}

#[test]
fn config_10_11_12_tls_settings_are_checked() {
    for (web, message) in [
        (
            "{http: 'a:1', tlsMinVersion: '1.1'}",
            "supported TLS versions are: 1.2, 1.3",
        ),
        (
            "{http: 'a:1', tlsMinVersion: '1.3', tlsMaxVersion: '1.2'}",
            "TLSMinVersion greater than TLSMaxVersion",
        ),
        ("{https: 127.0.0.1:0}", "no cert specified for HTTPS"),
        ("{https: 127.0.0.1:0}", "no private key specified for HTTPS"),
    ] {
        assert!(
            fails(&minimal_but("web", &format!("web: {web}"))).contains(message),
            "{web}"
        );
    }
}

#[test]
fn config_13_14_unknown_keys_are_refused_when_asked() {
    let signer = "signer: {type: local, config: {keysRotationPeriod: 6h, nope: 1}}";
    for extra in ["nope: 1", signer] {
        let config = minimal_with(extra);
        starts(&config);
        let strict = Run::serve(&config).env("DEX_CONFIG_DISALLOW_UNKNOWN_FIELDS", "1");
        assert!(
            strict.fails().contains("json: unknown field \"nope\""),
            "{extra}"
        );
    }
}

#[test]
fn config_15_keys_match_in_any_letter_case() {
    starts(
        "ISSUER: http://127.0.0.1:5556/dex\nStorage: {Type: memory}\nWeb: {HTTP: 127.0.0.1:0}\nenablepassworddb: true\n",
    );
}

#[test]
fn config_16_booleans_are_those_of_yaml_1_1() {
    starts(&minimal_but("enablePasswordDB", "enablePasswordDB: yes"));
    let quoted = minimal_but("enablePasswordDB", "enablePasswordDB: 'true'");
    assert!(fails(&quoted).contains(
        "json: cannot unmarshal string into Go struct field Config.enablePasswordDB of type bool"
    ));
}

#[test]
fn config_17_to_21_static_clients_are_checked() {
    for (client, message) in [
        (
            "{id: 0123, secret: s, name: app}",
            "json: cannot unmarshal number",
        ),
        (
            "{id: a, secret: s}",
            "invalid config: Name field is required for a client",
        ),
        (
            "{id: a, name: app, secret: s, secretEnv: E}",
            "Secret and SecretEnv fields are exclusive for client",
        ),
        (
            "{id: a, name: app, secret: s, refreshTokenLifetime: sessions}",
            "client \"a\"",
        ),
        (
            "{id: a, name: app, secretEnv: UNSET}",
            "environment variable \"UNSET\" is not set",
        ),
    ] {
        assert!(
            fails(&minimal_with(&format!("staticClients: [{client}]"))).contains(message),
            "{client}"
        );
    }
}

#[test]
fn config_22_23_static_passwords_are_checked() {
    for (extra, message) in [
        (
            "staticPasswords: [{email: a, hash: abc}]",
            "malformed bcrypt hash",
        ),
        (
            "staticPasswords: [{email: a, hashFromEnv: UNSET}]",
            "no password hash provided",
        ),
        ("staticPasswords: [null]", "no password hash provided"),
    ] {
        assert!(fails(&minimal_with(extra)).contains(message), "{extra}");
    }
    let config = minimal_but(
        "enablePasswordDB",
        "enablePasswordDB: false\nstaticPasswords: [{email: a, hash: abc}]",
    );
    assert!(
        fails(&config).contains("cannot specify static passwords without enabling password db")
    );
}

#[test]
fn config_24_an_unknown_connector_type_is_fatal() {
    let config = minimal_with("connectors: [{type: nosuch, id: a, name: b}]");
    for flag in ["true", "false"] {
        let run = Run::serve(&config).env("DEX_CONTINUE_ON_CONNECTOR_FAILURE", flag);
        assert!(run.fails().contains("unknown connector type \"nosuch\""));
    }
}

#[test]
fn config_25_a_connector_that_does_not_open_is_skipped_or_fatal() {
    let config = minimal_with("connectors: [{type: mockPassword, id: m, name: M, config: {}}]");
    let logged = Run::serve(&config).start().stop();
    assert!(
        logged.contains("level=ERROR msg=\"server: Failed to open connector\" id=m err="),
        "{logged}"
    );
    let run = Run::serve(&config).env("DEX_CONTINUE_ON_CONNECTOR_FAILURE", "false");
    assert!(run.fails().contains("failed to initialize server: server: Failed to open connector m: failed to open connector: failed to create connector m: "));
}

#[test]
fn config_26_all_connectors_failing_is_fatal() {
    let config = minimal_but(
        "enablePasswordDB",
        "connectors: [{type: mockPassword, id: m, name: M, config: {}}]",
    );
    assert!(fails(&config).contains("failed to open all connectors (1/1)"));
}

#[test]
fn config_27_grants_of_connectors_are_checked() {
    let config = minimal_with(
        "connectors: [{type: mockCallback, id: m, name: M, grantTypes: [client_credentials]}]",
    );
    assert!(fails(&config).contains("unknown grant type \"client_credentials\" for connector"));
}

#[test]
fn config_32_33_oauth2_and_expiry_are_checked() {
    for (extra, message) in [
        (
            "oauth2: {responseTypes: [nonsense]}",
            "unsupported response_type \"nonsense\"",
        ),
        (
            "oauth2: {pkce: {codeChallengeMethodsSupported: [S512]}}",
            "unsupported PKCE challenge method \"S512\"",
        ),
        (
            "expiry: {idTokens: 1d}",
            "invalid config value \"1d\" for id token expiry",
        ),
    ] {
        assert!(fails(&minimal_with(extra)).contains(message), "{extra}");
    }
}

#[test]
fn config_34_35_signers_are_checked() {
    for (signer, message) in [
        (
            "{type: local}",
            "signer.config.keysRotationPeriod must be specified",
        ),
        (
            "{type: local, config: {keysRotationPeriod: 6h, algorithm: ES512}}",
            "unsupported local signer algorithm \"ES512\"",
        ),
        ("{type: nosuch}", "unknown signer type \"nosuch\""),
    ] {
        assert!(
            fails(&minimal_with(&format!("signer: {signer}"))).contains(message),
            "{signer}"
        );
    }
}

#[test]
fn config_31_38_40_45_blocks_that_come_later_are_refused_by_name() {
    for (extra, named) in [
        ("sessions: {}", "block \"sessions\""),
        (
            "mfa: {authenticators: [{id: a, type: TOTP}]}",
            "block \"mfa\"",
        ),
        ("grpc: {addr: 127.0.0.1:0}", "block \"grpc\""),
        (
            "signer: {type: vault, config: {keyName: k}}",
            "signer type \"vault\"",
        ),
        (
            "oauth2: {responseTypes: [code, token, id_token]}",
            "response type \"id_token\"",
        ),
        (
            "oauth2: {passwordConnector: local}",
            "\"oauth2.passwordConnector\"",
        ),
        (
            "oauth2: {grantTypes: [client_credentials]}",
            "grant type \"client_credentials\"",
        ),
        (
            "connectors: [{type: saml, id: s, name: S}]",
            "connector type \"saml\"",
        ),
    ] {
        let message = fails(&minimal_with(extra));
        assert!(message.starts_with("dexd: c.yaml:5:"), "{message}");
        assert!(
            message.contains(&format!("{named} is not supported by this version of dexd")),
            "{message}"
        );
    }
    let run = Run::serve(MINIMAL).env("DEX_SESSIONS_ENABLED", "true");
    assert!(
        run.fails()
            .contains("DEX_SESSIONS_ENABLED is not supported")
    );
    let run = Run::serve(&minimal_but(
        "storage",
        "storage: {type: sqlite3, config: {file: x}}",
    ))
    .env("DEX_ENT_ENABLED", "true");
    assert!(
        run.fails()
            .contains("DEX_ENT_ENABLED with storage type \"sqlite3\" is not supported")
    );
    for kind in ["postgres", "mysql", "etcd", "kubernetes"] {
        let message = fails(&minimal_but(
            "storage",
            &format!("storage: {{type: {kind}}}"),
        ));
        assert!(
            message.contains(&format!("storage type \"{kind}\" is not supported")),
            "{message}"
        );
    }
}

#[test]
fn config_41_trusted_proxies_are_prefixes() {
    let web = "web: {http: 127.0.0.1:0, clientRemoteIP: {header: X-Forwarded-For, trustedProxies: [10.0.0.1]}}";
    assert!(fails(&minimal_but("web", web)).contains("failed to parse CIDR \"10.0.0.1\""));
    let web = "web: {http: 127.0.0.1:0, clientRemoteIP: {header: X-Forwarded-For}}";
    let logged = Run::serve(&minimal_but("web", web)).start().stop();
    assert_eq!(logged.matches("level=WARN").count(), 1, "{logged}");
}

#[test]
fn config_50_an_empty_frontend_directory_is_fatal() {
    let run = Run::serve(&minimal_with("frontend: {dir: pages}"));
    std::fs::create_dir(run.path("pages")).unwrap();
    assert!(
        run.fails()
            .contains("failed to initialize server: server: failed to load web static: ")
    );
}

#[test]
fn the_issuer_is_an_http_url_with_a_host() {
    for issuer in [
        "127.0.0.1:5556",
        "localhost:5556/dex",
        "ftp://h/",
        "http://h/?x=y",
        "http://h/#f",
    ] {
        let message = fails(&minimal_but("issuer", &format!("issuer: '{issuer}'")));
        assert!(
            message.starts_with("failed to initialize server: server: "),
            "{message}"
        );
    }
}

#[test]
fn json_is_a_configuration_too() {
    starts(
        r#"{"issuer": "http://127.0.0.1:5556/dex", "storage": {"type": "memory"}, "web": {"http": "127.0.0.1:0"}, "enablePasswordDB": true}"#,
    );
}
