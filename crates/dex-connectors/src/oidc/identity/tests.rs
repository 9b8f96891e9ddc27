use serde_json::json;

use super::*;

/// The identity of a complete set of claims, changed by `claims`; `null` removes one.
fn identity(config: Value, claims: Value) -> Result<Claims, String> {
    let mut all = json!({
        "sub": "42",
        "name": "Jane",
        "email": "jane@example.com",
        "email_verified": true,
    });
    let (Value::Object(members), Value::Object(changes)) = (&mut all, claims) else {
        panic!("not objects");
    };
    members.extend(changes);
    members.retain(|_, value| !value.is_null());
    let rules = ClaimRules::new(&Config::from_json(config).unwrap(), "under-test");
    rules.identity(members).map_err(|error| error.to_string())
}

fn groups(config: Value, claims: Value) -> Result<Vec<String>, String> {
    let mut with_groups = json!({"insecureEnableGroups": true});
    let (Value::Object(members), Value::Object(changes)) = (&mut with_groups, config) else {
        panic!("not objects");
    };
    members.extend(changes);
    identity(with_groups, claims).map(|claims| claims.groups)
}

#[test]
fn standard_claims_are_taken() {
    let claims = identity(
        json!({}),
        json!({"preferred_username": "jd", "groups": ["a"]}),
    )
    .unwrap();
    assert_eq!(
        claims,
        Claims {
            user_id: "42".into(),
            username: "Jane".into(),
            preferred_username: "jd".into(),
            email: "jane@example.com".into(),
            email_verified: true,
            groups: Vec::new(),
        }
    );
}

#[test]
fn sub_and_name_are_needed_as_text() {
    for (config, claims, expected) in [
        (json!({}), json!({"sub": null}), r#"missing "sub" claim"#),
        (json!({}), json!({"sub": 42}), r#"missing "sub" claim"#),
        (json!({}), json!({"name": null}), r#"missing "name" claim"#),
        (
            json!({"userNameKey": "nick"}),
            json!({}),
            r#"missing "nick" claim"#,
        ),
        (
            json!({"userIDKey": "uid"}),
            json!({}),
            "oidc: not found uid claim",
        ),
        (
            json!({"userIDKey": "uid"}),
            json!({"uid": 7}),
            "oidc: not found uid claim",
        ),
    ] {
        assert_eq!(identity(config, claims).unwrap_err(), expected);
    }
    assert_eq!(
        identity(json!({}), json!({"name": ""})).unwrap().username,
        ""
    );
}

#[test]
fn id_and_name_keys_are_configurable() {
    let config = json!({"userIDKey": "uid", "userNameKey": "nick"});
    let claims = identity(config, json!({"uid": "u-1", "nick": "jd", "name": null})).unwrap();
    assert_eq!(
        (claims.user_id.as_str(), claims.username.as_str()),
        ("u-1", "jd")
    );
}

#[test]
fn preferred_username_may_be_mapped() {
    let mapping = json!({"claimMapping": {"preferred_username": "upn"}});
    let overriding =
        json!({"claimMapping": {"preferred_username": "upn"}, "overrideClaimMapping": true});
    for (config, claims, expected) in [
        (
            &mapping,
            json!({"preferred_username": "jd", "upn": "x"}),
            "jd",
        ),
        (&mapping, json!({"upn": "x"}), "x"),
        (&mapping, json!({}), ""),
        (
            &overriding,
            json!({"preferred_username": "jd", "upn": "x"}),
            "x",
        ),
        (&overriding, json!({"preferred_username": "jd"}), ""),
    ] {
        let claims = identity(config.clone(), claims).unwrap();
        assert_eq!(claims.preferred_username, expected);
    }
}

#[test]
fn email_may_be_mapped_and_is_needed_with_its_scope() {
    let mapping = json!({"claimMapping": {"email": "mail"}});
    let overriding = json!({"claimMapping": {"email": "mail"}, "overrideClaimMapping": true});
    let without_scope = json!({"scopes": ["profile"]});
    for (config, claims, expected) in [
        (&mapping, json!({"mail": "x@y"}), Ok("jane@example.com")),
        (&mapping, json!({"email": null, "mail": "x@y"}), Ok("x@y")),
        (&overriding, json!({"mail": "x@y"}), Ok("x@y")),
        (
            &overriding,
            json!({}),
            Err(r#"missing email claim, not found "mail" key"#),
        ),
        (
            &json!({}),
            json!({"email": ["a"]}),
            Err(r#"missing email claim, not found "email" key"#),
        ),
        (&without_scope, json!({"email": null}), Ok("")),
        (&without_scope, json!({}), Ok("jane@example.com")),
    ] {
        let outcome = identity(config.clone(), claims).map(|claims| claims.email);
        assert_eq!(
            outcome,
            expected.map(str::to_owned).map_err(str::to_owned),
            "{config}"
        );
    }
}

#[test]
fn connectors_1_43_email_verified_must_be_said_unless_assumed() {
    let skip = json!({"insecureSkipEmailVerified": true});
    let without_scope = json!({"scopes": ["profile"]});
    let missing = Err(r#"missing "email_verified" claim"#.to_owned());
    for (config, value, expected) in [
        (json!({}), json!(true), Ok(true)),
        (json!({}), json!(false), Ok(false)),
        (json!({}), json!(null), missing.clone()),
        (json!({}), json!("true"), missing),
        (skip.clone(), json!(null), Ok(true)),
        (skip.clone(), json!("false"), Ok(true)),
        (skip, json!(false), Ok(false)),
        (without_scope, json!(null), Ok(false)),
    ] {
        let outcome = identity(config.clone(), json!({"email_verified": value}))
            .map(|claims| claims.email_verified);
        assert_eq!(outcome, expected, "{config} {value}");
    }
}

#[test]
fn connectors_1_44_groups_are_filtered_and_renamed() {
    let config = json!({"claimModifications": {
        "filterGroupClaims": {"groupsFilter": r"\d$"},
        "modifyGroupNames": {"prefix": "p-"},
    }});
    for (stated, expected) in [
        (json!(["a1", "b"]), vec!["p-a1"]),
        // One group as text is not filtered.
        (json!("b"), vec!["p-b"]),
        (
            json!([{"name": "x2"}, {"name": "x"}, {"id": 1}]),
            vec!["p-x2"],
        ),
        (json!([]), vec![]),
        (json!(null), vec![]),
        (json!({"a": "b"}), vec![]),
    ] {
        assert_eq!(
            groups(config.clone(), json!({"groups": stated})).unwrap(),
            expected
        );
    }
    let suffix = json!({"claimModifications": {"modifyGroupNames": {"suffix": "-s"}}});
    assert_eq!(
        groups(suffix, json!({"groups": ["a", "a"]})).unwrap(),
        ["a-s", "a-s"]
    );
}

#[test]
fn groups_are_ignored_unless_enabled() {
    let claims = identity(json!({}), json!({"groups": ["a"]})).unwrap();
    assert!(claims.groups.is_empty());
}

#[test]
fn malformed_groups_are_refused() {
    for stated in [json!([7]), json!(["a", ["b"]]), json!([null])] {
        assert_eq!(
            groups(json!({}), json!({"groups": stated})).unwrap_err(),
            r#"malformed "groups" claim"#
        );
    }
    assert_eq!(
        groups(
            json!({"claimMapping": {"groups": "roles"}}),
            json!({"roles": [true]})
        )
        .unwrap_err(),
        r#"malformed "roles" claim"#
    );
}

#[test]
fn groups_may_be_mapped() {
    let mapping = json!({"claimMapping": {"groups": "roles"}});
    let overriding = json!({"claimMapping": {"groups": "roles"}, "overrideClaimMapping": true});
    for (config, claims, expected) in [
        (
            &mapping,
            json!({"groups": ["a"], "roles": ["r"]}),
            vec!["a"],
        ),
        (&mapping, json!({"groups": [], "roles": ["r"]}), vec![]),
        (&mapping, json!({"groups": "a", "roles": ["r"]}), vec!["r"]),
        (&mapping, json!({"roles": "r"}), vec!["r"]),
        (
            &overriding,
            json!({"groups": ["a"], "roles": ["r"]}),
            vec!["r"],
        ),
        (&overriding, json!({"groups": ["a"]}), vec![]),
    ] {
        assert_eq!(groups(config.clone(), claims).unwrap(), expected);
    }
}

#[test]
fn d17_allowed_groups_keep_matches_and_refuse_others() {
    let config = json!({"allowedGroups": ["staff", "ops"]});
    assert_eq!(
        groups(config.clone(), json!({"groups": ["ops", "x", "staff"]})).unwrap(),
        ["ops", "staff"]
    );
    for stated in [json!(["x"]), json!([]), json!(null), json!("Staff")] {
        assert_eq!(
            groups(config.clone(), json!({"groups": stated})).unwrap_err(),
            r#"user "42" is not in any of the required groups [staff ops]"#
        );
    }
}

#[test]
fn connectors_1_45_groups_are_made_of_claims() {
    let rule = |rule: Value| json!({"claimModifications": {"newGroupFromClaims": [rule]}});
    let claims = json!({"organization": "acme", "pipeline": "pipeline-one", "n": 7});
    for (config, expected) in [
        (
            rule(
                json!({"claims": ["organization", "pipeline"], "delimiter": "::", "prefix": "gh"}),
            ),
            vec!["gh::acme::pipeline-one"],
        ),
        (
            rule(json!({"claims": ["organization"], "delimiter": "-"})),
            vec!["-acme"],
        ),
        (
            rule(
                json!({"claims": ["pipeline"], "delimiter": "-", "prefix": "p", "clearDelimiter": true}),
            ),
            vec!["p-pipelineone"],
        ),
        (
            rule(json!({"claims": ["nothing", "n"], "delimiter": "-", "prefix": "p"})),
            vec![],
        ),
        (
            rule(json!({"claims": ["organization"], "clearDelimiter": true, "prefix": "p"})),
            vec!["pacme"],
        ),
    ] {
        // Made groups come whether or not stated ones are enabled, and are not renamed.
        assert_eq!(
            identity(config.clone(), claims.clone()).unwrap().groups,
            expected
        );
        assert_eq!(groups(config, claims.clone()).unwrap(), expected);
    }
}

#[test]
fn an_invalid_filter_is_left_out() {
    let config = json!({"claimModifications": {"filterGroupClaims": {"groupsFilter": "("}}});
    assert_eq!(groups(config, json!({"groups": ["a"]})).unwrap(), ["a"]);
}
