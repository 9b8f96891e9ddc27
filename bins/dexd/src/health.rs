//! Whether the storage works, looked at every 15 seconds (compat: `config.md` §11.1).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dex_core::Timestamp;
use dex_core::clock::Clock;
use dex_storage::Storage;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

/// The result of the last look, shared by both listeners. Passes until a first look has failed.
#[derive(Debug, Default)]
pub(crate) struct Health {
    state: Mutex<State>,
    /// What the provider's own `/healthz` goes by.
    flag: dex_http::Health,
}

#[derive(Debug, Clone, Default)]
struct State {
    last: Option<Look>,
    contiguous_failures: u64,
    first_failure: Option<Timestamp>,
}

#[derive(Debug, Clone)]
struct Look {
    at: Timestamp,
    took: Duration,
    error: Option<String>,
}

impl Health {
    /// The part that the provider shows.
    pub(crate) fn flag(&self) -> dex_http::Health {
        self.flag.clone()
    }

    /// Whether the storage worked when last looked at.
    pub(crate) fn passes(&self) -> bool {
        self.state().last.is_none_or(|look| look.error.is_none())
    }

    /// The report: JSON indented by tabs.
    pub(crate) fn report(&self, short: bool) -> Vec<u8> {
        let check = if short {
            json!(if self.passes() { "PASS" } else { "FAIL" })
        } else {
            full(&self.state())
        };
        let mut report = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b"\t");
        let mut serializer = serde_json::Serializer::with_formatter(&mut report, formatter);
        serde::Serialize::serialize(&json!({ "storage": check }), &mut serializer)
            .expect("a JSON value always serialises into memory");
        report.push(b'\n');
        report
    }

    /// Looks now and then every 15 seconds until cancelled.
    pub(crate) async fn watch(
        self: Arc<Self>,
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) {
        loop {
            tokio::select! {
                () = self.look(storage.as_ref(), clock.as_ref()) => {}
                () = stop.cancelled() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn look(&self, storage: &dyn Storage, clock: &dyn Clock) {
        let started = Instant::now();
        let error = match tokio::time::timeout(TIMEOUT, storage.check_health()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            // A store that hangs is as bad as one that fails, and says less.
            Err(_) => Some(format!("no answer within {} s", TIMEOUT.as_secs())),
        };
        self.record(Look {
            at: clock.now(),
            took: started.elapsed(),
            error,
        });
    }

    fn record(&self, look: Look) {
        self.flag.set_passing(look.error.is_none());
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = &look.error {
            if state.contiguous_failures == 0 {
                tracing::error!(err = error, "storage health check failed");
                state.first_failure = Some(look.at);
            }
            state.contiguous_failures += 1;
        } else {
            if state.contiguous_failures > 0 {
                tracing::info!("storage health check passes again");
            }
            state.contiguous_failures = 0;
            state.first_failure = None;
        }
        state.last = Some(look);
    }

    fn state(&self) -> State {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn full(state: &State) -> Value {
    let mut check = Map::new();
    match &state.last {
        None => {
            check.insert("message".to_owned(), json!("didn't run yet"));
            check.insert("timestamp".to_owned(), json!(Timestamp::ZERO));
        }
        Some(look) => {
            if let Some(error) = &look.error {
                check.insert("error".to_owned(), json!({ "message": error }));
            }
            check.insert("timestamp".to_owned(), json!(look.at));
            let nanos = u64::try_from(look.took.as_nanos()).unwrap_or(u64::MAX);
            if nanos > 0 {
                check.insert("duration".to_owned(), json!(nanos));
            }
        }
    }
    check.insert(
        "contiguousFailures".to_owned(),
        json!(state.contiguous_failures),
    );
    check.insert("timeOfFirstFailure".to_owned(), json!(state.first_failure));
    Value::Object(check)
}

const INTERVAL: Duration = Duration::from_secs(15);
const TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn look(at: i64, error: Option<&str>) -> Look {
        Look {
            at: Timestamp::from_unix(at, 0).unwrap(),
            took: Duration::from_nanos(7),
            error: error.map(str::to_owned),
        }
    }

    #[test]
    fn before_the_first_look_it_passes() {
        let health = Health::default();
        assert!(health.passes());
        let report: Value = serde_json::from_slice(&health.report(false)).unwrap();
        assert_eq!(report["storage"]["message"], "didn't run yet");
        assert_eq!(report["storage"]["contiguousFailures"], 0);
    }

    #[test]
    fn failures_are_counted_until_it_passes_again() {
        let health = Health::default();
        health.record(look(10, Some("disk full")));
        health.record(look(25, Some("disk full")));
        assert!(!health.passes());
        let report: Value = serde_json::from_slice(&health.report(false)).unwrap();
        assert_eq!(
            report["storage"],
            json!({
                "error": {"message": "disk full"}, "timestamp": "1970-01-01T00:00:25Z", "duration": 7,
                "contiguousFailures": 2, "timeOfFirstFailure": "1970-01-01T00:00:10Z",
            })
        );
        assert_eq!(health.report(true), b"{\n\t\"storage\": \"FAIL\"\n}\n");
        health.record(look(40, None));
        assert!(health.passes());
        assert_eq!(health.report(true), b"{\n\t\"storage\": \"PASS\"\n}\n");
    }
}
