//! Durations in Go's syntax: what is read, is written and read again as the same.
#![no_main]

use dex_core::go_duration::{format, parse, parse_nanos};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = parse_nanos(text);
    if let Ok(duration) = parse(text) {
        assert_eq!(parse(&format(duration)), Ok(duration));
    }
});
