//! Entries for fuzzing: what foreign bytes reach first. Not part of the interface.

use std::collections::BTreeSet;

use dex_core::authorize::{Asked, Rules, Trust, check, peers};
use dex_core::pkce;
use dex_core::records::Client;
use dex_core::redirect_uri::RedirectUri;
use dex_core::response_type::ResponseType;

use crate::request::Parameters;
pub use crate::sealed::decode_any as sealed_content;

/// Reads `query` as an authorization request of a public client and judges it.
pub fn authorization_request(query: &[u8]) -> bool {
    let Ok(parameters) = Parameters::parse(query) else {
        return false;
    };
    let text = |name| parameters.get(name).unwrap_or_default();
    let client = Client {
        public: true,
        ..Client::default()
    };
    let Ok(redirect_uri) =
        RedirectUri::of_client(&client, text("redirect_uri"), "/device/callback")
    else {
        return false;
    };
    let asked = Asked {
        response_type: text("response_type"),
        scope: text("scope"),
        nonce: text("nonce"),
        request: text("request"),
        request_uri: text("request_uri"),
        code_challenge: text("code_challenge"),
        code_challenge_method: text("code_challenge_method"),
        prompt: text("prompt"),
        approval_prompt: text("approval_prompt"),
        max_age: text("max_age"),
    };
    let rules = Rules {
        response_types: &[
            ResponseType::Code,
            ResponseType::IdToken,
            ResponseType::Token,
        ],
        pkce_methods: &pkce::METHODS.map(str::to_owned),
        pkce_required: false,
    };
    let trust = Trust::By(
        peers(asked.scope)
            .into_iter()
            .take(1)
            .collect::<BTreeSet<_>>(),
    );
    let location = redirect_uri.with_query(&[("code", "c")], &[("state", text("state"))]);
    check(&asked, &redirect_uri, &rules, &trust).is_ok() && location.contains("code=c")
}
