//! `serve --dev`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use crate::harness::{Run, get};

/// Starts it and reads the welcome up to the line that says what to open.
fn start(run: &Run) -> (Child, String) {
    let mut child = run
        .command()
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut welcome = String::new();
    while !welcome.contains("Start the example app") {
        assert!(out.read_line(&mut welcome).unwrap() > 0, "{welcome}");
    }
    (child, welcome)
}

#[tokio::test]
async fn dev_mode_needs_no_file_and_says_what_to_open() {
    let run = Run::new()
        .arg("serve")
        .arg("--dev")
        .arg("--port=0")
        .arg("--dir=data")
        .arg("--password=correct horse");
    let (mut child, welcome) = start(&run);
    assert!(
        welcome.contains("admin@example.com, password correct horse"),
        "{welcome}"
    );
    let issuer = welcome
        .split("issuer    ")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap();
    assert_eq!(get(&format!("{issuer}/robots.txt")).await.0, 200);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(run.path("data/dexd.db").exists());
}

#[test]
fn dev_mode_refuses_a_file_and_its_options_need_it() {
    assert!(
        Run::new()
            .arg("serve")
            .arg("--dev")
            .arg("c.yaml")
            .fails()
            .contains("accepts 0 arg(s) with --dev, received 1")
    );
    assert!(
        Run::new()
            .arg("serve")
            .arg("--port=1")
            .arg("c.yaml")
            .fails()
            .contains("--dev")
    );
}
