//! `dexd`: a federated OpenID Connect provider that takes a Dex configuration file.
//!
//! The binary joins the crates: arguments, configuration, storage, signer, provider, listeners, drain. Exit status: 0 after a clean
//! stop, 1 when `check` found faults, 2 for everything that went wrong.

mod check;
mod cli;
mod config;
mod dev;
mod flags;
mod hash_password;
mod health;
mod listen;
mod logging;
mod metrics;
mod open;
mod process;
mod rotate_keys;
mod serve;
mod startup_log;
mod telemetry;
mod version;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use cli::{Cli, Command};
use flags::Environment;

fn main() -> ExitCode {
    let environment = Environment::of_process();
    let outcome = match Cli::parse().command {
        None => return help(),
        Some(Command::Serve(arguments)) => run_server(&arguments, &environment),
        Some(Command::Version { .. }) => process::print(&version::lines()),
        Some(Command::Check { config }) => return check::run(&config, &environment),
        Some(Command::HashPassword { cost }) => hash_password::run(cost),
        Some(Command::RotateKeys {
            config,
            drop_old_keys,
        }) => rotate_keys::run(&config, drop_old_keys, &environment),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            failure()
        }
    }
}

fn run_server(arguments: &cli::Serve, environment: &Environment) -> anyhow::Result<()> {
    let file = match arguments.file() {
        Ok(file) => file,
        Err(reason) => {
            eprintln!("Error: {reason}\n{}\n", serve_usage());
            anyhow::bail!(reason);
        }
    };
    let overrides = arguments.overrides();
    let (settings, dev) = if let Some(file) = file {
        (config::load(file, &overrides, environment)?, None)
    } else {
        let dev = dev::prepare(arguments)?;
        (dev.settings(&overrides)?, Some(dev))
    };
    logging::install(&settings.logger);
    process::raise_file_limit();
    process::block_on(serve::run(settings, dev.as_ref().map(dev::Dev::welcome)))
}

/// Without a command: what there is, on standard output.
fn help() -> ExitCode {
    // Nobody to tell if standard output is gone.
    let _ = Cli::command().print_help();
    failure()
}

fn serve_usage() -> String {
    let mut command = Cli::command();
    command.build();
    command
        .find_subcommand_mut("serve")
        .map(|serve| serve.render_usage().to_string())
        .unwrap_or_default()
}

/// Dex's exit status for everything that goes wrong.
fn failure() -> ExitCode {
    ExitCode::from(2)
}
