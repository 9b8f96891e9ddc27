//! What goes wrong outside: one clear line, a non-zero exit, nothing lost.

use std::net::TcpListener;

use crate::harness::{MINIMAL, Output, Run, minimal_but};

const SQLITE: &str = "storage: {type: sqlite3, config: {file: dex.db}}";

/// The only line that is not a log record.
fn one_line(stderr: &str) -> String {
    let lines: Vec<_> = stderr
        .lines()
        .filter(|line| !line.starts_with("time="))
        .collect();
    assert_eq!(lines.len(), 1, "{stderr}");
    lines[0].to_owned()
}

#[test]
fn an_unknown_key_a_wrong_type_and_broken_yaml_are_one_line_each() {
    for (config, message) in [
        (
            "issuer: {}\n".to_owned() + MINIMAL.split_once('\n').unwrap().1,
            "json: cannot unmarshal object into Go struct field Config.issuer of type string",
        ),
        (
            format!("{MINIMAL}nope: 1\n"),
            "json: unknown field \"nope\"",
        ),
        ("issuer: [\n".to_owned(), "error parse config file c.yaml: "),
        ("\u{0}\u{1}".to_owned(), "c.yaml"),
    ] {
        let run = Run::serve(&config).env("DEX_CONFIG_DISALLOW_UNKNOWN_FIELDS", "true");
        let line = one_line(&run.fails());
        assert!(line.contains(message), "{line}");
    }
}

#[test]
fn config_47_a_port_in_use_names_the_listener() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let run = Run::serve(&minimal_but("web", &format!("web: {{http: '{address}'}}")));
    let line = one_line(&run.fails());
    assert_eq!(
        line,
        format!(
            "listening (http) on {address}: listen tcp {address}: bind: address already in use"
        )
    );
}

#[test]
fn a_database_that_is_none_is_named_and_left_alone() {
    let garbage = "this is not a database, but somebody's diary\n".repeat(100);
    let run = Run::serve(&minimal_but("storage", SQLITE)).file("dex.db", &garbage);
    let line = one_line(&run.fails());
    assert!(line.starts_with("failed to initialize storage: "), "{line}");
    assert!(line.contains("dex.db"), "{line}");
    assert_eq!(
        std::fs::read_to_string(run.path("dex.db")).unwrap(),
        garbage
    );
}

#[test]
fn a_damaged_database_is_named_and_left_alone() {
    let mut dexd = Run::serve(&minimal_but("storage", SQLITE)).start();
    dexd.expect_line("keys rotated");
    let file = dexd.path("dex.db");
    let config = std::fs::read_to_string(dexd.path("c.yaml")).unwrap();
    dexd.signal("TERM");
    dexd.wait();
    let mut bytes = std::fs::read(&file).unwrap();
    let schema_page = 100..4096;
    bytes[schema_page].fill(0xa5);
    let run = Run::serve(&config);
    std::fs::write(run.path("dex.db"), &bytes).unwrap();
    let line = one_line(&run.fails());
    assert!(line.contains("dex.db"), "{line}");
    assert_eq!(std::fs::read(run.path("dex.db")).unwrap(), bytes);
}

#[test]
fn a_directory_that_is_missing_is_named() {
    let run = Run::serve(&minimal_but(
        "storage",
        "storage: {type: sqlite3, config: {file: no/such/dex.db}}",
    ));
    let line = one_line(&run.fails());
    assert!(line.contains("no/such/dex.db"), "{line}");
}

#[test]
fn a_full_disk_is_one_line_and_loses_nothing() {
    // A database with keys in it…
    let mut dexd = Run::serve(&minimal_but("storage", SQLITE)).start();
    dexd.expect_line("keys rotated");
    let config = std::fs::read_to_string(dexd.path("c.yaml")).unwrap();
    let file = dexd.path("dex.db");
    dexd.signal("TERM");
    assert_eq!(dexd.wait().code(), Some(0));
    let before = std::fs::read(&file).unwrap();
    // …and no room for another byte: a limit on file sizes stands for the full disk. Creating one fails…
    let run = Run::serve(&config);
    let output = Output::of(run.shell("trap '' XFSZ; ulimit -f 0; exec \"$DEXD\" \"$@\""));
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let line = one_line(&output.stderr);
    assert!(line.starts_with("failed to initialize storage: "), "{line}");
    // …and the old one opens again afterwards, with the keys it had.
    let run = Run::serve(&config);
    std::fs::write(run.path("dex.db"), &before).unwrap();
    let _ = Output::of(run.shell("trap '' XFSZ; ulimit -f 0; timeout -s TERM 2 \"$DEXD\" \"$@\""));
    let logged = run.start().stop();
    assert!(!logged.contains("missing signing key"), "{logged}");
}

#[test]
fn standard_output_that_is_full_is_a_failure() {
    let output = Output::of(
        Run::new()
            .arg("version")
            .shell("exec \"$DEXD\" \"$@\" >/dev/full"),
    );
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
