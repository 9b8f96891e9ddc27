//! Compiles the schemas under `proto/` to Rust types and keeps their descriptors for server reflection.

use std::error::Error;
use std::path::{Path, PathBuf};

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    println!("cargo::rerun-if-changed={}", root.display());
    let out = PathBuf::from(std::env::var("OUT_DIR")?);

    // The descriptor's name is the path below the root: reflection clients know the file as `api/v2/api.proto`.
    let api = protox::compile(["api/v2/api.proto"], [&root])?;
    std::fs::write(out.join("api.bin"), api.encode_to_vec())?;
    messages_only().skip_debug(HOLD_SECRETS).compile_fds(api)?;

    let internal = protox::compile(["internal/opaque.proto"], [&root])?;
    messages_only()
        .skip_debug(["internal"])
        .compile_fds(internal)?;
    Ok(())
}

fn messages_only() -> tonic_prost_build::Builder {
    tonic_prost_build::configure()
        .build_client(false)
        .build_server(false)
}

/// Messages with a secret in them: `Debug` is written by hand in `src/redacted.rs`.
const HOLD_SECRETS: [&str; 6] = [
    "api.Client",
    "api.Password",
    "api.UpdatePasswordReq",
    "api.VerifyPasswordReq",
    "api.Connector",
    "api.UpdateConnectorReq",
];
