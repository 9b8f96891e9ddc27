//! Load tool for OpenID Connect issuers; `load --help`.

use std::process::ExitCode;

use benches::cli::Options;
use benches::{report, run};
use clap::Parser as _;

fn main() -> ExitCode {
    let options = Options::parse();
    match start(&options) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(options: &Options) -> anyhow::Result<ExitCode> {
    options.check()?;
    let runtime = match options.client_threads {
        0 | 1 => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?,
        threads => tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()?,
    };
    let report = runtime.block_on(run::run(options))?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report::text(&report));
    }
    let failed = report.has_dead_scenario() || (options.fail_on_error && report.has_errors());
    Ok(ExitCode::from(u8::from(failed)))
}
