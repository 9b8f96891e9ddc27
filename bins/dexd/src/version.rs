//! Which build this is.

/// The version; packagers set `DEXD_VERSION` at build time.
pub(crate) const VERSION: &str = match option_env!("DEXD_VERSION") {
    Some(version) => version,
    None => concat!("v", env!("CARGO_PKG_VERSION")),
};

/// What it was built with.
pub(crate) const TOOLCHAIN: &str = concat!("rust", env!("CARGO_PKG_RUST_VERSION"));

/// Operating system and processor in Go's words, which dashboards know.
pub(crate) fn platform(separator: &str) -> String {
    format!("{}{separator}{}", std::env::consts::OS, arch())
}

pub(crate) fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The three lines of `dexd version`.
pub(crate) fn lines() -> String {
    format!(
        "Dex Version: {VERSION}\nRust Version: {TOOLCHAIN}\nRust OS/ARCH: {}\n",
        platform(" ")
    )
}
