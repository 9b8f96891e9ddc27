//! The command line (compat: `config.md` §1).

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::Overrides;

/// A federated OpenID Connect provider that takes a Dex configuration file.
#[derive(Debug, Parser)]
#[command(name = "dexd", disable_version_flag = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server until SIGINT or SIGTERM
    ///
    /// SIGHUP reads the TLS files again. A second SIGINT or SIGTERM ends the process at once.
    Serve(Serve),
    /// Print the version
    Version {
        #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
        ignored: Vec<String>,
    },
    /// List every fault of a configuration file with line and column; exit status 1 if there is one
    Check {
        /// The configuration file, YAML or JSON
        config: String,
    },
    /// Print the bcrypt hash of a password, for `staticPasswords`
    ///
    /// Asks on a terminal without showing what is typed; otherwise reads the first line of standard input.
    HashPassword {
        /// Binary logarithm of the work; Dex accepts 10 to 16 at login
        #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(10..=16))]
        cost: u32,
    },
    /// Replace the signing key at once, because it may be known to others
    ///
    /// Running servers sign with the new key within half a minute. Without the flag below, tokens of the old key stay valid until
    /// they expire.
    RotateKeys {
        /// The configuration file, YAML or JSON
        config: String,
        /// The old keys verify nothing from now on: every token issued so far is void, forged ones included
        #[arg(long)]
        drop_old_keys: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The configuration file, YAML or JSON
    #[arg(value_name = "CONFIG")]
    pub(crate) config: Vec<String>,

    /// Address for plain HTTP, in place of `web.http`
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) web_http_addr: String,
    /// Address for HTTPS, in place of `web.https`
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) web_https_addr: String,
    /// Address for metrics and health, in place of `telemetry.http`
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) telemetry_addr: String,
    /// Address for the management API, in place of `grpc.addr`
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) grpc_addr: String,

    /// Run without a configuration file, to try things: one mock connector, one password user, one client for the example app
    ///
    /// Listens on 127.0.0.1 only. Not for anything that matters.
    #[arg(long)]
    pub(crate) dev: bool,
    /// Where `--dev` keeps its database [default: a temporary directory, removed at exit]
    #[arg(long, value_name = "DIR", requires = "dev")]
    pub(crate) dir: Option<PathBuf>,
    /// Port of `--dev`; 0 takes a free one
    #[arg(long, value_name = "N", requires = "dev", default_value_t = 5556)]
    pub(crate) port: u16,
    /// Password of the user of `--dev` [default: a random one, printed]
    #[arg(long, value_name = "PASSWORD", requires = "dev")]
    pub(crate) password: Option<String>,
}

impl Serve {
    /// What replaces keys of the file.
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides {
            web_http: self.web_http_addr.clone(),
            web_https: self.web_https_addr.clone(),
            telemetry: self.telemetry_addr.clone(),
            grpc: self.grpc_addr.clone(),
        }
    }

    /// The configuration file; `None` with `--dev`.
    ///
    /// # Errors
    /// In the words of Dex's command line when there is not exactly one.
    pub(crate) fn file(&self) -> Result<Option<&str>, String> {
        match (self.config.as_slice(), self.dev) {
            ([], true) => Ok(None),
            ([file], false) => Ok(Some(file)),
            (files, true) => Err(format!(
                "accepts 0 arg(s) with --dev, received {}",
                files.len()
            )),
            (files, false) => Err(format!("accepts 1 arg(s), received {}", files.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_may_stand_before_and_after_the_file() {
        for arguments in [
            &["dexd", "serve", "--web-http-addr", "a:1", "c.yaml"][..],
            &["dexd", "serve", "c.yaml", "--web-http-addr=a:1"],
        ] {
            let cli = Cli::try_parse_from(arguments).unwrap();
            let Some(Command::Serve(serve)) = cli.command else {
                panic!("not serve");
            };
            assert_eq!(serve.file(), Ok(Some("c.yaml")));
            assert_eq!(serve.overrides().web_http, "a:1");
        }
    }
}
