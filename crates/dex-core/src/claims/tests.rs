use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::entropy::{SystemEntropy, new_uuid};
use crate::go_json;

fn person() -> Claims {
    Claims {
        user_id: "u1".into(),
        username: "Kilgore Trout".into(),
        preferred_username: "kilgore".into(),
        email: "kilgore@kilgore.trout".into(),
        email_verified: true,
        groups: vec!["authors".into(), "a<b".into()],
    }
}

fn token<'a>(audience: &'a Audience, identity: IdentityClaims<'a>) -> TokenClaims<'a> {
    TokenClaims {
        iss: "https://dex.example.com",
        sub: "CgJ1MRIEbW9jaw",
        aud: audience,
        exp: 200,
        iat: 100,
        jti: "j",
        azp: audience.authorized_party(),
        nonce: "n",
        auth_time: 50,
        sid: "s",
        at_hash: "ah",
        c_hash: "ch",
        identity,
    }
}

#[test]
fn claims_are_written_in_dex_order() {
    let scopes = ["openid", "federated:id", "profile", "groups", "email"];
    let claims = person();
    let audience = Audience::of(&["audience:server:client_id:peer"], "app");
    let payload = go_json::to_vec(&token(
        &audience,
        IdentityClaims::of(&scopes, &claims, "mock"),
    ));
    assert_eq!(
        String::from_utf8(payload).unwrap(),
        concat!(
            r#"{"iss":"https://dex.example.com","sub":"CgJ1MRIEbW9jaw","aud":["peer","app"],"exp":200,"iat":100,"jti":"j","azp":"app","#,
            r#""nonce":"n","auth_time":50,"sid":"s","at_hash":"ah","c_hash":"ch","email":"kilgore@kilgore.trout","email_verified":true,"#,
            r#""groups":["authors","a\u003cb"],"name":"Kilgore Trout","preferred_username":"kilgore","#,
            r#""federated_claims":{"connector_id":"mock","user_id":"u1"}}"#
        )
    );
}

#[test]
fn what_is_not_known_is_left_out() {
    let audience = Audience::of(&["openid"], "app");
    let bare = TokenClaims {
        nonce: "",
        auth_time: 0,
        sid: "",
        at_hash: "",
        c_hash: "",
        ..token(&audience, IdentityClaims::default())
    };
    assert_eq!(
        String::from_utf8(go_json::to_vec(&bare)).unwrap(),
        r#"{"iss":"https://dex.example.com","sub":"CgJ1MRIEbW9jaw","aud":"app","exp":200,"iat":100,"jti":"j"}"#
    );
}

#[test]
fn each_scope_shows_its_claims_and_no_more() {
    let claims = person();
    for (scopes, shown) in [
        (vec!["openid", "offline_access", "unknown"], json!({})),
        (
            vec!["email"],
            json!({"email": "kilgore@kilgore.trout", "email_verified": true}),
        ),
        (
            vec!["profile"],
            json!({"name": "Kilgore Trout", "preferred_username": "kilgore"}),
        ),
        (vec!["groups"], json!({"groups": ["authors", "a<b"]})),
        (
            vec!["federated:id"],
            json!({"federated_claims": {"connector_id": "mock", "user_id": "u1"}}),
        ),
    ] {
        let identity = IdentityClaims::of(&scopes, &claims, "mock");
        assert_eq!(serde_json::to_value(identity).unwrap(), shown, "{scopes:?}");
    }
}

#[test]
fn an_unverified_or_missing_address_still_says_so() {
    let nobody = Claims::default();
    let scopes = ["email", "profile", "groups", "federated:id"];
    assert_eq!(
        serde_json::to_value(IdentityClaims::of(&scopes, &nobody, "")).unwrap(),
        json!({"email_verified": false, "federated_claims": {}})
    );
}

#[test]
fn marks_tell_our_tokens_apart() {
    let entropy = SystemEntropy::new();
    let access_jti = new_uuid(&entropy);
    let id_jti = new_id_token_jti(&entropy);
    assert_eq!(
        TokenUse::of(&access_jti, &access_token_mark(&access_jti)),
        TokenUse::Access
    );
    assert_eq!(
        TokenUse::of(&id_jti, "piwt8oCH-K2D9pXlaS1Y-w"),
        TokenUse::Id
    );
    assert_eq!(TokenUse::of(&access_jti, "other"), TokenUse::Unmarked);
    assert_eq!(TokenUse::of("", ""), TokenUse::Unmarked);
    assert_eq!(id_jti.len(), 36);
    assert_eq!(&id_jti[14..15], "4");
    assert!(matches!(&id_jti[19..20], "8" | "9" | "a" | "b"));
}

#[test]
fn only_access_tokens_open_userinfo() {
    let entropy = SystemEntropy::new();
    let jti = new_uuid(&entropy);
    for (claims, opens) in [
        (
            json!({"jti": jti, "at_hash": access_token_mark(&jti)}),
            true,
        ),
        (
            json!({"jti": jti, "at_hash": access_token_mark(&jti), "c_hash": "x"}),
            true,
        ),
        (
            json!({"jti": new_id_token_jti(&entropy), "at_hash": "x"}),
            false,
        ),
        (json!({"jti": jti, "at_hash": "x"}), true), // as Dex issues them
        (json!({"jti": jti, "at_hash": "x", "c_hash": "y"}), false),
        (json!({"jti": jti}), false),
        (
            json!({"jti": jti, "at_hash": "x", "events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
            false,
        ),
    ] {
        let token = OwnToken::parse(claims.to_string().as_bytes()).unwrap();
        assert_eq!(token.is_access_token(), opens, "{claims}");
    }
}

#[test]
fn times_and_issuer_are_judged() {
    let valid = |claims: Value| {
        OwnToken::parse(claims.to_string().as_bytes())
            .is_some_and(|token| token.is_valid("https://i", 100))
    };
    assert!(valid(json!({"iss": "https://i", "exp": 100})));
    assert!(valid(json!({"iss": "https://i", "exp": 100.9})));
    assert!(valid(json!({"iss": "https://i", "exp": "101"})));
    assert!(valid(
        json!({"iss": "https://i", "exp": 101, "nbf": 400, "aud": ["x"]})
    ));
    assert!(!valid(json!({"iss": "https://i", "exp": 101, "nbf": 401})));
    assert!(!valid(json!({"iss": "https://i", "exp": 99})));
    assert!(!valid(json!({"iss": "https://i"})));
    assert!(!valid(json!({"iss": "https://i/", "exp": 101})));
    assert!(!valid(json!({"iss": "https://i", "exp": "soon"})));
    assert!(!valid(json!({"iss": 1, "exp": 101})));
}

proptest! {
    #[test]
    fn o18_nothing_a_connector_says_becomes_a_reserved_claim(
        user in ".*", name in ".*", email in ".*", groups in prop::collection::vec(".*", 0..4), connector in ".*",
    ) {
        let claims = Claims { user_id: user, username: name.clone(), preferred_username: name, email, email_verified: true, groups };
        let audience = Audience::of(&["openid"], "app");
        let scopes = ["email", "profile", "groups", "federated:id"];
        let identity = IdentityClaims::of(&scopes, &claims, &connector);
        let payload: Value = serde_json::from_slice(&go_json::to_vec(&token(&audience, identity))).unwrap();
        let plain = serde_json::to_value(token(&audience, IdentityClaims::default())).unwrap();
        for (claim, value) in plain.as_object().unwrap() {
            prop_assert_eq!(&payload[claim], value);
        }
        let known = ["email", "email_verified", "groups", "name", "preferred_username", "federated_claims"];
        for claim in payload.as_object().unwrap().keys() {
            prop_assert!(plain.get(claim).is_some() || known.contains(&claim.as_str()), "{}", claim);
        }
    }

    #[test]
    fn every_id_token_jti_is_recognised(_seed in any::<u8>()) {
        prop_assert_eq!(TokenUse::of(&new_id_token_jti(&SystemEntropy::new()), ""), TokenUse::Id);
    }

    #[test]
    fn no_payload_panics_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..80), text in ".*") {
        let _ = OwnToken::parse(&bytes);
        let _ = TokenUse::of(&text, &text);
    }
}
