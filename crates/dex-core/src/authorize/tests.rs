//! One row per refusal, and what a good request becomes.

use super::*;
use crate::records::Client;
use crate::redirect_uri::OUT_OF_BAND;

const ALL: [ResponseType; 3] = [
    ResponseType::Code,
    ResponseType::IdToken,
    ResponseType::Token,
];

const GOOD: Asked<'static> = Asked {
    response_type: "code",
    scope: "openid",
    nonce: "",
    request: "",
    request_uri: "",
    code_challenge: "",
    code_challenge_method: "",
    prompt: "",
    approval_prompt: "",
    max_age: "",
};

fn redirect_uri(text: &str) -> RedirectUri {
    let client = Client {
        redirect_uris: vec![text.to_owned()],
        ..Client::default()
    };
    RedirectUri::of_client(&client, text, "").unwrap()
}

fn judge(asked: &Asked<'_>, types: &[ResponseType]) -> Result<Granted, Refusal> {
    let methods: Vec<String> = pkce::METHODS.map(str::to_owned).to_vec();
    let rules = Rules {
        response_types: types,
        pkce_methods: &methods,
        pkce_required: false,
    };
    let trust = Trust::By(BTreeSet::from(["peer".to_owned()]));
    check(
        asked,
        &redirect_uri("http://app.example/cb"),
        &rules,
        &trust,
    )
}

fn assert_refused(asked: &Asked<'_>, types: &[ResponseType], code: &str, sentence: &str) {
    let refusal = judge(asked, types).unwrap_err();
    assert_eq!(
        (refusal.code(), refusal.to_string().as_str()),
        (code, sentence)
    );
}

#[test]
fn scopes_are_checked_in_order() {
    for (scope, code, sentence) in [
        (
            "email",
            "invalid_scope",
            r#"Missing required scope(s) ["openid"]."#,
        ),
        (
            "",
            "invalid_scope",
            r#"Missing required scope(s) ["openid"]."#,
        ),
        (
            "foo",
            "invalid_scope",
            r#"Missing required scope(s) ["openid"]."#,
        ),
        (
            "openid foo bar",
            "invalid_scope",
            r#"Unrecognized scope(s) ["foo" "bar"]"#,
        ),
        (
            "openid audience:server:client_id:ghost",
            "invalid_scope",
            r#"Client can't request scope(s) ["audience:server:client_id:ghost"]"#,
        ),
    ] {
        assert_refused(&Asked { scope, ..GOOD }, &ALL, code, sentence);
    }
    let scope = " openid  audience:server:client_id:peer openid";
    let granted = judge(&Asked { scope, ..GOOD }, &ALL).unwrap();
    assert_eq!(granted.scopes.len(), 3, "order and repetitions are kept");
}

#[test]
fn response_types_are_checked_word_by_word() {
    let code_only = [ResponseType::Code];
    for (response_type, types, code, sentence) in [
        ("", &ALL[..], "invalid_request", "No response_type provided"),
        (
            "foo",
            &ALL,
            "invalid_request",
            r#"Invalid response type "foo""#,
        ),
        (
            "id_token",
            &code_only,
            "unsupported_response_type",
            r#"Unsupported response type "id_token""#,
        ),
        (
            "token",
            &ALL,
            "invalid_request",
            "Response type 'token' must be provided with type 'id_token' and/or 'code'",
        ),
        (
            "id_token",
            &ALL,
            "invalid_request",
            "Response type 'token' requires a 'nonce' value.",
        ),
    ] {
        assert_refused(
            &Asked {
                response_type,
                ..GOOD
            },
            types,
            code,
            sentence,
        );
    }
    for response_type in ["id_token code", "code code", "code id_token token"] {
        assert!(
            judge(
                &Asked {
                    response_type,
                    ..GOOD
                },
                &ALL
            )
            .is_ok()
        );
    }
}

#[test]
fn a_token_cannot_be_shown_on_a_page() {
    let methods = Vec::new();
    let rules = Rules {
        response_types: &ALL,
        pkce_methods: &methods,
        pkce_required: false,
    };
    let asked = Asked {
        response_type: "code token",
        ..GOOD
    };
    let refusal = check(
        &asked,
        &redirect_uri(OUT_OF_BAND),
        &rules,
        &Trust::By(BTreeSet::new()),
    );
    assert_eq!(refusal, Err(Refusal::TokenOutOfBand));
}

#[test]
fn proof_keys_are_checked_when_given_or_required() {
    let asked = Asked {
        code_challenge: "x",
        code_challenge_method: "S512",
        ..GOOD
    };
    assert_refused(
        &asked,
        &ALL,
        "invalid_request",
        r#"Unsupported PKCE challenge method ("S512")."#,
    );
    let without_challenge = Asked {
        code_challenge: "",
        ..asked
    };
    assert_eq!(judge(&without_challenge, &ALL).unwrap().pkce.method, "S512");
    let plain = Asked {
        code_challenge_method: "",
        ..asked
    };
    assert_eq!(judge(&plain, &ALL).unwrap().pkce.method, "plain");
    let rules = Rules {
        response_types: &ALL,
        pkce_methods: &[],
        pkce_required: true,
    };
    let refusal = check(
        &GOOD,
        &redirect_uri("http://app.example/cb"),
        &rules,
        &Trust::Unknown,
    );
    assert_eq!(refusal, Err(Refusal::PkceMissing));
}

#[test]
fn request_objects_are_refused_first() {
    let asked = Asked {
        request: "abc",
        scope: "",
        ..GOOD
    };
    assert_refused(
        &asked,
        &ALL,
        "request_not_supported",
        "Server does not support request parameter.",
    );
    let asked = Asked {
        request_uri: "https://x/",
        ..GOOD
    };
    assert_eq!(judge(&asked, &ALL), Err(Refusal::RequestUri));
}

#[test]
fn trust_that_cannot_be_found_out_is_our_fault() {
    let rules = Rules {
        response_types: &ALL,
        pkce_methods: &[],
        pkce_required: false,
    };
    let uri = redirect_uri("http://app.example/cb");
    let asked = Asked {
        scope: "openid audience:server:client_id:peer",
        ..GOOD
    };
    let refusal = check(&asked, &uri, &rules, &Trust::Unknown).unwrap_err();
    assert_eq!(refusal.code(), "server_error");
    assert!(check(&GOOD, &uri, &rules, &Trust::Unknown).is_ok());
}

#[test]
fn max_age_is_a_number_of_seconds() {
    for (max_age, secs) in [
        ("", None),
        ("0", Some(0)),
        ("+5", Some(5)),
        ("3600", Some(3600)),
    ] {
        assert_eq!(
            judge(&Asked { max_age, ..GOOD }, &ALL).unwrap().max_age,
            secs
        );
    }
    for max_age in ["-1", "abc", "1.5", "99999999999999999999", " 1"] {
        let refusal = judge(&Asked { max_age, ..GOOD }, &ALL).unwrap_err();
        assert_eq!(refusal, Refusal::MaxAge(max_age.to_owned()));
    }
}

#[test]
fn consent_can_be_forced_in_two_ways() {
    for (prompt, approval_prompt, forced) in [
        ("consent", "", true),
        ("", "force", true),
        ("", "auto", false),
        ("login", "", false),
    ] {
        let asked = Asked {
            prompt,
            approval_prompt,
            ..GOOD
        };
        assert_eq!(judge(&asked, &ALL).unwrap().force_approval, forced);
    }
}
