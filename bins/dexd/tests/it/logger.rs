//! What is logged, and how.

use crate::harness::{Run, minimal_with};

#[test]
fn config_36_levels_and_formats() {
    assert!(
        Run::serve(&minimal_with("logger: {level: warning}"))
            .fails()
            .contains("slog: level string \"warning\": unknown name")
    );
    assert!(
        Run::serve(&minimal_with("logger: {format: xml}"))
            .fails()
            .contains("log format is not one of the supported values (json, text): xml")
    );
    let mut dexd = Run::serve(&minimal_with("logger: {level: Debug}")).start();
    dexd.signal("HUP");
    dexd.expect_line("level=DEBUG");
    let logged = dexd.stop();
    assert!(
        logged.contains("msg=\"config using log level\" level=DEBUG"),
        "{logged}"
    );
    // A level above INFO hides even the last words of a failing start, but not the failure.
    let run = Run::serve(&minimal_with(
        "logger: {level: info+2}\nfrontend: {dir: nowhere}",
    ));
    let message = run.fails();
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[test]
fn json_lines_are_objects() {
    let run = Run::serve(&minimal_with(
        "logger: {format: JSON}\nexpiry: {idTokens: 1h}",
    ));
    let logged = run.start().stop();
    let records: Vec<serde_json::Value> = logged
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(records[0]["msg"], "Version info");
    assert!(records[0]["go"]["os"].is_string());
    let lifetime = records
        .iter()
        .find(|record| record["msg"] == "config id tokens")
        .unwrap();
    assert_eq!(lifetime["valid_for"], 3_600_000_000_000_u64);
}

#[test]
fn config_37_excluded_fields_are_dropped() {
    let extra = "logger: {excludeFields: [issuer, go]}\nexpiry: {idTokens: 1h}";
    let logged = Run::serve(&minimal_with(extra)).start().stop();
    assert!(logged.contains("msg=\"config issuer\"\n"), "{logged}");
    assert!(!logged.contains("go.os="), "{logged}");
    assert!(
        logged.contains("msg=\"config id tokens\" valid_for=1h0m0s"),
        "{logged}"
    );
}
