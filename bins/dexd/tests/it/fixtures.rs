//! Databases written by Dex: what must hold when dexd opens a copy (rules 1 to 9), for every classic SQLite one.
//!
//! The databases lie as text in `testdata/dex-databases`; each test builds one, starts the real `dexd` on it and acts as the
//! browsers and clients that hold something from the old server. Sessions and second factors (rule 8) come with later issues.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::agent::{Agent, jws_header, jws_payload, verify_jws};
use crate::dex_databases;
use crate::harness::{Dexd, Run};

/// A Dex database, rebuilt from its dump, and what the outside world holds.
struct Fixture {
    manifest: Value,
    directory: tempfile::TempDir,
}

impl Fixture {
    fn load(name: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        dex_databases::materialise(name, &directory.path().join("dex.db"));
        Self {
            manifest: dex_databases::manifest(name),
            directory,
        }
    }

    fn database(&self) -> PathBuf {
        self.directory.path().join("dex.db")
    }

    fn open(&self) -> Connection {
        Connection::open(self.database()).unwrap()
    }

    fn list(&self, key: &str) -> Vec<Value> {
        self.manifest[key].as_array().cloned().unwrap_or_default()
    }

    fn is_before(&self, minor: u32) -> bool {
        let version = self.manifest["dex_version"].as_str().unwrap();
        version
            .strip_prefix("v2.")
            .and_then(|rest| rest.split('.').next())
            .and_then(|number| number.parse::<u32>().ok())
            .is_some_and(|number| number < minor)
    }

    /// The configuration the database was written under, less the blocks that later issues bring.
    fn config(&self, extra: &Value) -> String {
        let mut config = self.manifest["config"].clone();
        let top = config.as_object_mut().unwrap();
        top.remove("sessions");
        top.remove("mfa");
        let oauth2 = top["oauth2"].as_object_mut().unwrap();
        oauth2.remove("passwordConnector");
        oauth2.remove("responseTypes");
        for client in top
            .get_mut("staticClients")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            client.as_object_mut().unwrap().remove("mfaChain");
        }
        top.insert(
            "storage".into(),
            json!({"type": "sqlite3", "config": {"file": self.database()}}),
        );
        top.insert("web".into(), json!({"http": "127.0.0.1:0"}));
        for (key, value) in extra.as_object().unwrap() {
            top.insert(key.clone(), value.clone());
        }
        // JSON is YAML.
        config.to_string()
    }

    fn start(&self) -> Server {
        Server::start(&self.config(&json!({})))
    }

    fn client(&self, id: &str) -> Value {
        self.list("clients")
            .into_iter()
            .chain(self.list("static_clients"))
            .find(|client| client["id"] == id)
            .unwrap_or_else(|| panic!("no client {id} in the manifest"))
    }

    fn secret(&self, id: &str) -> String {
        self.client(id)["secret"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    fn user(&self, email: &str) -> Option<Value> {
        self.list("users")
            .into_iter()
            .find(|user| user["email"] == email)
    }

    fn tokens(&self, state: &str) -> Vec<Value> {
        self.list("refresh_tokens")
            .into_iter()
            .filter(|token| token["state"] == state)
            .collect()
    }

    fn refresh(&self, agent: &Agent, client: &str, token: &str) -> (u16, Value) {
        agent.token(
            client,
            &self.secret(client),
            &[("grant_type", "refresh_token"), ("refresh_token", token)],
        )
    }
}

/// `dexd` at an address that is not its issuer's; browsers and clients are told to go there.
struct Server {
    dexd: Dexd,
    origin: String,
}

impl Server {
    fn start(config: &str) -> Self {
        let mut dexd = Run::serve(config).start();
        let origin = dexd.url("http", "");
        Self { dexd, origin }
    }

    fn agent(&self) -> Agent {
        Agent::new(&self.origin)
    }

    fn stop(self) {
        self.dexd.stop();
    }
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key} is not text"))
}

/// Rule 1: It starts without any step by hand.
fn rule_1(name: &str) {
    let fixture = Fixture::load(name);
    let dexd = fixture.start();
    let (status, document) = dexd
        .agent()
        .get_json("/dex/.well-known/openid-configuration");
    assert_eq!(
        (status, document["issuer"].as_str()),
        (200, fixture.manifest["issuer"].as_str())
    );
}

/// Rule 2: Every published key is kept, none is added before its time, stored tokens verify.
fn rule_2(name: &str) {
    let fixture = Fixture::load(name);
    let dexd = fixture.start();
    let agent = dexd.agent();
    let (_, jwks) = agent.get_json("/dex/keys");
    let served = jwks["keys"].as_array().unwrap();
    let stored = fixture.manifest["jwks"]["keys"].as_array().unwrap();
    for key in stored {
        let same = served
            .iter()
            .find(|candidate| candidate["kid"] == key["kid"])
            .expect("key was dropped");
        for member in ["kty", "n", "e", "crv", "x", "y", "alg"] {
            assert_eq!(same.get(member), key.get(member), "{member}");
        }
    }
    let rotation_due = fixture.manifest["rotation_due"] == true;
    assert_eq!(served.len(), stored.len() + usize::from(rotation_due));
    let is_new = !stored.iter().any(|key| key["kid"] == served[0]["kid"]);
    assert_eq!(is_new, rotation_due, "the signing key comes first");
    for token in fixture.list("id_tokens") {
        verify_jws(&jws(&token), &jwks);
    }
    for token in fixture.list("access_tokens") {
        let (status, claims) = agent.userinfo(&jws(&token));
        assert_eq!((status, &claims["sub"]), (200, &token["sub"]));
    }
}

fn jws(token: &Value) -> String {
    text(token, "token").to_owned()
}

/// Rule 3: Every current refresh token refreshes once with rotation, for its client only, with the right claims.
fn rule_3_current(name: &str) {
    let fixture = Fixture::load(name);
    let dexd = fixture.start();
    let agent = dexd.agent();
    let rotation_due = fixture.manifest["rotation_due"] == true;
    for token in fixture.tokens("current") {
        let (client, held) = (text(&token, "client_id"), text(&token, "token"));
        let other = if client == "second-app" {
            "web-app"
        } else {
            "second-app"
        };
        let (status, refused) = fixture.refresh(&agent, other, held);
        assert_eq!(
            (status, text(&refused, "error")),
            (400, "invalid_grant"),
            "another client's token"
        );

        let (status, answer) = fixture.refresh(&agent, client, held);
        assert_eq!(status, 200, "{token} {answer}");
        let id_token = text(&answer, "id_token");
        let claims = jws_payload(id_token);
        if let Some(user) = fixture
            .user(text(&token, "user"))
            .filter(|_| token["connector_id"] == "local")
        {
            assert_eq!(claims["sub"], user["sub"]);
        }
        let audience = claims["aud"].as_str().map_or_else(
            || claims["aud"].as_array().unwrap().contains(&json!(client)),
            |single| single == client,
        );
        assert!(audience, "{claims}");
        assert_eq!(
            claims.get("nonce"),
            token.get("nonce").filter(|nonce| *nonce != "")
        );
        if let Some(sid) = token.get("sid").filter(|sid| !sid.is_null()) {
            assert_eq!(&claims["sid"], sid, "{token}");
        }
        let scopes = text(&token, "scopes");
        if scopes.contains("email") && token["connector_id"] == "local" {
            // The password table keeps addresses in lower case.
            let email = text(&token, "user").to_lowercase();
            assert_eq!(claims["email"], json!(email));
        }
        assert_eq!(
            claims.get("name").is_some(),
            scopes.contains("profile"),
            "{claims}"
        );
        if !rotation_due {
            assert_eq!(jws_header(id_token)["kid"], fixture.manifest["signing_kid"]);
        }
        let (status, again) = fixture.refresh(&agent, client, text(&answer, "refresh_token"));
        assert_eq!(status, 200, "the new string works: {again}");
        let (status, _) = fixture.refresh(&agent, client, held);
        assert_eq!(status, 400, "the old string does not");
    }
}

/// Rule 3: Replaced strings are refused.
fn rule_3_replaced(name: &str) {
    let fixture = Fixture::load(name);
    let dexd = fixture.start();
    let agent = dexd.agent();
    for state in ["obsolete", "superseded"] {
        for token in fixture.tokens(state) {
            let (status, answer) =
                fixture.refresh(&agent, text(&token, "client_id"), text(&token, "token"));
            assert_eq!(status, 400, "{state} {answer}");
        }
    }
}

/// Rule 3: Within a reuse interval that covers the age of the database the string before the current one gives the current one.
fn rule_3_reuse(name: &str) {
    let fixture = Fixture::load(name);
    let expiry = json!({"expiry": {"refreshTokens": {"reuseInterval": "876000h"}}});
    let dexd = Server::start(&fixture.config(&expiry));
    let agent = dexd.agent();
    let current = fixture.tokens("current");
    for token in fixture.tokens("obsolete") {
        let (status, answer) =
            fixture.refresh(&agent, text(&token, "client_id"), text(&token, "token"));
        assert_eq!(status, 200, "{answer}");
        let held = current
            .iter()
            .find(|candidate| candidate["chain"] == token["chain"])
            .expect("its successor");
        assert_eq!(answer["refresh_token"], held["token"]);
    }
    for token in fixture.tokens("superseded") {
        let (status, _) = fixture.refresh(&agent, text(&token, "client_id"), text(&token, "token"));
        assert_eq!(status, 400);
    }
}

/// Rule 4: A code whose time has not come redeems once, with its verifier; an expired one is refused with 400.
fn rule_4(name: &str) {
    let fixture = Fixture::load(name);
    let codes = fixture.list("auth_codes");
    let changed = fixture
        .open()
        .execute(
            "update auth_code set expiry = '2099-01-01 00:00:00+00:00' where id = ?1",
            [text(&codes[0], "code")],
        )
        .unwrap();
    assert_eq!(changed, 1);
    let dexd = fixture.start();
    let agent = dexd.agent();
    let redeem = |code: &Value| {
        let client = text(code, "client_id");
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", text(code, "code")),
            ("redirect_uri", text(code, "redirect_uri")),
        ];
        if let Some(verifier) = code["code_verifier"].as_str() {
            form.push(("code_verifier", verifier));
        }
        agent.token(client, &fixture.secret(client), &form)
    };
    let (status, answer) = redeem(&codes[0]);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(
        jws_payload(text(&answer, "id_token"))["nonce"],
        codes[0]["nonce"]
    );
    assert!(answer["refresh_token"].is_string());
    let (status, answer) = redeem(&codes[0]);
    assert_eq!(
        (status, text(&answer, "error")),
        (400, "invalid_grant"),
        "a second time"
    );
    let (status, answer) = redeem(&codes[1]);
    assert_eq!(
        (status, text(&answer, "error")),
        (400, "invalid_grant"),
        "expired"
    );
}

/// Rule 5: The request that waits at the password form can be finished (none of releases without step keys has to).
fn rule_5_login(name: &str) {
    let fixture = Fixture::load(name);
    move_requests_forward(&fixture);
    let dexd = fixture.start();
    let mut agent = dexd.agent();
    let pending = &fixture.list("auth_requests")[0];
    let login = format!("/dex/auth/local/login?back=&state={}", text(pending, "id"));
    let page = agent.get(&login);
    assert_eq!(page.status, 200, "{}", page.body);
    let user = pending["login_with"].as_array().unwrap();
    let (login_name, password) = (user[0].as_str().unwrap(), user[1].as_str().unwrap());
    let answer = agent.post_form(&login, &[("login", login_name), ("password", password)]);
    assert_eq!(answer.status, 303, "{}", answer.body);
    let mut callback = agent.get(answer.location()).location().to_owned();
    // Master with sessions remembered a consent; elsewhere the person is asked.
    if callback.starts_with("/dex/approval?") {
        let form = [("req", text(pending, "id")), ("approval", "approve")];
        let answer = agent.post_form(&callback, &form);
        agent
            .get(answer.location())
            .location()
            .clone_into(&mut callback);
    }
    finish(&fixture, &agent, pending, &callback);
}

/// Rule 5: The request that waits at the approval page: finished on master, elsewhere finished or refused with 4xx, never by a link
/// made with an empty key.
fn rule_5_approval(name: &str) {
    let fixture = Fixture::load(name);
    move_requests_forward(&fixture);
    let dexd = fixture.start();
    let mut agent = dexd.agent();
    let pending = &fixture.list("auth_requests")[1];
    let url = url::Url::parse(text(pending, "url")).unwrap();
    let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    let id = text(pending, "id");
    let answer = agent.post_form(&path, &[("req", id), ("approval", "approve")]);
    let from_master = text(&fixture.manifest, "dex_version").starts_with("master")
        && fixture.manifest.get("upgraded_by").is_none();
    if from_master {
        assert_eq!(answer.status, 303, "{}", answer.body);
        let callback = agent.get(answer.location()).location().to_owned();
        finish(&fixture, &agent, pending, &callback);
    } else if answer.status != 303 {
        assert!((400..500).contains(&answer.status), "{}", answer.status);
    }
    if fixture.is_before(35) {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &[]);
        let message = dex_core::opaque::hmac_payload(&[id, "step:approval"]);
        let forged = URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, &message));
        let answer = agent.post_form(
            &format!("/dex/approval?hmac={forged}&req={id}"),
            &[("req", id), ("approval", "approve")],
        );
        assert!(
            (400..500).contains(&answer.status),
            "an empty key signs nothing: {}",
            answer.status
        );
    }
}

fn move_requests_forward(fixture: &Fixture) {
    fixture
        .open()
        .execute(
            "update auth_request set expiry = '2099-01-01 00:00:00+00:00'",
            [],
        )
        .unwrap();
}

fn finish(fixture: &Fixture, agent: &Agent, pending: &Value, callback: &str) {
    let callback = url::Url::parse(callback).unwrap();
    assert!(
        callback.as_str().starts_with(text(pending, "redirect_uri")),
        "{callback}"
    );
    let parameter = |name: &str| {
        callback
            .query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    assert_eq!(parameter("state").as_deref(), pending["state"].as_str());
    let code = parameter("code").expect("a code");
    let client = text(pending, "client_id");
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", text(pending, "redirect_uri")),
    ];
    if let Some(verifier) = pending["code_verifier"].as_str() {
        form.push(("code_verifier", verifier));
    }
    let (status, answer) = agent.token(client, &fixture.secret(client), &form);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(
        jws_payload(text(&answer, "id_token"))["nonce"],
        pending["nonce"]
    );
}

/// Rule 7: All users log in with their password and no other, the address in any letter case; stored connectors work; all clients'
/// secrets and redirect URIs are accepted.
fn rule_7(name: &str) {
    let fixture = Fixture::load(name);
    let dexd = fixture.start();
    for user in fixture.list("users") {
        if user["connector_id"] != "local" {
            continue;
        }
        let email = text(&user, "email");
        for (typed, password, ok) in [
            (email.to_owned(), text(&user, "password").to_owned(), true),
            (swap_case(email), text(&user, "password").to_owned(), true),
            (
                email.to_owned(),
                format!("{}x", text(&user, "password")),
                false,
            ),
        ] {
            let status = log_in(&dexd, "local", &typed, &password);
            assert_eq!(status, if ok { 303 } else { 401 }, "{typed}");
        }
    }
    for connector in fixture.list("connectors_stored") {
        let id = text(&connector, "id");
        if id.starts_with("mockpw") {
            let config: Value = serde_json::from_str(text(&connector, "config")).unwrap();
            let status = log_in(
                &dexd,
                id,
                text(&config, "username"),
                text(&config, "password"),
            );
            assert_eq!(status, 303, "{connector}");
        } else {
            let mut agent = dexd.agent();
            let answer = agent.get(&authorize_path(
                id,
                "web-app",
                "http://127.0.0.1:5555/callback",
            ));
            let answer = agent.get(answer.location());
            assert_eq!(answer.status, 303, "{connector}: {}", answer.body);
        }
    }
    for client in fixture.list("clients") {
        let id = text(&client, "id");
        let agent = dexd.agent();
        let (status, answer) = agent.token(
            id,
            &fixture.secret(id),
            &[("grant_type", "authorization_code"), ("code", "x")],
        );
        assert_eq!(
            (status, text(&answer, "error")),
            (400, "invalid_grant"),
            "the secret of {id} is right"
        );
        let (status, _) = agent.token(
            id,
            "wrong",
            &[("grant_type", "authorization_code"), ("code", "x")],
        );
        assert_eq!(status, 401, "{id}");
        for uri in client["redirect_uris"].as_array().into_iter().flatten() {
            if uri.as_str().is_some_and(|uri| uri.starts_with('/')) {
                continue; // the device flow's own, a later issue
            }
            let mut agent = dexd.agent();
            let answer = agent.get(&authorize_path("mock", id, uri.as_str().unwrap()));
            assert_eq!(answer.status, 302, "{uri}: {}", answer.body);
        }
    }
}

fn swap_case(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_ascii_lowercase() {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect()
}

fn authorize_path(connector: &str, client: &str, redirect_uri: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", client)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("response_type", "code")
        .append_pair("scope", "openid")
        .append_pair("state", "s")
        .finish();
    format!("/dex/auth/{connector}?{query}")
}

fn log_in(dexd: &Server, connector: &str, login: &str, password: &str) -> u16 {
    let mut agent = dexd.agent();
    let answer = agent.get(&authorize_path(
        connector,
        "web-app",
        "http://127.0.0.1:5555/callback",
    ));
    assert_eq!(answer.status, 302, "{}", answer.body);
    let form = answer.location().to_owned();
    agent
        .post_form(&form, &[("login", login), ("password", password)])
        .status
}

/// Rule 9: Afterwards the schema is still one that Dex opens, and nothing is lost or doubled.
fn rule_9(name: &str) {
    let fixture = Fixture::load(name);
    let before = fixture.open();
    let rows_before: Vec<_> = KEPT.iter().map(|table| count(&before, table)).collect();
    drop(before);
    let dexd = fixture.start();
    let agent = dexd.agent();
    let token = fixture.tokens("current").remove(0);
    let (status, _) = fixture.refresh(&agent, text(&token, "client_id"), text(&token, "token"));
    assert_eq!(status, 200);
    dexd.stop();
    let after = fixture.open();
    for (table, rows) in KEPT.iter().zip(rows_before) {
        assert_eq!(count(&after, table), rows, "{table}");
    }
    let reference = Connection::open_in_memory().unwrap();
    reference
        .execute_batch(&dex_databases::schema(name))
        .unwrap();
    for table in tables(&reference)
        .into_iter()
        .filter(|table| table != "auth_session")
    {
        for (column, kind) in columns(&reference, &table) {
            assert!(
                columns(&after, &table).contains(&(column.clone(), kind.clone())),
                "{table}.{column} {kind}"
            );
        }
    }
    assert!(
        !fixture.directory.path().join("dex.db-wal").exists(),
        "nothing is left beside the file"
    );
    // Dex reads the secret of the moment and its predecessor from the row, and the reference from the offline session.
    let current: i64 = after
        .query_row(
            "select count(*) from refresh_token where token <> '' and typeof(scopes) = 'blob'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(current, count(&after, "refresh_token"));
    let stale: i64 = after
        .query_row(
            "select count(*) from password where typeof(groups) = 'text'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(stale, 0, "rows that Dex itself cannot read");
}

/// Tables whose rows are neither lost nor doubled by a start and a refresh.
const KEPT: [&str; 6] = [
    "client",
    "password",
    "connector",
    "keys",
    "refresh_token",
    "offline_session",
];

fn count(database: &Connection, table: &str) -> i64 {
    database
        .query_row(&format!("select count(*) from {table}"), [], |row| {
            row.get(0)
        })
        .unwrap()
}

fn tables(database: &Connection) -> Vec<String> {
    let mut statement = database
        .prepare("select name from sqlite_master where type = 'table'")
        .unwrap();
    statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

fn columns(database: &Connection, table: &str) -> Vec<(String, String)> {
    let mut statement = database
        .prepare(&format!(
            "select name, lower(type) from pragma_table_info('{table}')"
        ))
        .unwrap();
    statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

macro_rules! fixtures {
    ($($module:ident: $name:literal,)*) => {
        #[test]
        fn every_database_is_tried() {
            assert_eq!(dex_databases::names(), [$($name),*]);
        }

        $(
        mod $module {
            #[test]
            fn fixture_1_starts_without_any_step_by_hand() { super::rule_1($name); }
            #[test]
            fn fixture_2_keys_are_kept_and_tokens_verify() { super::rule_2($name); }
            #[test]
            fn fixture_3_current_refresh_tokens_refresh() { super::rule_3_current($name); }
            #[test]
            fn fixture_3_replaced_refresh_tokens_are_refused() { super::rule_3_replaced($name); }
            #[test]
            fn fixture_3_a_reuse_interval_is_honoured() { super::rule_3_reuse($name); }
            #[test]
            fn fixture_4_codes_redeem_once() { super::rule_4($name); }
            #[test]
            fn fixture_5_a_pending_login_is_finished() { super::rule_5_login($name); }
            #[test]
            fn fixture_5_a_pending_approval_is_finished_or_refused() { super::rule_5_approval($name); }
            #[test]
            fn fixture_7_users_clients_and_connectors_work() { super::rule_7($name); }
            #[test]
            fn fixture_9_dex_can_open_it_again() { super::rule_9($name); }
        }
    )*};
}

fixtures! {
    master: "sqlite3-classic-master",
    master_es256: "sqlite3-classic-master-es256",
    v2_24_0: "sqlite3-classic-v2.24.0",
    v2_24_0_to_master: "sqlite3-classic-v2.24.0-to-master",
    v2_24_0_to_v2_45_1: "sqlite3-classic-v2.24.0-to-v2.45.1",
    v2_30_3: "sqlite3-classic-v2.30.3",
    v2_37_0: "sqlite3-classic-v2.37.0",
    v2_41_1: "sqlite3-classic-v2.41.1",
    v2_45_1: "sqlite3-classic-v2.45.1",
    v2_45_1_rotation_due: "sqlite3-classic-v2.45.1-rotation-due",
}
