use std::time::Duration;

use super::*;

const MINIMAL: &str = "issuer: http://127.0.0.1:5556/dex\nstorage: {type: memory}\nweb: {http: 127.0.0.1:5556}\nenablePasswordDB: true\n";

fn with(text: &str, environment: &Environment) -> Result<Settings, LoadError> {
    parse("c.yaml", text, &Overrides::default(), environment)
}

/// The message of `serve`, or nothing.
fn fault(text: &str) -> String {
    fault_in(text, &Environment::default())
}

fn fault_in(text: &str, environment: &Environment) -> String {
    with(text, environment).map_or_else(|error| error.to_string(), |_| String::new())
}

fn settings(text: &str) -> Settings {
    match with(text, &Environment::default()) {
        Ok(settings) => settings,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn an_empty_file_lists_three_rows() {
    assert_eq!(
        fault(""),
        "invalid Config:\n\t-\tno issuer specified in config file\n\t-\tno storage supplied in config file\n\t-\tmust supply a HTTP/HTTPS  address to listen on"
    );
}

#[test]
fn the_minimal_file_has_dex_defaults() {
    let settings = settings(MINIMAL);
    assert_eq!(settings.issuer, "http://127.0.0.1:5556/dex");
    assert_eq!(settings.storage, StorageSettings::Memory);
    assert_eq!(settings.http.as_deref(), Some("127.0.0.1:5556"));
    assert_eq!(settings.signer.rotation_period, Duration::from_hours(6));
    assert_eq!(
        settings.policy.id_tokens_valid_for,
        Duration::from_hours(24)
    );
    assert_eq!(settings.connectors.len(), 1);
    assert!(settings.continue_on_connector_failure);
}

#[test]
fn flags_of_the_command_line_replace_keys() {
    let overrides = Overrides {
        web_http: "127.0.0.1:1".into(),
        telemetry: "127.0.0.1:2".into(),
        ..Overrides::default()
    };
    let text = "issuer: http://h/dex\nstorage: {type: memory}\nenablePasswordDB: true\n";
    let settings = parse("c.yaml", text, &overrides, &Environment::default())
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(settings.http.as_deref(), Some("127.0.0.1:1"));
    assert_eq!(settings.telemetry.as_deref(), Some("127.0.0.1:2"));
}

#[test]
fn values_that_dex_refuses_are_refused_in_its_words() {
    let minimal_without_storage = MINIMAL.replace("storage: {type: memory}\n", "");
    let decode = "error unmarshalling config file c.yaml: ";
    for (extra, message) in [
        ("issuer: 5", format!("{decode}json: cannot unmarshal number into Go struct field Config.issuer of type string")),
        ("enablePasswordDB: \"true\"", format!("{decode}json: cannot unmarshal string into Go struct field Config.enablePasswordDB of type bool")),
        ("signer:", format!("{decode}unknown signer type \"\"")),
        ("signer: {type: nosuch}", format!("{decode}unknown signer type \"nosuch\"")),
        ("signer: {type: local}", "failed to open local signer: signer.config.keysRotationPeriod must be specified".into()),
        ("signer: {type: local, config: {keysRotationPeriod: 6h, algorithm: ES512}}", format!("{decode}parse signer config: unsupported local signer algorithm \"ES512\"")),
        ("signer: {type: local, config: {keysRotationPeriod: \"0\"}}", "failed to open local signer: invalid config value \"0\" for local signer rotation period: must be positive".into()),
        ("signer: {type: local, config: [x]}", format!("{decode}unmarshal config for env expansion: json: cannot unmarshal array into Go value of type map[string]interface {{}}")),
        ("logger: {level: warning}", format!("{decode}slog: level string \"warning\": unknown name")),
        ("logger: {level: }", format!("{decode}slog: level string \"\": unknown name")),
        ("logger: {format: xml}", "invalid config: log format is not one of the supported values (json, text): xml".into()),
        ("expiry: {idTokens: 1d}", "invalid config value \"1d\" for id token expiry: time: unknown unit \"d\" in duration \"1d\"".into()),
        ("expiry: {authRequests: -1h}", "invalid config value \"-1h\" for auth request expiry: time: negative duration \"-1h\"".into()),
        ("expiry: {refreshTokens: {reuseInterval: 3}}", format!("{decode}json: cannot unmarshal number into Go struct field Config.expiry.refreshTokens.reuseInterval of type string")),
        ("expiry: {refreshTokens: {reuseInterval: \"3\"}}", "invalid refresh token expiration policy config: invalid config value \"3\" for refresh tokens reuse interval: time: missing unit in duration \"3\"".into()),
        ("oauth2: {responseTypes: [nonsense]}", "failed to initialize server: unsupported response_type \"nonsense\"".into()),
        ("oauth2: {pkce: {codeChallengeMethodsSupported: [S512]}}", "failed to initialize server: unsupported PKCE challenge method \"S512\"".into()),
        ("web: {http: a, tlsMinVersion: \"1.1\"}", "invalid Config:\n\t-\tsupported TLS versions are: 1.2, 1.3".into()),
        ("web: {http: a, tlsMinVersion: 1.3, tlsMaxVersion: 1.2}", "invalid Config:\n\t-\tTLSMinVersion greater than TLSMaxVersion".into()),
        ("web: {https: a}", "invalid Config:\n\t-\tno cert specified for HTTPS\n\t-\tno private key specified for HTTPS".into()),
        ("web: {http: a, clientRemoteIP: {header: X-Forwarded-For, trustedProxies: [10.0.0.1]}}", "failed to parse client remote IP settings: failed to parse CIDR \"10.0.0.1\": no '/'".into()),
        ("issuer: localhost:5556/dex", "failed to initialize server: server: issuer URL must start with http:// or https://".into()),
        ("connectors: [{type: nosuch, id: a, name: b}]", format!("{decode}unknown connector type \"nosuch\"")),
        ("connectors: [{type: local, id: a, name: b}]", format!("{decode}unknown connector type \"local\"")),
        ("connectors: [null]", format!("{decode}unknown connector type \"\"")),
        ("connectors: [{type: mockCallback, id: a}]", "invalid config: ID, Type and Name fields are required for a connector".into()),
        ("connectors: [{type: mockCallback, id: a, name: b, grantTypes: [client_credentials]}]", "invalid config: unknown grant type \"client_credentials\" for connector \"a\"".into()),
        ("frontend: {extra: {a: 1}}", format!("{decode}json: cannot unmarshal number into Go struct field Config.frontend.extra of type string")),
    ] {
        let text = if extra.starts_with("web") {
            format!("{}{extra}\n", MINIMAL.replace("web: {http: 127.0.0.1:5556}\n", ""))
        } else {
            format!("{MINIMAL}{extra}\n")
        };
        assert_eq!(fault(&text), message, "{extra}");
    }
    for (storage, message) in [
        ("storage:", "unknown storage type \"\""),
        ("storage: {type: nosuch}", "unknown storage type \"nosuch\""),
        (
            "storage: {type: sqlite3, config: {file: 5}}",
            "parse storage config: json: cannot unmarshal number into Go struct field SqliteConfig.file of type string",
        ),
    ] {
        assert_eq!(
            fault(&format!("{minimal_without_storage}{storage}\n")),
            format!("{decode}{message}")
        );
    }
}

#[test]
fn static_clients_are_checked_in_dex_order() {
    for (client, message) in [
        (
            "{id: a, secret: s}",
            "invalid config: Name field is required for a client",
        ),
        (
            "{name: app, secret: s}",
            "invalid config: ID or IDEnv field is required for a client",
        ),
        (
            "{name: app, id: a, idEnv: E, secret: s}",
            "invalid config: ID and IDEnv fields are exclusive for client \"a\"",
        ),
        (
            "{name: app, id: a}",
            "invalid config: Secret or SecretEnv field is required for client \"a\"",
        ),
        (
            "{name: app, id: a, secret: s, secretEnv: E}",
            "invalid config: Secret and SecretEnv fields are exclusive for client \"a\"",
        ),
        (
            "{name: app, id: a, secretEnv: NOPE}",
            "invalid config: environment variable \"NOPE\" is not set",
        ),
        (
            "{name: app, id: a, secret: s, refreshTokenLifetime: sessions}",
            "staticClients: client \"a\": invalid refresh token lifetime \"sessions\": want \"standalone\" or \"session\"",
        ),
        (
            "{name: app, id: 0123, secret: s}",
            "error unmarshalling config file c.yaml: json: cannot unmarshal number into Go struct field Config.staticClients.id of type string",
        ),
        ("{name: app, id: a, public: true}", ""),
        ("{name: app, idEnv: E, secretEnv: E}", ""),
    ] {
        let text = format!("{MINIMAL}staticClients: [{client}]\n");
        let environment = Environment::from([("E", "value")]);
        assert_eq!(fault_in(&text, &environment), message, "{client}");
    }
}

#[test]
fn static_passwords_need_a_hash_that_can_be_used() {
    let hash = "$2a$10$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W";
    let base64 = "JDJhJDEwJDJiMmNVOENQaE9UYUdyczFIUlF1QXVlUzdKVFQ1WkhzSFN6WWlGUG0xbGVaY2s3TWM4VDRX";
    let cheap = hash.replace("$10$", "$04$");
    let decode = "error unmarshalling config file c.yaml: ";
    for (password, message) in [
        (format!("{{email: a, hash: {hash}}}"), String::new()),
        (format!("{{email: a, hash: {base64}}}"), String::new()),
        ("{email: a, hashFromEnv: HASH}".into(), String::new()),
        (
            "{email: a, hashFromEnv: NOPE}".into(),
            format!("{decode}no password hash provided"),
        ),
        (
            "{email: a}".into(),
            format!("{decode}no password hash provided"),
        ),
        (
            "{email: a, hash: abc}".into(),
            format!("{decode}malformed bcrypt hash: the hash is too short to be a bcrypt hash"),
        ),
        (
            format!("{{email: a, hash: {cheap}}}"),
            "invalid config: bcrypt cost 4 of \"a\" is outside 10 to 16".into(),
        ),
        (
            format!("{{hash: {hash}}}"),
            "invalid config: Email field is required for a static password".into(),
        ),
    ] {
        let environment = Environment::from([("HASH", hash)]);
        let text = format!("{MINIMAL}staticPasswords: [{password}]\n");
        assert_eq!(fault_in(&text, &environment), message, "{password}");
    }
    let text = format!("{MINIMAL}staticPasswords: [{{email: a, hash: {hash}}}]\n")
        .replace("enablePasswordDB: true", "enablePasswordDB: false");
    assert_eq!(
        fault(&text),
        "invalid Config:\n\t-\tcannot specify static passwords without enabling password db"
    );
}

#[test]
fn every_block_that_comes_later_is_refused_by_name() {
    let text = format!(
        "{}grpc: {{addr: 127.0.0.1:5557}}\nsessions: {{}}\nmfa: {{authenticators: []}}\nstorage: {{type: postgres}}\n\
         signer: {{type: vault}}\nconnectors: [{{type: ldap, id: l, name: L}}]\ntelemetry: {{http: a, enableProfiling: true}}\n\
         oauth2: {{passwordConnector: local, responseTypes: [code, id_token], grantTypes: [authorization_code, client_credentials, nosuch, implicit]}}\n",
        MINIMAL.replace("storage: {type: memory}\n", "")
    );
    let environment = Environment::from([("DEX_SESSIONS_ENABLED", "true")]);
    let message = fault_in(&text, &environment);
    for named in [
        "block \"grpc\"",
        "block \"sessions\"",
        "block \"mfa\"",
        "storage type \"postgres\"",
        "signer type \"vault\"",
        "connector type \"ldap\"",
        "\"oauth2.passwordConnector\"",
        "\"telemetry.enableProfiling\"",
        "response type \"id_token\"",
        "grant type \"client_credentials\"",
        "environment variable DEX_SESSIONS_ENABLED",
    ] {
        assert!(
            message.contains(&format!("{named} is not supported by this version of dexd")),
            "{named} in {message}"
        );
    }
    assert_eq!(message.lines().count(), 11, "{message}");
    assert!(
        message.contains("dexd: c.yaml:4:1: block \"grpc\""),
        "{message}"
    );
}

#[test]
fn unknown_keys_are_refused_everywhere_when_asked() {
    let strict = Environment::from([("DEX_CONFIG_DISALLOW_UNKNOWN_FIELDS", "1")]);
    for extra in [
        "nope: 1",
        "telemetry: {nope: 1}",
        "expiry: {refreshTokens: {nope: 1}}",
        "signer: {type: local, nope: 1, config: {keysRotationPeriod: 6h}}",
        "signer: {type: local, config: {keysRotationPeriod: 6h, nope: 1}}",
        "staticClients: [{id: a, secret: b, name: c, nope: 1}]",
        "connectors: [{type: mockCallback, id: a, name: b, nope: 1}]",
    ] {
        let text = format!("{MINIMAL}{extra}\n");
        assert_eq!(fault(&text), "", "{extra}");
        assert!(
            fault_in(&text, &strict).contains("json: unknown field \"nope\""),
            "{extra}"
        );
    }
}

#[test]
fn check_lists_every_fault_with_its_place() {
    let text = "Issuer: 5\nweb:\n  http: 127.0.0.1:0\n  tlsMinVersion: '1.1'\nstorage:\n  type: memory\nexpiry:\n  idTokens: 1d\nstaticClients:\n- id: a\n  secret: b\n";
    let error = with(text, &Environment::default()).err().unwrap();
    assert_eq!(
        error.for_check(),
        "c.yaml:1:1: Issuer: json: cannot unmarshal number into Go struct field Config.issuer of type string\n\
         c.yaml:4:3: web.tlsMinVersion: supported TLS versions are: 1.2, 1.3\n\
         c.yaml:8:3: expiry.idTokens: invalid config value \"1d\" for id token expiry: time: unknown unit \"d\" in duration \"1d\"\n\
         c.yaml:10:3: staticClients[0].name: invalid config: Name field is required for a client\n"
    );
}

#[test]
fn broken_yaml_is_one_line() {
    let message = fault("a: [1\nb: 2\n");
    assert!(
        message.starts_with("error parse config file c.yaml: "),
        "{message}"
    );
    assert_eq!(message.lines().count(), 1);
}

#[test]
fn environment_variables_fill_three_blocks_only() {
    let environment = Environment::from([("P", "a\"b\\c"), ("FILE", "x.db")]);
    let text = format!(
        "{}storage: {{type: sqlite3, config: {{file: $FILE}}}}\nconnectors: [{{type: mockPassword, id: m, name: $P, config: {{username: u, password: $P}}}}]\n",
        MINIMAL.replace("storage: {type: memory}\n", "")
    );
    let read = with(&text, &environment).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        read.storage,
        StorageSettings::Sqlite {
            file: "x.db".into()
        }
    );
    let connector = read.connectors.first().unwrap();
    assert_eq!(connector.name, "$P");
    let config: Value = serde_json::from_slice(connector.config.expose()).unwrap();
    assert_eq!(config["password"], "a\"b\\c");
    let off = Environment::from([("P", "x"), ("FILE", "x.db"), ("DEX_EXPAND_ENV", "false")]);
    let read = with(&text, &off).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        read.storage,
        StorageSettings::Sqlite {
            file: "$FILE".into()
        }
    );
}
