//! What an operator can choose about the pages, resolved and checked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::links;

/// The `frontend` block of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrontendOptions {
    /// Path part of the issuer, for links from the home page: `/dex`, or empty.
    pub issuer_path: String,
    /// Display name: page title and login heading. Default when empty: `dex`.
    pub issuer_name: String,
    /// Folder below `themes/`. Embedded are `light`, `dark` and `auto`, which follows the browser's preference; the older
    /// names `coreos` and `tectonic` mean `light`. A theme that does not exist is not an error, its files are 404.
    ///
    /// Default when empty: `auto`, or `light` if `dir` brings a theme of that name and none named `auto`.
    pub theme: String,
    /// Logo: an `http(s)` address, a `data:image/…` address, or a path below the issuer.
    /// Default when empty or when it has any other scheme (with a warning): `theme/logo.png`.
    pub logo_url: String,
    /// Values that templates read with `extra(key)`.
    pub extra: BTreeMap<String, String>,
    /// A directory whose files replace embedded ones.
    pub dir: Option<PathBuf>,
}

/// Why the pages could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PagesError {
    /// The directory cannot be opened.
    #[error("failed to load web static: {}: {source}", dir.display())]
    Directory {
        /// `frontend.dir`.
        dir: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The directory has nothing a frontend directory consists of.
    #[error(
        "failed to load web static: {}: none of static/, templates/, themes/, robots.txt is there",
        dir.display()
    )]
    Empty {
        /// `frontend.dir`.
        dir: PathBuf,
    },
    /// A file or folder below the directory cannot be read.
    #[error("failed to load web static: {}: {source}", file.display())]
    File {
        /// The file or folder.
        file: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The directory holds more than it makes sense to keep in memory.
    #[error("failed to load web static: {}: {limit}", file.display())]
    TooLarge {
        /// The file or folder at which the limit was passed.
        file: PathBuf,
        /// Which limit.
        limit: &'static str,
    },
    /// A template cannot be compiled.
    #[error("failed to load web static: {}:{line}: {reason}", file.display())]
    Template {
        /// The template.
        file: PathBuf,
        /// Line of the fault, from 1; 0 if unknown.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

/// [`FrontendOptions`] with every default filled in.
#[derive(Debug, Clone)]
pub(super) struct Frontend {
    pub(super) issuer_path: String,
    pub(super) issuer_name: String,
    pub(super) theme: String,
    pub(super) logo_url: String,
    pub(super) extra: BTreeMap<String, String>,
    pub(super) dir: Option<PathBuf>,
}

impl Frontend {
    pub(super) fn resolve(options: FrontendOptions) -> Result<Self, PagesError> {
        if let Some(dir) = &options.dir {
            check_directory(dir)?;
        }
        Ok(Self {
            theme: theme(&options),
            logo_url: logo(&options.logo_url),
            issuer_name: non_empty_or(options.issuer_name, DEFAULT_ISSUER_NAME),
            issuer_path: options.issuer_path,
            extra: options.extra,
            dir: options.dir,
        })
    }
}

fn check_directory(dir: &std::path::Path) -> Result<(), PagesError> {
    std::fs::read_dir(dir).map_err(|source| PagesError::Directory {
        dir: dir.to_path_buf(),
        source,
    })?;
    let known = ["static", "templates", "themes", "robots.txt"];
    if known.iter().any(|name| dir.join(name).exists()) {
        Ok(())
    } else {
        Err(PagesError::Empty {
            dir: dir.to_path_buf(),
        })
    }
}

fn theme(options: &FrontendOptions) -> String {
    match options.theme.as_str() {
        "" => {
            let brings = |name: &str| {
                options
                    .dir
                    .as_ref()
                    .is_some_and(|dir| dir.join("themes").join(name).is_dir())
            };
            if brings("light") && !brings("auto") {
                "light".to_owned()
            } else {
                "auto".to_owned()
            }
        }
        "coreos" | "tectonic" => "light".to_owned(),
        name => name.to_owned(),
    }
}

fn logo(configured: &str) -> String {
    if configured.is_empty() {
        return DEFAULT_LOGO.to_owned();
    }
    if links::is_image_address(configured) {
        return configured.to_owned();
    }
    tracing::warn!(
        "frontend.logoURL has a scheme that is not http, https or data:image; using the theme's logo"
    );
    DEFAULT_LOGO.to_owned()
}

fn non_empty_or(value: String, default: &str) -> String {
    if value.is_empty() {
        default.to_owned()
    } else {
        value
    }
}

const DEFAULT_ISSUER_NAME: &str = "dex";
const DEFAULT_LOGO: &str = "theme/logo.png";
