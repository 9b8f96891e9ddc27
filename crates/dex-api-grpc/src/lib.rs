//! The management API's schema: message types, and the descriptor that server reflection hands out.
//!
//! The wire contract is Dex's, version 2 (package `api`, service `api.Dex`). Version 1 has the same package, service and numbers with
//! fewer methods and fields, so its clients are served by version 2 and there is no second set of types.
//!
//! This crate holds no server yet: only what a client or a server of the API both need.
//!
//! ```
//! use dex_api_grpc::v2::VersionResp;
//! use prost::Message as _;
//!
//! let version = VersionResp { server: "1.0".into(), api: 4 };
//! assert_eq!(VersionResp::decode(version.encode_to_vec().as_slice()), Ok(version));
//! ```

mod redacted;

/// The messages of version 2.
pub mod v2 {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

/// The serialised `FileDescriptorSet` of version 2, as server reflection needs it. The file in it is named `api/v2/api.proto`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/api.bin"));
