//! The result, as text and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::cli::{Options, Scenario};
use crate::measure::Latency;

/// Everything that was measured in one run.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Workers per server.
    pub concurrency: usize,
    /// Seconds measured per window.
    pub window_seconds: f64,
    /// Windows per scenario and server.
    pub rounds: usize,
    /// S: milliseconds for one RSA-2048 signature with OpenSSL on one core, best of many short rounds in this run.
    pub rsa2048_sign_ms: Option<f64>,
    /// One per `--issuer`.
    pub targets: Vec<TargetReport>,
    /// Second server to first, per scenario, if there are two.
    pub ratios: Vec<Ratio>,
}

/// One server.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct TargetReport {
    /// As given on the command line.
    pub issuer: String,
    /// One per scenario.
    pub scenarios: Vec<Outcome>,
    /// Largest resident memory of the server since it started.
    pub peak_rss_bytes: Option<u64>,
    /// Resident memory of the server at the end.
    pub rss_bytes: Option<u64>,
}

/// One scenario at one server.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// What was driven.
    pub scenario: Scenario,
    /// Operations that succeeded in the windows.
    pub operations: u64,
    /// Operations that failed.
    pub failed: u64,
    /// HTTP requests per successful operation.
    pub requests_per_operation: Option<f64>,
    /// Successful operations per second, median of the windows.
    pub throughput: f64,
    /// Of the successful operations, in milliseconds.
    pub latency: Option<Latency>,
    /// CPU time of the server per successful operation, in milliseconds.
    pub server_cpu_ms: Option<f64>,
    /// Cores that the server kept busy.
    pub server_cores: Option<f64>,
    /// Failures by kind.
    pub errors: BTreeMap<String, u64>,
    /// Operations per second of each window.
    pub windows: Vec<f64>,
}

/// Second server to first in one scenario.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Ratio {
    /// The scenario.
    pub scenario: Scenario,
    /// Throughput of the second server divided by that of the first.
    pub throughput: Option<f64>,
    /// CPU time per operation of the second server divided by that of the first.
    pub server_cpu: Option<f64>,
    /// 99th percentile of the second server divided by that of the first.
    pub p99: Option<f64>,
}

impl Report {
    pub(crate) fn new(
        options: &Options,
        signature: Option<Duration>,
        targets: Vec<TargetReport>,
    ) -> Self {
        let ratios = match targets.as_slice() {
            [first, second] => first
                .scenarios
                .iter()
                .zip(&second.scenarios)
                .map(|(first, second)| Ratio::of(first, second))
                .collect(),
            _ => Vec::new(),
        };
        Self {
            concurrency: options.concurrency,
            window_seconds: options.duration.as_secs_f64(),
            rounds: options.rounds,
            rsa2048_sign_ms: signature.map(|cost| cost.as_secs_f64() * 1000.0),
            targets,
            ratios,
        }
    }

    /// Whether some scenario had no success at all.
    pub fn has_dead_scenario(&self) -> bool {
        self.outcomes().any(|outcome| outcome.operations == 0)
    }

    /// Whether anything failed.
    pub fn has_errors(&self) -> bool {
        self.outcomes().any(|outcome| outcome.failed > 0)
    }

    fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.targets.iter().flat_map(|target| &target.scenarios)
    }
}

impl TargetReport {
    pub(crate) fn new(issuer: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            scenarios: Vec::new(),
            peak_rss_bytes: None,
            rss_bytes: None,
        }
    }
}

impl Ratio {
    fn of(first: &Outcome, second: &Outcome) -> Self {
        let divide = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) if a > 0.0 => Some(b / a),
            _ => None,
        };
        Self {
            scenario: first.scenario,
            throughput: divide(Some(first.throughput), Some(second.throughput)),
            server_cpu: divide(first.server_cpu_ms, second.server_cpu_ms),
            p99: divide(
                first.latency.as_ref().map(|latency| latency.p99),
                second.latency.as_ref().map(|latency| latency.p99),
            ),
        }
    }
}

/// The report for people.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_text(&mut text, report);
    text
}

fn write_text(out: &mut String, report: &Report) -> std::fmt::Result {
    let signature = report.rsa2048_sign_ms;
    write!(
        out,
        "{} workers, {} windows of {} s",
        report.concurrency, report.rounds, report.window_seconds
    )?;
    if let Some(cost) = signature {
        write!(
            out,
            "; S = {cost:.3} ms (one RSA-2048 signature, OpenSSL, this run)"
        )?;
    }
    writeln!(out)?;
    for target in &report.targets {
        writeln!(out, "\n{}", target.issuer)?;
        writeln!(
            out,
            "{:<10} {:>10} {:>8} {:>8} {:>8} {:>8} {:>8} {:>10} {:>7} {:>6}",
            "scenario",
            "op/s",
            "p50 ms",
            "p99 ms",
            "mean ms",
            "max ms",
            "req/op",
            "cpu ms/op",
            "in S",
            "failed"
        )?;
        for outcome in &target.scenarios {
            write_outcome(out, outcome, signature)?;
        }
        if let (Some(peak), Some(now)) = (target.peak_rss_bytes, target.rss_bytes) {
            let mib = |bytes: u64| bytes / 1024 * 10 / 1024;
            let (peak, now) = (mib(peak), mib(now));
            writeln!(
                out,
                "memory: peak {}.{} MiB, now {}.{} MiB",
                peak / 10,
                peak % 10,
                now / 10,
                now % 10
            )?;
        }
    }
    if !report.ratios.is_empty() {
        writeln!(out, "\nsecond to first")?;
        writeln!(
            out,
            "{:<10} {:>10} {:>10} {:>8}",
            "scenario", "op/s", "cpu/op", "p99"
        )?;
        for ratio in &report.ratios {
            writeln!(
                out,
                "{:<10} {:>10} {:>10} {:>8}",
                ratio.scenario.name(),
                number(ratio.throughput, 2),
                number(ratio.server_cpu, 2),
                number(ratio.p99, 2)
            )?;
        }
    }
    Ok(())
}

fn write_outcome(out: &mut String, outcome: &Outcome, signature: Option<f64>) -> std::fmt::Result {
    let latency = outcome.latency.as_ref();
    let share = match (outcome.server_cpu_ms, signature) {
        (Some(cpu), Some(signature)) if signature > 0.0 => Some(cpu / signature),
        _ => None,
    };
    writeln!(
        out,
        "{:<10} {:>10.1} {:>8} {:>8} {:>8} {:>8} {:>8} {:>10} {:>7} {:>6}",
        outcome.scenario.name(),
        outcome.throughput,
        number(latency.map(|it| it.p50), 2),
        number(latency.map(|it| it.p99), 2),
        number(latency.map(|it| it.mean), 2),
        number(latency.map(|it| it.max), 1),
        number(outcome.requests_per_operation, 1),
        number(outcome.server_cpu_ms, 4),
        number(share, 2),
        outcome.failed,
    )?;
    for (kind, count) in &outcome.errors {
        writeln!(out, "           {count} × {kind}")?;
    }
    Ok(())
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}
