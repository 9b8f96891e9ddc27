//! Authorization requests: whatever is asked is granted by the rules or refused in a sentence.
#![no_main]

use dex_core::authorize::{Asked, Rules, Trust, check, peers};
use dex_core::records::Client;
use dex_core::redirect_uri::RedirectUri;
use dex_core::response_type::ResponseType;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Request {
    response_type: String,
    scope: String,
    nonce: String,
    request: String,
    request_uri: String,
    code_challenge: String,
    code_challenge_method: String,
    prompt: String,
    approval_prompt: String,
    max_age: String,
    trust_known: bool,
    pkce_required: bool,
    all_response_types: bool,
}

fuzz_target!(|request: Request| {
    let client = Client {
        redirect_uris: vec!["https://app.example/callback".into()],
        ..Client::default()
    };
    let redirect_uri =
        RedirectUri::of_client(&client, "https://app.example/callback", "/device/callback")
            .expect("it is registered");
    let response_types: &[ResponseType] = if request.all_response_types {
        &[
            ResponseType::Code,
            ResponseType::Token,
            ResponseType::IdToken,
        ]
    } else {
        &[ResponseType::Code]
    };
    let rules = Rules {
        response_types,
        pkce_methods: &["S256".to_owned()],
        pkce_required: request.pkce_required,
    };
    let trust = if request.trust_known {
        Trust::By(peers(&request.scope))
    } else {
        Trust::Unknown
    };
    let asked = Asked {
        response_type: &request.response_type,
        scope: &request.scope,
        nonce: &request.nonce,
        request: &request.request,
        request_uri: &request.request_uri,
        code_challenge: &request.code_challenge,
        code_challenge_method: &request.code_challenge_method,
        prompt: &request.prompt,
        approval_prompt: &request.approval_prompt,
        max_age: &request.max_age,
    };
    match check(&asked, &redirect_uri, &rules, &trust) {
        Ok(granted) => {
            assert!(granted.scopes.iter().any(|scope| scope == "openid"));
            assert!(!granted.response_types.is_empty());
            assert!(
                granted
                    .response_types
                    .iter()
                    .all(|word| response_types.contains(word))
            );
            assert!(!request.pkce_required || !granted.pkce.challenge.is_empty());
            assert!(granted.pkce.challenge.is_empty() || granted.pkce.method == "S256");
            assert!(request.request.is_empty() && request.request_uri.is_empty());
        }
        Err(refusal) => assert!(!refusal.code().is_empty() && !refusal.to_string().is_empty()),
    }
});
