//! Compiles the templates at start and renders them into a buffer.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use minijinja::value::{Kwargs, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior};

use super::catalogue::Catalogue;
use super::go_syntax::is_go_template;
use super::links::asset_link;
use super::options::{Frontend, PagesError};

/// The embedded templates, and those of the operator's directory laid over them.
pub(super) struct Templates {
    embedded: Environment<'static>,
    custom: Option<Environment<'static>>,
    lang: &'static str,
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templates")
            .field("custom", &self.custom.is_some())
            .finish_non_exhaustive()
    }
}

impl Templates {
    pub(super) fn load(
        frontend: Frontend,
        catalogue: &'static Catalogue,
    ) -> Result<Self, PagesError> {
        let dir = frontend.dir.as_ref().map(|dir| dir.join("templates"));
        let sources = match &dir {
            Some(dir) => custom_sources(dir)?,
            None => BTreeMap::new(),
        };
        let mut embedded = environment(frontend, catalogue);
        for (name, source) in EMBEDDED {
            embedded
                .add_template(name, source)
                .map_err(|error| compile_error(Path::new(name), &error))?;
        }
        let custom = match dir {
            Some(dir) if !sources.is_empty() => {
                let mut custom = embedded.clone();
                for (name, source) in sources {
                    let file = dir.join(&name);
                    custom
                        .add_template_owned(name, source)
                        .map_err(|error| compile_error(&file, &error))?;
                }
                Some(custom)
            }
            _ => None,
        };
        Ok(Self {
            embedded,
            custom,
            lang: catalogue.lang,
        })
    }

    /// Renders completely or not at all. An operator's template that fails gives way to the embedded one.
    pub(super) fn render(
        &self,
        name: &str,
        request_path: &str,
        variables: Value,
    ) -> Result<String, Error> {
        let variables = minijinja::context! {
            req_path => request_path,
            lang => self.lang,
            ..variables
        };
        if let Some(custom) = &self.custom {
            match custom.get_template(name)?.render(variables.clone()) {
                Ok(html) => return Ok(html),
                Err(error) => tracing::error!(
                    template = error.name().unwrap_or(name),
                    line = error.line().unwrap_or_default(),
                    %error,
                    "a template of frontend.dir failed; serving the embedded page"
                ),
            }
        }
        self.embedded.get_template(name)?.render(variables)
    }
}

fn environment(frontend: Frontend, catalogue: &'static Catalogue) -> Environment<'static> {
    let Frontend {
        issuer_path,
        issuer_name,
        logo_url,
        extra,
        ..
    } = frontend;
    let mut environment = Environment::new();
    environment.set_debug(false);
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(write_escaped);
    environment.add_function("issuer", move || issuer_name.clone());
    environment.add_function("logo", move || logo_url.clone());
    environment.add_function("url", move |state: &State, asset: &str| {
        let request_path = state.lookup("req_path").unwrap_or_default();
        asset_link(&issuer_path, request_path.as_str().unwrap_or("/"), asset)
    });
    let lookup = move |key: &str| extra.get(key).cloned().unwrap_or_default();
    environment.add_function("extra", lookup.clone());
    environment.add_filter("extra", lookup);
    environment.add_function("t", move |key: &str, values: Kwargs| {
        catalogue
            .filled(key, |name| {
                let value: Value = values.get(name).ok()?;
                Some(value.to_string())
            })
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidOperation,
                    format!("no text {key:?}, or a value is missing in it"),
                )
            })
    });
    environment
}

/// Escapes for HTML text and quoted attributes. Unlike the engine's own way it leaves `/` alone, so that links read as
/// links for those who look at the markup with simple tools.
fn write_escaped(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    if value.is_safe() || matches!(state.auto_escape(), AutoEscape::None) {
        write!(out, "{value}")?;
        return Ok(());
    }
    match value.as_str() {
        Some(text) => escape_into(out, text)?,
        None => escape_into(out, &value.to_string())?,
    }
    Ok(())
}

fn escape_into(out: &mut Output, text: &str) -> fmt::Result {
    let mut rest = text;
    while let Some(at) = rest.find(['<', '>', '&', '"', '\'']) {
        let (plain, special) = rest.split_at(at);
        out.write_str(plain)?;
        let mut chars = special.chars();
        out.write_str(match chars.next() {
            Some('<') => "&lt;",
            Some('>') => "&gt;",
            Some('&') => "&amp;",
            Some('"') => "&#34;",
            _ => "&#39;",
        })?;
        rest = chars.as_str();
    }
    out.write_str(rest)
}

/// The operator's `*.html` files by name; none if there is no such folder.
fn custom_sources(dir: &Path) -> Result<BTreeMap<String, String>, PagesError> {
    let mut sources = BTreeMap::new();
    if !dir.exists() {
        return Ok(sources);
    }
    let unreadable = |file: &Path| {
        let file = file.to_path_buf();
        |source| PagesError::File { file, source }
    };
    for entry in std::fs::read_dir(dir).map_err(unreadable(dir))? {
        let path = entry.map_err(unreadable(dir))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let is_template = Path::new(name)
            .extension()
            .is_some_and(|extension| extension == "html");
        if !is_template || !path.is_file() {
            continue;
        }
        let metadata = std::fs::metadata(&path).map_err(unreadable(&path))?;
        if metadata.len() > MAX_TEMPLATE_BYTES {
            return Err(PagesError::TooLarge {
                file: path,
                limit: "a template may have at most 1 MiB",
            });
        }
        let source = std::fs::read_to_string(&path).map_err(unreadable(&path))?;
        if is_go_template(&source) {
            tracing::warn!(
                file = %path.display(),
                "a template in Go syntax is not used; the embedded page is served instead"
            );
            continue;
        }
        sources.insert(name.to_owned(), source);
    }
    Ok(sources)
}

fn compile_error(file: &Path, error: &Error) -> PagesError {
    PagesError::Template {
        file: file.to_path_buf(),
        line: error.line().unwrap_or_default(),
        reason: match error.detail() {
            Some(detail) => format!("{}: {detail}", error.kind()),
            None => error.kind().to_string(),
        },
    }
}

const MAX_TEMPLATE_BYTES: u64 = 1024 * 1024;

/// The embedded templates by name.
pub(super) const EMBEDDED: [(&str, &str); 8] = [
    (
        "layout.html",
        include_str!("../../web/templates/layout.html"),
    ),
    ("login.html", include_str!("../../web/templates/login.html")),
    (
        "password.html",
        include_str!("../../web/templates/password.html"),
    ),
    (
        "approval.html",
        include_str!("../../web/templates/approval.html"),
    ),
    ("oob.html", include_str!("../../web/templates/oob.html")),
    (
        "repost.html",
        include_str!("../../web/templates/repost.html"),
    ),
    ("error.html", include_str!("../../web/templates/error.html")),
    ("home.html", include_str!("../../web/templates/home.html")),
];
