//! dex-http
