//! The published keys: served as prepared bytes, and used to verify our own tokens.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use josekit::jws::JwsVerifier;
use ring::digest;
use serde::Serialize;
use serde_json::Value;

use crate::Algorithm;
use crate::jwk::{InvalidKey, Members};
use crate::token::{ParsedToken, VerifiedPayload, VerifyError};

/// One published key, parsed.
pub(crate) struct VerifyingKey {
    members: Members,
    algorithm: Algorithm,
    verifier: Box<dyn JwsVerifier>,
}

impl VerifyingKey {
    /// Reads a JWK; private members are dropped.
    pub(crate) fn read(jwk: &Value) -> Result<Self, InvalidKey> {
        let (members, algorithm) = Members::read(jwk)?;
        Ok(Self {
            verifier: members.verifier(algorithm)?,
            members: members.public(),
            algorithm,
        })
    }
}

/// The published keys, ready to be served and to verify with. Built once per key state; cheap to share, never changes.
pub struct KeySet {
    keys: Vec<VerifyingKey>,
    algorithms: Vec<Algorithm>,
    jwks: Bytes,
    etag: String,
}

#[derive(Serialize)]
struct Document<'a> {
    keys: Vec<&'a Members>,
}

impl KeySet {
    /// The key set of these public JWKs, in this order; the first is the one that signs.
    ///
    /// # Errors
    /// Names what is wrong with the first unusable key.
    pub fn from_jwks<'a>(jwks: impl IntoIterator<Item = &'a Value>) -> Result<Self, InvalidKey> {
        let keys = jwks
            .into_iter()
            .map(VerifyingKey::read)
            .collect::<Result<_, _>>()?;
        Ok(Self::new(keys))
    }

    /// Repeated keys are published once.
    pub(crate) fn new(all: Vec<VerifyingKey>) -> Self {
        let mut keys: Vec<VerifyingKey> = Vec::with_capacity(all.len());
        let mut algorithms = Vec::new();
        for key in all {
            if !algorithms.contains(&key.algorithm) {
                algorithms.push(key.algorithm);
            }
            if !keys.iter().any(|known| known.members == key.members) {
                keys.push(key);
            }
        }
        let document = Document {
            keys: keys.iter().map(|key| &key.members).collect(),
        };
        let jwks =
            serde_json::to_vec_pretty(&document).expect("a struct of texts always has a JSON form");
        let hash = digest::digest(&digest::SHA256, &jwks);
        Self {
            etag: format!("\"{}\"", URL_SAFE_NO_PAD.encode(hash)),
            jwks: jwks.into(),
            keys,
            algorithms,
        }
    }

    /// The JWKS document (RFC 7517 §5) byte for byte as Dex writes it: two-space indent, no trailing newline.
    pub fn jwks(&self) -> Bytes {
        self.jwks.clone()
    }

    /// A strong entity tag of [`jwks`](Self::jwks), quotes included (RFC 9110 §8.8.3).
    pub fn etag(&self) -> &str {
        &self.etag
    }

    /// The algorithms of the keys, that of the signing key first, each once.
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    /// The key ids in published order.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.members.kid.as_str())
    }

    /// Whether there is nothing to publish.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Checks the signature of a compact JWS and returns what was signed. Claims are the caller's business.
    ///
    /// The token must be small ([`crate::MAX_TOKEN_LEN`]), have three parts, and name an `alg` that is the one of the key that
    /// verifies it: `none`, HMAC and algorithm confusion cannot pass. `crit` is refused; keys embedded in or pointed at by the
    /// header are ignored. White space anywhere in the token is dropped, as Dex does. Without `kid` every key is tried.
    ///
    /// # Errors
    /// [`VerifyError::UnknownKey`] when the token names a key that is not in this set: the only case in which
    /// [`Signer::refreshed_key_set`](crate::Signer::refreshed_key_set) may help.
    pub fn verify(&self, token: &str) -> Result<VerifiedPayload, VerifyError> {
        let token = ParsedToken::parse(token)?;
        let mut candidates = self
            .keys
            .iter()
            .filter(|key| token.key_id().is_none_or(|kid| key.members.kid == kid))
            .peekable();
        if candidates.peek().is_none() {
            return Err(VerifyError::UnknownKey);
        }
        let mut candidates = candidates
            .filter(|key| key.algorithm == token.algorithm())
            .peekable();
        if candidates.peek().is_none() {
            return Err(VerifyError::WrongAlgorithm);
        }
        let (signed, signature) = (token.signing_input(), token.signature()?);
        if candidates.any(|key| key.verifier.verify(signed, &signature).is_ok()) {
            token.into_payload()
        } else {
            Err(VerifyError::BadSignature)
        }
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.key_ids()).finish()
    }
}
