//! Step links: a MAC proves its own step and request, and no guess proves anything.
#![no_main]

use dex_core::step::{Step, StepKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], &str, &str, &str)| {
    let (key, request, authenticator, guess) = input;
    let Some(key) = StepKey::stored(key) else {
        return;
    };
    let approved = key.mac(request, Step::Approved);
    assert!(key.verifies(request, Step::Approved, &approved));
    assert!(!key.verifies(request, Step::Continue, &approved));
    assert!(!key.verifies(request, Step::Authenticator(authenticator), &approved));
    // Unused bits at the end of base64 must not give a second spelling.
    assert!(guess == approved || !key.verifies(request, Step::Approved, guess));
});
