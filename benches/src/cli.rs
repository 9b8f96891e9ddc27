//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use clap::{Parser, ValueEnum};
use serde::Serialize;
use url::Url;

const SUMMARY: &str = "Drives an OpenID Connect issuer and prints what each operation costs.";

const ABOUT: &str = "Drives an OpenID Connect issuer and prints throughput, latency, errors, and what each operation costs the server.

Each worker keeps one connection and starts its next operation when the last has ended (closed loop). An operation of `code` is the
whole authorization code flow: every redirect from the authorization endpoint to the redirect URI, then the token request. Endpoints
are read from the issuer's discovery document. Any issuer will do; with two, windows on them alternate within the run and ratios are
printed, which is the only comparison to trust on a machine whose clock wanders.

CPU and memory of the server are printed when its process id is given. S is the cost of one RSA-2048 signature on this machine,
measured in the same run: figures in S can be compared across machines, milliseconds cannot.";

const EXAMPLES: &str = "Examples:
  A server with a connector `mock` that signs everybody in:
    load code refresh --issuer http://127.0.0.1:5556/dex --client-id load --client-secret secret --pid 4711

  Refresh with a user of its own for each worker, through a sign-in form, giving consent:
    load refresh --issuer http://127.0.0.1:5556/dex --client-id load --client-secret secret \\
         --connector local --login 'user{worker}@example.com' --password secret --approve

  Two servers compared, 64 connections, as JSON:
    load --issuer http://127.0.0.1:5556/dex --pid 4711 --issuer http://127.0.0.1:5557/dex --pid 4712 \\
         --client-id load --client-secret secret -c 64 --rounds 5 --json";

/// Drives an OpenID Connect issuer and prints throughput, latency, errors, and what each operation costs the server.
///
/// Each worker keeps one connection and starts its next operation when the last has ended (closed loop). An operation of `code` is
/// the whole authorization code flow: every redirect from the authorization endpoint to the redirect URI, then the token request.
/// Endpoints are read from the issuer's discovery document. Any issuer will do; with two, windows on them alternate within the run
/// and ratios are printed, which is the only comparison to trust on a machine whose clock wanders.
///
/// Example, a server with a connector `mock` that signs everybody in:
///
/// ```text
/// load code refresh --issuer http://127.0.0.1:5556/dex --client-id load --client-secret secret --pid 4711
/// ```
#[derive(Debug, Clone, Parser)]
#[command(name = "load", about = SUMMARY, long_about = ABOUT, after_long_help = EXAMPLES)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub struct Options {
    /// What to drive, in this order; everything if none is named.
    #[arg(value_enum)]
    pub scenarios: Vec<Scenario>,

    /// Issuer URL, http or https. Give it twice to compare two servers.
    #[arg(long, required = true, value_name = "URL")]
    pub issuer: Vec<Url>,

    /// Process id of the server, for its CPU time and peak memory. As often as --issuer, in the same order.
    #[arg(long, value_name = "PID")]
    pub pid: Vec<u32>,

    /// Client id; `{worker}` becomes the worker's number. May be given once per issuer.
    #[arg(long, value_name = "ID", default_values_t = [String::from("load")])]
    pub client_id: Vec<String>,

    /// Client secret; `{worker}` becomes the worker's number. May be given once per issuer. Without one the client is public.
    #[arg(long, value_name = "SECRET")]
    pub client_secret: Vec<String>,

    /// How the client authenticates at the token endpoint.
    #[arg(long, value_enum, default_value_t = ClientAuth::Basic)]
    pub client_auth: ClientAuth,

    /// A redirect URI of the client. Nothing needs to listen there.
    #[arg(
        long,
        value_name = "URI",
        default_value = "http://127.0.0.1:5555/callback"
    )]
    pub redirect_uri: String,

    /// Connector to sign in with, sent as `connector_id`; empty to send none.
    #[arg(long, value_name = "ID", default_value = "mock")]
    pub connector: String,

    /// Scopes of the authorization request; `refresh` needs whatever makes the server issue a refresh token.
    #[arg(long, default_value = "openid email groups profile offline_access")]
    pub scope: String,

    /// User name for servers that show a form with a password field; `{worker}` becomes the worker's number.
    #[arg(long, value_name = "NAME", requires = "password")]
    pub login: Option<String>,

    /// Password for that form; `{worker}` becomes the worker's number.
    #[arg(long, requires = "login")]
    pub password: Option<String>,

    /// Give consent when the server shows its approval page.
    #[arg(long)]
    pub approve: bool,

    /// Send a code challenge (PKCE, S256).
    #[arg(long)]
    pub pkce: bool,

    /// Keep cookies from one code flow to the next: a returning browser rather than a new one each time.
    #[arg(long)]
    pub keep_cookies: bool,

    /// Workers, each with one connection.
    #[arg(short, long, value_name = "N", default_value_t = 8)]
    pub concurrency: usize,

    /// Seconds measured per window.
    #[arg(short, long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub duration: Duration,

    /// Seconds of load before each window that are not measured.
    #[arg(short, long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub warmup: Duration,

    /// Windows per scenario; throughput is their median.
    #[arg(short, long, value_name = "N", default_value_t = 3)]
    pub rounds: usize,

    /// Seconds after which a request counts as failed.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub timeout: Duration,

    /// PEM file with certificate authorities to trust for https, instead of the system's.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// Threads of the client itself. One leaves most of the machine to the server.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub client_threads: usize,

    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,

    /// Exit with 1 if any operation failed. (A scenario without a single success always does.)
    #[arg(long)]
    pub fail_on_error: bool,
}

/// What can be driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Scenario {
    /// The whole authorization code flow of a new browser.
    Code,
    /// A refresh grant; each worker signs in once and follows the rotation of its own token.
    Refresh,
    /// The discovery document.
    Discovery,
    /// The key document.
    Keys,
    /// The userinfo endpoint with a fresh access token per worker.
    Userinfo,
}

impl Scenario {
    /// All, in the order in which they run when none is named.
    pub const ALL: [Self; 5] = [
        Self::Code,
        Self::Refresh,
        Self::Discovery,
        Self::Keys,
        Self::Userinfo,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Refresh => "refresh",
            Self::Discovery => "discovery",
            Self::Keys => "keys",
            Self::Userinfo => "userinfo",
        }
    }
}

/// Client authentication (OpenID Connect Core 1.0 §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum ClientAuth {
    /// `client_secret_basic`
    Basic,
    /// `client_secret_post`
    Post,
}

impl Options {
    /// What the parser cannot see.
    ///
    /// # Errors
    /// Names the option.
    pub fn check(&self) -> anyhow::Result<()> {
        let issuers = self.issuer.len();
        ensure!(issuers <= 2, "--issuer: at most two can be compared");
        ensure!(
            self.pid.is_empty() || self.pid.len() == issuers,
            "--pid: give none, or one for each --issuer"
        );
        for (name, count) in [
            ("--client-id", self.client_id.len()),
            ("--client-secret", self.client_secret.len()),
        ] {
            ensure!(count <= issuers, "{name}: more often than --issuer");
        }
        ensure!(self.concurrency > 0, "--concurrency must be at least 1");
        ensure!(self.rounds > 0, "--rounds must be at least 1");
        ensure!(!self.duration.is_zero(), "--duration must be positive");
        for issuer in &self.issuer {
            ensure!(
                matches!(issuer.scheme(), "http" | "https") && issuer.host().is_some(),
                "--issuer: {issuer} is not an http or https URL"
            );
        }
        Ok(())
    }

    /// The scenarios to run.
    pub fn scenarios(&self) -> &[Scenario] {
        if self.scenarios.is_empty() {
            &Scenario::ALL
        } else {
            &self.scenarios
        }
    }

    /// A value that may be given once for all issuers or once for each.
    pub(crate) fn for_issuer(values: &[String], number: usize) -> Option<&String> {
        values.get(number).or_else(|| values.last())
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse::<f64>()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "not a number of seconds".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent_and_explains_every_option() {
        let command = Options::command();
        command.clone().debug_assert();
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{}", argument.get_id());
        }
    }

    #[test]
    fn options_that_do_not_fit_are_named() {
        let issuer = ["load", "--issuer", "http://a/"];
        for (more, named) in [
            (&["--pid", "1", "--pid", "2"][..], "--pid"),
            (
                &["--issuer", "http://b", "--issuer", "http://c"],
                "--issuer",
            ),
            (&["--client-id", "a", "--client-id", "b"], "--client-id"),
            (&["--issuer", "ftp://b/"], "--issuer"),
            (&["-c", "0"], "--concurrency"),
            (&["-d", "0"], "--duration"),
        ] {
            let options = Options::try_parse_from(issuer.iter().chain(more)).unwrap();
            let error = options.check().unwrap_err().to_string();
            assert!(error.starts_with(named), "{error}");
        }
        assert!(Options::try_parse_from(["load"]).is_err());
        assert!(Options::try_parse_from([&issuer[..], &["-d", "-1"]].concat()).is_err());
    }
}
