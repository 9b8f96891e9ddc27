//! Windows of load, and what came out of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::task::JoinSet;

use crate::cli::{Options, Scenario};
use crate::client::Failure;
use crate::flow::Worker;
use crate::measure::{self, Latency, SignatureCost, median};
use crate::report::{Outcome, Report, TargetReport};
use crate::target::Target;

/// After a failure a worker waits this long, so that a dead server is not answered with a busy loop.
const AFTER_FAILURE: Duration = Duration::from_millis(10);

/// Runs everything the options ask for.
///
/// # Errors
/// When a server cannot be driven at all: no discovery document, or a process id that is none.
pub async fn run(options: &Options) -> anyhow::Result<Report> {
    let mut signature = SignatureCost::new()?;
    signature.sample()?;
    let mut targets = Vec::new();
    for number in 0..options.issuer.len() {
        let target = Target::discover(options, number).await?;
        if let Some(pid) = target.pid {
            measure::cpu_time(pid).with_context(|| format!("--pid: no process {pid}"))?;
        }
        targets.push(target);
    }
    let mut reports: Vec<_> = targets
        .iter()
        .map(|target| TargetReport::new(target.issuer.as_str()))
        .collect();
    for scenario in options.scenarios() {
        let outcomes = run_scenario(options, &targets, *scenario, &mut signature).await?;
        for (report, outcome) in reports.iter_mut().zip(outcomes) {
            report.scenarios.push(outcome);
        }
    }
    for (report, target) in reports.iter_mut().zip(&targets) {
        if let Some((peak, now)) = target.pid.and_then(measure::memory) {
            report.peak_rss_bytes = Some(peak);
            report.rss_bytes = Some(now);
        }
    }
    Ok(Report::new(options, signature.best(), reports))
}

/// Windows on the targets in turn, so that a change of the machine's clock meets all of them.
async fn run_scenario(
    options: &Options,
    targets: &[Target],
    scenario: Scenario,
    signature: &mut SignatureCost,
) -> anyhow::Result<Vec<Outcome>> {
    let mut crews = Vec::new();
    for target in targets {
        crews.push(Crew::prepare(options, target, scenario).await?);
    }
    for _ in 0..options.rounds {
        for (crew, target) in crews.iter_mut().zip(targets) {
            crew.window(options, target, scenario).await?;
        }
        signature.sample()?;
    }
    Ok(crews
        .into_iter()
        .map(|crew| crew.outcome(scenario, options.duration))
        .collect())
}

/// The workers at one target and what they have done.
struct Crew {
    workers: Vec<Worker>,
    samples: Vec<u32>,
    windows: Vec<f64>,
    errors: BTreeMap<String, u64>,
    requests: u64,
    cpu: Option<Duration>,
}

/// What one worker did in one window.
struct Shift {
    worker: Worker,
    samples: Vec<u32>,
    failures: Vec<Failure>,
    requests: u64,
}

/// The measured part of a window and the sign to stop.
struct Window {
    from: Instant,
    to: Instant,
    is_over: AtomicBool,
}

impl Crew {
    async fn prepare(
        options: &Options,
        target: &Target,
        scenario: Scenario,
    ) -> anyhow::Result<Self> {
        let mut crew = Self {
            workers: Vec::new(),
            samples: Vec::new(),
            windows: Vec::new(),
            errors: BTreeMap::new(),
            requests: 0,
            cpu: target.pid.map(|_| Duration::ZERO),
        };
        // One after the other: signing in may cost a password hash each, and is not what is measured.
        for number in 0..options.concurrency {
            let mut worker = Worker::new(options, target, number);
            worker.prepare(scenario).await.map_err(|failure| {
                anyhow::anyhow!(
                    "{}: preparing {}: {}",
                    target.issuer,
                    scenario.name(),
                    failure.0
                )
            })?;
            crew.workers.push(worker);
        }
        Ok(crew)
    }

    async fn window(
        &mut self,
        options: &Options,
        target: &Target,
        scenario: Scenario,
    ) -> anyhow::Result<()> {
        let from = Instant::now() + options.warmup;
        let window = Arc::new(Window {
            from,
            to: from + options.duration,
            is_over: AtomicBool::new(false),
        });
        let mut shifts = JoinSet::new();
        for worker in self.workers.drain(..) {
            shifts.spawn(work(worker, scenario, Arc::clone(&window)));
        }
        let cpu = || target.pid.and_then(measure::cpu_time);
        tokio::time::sleep_until(window.from.into()).await;
        let cpu_before = cpu();
        tokio::time::sleep_until(window.to.into()).await;
        let cpu_after = cpu();
        window.is_over.store(true, Ordering::Relaxed);
        let mut operations = 0_u32;
        while let Some(shift) = shifts.join_next().await {
            let shift = shift?;
            operations += u32::try_from(shift.samples.len()).unwrap_or(u32::MAX);
            self.samples.extend(shift.samples);
            self.requests += shift.requests;
            for failure in shift.failures {
                *self.errors.entry(failure.0).or_default() += 1;
            }
            self.workers.push(shift.worker);
        }
        self.windows
            .push(f64::from(operations) / options.duration.as_secs_f64());
        self.cpu = match (self.cpu, cpu_before, cpu_after) {
            (Some(so_far), Some(before), Some(after)) => {
                Some(so_far + after.saturating_sub(before))
            }
            _ => None,
        };
        Ok(())
    }

    fn outcome(mut self, scenario: Scenario, window: Duration) -> Outcome {
        let operations = self.samples.len() as u64;
        let per_operation = |total: f64| {
            #[expect(
                clippy::cast_precision_loss,
                reason = "fewer than 2^52 operations fit into memory"
            )]
            let count = operations as f64;
            (operations > 0).then(|| total / count)
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "as many as operations, times a few"
        )]
        let requests = self.requests as f64;
        let cpu_ms = self
            .cpu
            .and_then(|cpu| per_operation(cpu.as_secs_f64() * 1000.0));
        Outcome {
            scenario,
            operations,
            failed: self.errors.values().sum(),
            requests_per_operation: per_operation(requests),
            throughput: median(self.windows.clone()),
            latency: Latency::of(&mut self.samples),
            server_cpu_ms: cpu_ms,
            server_cores: self.cpu.map(|cpu| {
                cpu.as_secs_f64() / window.as_secs_f64() / f64::from(count_of(&self.windows))
            }),
            errors: self.errors,
            windows: self.windows,
        }
    }
}

fn count_of(windows: &[f64]) -> u32 {
    u32::try_from(windows.len()).unwrap_or(u32::MAX).max(1)
}

/// Operations one after the other until told to stop. Only those that lie in the window wholly are counted.
async fn work(mut worker: Worker, scenario: Scenario, window: Arc<Window>) -> Shift {
    let mut samples = Vec::new();
    let mut failures = Vec::new();
    let mut requests = 0;
    while !window.is_over.load(Ordering::Relaxed) {
        let requests_before = worker.requests();
        let started = Instant::now();
        let result = worker.operate(scenario).await;
        let ended = Instant::now();
        let is_counted = started >= window.from && ended <= window.to;
        match result {
            Ok(()) if is_counted => {
                let micros = (ended - started).as_micros();
                samples.push(u32::try_from(micros).unwrap_or(u32::MAX));
                requests += worker.requests() - requests_before;
            }
            Ok(()) => {}
            // A failure counts wherever in the window it ends: a time-out may begin before it.
            Err(failure) => {
                if ended >= window.from {
                    failures.push(failure);
                }
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
    Shift {
        worker,
        samples,
        failures,
        requests,
    }
}
