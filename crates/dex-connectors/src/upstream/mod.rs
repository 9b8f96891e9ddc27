//! How connectors talk to their upstreams.

mod settings;

pub use settings::{ProxySettings, UpstreamSettings};
