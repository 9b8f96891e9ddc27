//! The checks of an authorization request, in their order (OpenID Connect Core 1.0 §3.1.2.2; compat: `authflow.md` §6.1).
//!
//! Client and redirect URI are established before: what fails here is told to the client at its redirect URI.

use std::collections::BTreeSet;

use crate::go_quote::{quote, quote_list};
use crate::pkce;
use crate::prompt::{InvalidPrompt, Prompt};
use crate::records::PkceChallenge;
use crate::redirect_uri::RedirectUri;
use crate::response_type::{ResponseType, ResponseTypes};
use crate::scope::{self, Scope};

/// The parameters that are judged here, as sent; absent ones are empty.
#[derive(Debug, Clone, Copy, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the request, parameter by parameter"
)]
#[expect(missing_docs, reason = "each field is the parameter it is named after")]
pub struct Asked<'a> {
    pub response_type: &'a str,
    pub scope: &'a str,
    pub nonce: &'a str,
    pub request: &'a str,
    pub request_uri: &'a str,
    pub code_challenge: &'a str,
    pub code_challenge_method: &'a str,
    pub prompt: &'a str,
    pub approval_prompt: &'a str,
    pub max_age: &'a str,
}

/// What the operator allows.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "the rules, one by one")]
pub struct Rules<'a> {
    /// Response types that are served, word by word.
    pub response_types: &'a [ResponseType],
    /// Accepted `code_challenge_method`s.
    pub pkce_methods: &'a [String],
    /// `code_challenge` is mandatory.
    pub pkce_required: bool,
}

/// Which peers of the audience scopes trust the client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "known or not")]
pub enum Trust {
    /// These do.
    By(BTreeSet<String>),
    /// It could not be found out.
    Unknown,
}

/// What was asked, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built only by `check`, read field by field"
)]
pub struct Granted {
    /// What the answer consists of.
    pub response_types: ResponseTypes,
    /// Scopes in the order of the request.
    pub scopes: Vec<String>,
    /// The proof key; the method is never empty.
    pub pkce: PkceChallenge,
    /// What may be shown.
    pub prompt: Prompt,
    /// Oldest acceptable login, in seconds.
    pub max_age: Option<i64>,
    /// The consent page must be shown.
    pub force_approval: bool,
}

/// Why a request is refused. The text is the sentence the client reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A parameter was sent more than once (RFC 6749 §3.1).
    #[error("Parameter {} must not be repeated.", quote(.0))]
    Repeated(String),
    /// `request` is not served (OpenID Connect Core 1.0 §6.1).
    #[error("Server does not support request parameter.")]
    RequestObject,
    /// `request_uri` is not served (OpenID Connect Core 1.0 §6.2).
    #[error("Server does not support request_uri parameter.")]
    RequestUri,
    /// A method that is not accepted here.
    #[error("Unsupported PKCE challenge method ({}).", quote(.0))]
    PkceMethod(String),
    /// No challenge where one is mandatory.
    #[error("PKCE is required. The code_challenge parameter must be provided.")]
    PkceMissing,
    /// Storage did not say who trusts the client.
    #[error("Internal server error.")]
    TrustUnknown,
    /// `openid` is missing.
    #[error("Missing required scope(s) [\"openid\"].")]
    NoOpenId,
    /// Scopes nobody knows.
    #[error("Unrecognized scope(s) {}", quote_list(.0))]
    UnknownScopes(Vec<String>),
    /// Audience scopes of peers that do not trust the client.
    #[error("Client can't request scope(s) {}", quote_list(.0))]
    UntrustedAudience(Vec<String>),
    /// Not a response type.
    #[error("Invalid response type {}", quote(.0))]
    InvalidResponseType(String),
    /// A response type that is not served.
    #[error("Unsupported response type {}", quote(.0))]
    UnsupportedResponseType(String),
    /// `response_type` is missing.
    #[error("No response_type provided")]
    NoResponseType,
    /// `token` stands alone.
    #[error("Response type 'token' must be provided with type 'id_token' and/or 'code'")]
    TokenAlone,
    /// A token straight from here needs a `nonce`.
    #[error("Response type 'token' requires a 'nonce' value.")]
    NonceMissing,
    /// A token cannot be shown on a page.
    #[error("Cannot use response type 'token' with redirect_uri 'urn:ietf:wg:oauth:2.0:oob'.")]
    TokenOutOfBand,
    /// `prompt` is malformed.
    #[error("Invalid prompt parameter: {0}")]
    Prompt(#[from] InvalidPrompt),
    /// `max_age` is not a number of seconds.
    #[error("Invalid max_age value {}", quote(.0))]
    MaxAge(String),
}

impl Refusal {
    /// The `error` code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RequestObject => "request_not_supported",
            Self::RequestUri => "request_uri_not_supported",
            Self::TrustUnknown => "server_error",
            Self::NoOpenId | Self::UnknownScopes(_) | Self::UntrustedAudience(_) => "invalid_scope",
            Self::UnsupportedResponseType(_) => "unsupported_response_type",
            _ => "invalid_request",
        }
    }
}

/// The peers whose trust must be known to judge `scope`.
pub fn peers(scope: &str) -> BTreeSet<String> {
    scope::words(scope)
        .filter_map(|word| Scope::parse(word).peer().map(str::to_owned))
        .collect()
}

/// Judges a request.
///
/// # Errors
/// The first reason to refuse it.
pub fn check(
    asked: &Asked<'_>,
    redirect_uri: &RedirectUri,
    rules: &Rules<'_>,
    trust: &Trust,
) -> Result<Granted, Refusal> {
    check_request_object(asked)?;
    let pkce = check_pkce(asked, rules)?;
    let scopes = check_scopes(asked.scope, trust)?;
    let response_types = check_response_types(asked, redirect_uri, rules)?;
    let prompt = Prompt::parse(asked.prompt)?;
    let max_age = check_max_age(asked.max_age)?;
    Ok(Granted {
        response_types,
        scopes,
        pkce,
        prompt,
        max_age,
        force_approval: prompt.consent() || asked.approval_prompt == "force",
    })
}

fn check_request_object(asked: &Asked<'_>) -> Result<(), Refusal> {
    if !asked.request.is_empty() {
        return Err(Refusal::RequestObject);
    }
    if !asked.request_uri.is_empty() {
        return Err(Refusal::RequestUri);
    }
    Ok(())
}

fn check_pkce(asked: &Asked<'_>, rules: &Rules<'_>) -> Result<PkceChallenge, Refusal> {
    let method = match asked.code_challenge_method {
        "" => pkce::PLAIN,
        method => method,
    };
    if asked.code_challenge.is_empty() {
        if rules.pkce_required {
            return Err(Refusal::PkceMissing);
        }
    } else if !rules.pkce_methods.iter().any(|known| known == method) {
        return Err(Refusal::PkceMethod(method.to_owned()));
    }
    Ok(PkceChallenge {
        challenge: asked.code_challenge.to_owned(),
        method: method.to_owned(),
    })
}

fn check_scopes(text: &str, trust: &Trust) -> Result<Vec<String>, Refusal> {
    let (mut has_openid, mut unknown, mut untrusted) = (false, Vec::new(), Vec::new());
    for word in scope::words(text) {
        match (Scope::parse(word), trust) {
            (Scope::OpenId, _) => has_openid = true,
            (Scope::Other(_), _) => unknown.push(word.to_owned()),
            (Scope::Audience(_), Trust::Unknown) => return Err(Refusal::TrustUnknown),
            (Scope::Audience(peer), Trust::By(trusting)) if !trusting.contains(&*peer) => {
                untrusted.push(word.to_owned());
            }
            _ => {}
        }
    }
    if !has_openid {
        return Err(Refusal::NoOpenId);
    }
    if !unknown.is_empty() {
        return Err(Refusal::UnknownScopes(unknown));
    }
    if !untrusted.is_empty() {
        return Err(Refusal::UntrustedAudience(untrusted));
    }
    Ok(scope::words(text).map(str::to_owned).collect())
}

fn check_response_types(
    asked: &Asked<'_>,
    redirect_uri: &RedirectUri,
    rules: &Rules<'_>,
) -> Result<ResponseTypes, Refusal> {
    let types = ResponseTypes::parse(asked.response_type);
    for word in types.iter() {
        if let ResponseType::Other(word) = word {
            return Err(Refusal::InvalidResponseType(word.to_string()));
        }
        if !rules.response_types.contains(word) {
            return Err(Refusal::UnsupportedResponseType(word.to_string()));
        }
    }
    let has = |word| types.has(&word);
    let (code, id_token, token) = (
        has(ResponseType::Code),
        has(ResponseType::IdToken),
        has(ResponseType::Token),
    );
    if types.is_empty() {
        return Err(Refusal::NoResponseType);
    }
    if token && !code && !id_token {
        return Err(Refusal::TokenAlone);
    }
    if !code && asked.nonce.is_empty() {
        return Err(Refusal::NonceMissing);
    }
    if token && redirect_uri.is_out_of_band() {
        return Err(Refusal::TokenOutOfBand);
    }
    Ok(types)
}

fn check_max_age(text: &str) -> Result<Option<i64>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse() {
        Ok(secs @ 0..) => Ok(Some(secs)),
        _ => Err(Refusal::MaxAge(text.to_owned())),
    }
}

#[cfg(test)]
mod tests;
