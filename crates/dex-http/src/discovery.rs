//! `/.well-known/openid-configuration`: what this provider can do (OpenID Connect Discovery 1.0 §3; compat: `tokens.md` §10).
//!
//! The document tells only what is switched on. It is written once and again when the signing algorithms change.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::body::Body;
use bytes::Bytes;
use dex_core::go_json;
use dex_signer::Algorithm;
use http::{Response, StatusCode};
use serde::Serialize;

use crate::answer::json;
use crate::provider::Provider;
use crate::token;

/// Any method.
pub(crate) async fn serve(op: &Provider) -> Response<Body> {
    let document = match op.signer.key_set().await {
        Ok(set) if !set.algorithms().is_empty() => op.discovery.of(op, set.algorithms()),
        // The keys cannot be had at the moment: what was known, or what tokens will be signed with.
        _ => op
            .discovery
            .last()
            .unwrap_or_else(|| write(op, &[op.signer.expected_algorithm()])),
    };
    json(StatusCode::OK, document)
}

/// The document as last written.
#[derive(Default)]
pub(crate) struct Discovery(ArcSwapOption<Prepared>);

struct Prepared {
    algorithms: Vec<Algorithm>,
    document: Bytes,
}

impl Discovery {
    fn of(&self, op: &Provider, algorithms: &[Algorithm]) -> Bytes {
        if let Some(prepared) = &*self.0.load()
            && prepared.algorithms == algorithms
        {
            return prepared.document.clone();
        }
        let document = write(op, algorithms);
        self.0.store(Some(Arc::new(Prepared {
            algorithms: algorithms.to_vec(),
            document: document.clone(),
        })));
        document
    }

    fn last(&self) -> Option<Bytes> {
        (*self.0.load())
            .as_ref()
            .map(|prepared| prepared.document.clone())
    }
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Discovery")
    }
}

/// The members, in the order of the wire.
#[derive(Serialize)]
struct Document<'a> {
    issuer: &'a str,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: String,
    grant_types_supported: Option<Vec<&'a str>>,
    response_types_supported: Vec<&'a str>,
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: Vec<&'static str>,
    code_challenge_methods_supported: &'a [String],
    scopes_supported: [&'static str; 5],
    token_endpoint_auth_methods_supported: [&'static str; 2],
    claims_supported: [&'static str; 13],
}

fn write(op: &Provider, algorithms: &[Algorithm]) -> Bytes {
    let grants = token::grants_supported(&op.policy);
    let document = Document {
        issuer: op.issuer.as_str(),
        authorization_endpoint: op.issuer.endpoint("/auth"),
        token_endpoint: op.issuer.endpoint("/token"),
        jwks_uri: op.issuer.endpoint("/keys"),
        userinfo_endpoint: op.issuer.endpoint("/userinfo"),
        grant_types_supported: (!grants.is_empty()).then_some(grants),
        response_types_supported: vec!["code"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: algorithms
            .iter()
            .map(|algorithm| algorithm.name())
            .collect(),
        code_challenge_methods_supported: &op.policy.pkce_methods,
        scopes_supported: ["openid", "email", "groups", "profile", "offline_access"],
        token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
        claims_supported: [
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
            "federated_claims",
        ],
    };
    go_json::to_vec_pretty(&document).into()
}
