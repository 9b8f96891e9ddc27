//! Configurations in the manner of those that come with Dex: they start, less the blocks that come later.

use crate::harness::Run;

const DIST: &str = include_str!("samples/dist.yaml");
const DEV: &str = include_str!("samples/dev.yaml");
const CONTAINER: &str = include_str!("samples/container.yaml");

#[test]
fn the_annotated_sample_starts_as_it_is() {
    let run = Run::serve(DIST).arg("--web-http-addr=127.0.0.1:0");
    run.start().stop();
}

#[test]
fn config_54_the_container_sample_starts_as_it_is() {
    let run = Run::serve(CONTAINER)
        .arg("--web-http-addr=127.0.0.1:0")
        .arg("--telemetry-addr=127.0.0.1:0");
    std::fs::create_dir(run.path("var")).unwrap();
    let mut dexd = run.start();
    dexd.expect_line("keys rotated");
    assert!(dexd.path("var/dex.db").exists());
    dexd.stop();
}

#[test]
fn the_development_sample_names_the_block_that_is_missing_and_starts_without_it() {
    let message = Run::serve(DEV).fails();
    assert_eq!(
        message,
        "dexd: c.yaml:18:1: block \"grpc\" is not supported by this version of dexd; remove it or keep using Dex\n"
    );
    let without: String = DEV
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("grpc:") && !line.starts_with("  addr:"))
        .collect();
    let run = Run::serve(&without)
        .arg("--web-http-addr=127.0.0.1:0")
        .arg("--telemetry-addr=127.0.0.1:0");
    std::fs::create_dir_all(run.path("var/sqlite")).unwrap();
    let logged = run.start().stop();
    for record in [
        "client_name=\"Sample App\"",
        "connector_id=mock",
        "local passwords enabled",
    ] {
        assert!(logged.contains(record), "{record} in {logged}");
    }
}
