//! Log lines on standard error, in the two formats of Go's `slog` (compat: `config.md` §12).
//!
//! Records come through `tracing`. A record's own fields are written first, then those of the spans around it, outermost first; a
//! request's span carries `client_remote_addr` and `request_id`. Third-party crates are heard from WARN on.

mod format;
mod level;

use std::io::Write as _;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use dex_core::clock::{Clock as _, SystemClock};

use crate::config::LoggerSettings;

pub(crate) use format::{Format, Value};
pub(crate) use level::Level;

/// Sends all records, and panics, to standard error. Once per process.
pub(crate) fn install(settings: &LoggerSettings) {
    let subscriber = tracing_subscriber::registry().with(Lines::new(settings));
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        return;
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(
            place = place.unwrap_or_default(),
            thread = std::thread::current().name().unwrap_or_default(),
            "panic: {}",
            panic.payload_as_str().unwrap_or("(no message)")
        );
    }));
}

/// Writes one line per record.
struct Lines {
    level: Level,
    format: Format,
    exclude: Vec<String>,
}

/// The fields of a span, as they were recorded.
struct SpanFields(Vec<(String, Value)>);

impl Lines {
    fn new(settings: &LoggerSettings) -> Self {
        Self {
            level: settings.level,
            format: settings.format,
            exclude: settings.exclude_fields.clone(),
        }
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let level = Level::from(*metadata.level());
        let ours = OURS
            .iter()
            .any(|prefix| metadata.target().starts_with(prefix));
        level >= self.level && (ours || level >= Level::WARN)
    }

    /// Drops what the operator does not want to see: whole top-level keys, a group by its name.
    fn retain(&self, fields: &mut Vec<(String, Value)>) {
        fields.retain(|(key, _)| {
            let top = key.split('.').next().unwrap_or_default();
            !self.exclude.iter().any(|excluded| excluded == top)
        });
    }
}

impl<S> Layer<S> for Lines
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        // Spans carry the request's attributes at any level.
        (metadata.is_span()
            && OURS
                .iter()
                .any(|prefix| metadata.target().starts_with(prefix)))
            || self.wants(metadata)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanFields(fields.fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let Some(span) = context.span(id)
            && let Some(known) = span.extensions_mut().get_mut::<SpanFields>()
        {
            known.0.extend(fields.fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if !self.wants(event.metadata()) {
            return;
        }
        let mut record = Fields::default();
        event.record(&mut record);
        if let Some(scope) = context.event_scope(event) {
            for span in scope.from_root() {
                if let Some(SpanFields(fields)) = span.extensions().get() {
                    record.fields.extend(fields.iter().cloned());
                }
            }
        }
        self.retain(&mut record.fields);
        let line = self.format.line(
            SystemClock.now(),
            Level::from(*event.metadata().level()),
            &record.message,
            &record.fields,
        );
        // Nobody is left to tell if standard error is gone.
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }
}

/// Collects the fields of a record.
#[derive(Default)]
struct Fields {
    message: String,
    fields: Vec<(String, Value)>,
}

impl Fields {
    fn push(&mut self, field: &Field, value: Value) {
        if field.name() == "message" {
            self.message = value.to_string();
        } else {
            self.fields.push((field.name().to_owned(), value));
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, Value::Float(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, Value::Signed(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, Value::Unsigned(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, Value::Bool(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, Value::Text(value.to_owned()));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        self.push(field, Value::Text(text));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.push(field, Value::Text(format!("{value:?}")));
    }
}

/// Targets of our own crates.
const OURS: [&str; 2] = ["dexd", "dex_"];
