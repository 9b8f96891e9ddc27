//! Claims of tokens that come back to us.
#![no_main]

use dex_core::claims::OwnToken;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (i64, &[u8])| {
    let (now, payload) = input;
    if let Some(token) = OwnToken::parse(payload) {
        let _ = (
            token.is_valid("https://issuer.example", now),
            token.is_access_token(),
        );
        assert!(!token.is_valid("another", now) || token.iss == "another");
    }
});
