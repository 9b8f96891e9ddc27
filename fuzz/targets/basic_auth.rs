//! `Authorization` headers with client credentials.
#![no_main]

use dex_core::basic_auth::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|header: &[u8]| {
    let _ = parse(header);
});
