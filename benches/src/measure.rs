//! What is measured besides the operations: the server's process, and the cost of the signature that bounds it.

use std::fs;
use std::time::{Duration, Instant};

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use serde::Serialize;

/// Clock ticks of `/proc/PID/stat` per second: `USER_HZ`, 100 on every Linux that people run.
const TICKS_PER_SECOND: u32 = 100;

/// CPU time that a process has used so far, all threads, user and system. `None` if there is no such process (or no `/proc`).
pub fn cpu_time(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the command in parentheses and may itself contain anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(Duration::from_secs(1) * (user + system) / TICKS_PER_SECOND)
}

/// Largest and present resident memory of a process in bytes.
pub fn memory(pid: u32) -> Option<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kib = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    Some((kib("VmHWM:")? * 1024, kib("VmRSS:")? * 1024))
}

/// Times RSA-2048 signatures (PKCS #1 v1.5, SHA-256, 300 bytes) through OpenSSL. The best of many short rounds is the cost at full
/// clock, which is what a server's best window is to be compared with.
#[derive(Debug)]
pub struct SignatureCost {
    key: PKey<openssl::pkey::Private>,
    best: Option<Duration>,
}

impl SignatureCost {
    /// With a fresh key.
    ///
    /// # Errors
    /// When OpenSSL makes none.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            key: PKey::from_rsa(Rsa::generate(2048)?)?,
            best: None,
        })
    }

    /// Some more rounds, about a tenth of a second.
    ///
    /// # Errors
    /// When OpenSSL does not sign.
    pub fn sample(&mut self) -> anyhow::Result<()> {
        const PER_ROUND: u32 = 8;
        let message = [b'm'; 300];
        for _ in 0..40 {
            let started = Instant::now();
            for _ in 0..PER_ROUND {
                let mut signer = Signer::new(MessageDigest::sha256(), &self.key)?;
                signer.sign_oneshot_to_vec(&message)?;
            }
            let each = started.elapsed() / PER_ROUND;
            self.best = Some(self.best.map_or(each, |best| best.min(each)));
        }
        Ok(())
    }

    /// The best so far.
    pub fn best(&self) -> Option<Duration> {
        self.best
    }
}

/// Latencies of one scenario in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Latency {
    /// Half of the operations took no longer.
    pub p50: f64,
    /// 99 of 100 took no longer.
    pub p99: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// The slowest.
    pub max: f64,
}

impl Latency {
    /// Sorts the samples (in microseconds) and reads off the figures; `None` without samples.
    pub fn of(samples: &mut [u32]) -> Option<Self> {
        samples.sort_unstable();
        let millis = |micros: u32| f64::from(micros) / 1000.0;
        let rank = |percent: usize| {
            let at = (samples.len() * percent).div_ceil(100).saturating_sub(1);
            samples.get(at).copied().map(millis)
        };
        let sum: f64 = samples.iter().copied().map(f64::from).sum();
        #[expect(
            clippy::cast_precision_loss,
            reason = "fewer than 2^52 operations fit into memory"
        )]
        let count = samples.len() as f64;
        Some(Self {
            p50: rank(50)?,
            p99: rank(99)?,
            mean: sum / count / 1000.0,
            max: millis(*samples.last()?),
        })
    }
}

/// The middle value; the mean of the two middle ones if the count is even; zero for none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or_default();
    if values.len() % 2 == 1 {
        at(values.len() / 2)
    } else {
        f64::midpoint(
            at((values.len() / 2).saturating_sub(1)),
            at(values.len() / 2),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut samples: Vec<u32> = (1..=200).rev().map(|n| n * 1000).collect();
        let latency = Latency::of(&mut samples).unwrap();
        assert!((latency.p50 - 100.0).abs() < 1e-9);
        assert!((latency.p99 - 198.0).abs() < 1e-9);
        assert!((latency.max - 200.0).abs() < 1e-9);
        assert!((latency.mean - 100.5).abs() < 1e-9);
        assert_eq!(Latency::of(&mut []), None);
        assert!((Latency::of(&mut [2000]).unwrap().p99 - 2.0).abs() < 1e-9);
    }

    #[test]
    fn the_median_stands_in_the_middle() {
        assert!((median(vec![3.0, 1.0, 9.0]) - 3.0).abs() < 1e-9);
        assert!((median(vec![3.0, 1.0]) - 2.0).abs() < 1e-9);
        assert!(median(Vec::new()).abs() < 1e-9);
    }

    #[test]
    fn this_process_can_be_measured() {
        let pid = std::process::id();
        assert!(cpu_time(pid).is_some());
        let (peak, now) = memory(pid).unwrap();
        assert!(peak >= now && now > 100_000);
        assert_eq!(cpu_time(u32::MAX), None);
        assert_eq!(memory(u32::MAX), None);
    }

    #[test]
    fn a_signature_costs_something() {
        let mut cost = SignatureCost::new().unwrap();
        assert_eq!(cost.best(), None);
        cost.sample().unwrap();
        assert!(cost.best().unwrap() > Duration::ZERO);
    }
}
