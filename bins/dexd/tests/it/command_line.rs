//! Arguments, subcommands, exit status.

use std::io::Write as _;
use std::process::Stdio;

use crate::harness::{MINIMAL, Run, minimal_but};

#[test]
fn config_01_help_goes_to_standard_output() {
    let output = Run::new().output();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.contains("Usage: dexd"), "{output:?}");
    for argument in ["--help", "-h", "help"] {
        let output = Run::new().arg(argument).output();
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stdout.contains("Usage: dexd"), "{output:?}");
    }
}

#[test]
fn config_02_version_has_three_lines() {
    let output = Run::new().arg("version").arg("ignored").output();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.starts_with("Dex Version: "), "{output:?}");
    assert_eq!(output.stdout.lines().count(), 3);
}

#[test]
fn config_03_wrong_arguments_are_refused() {
    assert!(
        Run::new()
            .arg("serve")
            .fails()
            .contains("accepts 1 arg(s), received 0")
    );
    let two = Run::new().arg("serve").arg("a").arg("b");
    assert!(two.fails().contains("accepts 1 arg(s), received 2"));
    assert!(Run::new().arg("nosuch").fails().contains("nosuch"));
    assert!(
        Run::new()
            .arg("serve")
            .arg("--nosuch")
            .arg("c")
            .fails()
            .contains("--nosuch")
    );
}

#[test]
fn config_04_a_missing_file_is_named() {
    let message = Run::new().arg("serve").arg("missing.yaml").fails();
    assert_eq!(
        message,
        "failed to read config file missing.yaml: open missing.yaml: no such file or directory\n"
    );
}

#[test]
fn config_08_flags_replace_keys() {
    let config = minimal_but("web", "telemetry: {http: 'nonsense'}");
    let mut dexd = Run::serve(&config)
        .arg("--web-http-addr=127.0.0.1:0")
        .arg("--telemetry-addr")
        .arg("127.0.0.1:0")
        .start();
    dexd.address("telemetry");
    dexd.address("http");
    dexd.stop();
}

#[test]
fn check_lists_every_fault_with_line_and_column() {
    let config = "issuer: [1]\nstorage:\n  type: memory\nweb:\n  http: a\n  tlsMinVersion: '1.1'\nexpiry:\n  idTokens: 1d\ngrpc: {addr: a}\n";
    let output = Run::new()
        .file("c.yaml", config)
        .arg("check")
        .arg("c.yaml")
        .output();
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<_> = output.stderr.lines().collect();
    assert_eq!(lines.len(), 4, "{output:?}");
    for (line, start) in lines.iter().zip([
        "c.yaml:1:1: issuer: json: cannot unmarshal array",
        "c.yaml:6:3: web.tlsMinVersion: supported TLS versions are: 1.2, 1.3",
        "c.yaml:8:3: expiry.idTokens: invalid config value \"1d\"",
        "c.yaml:9:1: grpc: block \"grpc\" is not supported",
    ]) {
        assert!(line.starts_with(start), "{line}");
    }
}

#[test]
fn check_finds_nothing_in_a_good_file_and_looks_into_the_files_it_names() {
    let output = Run::new()
        .file("c.yaml", MINIMAL)
        .arg("check")
        .arg("c.yaml")
        .output();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(output.stdout, "c.yaml: no faults found\n");
    let config = minimal_but(
        "web",
        "web: {https: 'a:1', tlsCert: nope.pem, tlsKey: nope.pem}\nfrontend: {dir: nowhere}\nconnectors: [{type: mockPassword, id: m, name: M}]",
    );
    let output = Run::new()
        .file("c.yaml", &config)
        .arg("check")
        .arg("c.yaml")
        .output();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        output
            .stderr
            .contains("get HTTP TLS: load TLS config: loading TLS keypair: open nope.pem"),
        "{output:?}"
    );
    assert!(
        output.stderr.contains("failed to load web static: "),
        "{output:?}"
    );
    assert!(output.stderr.contains("connector \"m\": "), "{output:?}");
}

#[test]
fn a_password_on_standard_input_becomes_a_hash() {
    let run = Run::new().arg("hash-password").arg("--cost=10");
    let mut child = run
        .command()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all("pä$$word\nnot read\n".as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let hash = String::from_utf8(output.stdout).unwrap();
    assert!(bcrypt::verify("pä$$word", hash.trim()).unwrap(), "{hash}");
    assert!(
        Run::new()
            .arg("hash-password")
            .fails()
            .contains("the password is empty")
    );
    assert!(
        Run::new()
            .arg("hash-password")
            .arg("--cost=9")
            .fails()
            .contains("cost")
    );
}

#[test]
fn keys_are_rotated_at_once_on_demand() {
    let config = minimal_but(
        "storage",
        "storage: {type: sqlite3, config: {file: dex.db}}",
    );
    let dexd = Run::serve(&config).start();
    let mut dexd = dexd;
    let made = dexd.expect_line("keys rotated");
    let first = made
        .split("kid=")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .to_owned();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_dexd"))
        .args(["rotate-keys", "c.yaml"])
        .current_dir(dexd.dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{said} {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let second = said
        .strip_prefix("new signing key ")
        .unwrap()
        .split(',')
        .next()
        .unwrap();
    assert_eq!(second.len(), 40);
    assert_ne!(first, second);
    dexd.stop();
    assert!(
        Run::new()
            .file("c.yaml", MINIMAL)
            .arg("rotate-keys")
            .arg("c.yaml")
            .fails()
            .contains("\"memory\"")
    );
}
