//! Discovery, keys, health, and what every answer carries (compat: `tokens.md` §10 and §11, `web.md`, `signer.md` §8).

use dex_http::{ClientAddressPolicy, Health, MatchedRoute, Policy};
use dex_signer::Algorithm;
use http::{HeaderValue, Request};
use tower::ServiceExt as _;

use crate::support::{Answer, TestProvider, part};

const DISCOVERY: &str = "/.well-known/openid-configuration";

#[tokio::test]
async fn tokens_53_discovery_has_dex_order_and_tells_what_is_on() {
    let op = TestProvider::for_tokens().build().await;
    let answer = op.fetch(DISCOVERY, &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(
        answer.text(),
        r#"{
  "issuer": "http://127.0.0.1:5556/dex",
  "authorization_endpoint": "http://127.0.0.1:5556/dex/auth",
  "token_endpoint": "http://127.0.0.1:5556/dex/token",
  "jwks_uri": "http://127.0.0.1:5556/dex/keys",
  "userinfo_endpoint": "http://127.0.0.1:5556/dex/userinfo",
  "grant_types_supported": [
    "authorization_code",
    "refresh_token"
  ],
  "response_types_supported": [
    "code"
  ],
  "subject_types_supported": [
    "public"
  ],
  "id_token_signing_alg_values_supported": [
    "ES256"
  ],
  "code_challenge_methods_supported": [
    "S256",
    "plain"
  ],
  "scopes_supported": [
    "openid",
    "email",
    "groups",
    "profile",
    "offline_access"
  ],
  "token_endpoint_auth_methods_supported": [
    "client_secret_basic",
    "client_secret_post"
  ],
  "claims_supported": [
    "iss",
    "sub",
    "aud",
    "iat",
    "exp",
    "email",
    "email_verified",
    "locale",
    "name",
    "preferred_username",
    "at_hash",
    "groups",
    "federated_claims"
  ]
}"#
    );
    for method in ["POST", "PUT", "OPTIONS"] {
        assert_eq!(op.call(method, DISCOVERY, &[], "").await.body, answer.body);
    }
}

#[tokio::test]
async fn tokens_54_unknown_grants_are_dropped_and_the_rest_is_sorted() {
    for (grants, listed) in [
        (
            &["refresh_token", "nosuch", "authorization_code"][..],
            serde_json::json!(["authorization_code", "refresh_token"]),
        ),
        (&["nosuch"], serde_json::Value::Null),
    ] {
        let op = TestProvider::for_tokens()
            .policy(|policy| {
                policy.grant_types = grants.iter().map(|&grant| grant.to_owned()).collect();
            })
            .build()
            .await;
        let document = op.fetch(DISCOVERY, &[]).await.json();
        assert_eq!(document["grant_types_supported"], listed);
    }
}

#[tokio::test]
async fn signer_18_discovery_names_the_algorithm_in_use() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Rs256] {
        let op = TestProvider::for_tokens()
            .algorithm(algorithm)
            .build()
            .await;
        let document = op.fetch(DISCOVERY, &[]).await.json();
        assert_eq!(
            document["id_token_signing_alg_values_supported"],
            serde_json::json!([algorithm.name()])
        );
    }
}

#[tokio::test]
async fn tokens_55_signer_02_03_keys_are_cacheable_and_begin_with_the_signing_key() {
    let op = TestProvider::for_tokens()
        .algorithm(Algorithm::Rs256)
        .build()
        .await;
    let answer = op.fetch("/keys", &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(
        answer.header("cache-control"),
        "max-age=600, must-revalidate"
    );
    let kid = answer.json()["keys"][0]["kid"].as_str().unwrap().to_owned();
    assert_eq!(kid.len(), 40);
    let beginning = format!(
        "{{\n  \"keys\": [\n    {{\n      \"use\": \"sig\",\n      \"kty\": \"RSA\",\n      \"kid\": \"{kid}\",\n      \
         \"alg\": \"RS256\",\n      \"n\": \""
    );
    assert!(answer.text().starts_with(&beginning), "{}", answer.text());
    assert!(answer.text().contains("\",\n      \"e\": \"AQAB\"\n    }"));
    assert!(answer.text().ends_with("\n  ]\n}"));
    let code = op.code("openid", |_| {}).await;
    let tokens = op.redeem_code(&code).await.assert_ok();
    assert_eq!(part(&tokens["id_token"], 0)["kid"], kid);
}

#[tokio::test]
async fn keys_that_are_known_are_not_sent_again() {
    let op = TestProvider::for_tokens().build().await;
    let answer = op.fetch("/keys", &[]).await;
    let etag = answer.header("etag");
    assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    let again = op.fetch("/keys", &[("if-none-match", etag)]).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), etag);
    assert_eq!(
        again.header("cache-control"),
        answer.header("cache-control")
    );
    let other = op.fetch("/keys", &[("if-none-match", "\"x\"")]).await;
    assert_eq!(other.body, answer.body);
}

#[tokio::test]
async fn health_is_told_as_it_was_found() {
    let health = Health::default();
    let op = TestProvider::for_tokens()
        .health(health.clone())
        .build()
        .await;
    let answer = op.fetch("/healthz", &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text(), "Health check passed");
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    health.set_passing(false);
    let answer = op.fetch("/healthz", &[]).await;
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains("Health check failed."));
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    health.set_passing(true);
    assert_eq!(op.fetch("/healthz", &[]).await.status, 200);
}

#[tokio::test]
async fn web_02_paths_match_exactly_as_received() {
    let op = TestProvider::for_tokens().build().await;
    for path in [
        "/dex/keys/",
        "/dex//keys",
        "/dex/%6beys",
        "/dex/Keys",
        "/keys",
        "/dexkeys",
        "/dex/",
        "/",
        "/dex/device/token",
        "/dex/token/introspect",
    ] {
        let request = Request::get(path).body(axum::body::Body::empty()).unwrap();
        let answer = op.send(request).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.text(), "404 page not found\n");
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
}

#[tokio::test]
async fn web_03_robots_are_kept_out() {
    let op = TestProvider::for_tokens().build().await;
    let answer = op.fetch("/robots.txt", &[]).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("Disallow: /"));
}

#[tokio::test]
async fn web_21_get_of_the_token_endpoint_is_a_json_error() {
    let op = TestProvider::for_tokens().build().await;
    op.fetch("/token", &[])
        .await
        .assert_error(400, "invalid_request", "method not allowed");
}

fn with_origins(origins: &'static [&'static str]) -> impl FnOnce(&mut Policy) {
    move |policy| {
        policy.allowed_origins = origins.iter().map(|&origin| origin.to_owned()).collect();
    }
}

/// Check 55 of `config.md` says that Dex leaves these headers out on static files and unknown paths; ours are everywhere.
#[tokio::test]
async fn web_32_config_55_operator_headers_are_on_every_answer() {
    let op = TestProvider::for_tokens()
        .policy(|policy| {
            policy
                .headers
                .insert("x-frame-options", HeaderValue::from_static("SAMEORIGIN"));
            policy.headers.insert(
                "strict-transport-security",
                HeaderValue::from_static("max-age=1"),
            );
        })
        .build()
        .await;
    for route in [
        "",
        "/keys",
        DISCOVERY,
        "/token",
        "/userinfo",
        "/healthz",
        "/robots.txt",
        "/static/main.css",
        "/static/none",
        "/nosuch",
    ] {
        let answer = op.fetch(route, &[]).await;
        assert_eq!(answer.header("x-frame-options"), "SAMEORIGIN", "{route}");
        assert_eq!(answer.header("strict-transport-security"), "max-age=1");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
}

async fn cross_origin(op: &TestProvider, route: &str, origin: &str) -> Answer {
    op.fetch(route, &[("origin", origin)]).await
}

#[tokio::test]
async fn web_33_without_origins_nothing_is_said() {
    let op = TestProvider::for_tokens().build().await;
    let answer = cross_origin(&op, "/keys", "https://a.example").await;
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .headers
            .keys()
            .all(|name| !name.as_str().starts_with("access-control") && name != "vary")
    );
}

#[tokio::test]
async fn web_34_listed_origins_may_read() {
    let op = TestProvider::for_tokens()
        .policy(with_origins(&["https://a.example"]))
        .build()
        .await;
    for route in ["", DISCOVERY, "/keys", "/token", "/userinfo"] {
        let answer = cross_origin(&op, route, "https://a.example").await;
        assert_eq!(
            answer.header("access-control-allow-origin"),
            "https://a.example",
            "{route}"
        );
        assert_eq!(answer.header("vary"), "Origin");
        let answer = cross_origin(&op, route, "https://b.example").await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{route}");
    }
    let op = TestProvider::for_tokens()
        .policy(with_origins(&["*"]))
        .build()
        .await;
    let answer = cross_origin(&op, "/keys", "https://b.example").await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn web_35_tokens_56_preflights_of_the_token_endpoint() {
    let op = TestProvider::for_tokens()
        .policy(with_origins(&["https://a.example"]))
        .build()
        .await;
    let preflight = async |extra: &[(&str, &str)]| {
        let mut headers = vec![("origin", "https://a.example")];
        headers.extend(extra);
        op.call("OPTIONS", "/token", &headers, "").await
    };
    let method = ("access-control-request-method", "POST");
    let answer = preflight(&[method, ("access-control-request-headers", "authorization")]).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
    assert_eq!(
        answer.header("access-control-allow-headers"),
        "Authorization"
    );
    assert_eq!(
        answer.header("access-control-allow-methods"),
        "GET, HEAD, POST"
    );
    for (extra, status) in [
        (
            &[method, ("access-control-request-headers", "content-type")][..],
            403,
        ),
        (&[("access-control-request-method", "PUT")], 405),
        (&[], 400),
    ] {
        assert_eq!(preflight(extra).await.status.as_u16(), status);
    }
}

#[tokio::test]
async fn web_36_other_routes_take_no_part() {
    let op = TestProvider::for_tokens()
        .policy(with_origins(&["*"]))
        .build()
        .await;
    for route in [
        "/auth",
        "/healthz",
        "/robots.txt",
        "/device/code",
        "/nosuch",
    ] {
        let answer = cross_origin(&op, route, "https://a.example").await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{route}");
    }
}

#[tokio::test]
async fn web_37_answers_that_depend_on_the_origin_say_so() {
    let op = TestProvider::for_tokens()
        .policy(with_origins(&["https://a.example", "https://b.example"]))
        .build()
        .await;
    let answer = cross_origin(&op, "/keys", "https://b.example").await;
    assert_eq!(answer.header("vary"), "Origin");
    // Ours: also to the others, because a shared cache may keep this answer for ten minutes.
    assert_eq!(op.fetch("/keys", &[]).await.header("vary"), "Origin");
}

#[tokio::test]
async fn the_matched_route_is_told_to_metrics() {
    let op = TestProvider::for_tokens().build().await;
    for (path, expected) in [
        ("/dex/keys", Some("/keys")),
        ("/dex/token", Some("/token")),
        ("/dex", Some("/")),
        ("/dex/robots.txt", Some("/robots.txt")),
        ("/dex/.well-known/openid-configuration", Some(DISCOVERY)),
        ("/dex/nosuch", None),
        ("/dex/static/main.css", None),
    ] {
        let request = Request::get(path).body(axum::body::Body::empty()).unwrap();
        let response = op.issuer.clone().into_service().oneshot(request).await;
        let route = response
            .unwrap()
            .extensions()
            .get::<MatchedRoute>()
            .copied();
        assert_eq!(route.map(|MatchedRoute(route)| route), expected, "{path}");
    }
}

#[tokio::test]
async fn a_header_of_the_client_cannot_break_a_request() {
    let op = TestProvider::for_tokens()
        .policy(|policy| {
            policy.client_address = Some(ClientAddressPolicy {
                header: http::HeaderName::from_static("x-forwarded-for"),
                trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
            });
        })
        .build()
        .await;
    for value in ["203.0.113.9", "garbage", "", ",,,"] {
        let answer = op.fetch("/keys", &[("x-forwarded-for", value)]).await;
        assert_eq!(answer.status, 200);
    }
}
