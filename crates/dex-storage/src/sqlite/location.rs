//! What `file` in the configuration names: a path, a `file:` URI, `:memory:`, or nothing; with driver parameters after `?`.
//!
//! Dex hands the text to its SQLite driver. That driver cuts everything from the first `?` off a plain path and reads its own
//! parameters (their names begin with `_`) from it; a `file:` URI goes to SQLite whole, which ignores parameters it does not know.

/// Where a database is, in the form SQLite opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    /// What the writing connection opens.
    pub(super) name: String,
    /// What reading connections open: without `mode`, which would contradict their own.
    pub(super) read_name: String,
    /// Lives in this process only: a second connection would see another, empty database.
    pub(super) is_private: bool,
    /// How messages name it: without parameters, which may hold credentials.
    pub(super) shown: String,
}

impl Location {
    /// Reads the configured text. Every text names something.
    pub(super) fn parse(file: &str) -> Self {
        // As in the driver, a `?` in first place is part of the name.
        let (path, query) = match file.find('?') {
            Some(at) if at > 0 => {
                let (path, query) = file.split_at(at);
                (path, query.get(1..).unwrap_or_default())
            }
            _ => (file, ""),
        };
        let Some(uri_path) = path.strip_prefix("file:") else {
            return Self {
                name: path.to_owned(),
                read_name: path.to_owned(),
                is_private: path.is_empty() || path == ":memory:",
                shown: shown(path),
            };
        };
        let is_private = matches!(uri_path, "" | ":memory:")
            || query.split('&').any(|parameter| parameter == "mode=memory");
        Self {
            name: uri(path, query, &[]),
            read_name: uri(path, query, &["mode"]),
            is_private,
            shown: shown(uri_path),
        }
    }
}

/// The URI with the parameters that SQLite itself knows, except `dropped`.
///
/// `cache` is always dropped: this backend shares nothing between its connections but the file.
fn uri(path: &str, query: &str, dropped: &[&str]) -> String {
    let kept: Vec<&str> = query
        .split('&')
        .filter(|parameter| {
            let name = parameter.split('=').next().unwrap_or_default();
            matches!(name, "mode" | "vfs" | "psow" | "nolock" | "immutable")
                && !dropped.contains(&name)
        })
        .collect();
    if kept.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", kept.join("&"))
    }
}

fn shown(path: &str) -> String {
    if path.is_empty() {
        "(temporary)".to_owned()
    } else {
        path.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_uris_and_driver_parameters_are_told_apart() {
        for (file, name, read_name, is_private) in [
            ("/var/dex.db", "/var/dex.db", "/var/dex.db", false),
            (
                "/var/dex.db?_fk=1&_busy_timeout=9",
                "/var/dex.db",
                "/var/dex.db",
                false,
            ),
            ("?odd", "?odd", "?odd", false),
            ("", "", "", true),
            (":memory:", ":memory:", ":memory:", true),
            (":memory:?_fk=1", ":memory:", ":memory:", true),
            (
                "file::memory:?cache=shared",
                "file::memory:",
                "file::memory:",
                true,
            ),
            (
                "file:x?mode=memory&cache=shared",
                "file:x?mode=memory",
                "file:x",
                true,
            ),
            (
                "file:a%20b.db?cache=shared&_auth_pass=x",
                "file:a%20b.db",
                "file:a%20b.db",
                false,
            ),
            (
                "file:/a.db?mode=rw&vfs=unix",
                "file:/a.db?mode=rw&vfs=unix",
                "file:/a.db?vfs=unix",
                false,
            ),
        ] {
            let location = Location::parse(file);
            assert_eq!(
                (
                    location.name.as_str(),
                    location.read_name.as_str(),
                    location.is_private
                ),
                (name, read_name, is_private),
                "{file}"
            );
        }
    }

    #[test]
    fn messages_show_no_parameters() {
        assert_eq!(Location::parse("/d.db?_auth_pass=hunter2").shown, "/d.db");
        assert_eq!(
            Location::parse("file:d.db?_auth_pass=hunter2").shown,
            "d.db"
        );
        assert_eq!(Location::parse("").shown, "(temporary)");
    }
}
