//! Scopes: each word is what it prints as, and only audience scopes name a peer.
#![no_main]

use dex_core::audience::Audience;
use dex_core::scope::{Scope, words};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let words: Vec<&str> = words(text).collect();
    for word in &words {
        let scope = Scope::parse(word);
        assert_eq!(scope.to_string(), *word);
        assert_eq!(
            scope.peer().is_some(),
            word.starts_with("audience:server:client_id:")
        );
    }
    let audience = Audience::of(&words, "client");
    assert!(!audience.entries().is_empty());
});
