//! Tokens: whatever comes in, nothing verifies that the key did not sign. The private key of this key set exists nowhere any more.
#![no_main]

use std::sync::LazyLock;

use dex_signer::KeySet;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    let es256 = json!({
        "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "a",
        "x": "iQizo1GE0SWelg2Z1xLyR5T5ZZFSqwj9DNBOEyyuCB8",
        "y": "pmwRMkMTP5cNy2RTXuox2XTX4i9MuCZdldtT0YvlPAc",
    });
    let ed25519 = json!({
        "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": "b",
        "x": "vIxsn4p5KT98txlKBop2-SvPPV3wyeIE72XTXpYkLwc",
    });
    KeySet::from_jwks([&es256, &ed25519]).expect("well-formed keys")
});

fuzz_target!(|token: &str| {
    assert!(KEYS.verify(token).is_err());
});
