//! What is wrong with a configuration: collected, then told as Dex tells it, or with line and column.

use std::fmt::Write as _;

use super::document::Positions;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    stage: Stage,
    /// The key it is about, as in `web.tlsMinVersion`.
    path: String,
    message: String,
}

/// When Dex would notice it; decides the wording around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// A value of the wrong shape.
    Decode,
    /// A block whose feature this version lacks.
    Unsupported,
    /// One row of Dex's collected `invalid Config:` message.
    Validate,
    /// Anything later; the message stands for itself.
    Start,
}

/// All faults of one file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    /// Adds a fault, unless it only follows from a value that could not be decoded.
    pub(crate) fn add(
        &mut self,
        stage: Stage,
        path: impl Into<String>,
        message: impl Into<String>,
    ) {
        let fault = Fault {
            stage,
            path: path.into(),
            message: message.into(),
        };
        let follows = stage > Stage::Unsupported
            && self
                .0
                .iter()
                .any(|known| known.stage == Stage::Decode && related(&known.path, &fault.path));
        if !follows {
            self.0.push(fault);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The messages of `serve`: the words of Dex, each fault once, in the order in which Dex would come across them.
    pub(crate) fn for_serve(&self, file: &str, positions: &Positions) -> String {
        let mut lines = Vec::new();
        for fault in self.of(Stage::Decode) {
            lines.push(format!(
                "error unmarshalling config file {file}: {}",
                fault.message
            ));
        }
        for fault in self.of(Stage::Unsupported) {
            lines.push(format!(
                "dexd: {}: {}",
                place(file, positions, &fault.path),
                fault.message
            ));
        }
        let rows: Vec<_> = self.of(Stage::Validate).collect();
        if !rows.is_empty() {
            let mut message = "invalid Config:".to_owned();
            for row in rows {
                message.push_str("\n\t-\t");
                message.push_str(&row.message);
            }
            lines.push(message);
        }
        lines.extend(self.of(Stage::Start).map(|fault| fault.message.clone()));
        lines.join("\n")
    }

    /// The messages of `check`: one line per fault with its place.
    pub(crate) fn for_check(&self, file: &str, positions: &Positions) -> String {
        let mut faults: Vec<_> = self.0.iter().collect();
        faults.sort_by_key(|fault| positions.of(&fault.path));
        let mut text = String::new();
        for fault in faults {
            let place = place(file, positions, &fault.path);
            let path = match fault.path.as_str() {
                "" => String::new(),
                path => format!("{path}: "),
            };
            writeln!(text, "{place}: {path}{}", fault.message)
                .expect("writing to a string does not fail");
        }
        text
    }

    fn of(&self, stage: Stage) -> impl Iterator<Item = &Fault> {
        self.0.iter().filter(move |fault| fault.stage == stage)
    }
}

/// `file:line:column`, or the file alone for what is not written anywhere.
fn place(file: &str, positions: &Positions, path: &str) -> String {
    match positions.of(path) {
        Some(position) => format!("{file}:{}:{}", position.line, position.column),
        None => file.to_owned(),
    }
}

/// Whether one path is the other or lies inside it.
fn related(a: &str, b: &str) -> bool {
    let (outer, inner) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let (Some(head), Some(tail)) = (inner.get(..outer.len()), inner.get(outer.len()..)) else {
        return false;
    };
    head.eq_ignore_ascii_case(outer)
        && (outer.is_empty() || tail.is_empty() || tail.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_value_is_not_told_when_it_was_there_and_wrong() {
        let mut faults = Faults::default();
        faults.add(Stage::Decode, "Issuer", "not a string");
        faults.add(
            Stage::Validate,
            "issuer",
            "no issuer specified in config file",
        );
        faults.add(Stage::Validate, "issuers", "other");
        assert_eq!(faults.of(Stage::Validate).count(), 1);
    }

    #[test]
    fn validation_rows_make_one_message() {
        let mut faults = Faults::default();
        faults.add(Stage::Start, "expiry.idTokens", "late");
        faults.add(Stage::Validate, "issuer", "one");
        faults.add(Stage::Validate, "web", "two");
        faults.add(Stage::Unsupported, "grpc", "no grpc");
        assert_eq!(
            faults.for_serve("c.yaml", &Positions::default()),
            "dexd: c.yaml: no grpc\ninvalid Config:\n\t-\tone\n\t-\ttwo\nlate"
        );
    }
}
