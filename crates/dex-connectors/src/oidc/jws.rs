//! Compact JSON Web Signatures (RFC 7515 §3.1), asymmetric algorithms only.
//!
//! The key always comes from the provider's published set: `jwk`, `jku`, `x5c` and `x5u` of a header are never looked at, and a
//! header with `crit` is refused, since we understand no extension.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use josekit::JoseError;
use josekit::jwk::Jwk;
use josekit::jws::JwsVerifier;
use josekit::jws::alg::ecdsa::EcdsaJwsAlgorithm;
use josekit::jws::alg::eddsa::EddsaJwsAlgorithm;
use josekit::jws::alg::rsassa::RsassaJwsAlgorithm;
use josekit::jws::alg::rsassa_pss::RsassaPssJwsAlgorithm;
use ring::digest;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// A signature algorithm that we accept (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
    EdDsa,
}

impl Algorithm {
    const ALL: [(&'static str, Self); 10] = [
        ("RS256", Self::Rs256),
        ("RS384", Self::Rs384),
        ("RS512", Self::Rs512),
        ("PS256", Self::Ps256),
        ("PS384", Self::Ps384),
        ("PS512", Self::Ps512),
        ("ES256", Self::Es256),
        ("ES384", Self::Es384),
        ("ES512", Self::Es512),
        ("EdDSA", Self::EdDsa),
    ];

    /// Every algorithm we accept.
    pub(super) fn every() -> [Self; 10] {
        Self::ALL.map(|(_, algorithm)| algorithm)
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, algorithm)| algorithm)
    }

    /// The hash that `at_hash` is made with (OpenID Connect Core 1.0 §3.1.3.6); Ed25519 hashes with SHA-512.
    pub(super) fn hash(self) -> &'static digest::Algorithm {
        match self {
            Self::Rs256 | Self::Ps256 | Self::Es256 => &digest::SHA256,
            Self::Rs384 | Self::Ps384 | Self::Es384 => &digest::SHA384,
            Self::Rs512 | Self::Ps512 | Self::Es512 | Self::EdDsa => &digest::SHA512,
        }
    }

    /// Fails for a key of another type, curve, use or algorithm.
    fn verifier(self, key: &Jwk) -> Result<Box<dyn JwsVerifier>, JoseError> {
        fn boxed(verifier: impl JwsVerifier + 'static) -> Box<dyn JwsVerifier> {
            Box::new(verifier)
        }
        match self {
            Self::Rs256 => RsassaJwsAlgorithm::Rs256.verifier_from_jwk(key).map(boxed),
            Self::Rs384 => RsassaJwsAlgorithm::Rs384.verifier_from_jwk(key).map(boxed),
            Self::Rs512 => RsassaJwsAlgorithm::Rs512.verifier_from_jwk(key).map(boxed),
            Self::Ps256 => RsassaPssJwsAlgorithm::Ps256
                .verifier_from_jwk(key)
                .map(boxed),
            Self::Ps384 => RsassaPssJwsAlgorithm::Ps384
                .verifier_from_jwk(key)
                .map(boxed),
            Self::Ps512 => RsassaPssJwsAlgorithm::Ps512
                .verifier_from_jwk(key)
                .map(boxed),
            Self::Es256 => EcdsaJwsAlgorithm::Es256.verifier_from_jwk(key).map(boxed),
            Self::Es384 => EcdsaJwsAlgorithm::Es384.verifier_from_jwk(key).map(boxed),
            Self::Es512 => EcdsaJwsAlgorithm::Es512.verifier_from_jwk(key).map(boxed),
            Self::EdDsa => EddsaJwsAlgorithm::Eddsa.verifier_from_jwk(key).map(boxed),
        }
    }
}

/// A parsed signature, not yet verified.
#[derive(Debug)]
pub(super) struct CompactJws<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    signing_input: &'a str,
    signature: Vec<u8>,
    payload: Vec<u8>,
}

/// Why a text is not a signature we accept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum MalformedJws {
    #[error("the token is larger than {MAX_TOKEN} bytes")]
    TooLarge,
    #[error("the token does not consist of three base64url parts")]
    Form,
    #[error("the token's header is malformed")]
    Header,
    #[error("the token's header has critical extensions")]
    Critical,
    #[error("the token is signed with an algorithm that is not expected")]
    Algorithm,
}

/// More than any provider's ID token, less than what costs anything.
pub(super) const MAX_TOKEN: usize = 256 * 1024;

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

impl<'a> CompactJws<'a> {
    /// Splits and decodes; the algorithm must be one of `accepted`.
    pub(super) fn parse(token: &'a str, accepted: &[Algorithm]) -> Result<Self, MalformedJws> {
        if token.len() > MAX_TOKEN {
            return Err(MalformedJws::TooLarge);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(MalformedJws::Form)?;
        let (header, payload) = signing_input.split_once('.').ok_or(MalformedJws::Form)?;
        if payload.contains('.') {
            return Err(MalformedJws::Form);
        }
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| MalformedJws::Form);
        let header: Header =
            serde_json::from_slice(&decode(header)?).map_err(|_| MalformedJws::Header)?;
        if header.crit.is_some() {
            return Err(MalformedJws::Critical);
        }
        let algorithm = Algorithm::from_name(&header.alg)
            .filter(|algorithm| accepted.contains(algorithm))
            .ok_or(MalformedJws::Algorithm)?;
        Ok(Self {
            algorithm,
            key_id: header.kid,
            signing_input,
            signature: decode(signature)?,
            payload: decode(payload)?,
        })
    }

    /// Whether one of these keys made the signature. A token that names a key is checked against keys of that name only.
    pub(super) fn is_signed_by_one_of(&self, keys: &[Jwk]) -> bool {
        keys.iter()
            .filter(|key| self.key_id.is_none() || self.key_id.as_deref() == key.key_id())
            .filter_map(|key| self.algorithm.verifier(key).ok())
            .any(|verifier| {
                verifier
                    .verify(self.signing_input.as_bytes(), &self.signature)
                    .is_ok()
            })
    }

    /// What is claimed to be signed. Look at it only to decide whether verifying is worthwhile, or after that.
    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str) -> String {
        format!(
            "{}.{}.AAAA",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode("{}")
        )
    }

    #[test]
    fn jose_confusions_are_refused_before_any_key_is_touched() {
        let rs256 = [Algorithm::Rs256];
        for (text, expected) in [
            (token(r#"{"alg":"none"}"#), MalformedJws::Algorithm),
            (token(r#"{"alg":"HS256"}"#), MalformedJws::Algorithm),
            (token(r#"{"alg":"ES256"}"#), MalformedJws::Algorithm),
            (token(r#"{"alg":"rs256"}"#), MalformedJws::Algorithm),
            (
                token(r#"{"alg":"PBES2-HS256+A128KW","p2c":2147483647}"#),
                MalformedJws::Algorithm,
            ),
            (
                token(r#"{"alg":"RS256","crit":["b64"],"b64":false}"#),
                MalformedJws::Critical,
            ),
            (
                token(r#"{"alg":"RS256","crit":[]}"#),
                MalformedJws::Critical,
            ),
            (token(r#"{"alg":["RS256"]}"#), MalformedJws::Header),
            (
                token(r#"{"alg":"none","alg":"RS256"}"#),
                MalformedJws::Header,
            ),
            (token("[]"), MalformedJws::Header),
            (String::new(), MalformedJws::Form),
            ("a.b".into(), MalformedJws::Form),
            ("a.b.c.d.e".into(), MalformedJws::Form),
            (".".repeat(100_000), MalformedJws::Form),
            (
                format!("{}=", token(r#"{"alg":"RS256"}"#)),
                MalformedJws::Form,
            ),
            ("a".repeat(MAX_TOKEN + 1), MalformedJws::TooLarge),
        ] {
            let shown = text.chars().take(80).collect::<String>();
            assert_eq!(
                CompactJws::parse(&text, &rs256).unwrap_err(),
                expected,
                "{shown}"
            );
        }
    }

    #[test]
    fn every_name_is_known_once() {
        for (name, algorithm) in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(name), Some(algorithm));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[A-Za-z0-9_.-]{0,120}|.{0,60}") {
            let _ = CompactJws::parse(&text, &[Algorithm::Rs256]);
        }
    }
}
