//! `sub`, refresh tokens and session cookies: what decodes, encodes to something that decodes to the same.
#![no_main]

use dex_core::opaque::{RefreshTokenValue, SessionCookie, Subject};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(subject) = Subject::decode(text) {
        assert_eq!(Subject::decode(&subject.encode()), Ok(subject));
    }
    if let Ok(cookie) = SessionCookie::decode(text) {
        assert!(SessionCookie::decode(&cookie.encode()) == Ok(cookie));
    }
    let token = RefreshTokenValue::parse(text);
    // A bare id, as very old servers gave out, has no encoding of its own.
    if !token.secret.is_empty() {
        assert!(RefreshTokenValue::parse(&token.encode()) == token);
    }
});
