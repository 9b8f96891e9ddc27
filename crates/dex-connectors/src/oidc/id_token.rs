//! ID tokens (OpenID Connect Core 1.0 §2 and §3.1.3.7) and signed userinfo answers.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dex_core::Timestamp;
use dex_core::clock::Clock;
use dex_core::records::SecretText;
use ring::digest;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use super::discovery::Provider;
use super::jws::{Algorithm, CompactJws, MalformedJws};
use super::keys::KeyCache;
use crate::ConnectorError;
use crate::upstream::{UpstreamClient, shown};

/// Claims whose signature, issuer, audience and times were checked. Built only by [`TokenVerifier`].
#[derive(Debug)]
pub(super) struct VerifiedClaims {
    pub(super) claims: Map<String, Value>,
    algorithm: Algorithm,
}

/// For whom a token must be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Audience<'a> {
    /// For us, and if for others too, issued to us (`azp`).
    Client,
    /// For one of these; any will do if there are none.
    OneOf(&'a [String]),
}

/// Verifies tokens of one provider.
#[derive(Debug)]
pub(super) struct TokenVerifier {
    issuer: String,
    client_id: String,
    algorithms: Vec<Algorithm>,
    keys: KeyCache,
    clock: DebugClock,
}

impl TokenVerifier {
    pub(super) fn new(
        http: UpstreamClient,
        provider: &Provider,
        client_id: String,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            issuer: provider.issuer.clone(),
            client_id,
            algorithms: provider.algorithms.clone(),
            keys: KeyCache::new(http, provider.jwks_uri.clone(), Arc::clone(&clock)),
            clock: DebugClock(clock),
        }
    }

    /// Verifies an ID token.
    pub(super) async fn id_token(
        &self,
        token: &str,
        audience: Audience<'_>,
    ) -> Result<VerifiedClaims, ConnectorError> {
        let now = self.clock.0.now();
        let rejected = |error: InvalidToken| {
            ConnectorError::Rejected(format!("oidc: failed to verify ID Token: {error}"))
        };
        let jws = CompactJws::parse(token, &self.algorithms)
            .map_err(InvalidToken::from)
            .map_err(rejected)?;
        let claims = claims_of(&jws).map_err(rejected)?;
        check_claim_sources(&claims)
            .and_then(|()| check_issuer(&claims, &self.issuer))
            .and_then(|()| check_audience(&claims, audience, &self.client_id))
            .and_then(|()| check_times(&claims, now))
            .and_then(|()| match audience {
                // What a stranger brings must at least say when it was issued; what the provider itself just sent need not.
                Audience::OneOf(_) if !claims.contains_key("iat") => Err(InvalidToken::Time("iat")),
                _ => Ok(()),
            })
            .map_err(rejected)?;
        if !self.keys.has_signed(&jws).await? {
            return Err(rejected(InvalidToken::Signature));
        }
        Ok(VerifiedClaims {
            claims,
            algorithm: jws.algorithm,
        })
    }

    /// Verifies a signed userinfo answer (OpenID Connect Core 1.0 §5.3.2): `iss` and `aud` are optional there, but must be right.
    pub(super) async fn userinfo(&self, token: &str) -> Result<Map<String, Value>, ConnectorError> {
        let rejected = |error: InvalidToken| {
            ConnectorError::Rejected(format!("oidc: failed to verify userinfo: {error}"))
        };
        // The advertised list is about ID tokens; userinfo has one of its own, which need not be there.
        let jws = CompactJws::parse(token, &Algorithm::every())
            .map_err(InvalidToken::from)
            .map_err(rejected)?;
        let claims = claims_of(&jws).map_err(rejected)?;
        if claims.contains_key("iss") {
            check_issuer(&claims, &self.issuer).map_err(rejected)?;
        }
        if claims.contains_key("aud") && !audiences(&claims).any(|name| name == self.client_id) {
            return Err(rejected(InvalidToken::Audience));
        }
        if !self.keys.has_signed(&jws).await? {
            return Err(rejected(InvalidToken::Signature));
        }
        Ok(claims)
    }
}

impl VerifiedClaims {
    /// Whether the access token that came along is the one the ID token was issued with (`at_hash`, §3.1.3.6). True if not said.
    pub(super) fn belongs_to(&self, access_token: &SecretText) -> bool {
        let Some(stated) = self.claims.get("at_hash") else {
            return true;
        };
        let hash = digest::digest(self.algorithm.hash(), access_token.expose().as_bytes());
        let half = hash
            .as_ref()
            .get(..hash.as_ref().len() / 2)
            .unwrap_or_default();
        let expected = URL_SAFE_NO_PAD.encode(half);
        stated
            .as_str()
            .is_some_and(|stated| expected.as_bytes().ct_eq(stated.as_bytes()).into())
    }
}

/// Why a token is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum InvalidToken {
    #[error(transparent)]
    Malformed(#[from] MalformedJws),
    #[error("the token's payload is not a JSON object")]
    Payload,
    #[error("the token refers to claims from sources it does not name")]
    ClaimSources,
    #[error("the token was issued by {0:?}")]
    Issuer(String),
    #[error("the token is for another audience")]
    Audience,
    #[error("the token was issued to another party")]
    AuthorizedParty,
    #[error("the token has no usable `{0}`")]
    Time(&'static str),
    #[error("the token is expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYetValid,
    #[error("none of the provider's keys made the signature")]
    Signature,
}

fn claims_of(jws: &CompactJws<'_>) -> Result<Map<String, Value>, InvalidToken> {
    serde_json::from_slice(jws.payload()).map_err(|_| InvalidToken::Payload)
}

/// Distributed and aggregated claims (§5.6.2) are never fetched, but a reference must lead somewhere.
fn check_claim_sources(claims: &Map<String, Value>) -> Result<(), InvalidToken> {
    let Some(names) = claims.get("_claim_names") else {
        return Ok(());
    };
    let names = names.as_object().ok_or(InvalidToken::ClaimSources)?;
    let sources = claims.get("_claim_sources").and_then(Value::as_object);
    let all_known = names.values().all(|source| {
        source
            .as_str()
            .is_some_and(|source| sources.is_some_and(|sources| sources.contains_key(source)))
    });
    if all_known {
        Ok(())
    } else {
        Err(InvalidToken::ClaimSources)
    }
}

fn check_issuer(claims: &Map<String, Value>, issuer: &str) -> Result<(), InvalidToken> {
    let stated = claims
        .get("iss")
        .and_then(Value::as_str)
        .unwrap_or_default();
    // Google's old name, in use before discovery was standardised.
    let also = match issuer {
        "https://accounts.google.com" => Some("accounts.google.com"),
        _ => None,
    };
    if stated == issuer || also == Some(stated) {
        Ok(())
    } else {
        Err(InvalidToken::Issuer(shown(stated)))
    }
}

fn check_audience(
    claims: &Map<String, Value>,
    audience: Audience<'_>,
    client_id: &str,
) -> Result<(), InvalidToken> {
    match audience {
        Audience::Client => {
            if !audiences(claims).any(|name| name == client_id) {
                return Err(InvalidToken::Audience);
            }
            // §3.1.3.7 rules 4 and 5: one of several audiences must be the party the token was issued to.
            let party = claims.get("azp");
            let party_needed = audiences(claims).count() > 1;
            if party.is_none() && !party_needed || party.and_then(Value::as_str) == Some(client_id)
            {
                Ok(())
            } else {
                Err(InvalidToken::AuthorizedParty)
            }
        }
        Audience::OneOf([]) => Ok(()),
        Audience::OneOf(accepted) => {
            if audiences(claims).any(|name| accepted.iter().any(|accepted| accepted == name)) {
                Ok(())
            } else {
                Err(InvalidToken::Audience)
            }
        }
    }
}

/// One text or a list of them.
fn audiences(claims: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let aud = claims.get("aud");
    let one = aud.and_then(Value::as_str);
    let many = aud.and_then(Value::as_array);
    one.into_iter()
        .chain(many.into_iter().flatten().filter_map(Value::as_str))
}

/// `exp` without leeway as in Dex; `nbf` and `iat`, if present, at most [`CLOCK_SKEW`] ahead.
fn check_times(claims: &Map<String, Value>, now: Timestamp) -> Result<(), InvalidToken> {
    let expiry = seconds(claims, "exp")?.ok_or(InvalidToken::Time("exp"))?;
    if expiry < now {
        return Err(InvalidToken::Expired);
    }
    for name in ["nbf", "iat"] {
        if seconds(claims, name)?.is_some_and(|at| at > now.saturating_add(CLOCK_SKEW)) {
            return Err(InvalidToken::NotYetValid);
        }
    }
    Ok(())
}

const CLOCK_SKEW: Duration = Duration::from_mins(5);

/// A `NumericDate` (RFC 7519 §2), fractions cut off; `None` if absent.
fn seconds(
    claims: &Map<String, Value>,
    name: &'static str,
) -> Result<Option<Timestamp>, InvalidToken> {
    let Some(value) = claims.get(name).filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let whole = value.as_i64().or_else(|| {
        let seconds = value.as_f64().filter(|seconds| seconds.abs() < 1e15)?;
        #[expect(clippy::cast_possible_truncation, reason = "checked to be in range")]
        let whole = seconds as i64;
        Some(whole)
    });
    whole
        .and_then(|whole| Timestamp::from_unix(whole, 0))
        .map(Some)
        .ok_or(InvalidToken::Time(name))
}

/// Clocks have nothing to show.
struct DebugClock(Arc<dyn Clock>);

impl std::fmt::Debug for DebugClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(members) => members,
            other => panic!("not an object: {other}"),
        }
    }

    #[test]
    fn o16_audience_and_party_must_be_ours() {
        for (claims, expected) in [
            (json!({"aud": "us"}), Ok(())),
            (json!({"aud": ["us"]}), Ok(())),
            (json!({"aud": "us", "azp": "us"}), Ok(())),
            (json!({"aud": ["us", "them"], "azp": "us"}), Ok(())),
            (json!({}), Err(InvalidToken::Audience)),
            (json!({"aud": "them"}), Err(InvalidToken::Audience)),
            (json!({"aud": ["them"]}), Err(InvalidToken::Audience)),
            (json!({"aud": {"us": "us"}}), Err(InvalidToken::Audience)),
            (
                json!({"aud": "us", "azp": "them"}),
                Err(InvalidToken::AuthorizedParty),
            ),
            (
                json!({"aud": "us", "azp": 7}),
                Err(InvalidToken::AuthorizedParty),
            ),
            (
                json!({"aud": ["us", "them"]}),
                Err(InvalidToken::AuthorizedParty),
            ),
        ] {
            let outcome = check_audience(&object(claims.clone()), Audience::Client, "us");
            assert_eq!(outcome, expected, "{claims}");
        }
    }

    #[test]
    fn o16_an_exchanged_token_may_be_restricted_to_audiences() {
        let listed = ["app".to_owned()];
        let claims = object(json!({"aud": ["them"], "azp": "them"}));
        assert_eq!(check_audience(&claims, Audience::OneOf(&[]), "us"), Ok(()));
        assert_eq!(
            check_audience(&claims, Audience::OneOf(&listed), "us"),
            Err(InvalidToken::Audience)
        );
        let claims = object(json!({"aud": ["x", "app"]}));
        assert_eq!(
            check_audience(&claims, Audience::OneOf(&listed), "us"),
            Ok(())
        );
    }

    #[test]
    fn connectors_1_42_times_have_no_leeway_for_expiry() {
        let now = Timestamp::from_unix(1000, 0).unwrap();
        for (claims, expected) in [
            (json!({"exp": 1000}), Ok(())),
            (json!({"exp": 1000.5, "nbf": 1300, "iat": 1300}), Ok(())),
            (json!({"exp": 999}), Err(InvalidToken::Expired)),
            (json!({}), Err(InvalidToken::Time("exp"))),
            (json!({"exp": null}), Err(InvalidToken::Time("exp"))),
            (json!({"exp": "2000"}), Err(InvalidToken::Time("exp"))),
            (json!({"exp": 1e300}), Err(InvalidToken::Time("exp"))),
            (
                json!({"exp": 2000, "nbf": 1301}),
                Err(InvalidToken::NotYetValid),
            ),
            (
                json!({"exp": 2000, "iat": 1301}),
                Err(InvalidToken::NotYetValid),
            ),
            (
                json!({"exp": 2000, "iat": "now"}),
                Err(InvalidToken::Time("iat")),
            ),
        ] {
            assert_eq!(
                check_times(&object(claims.clone()), now),
                expected,
                "{claims}"
            );
        }
    }

    #[test]
    fn the_issuer_is_compared_exactly() {
        for (issuer, stated, right) in [
            ("https://op.example", json!("https://op.example"), true),
            ("https://op.example", json!("https://op.example/"), false),
            ("https://op.example", json!(null), false),
            (
                "https://accounts.google.com",
                json!("accounts.google.com"),
                true,
            ),
            ("https://op.example", json!("accounts.google.com"), false),
        ] {
            let outcome = check_issuer(&object(json!({"iss": stated})), issuer);
            assert_eq!(outcome.is_ok(), right, "{issuer} {stated}");
        }
    }

    #[test]
    fn claim_sources_must_exist() {
        for (claims, right) in [
            (json!({}), true),
            (
                json!({"_claim_names": {"groups": "a"}, "_claim_sources": {"a": {}}}),
                true,
            ),
            (
                json!({"_claim_names": {"groups": "b"}, "_claim_sources": {"a": {}}}),
                false,
            ),
            (json!({"_claim_names": {"groups": "a"}}), false),
            (json!({"_claim_names": "groups"}), false),
        ] {
            assert_eq!(check_claim_sources(&object(claims.clone())).is_ok(), right);
        }
    }

    #[test]
    fn at_hash_binds_the_access_token() {
        // OpenID Connect Core 1.0 appendix A.3: the access token and its at_hash.
        let with = |at_hash: Value| VerifiedClaims {
            claims: object(json!({"at_hash": at_hash})),
            algorithm: Algorithm::Rs256,
        };
        let token = SecretText::from("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y");
        assert!(with(json!("77QmUPtjPfzWtF2AnpK9RQ")).belongs_to(&token));
        assert!(!with(json!("77QmUPtjPfzWtF2AnpK9RR")).belongs_to(&token));
        assert!(!with(json!(null)).belongs_to(&token));
        let silent = VerifiedClaims {
            claims: Map::new(),
            algorithm: Algorithm::Rs256,
        };
        assert!(silent.belongs_to(&token));
    }
}
