//! Taking a compact JWS apart (RFC 7515 §7.1): bounded, strict, without trusting anything in it.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::Algorithm;

/// Longer tokens are refused unread.
pub const MAX_TOKEN_LEN: usize = 16 * 1024;

/// Why a token is not accepted. None of these tells anything about the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Longer than [`MAX_TOKEN_LEN`].
    #[error("token too long")]
    TooLong,
    /// Not a compact JWS: wrong number of parts, not base64url, header not the expected JSON.
    #[error("token malformed")]
    Malformed,
    /// The header demands something that is not understood (`crit`, RFC 7515 §4.1.11, or `b64`, RFC 7797).
    #[error("token header demands an unknown extension")]
    UnknownExtension,
    /// The `alg` is not an asymmetric signature algorithm known here.
    #[error("token algorithm not supported")]
    UnsupportedAlgorithm,
    /// The `kid` is not in the key set.
    #[error("token signed by an unknown key")]
    UnknownKey,
    /// The `alg` is not the one of the key.
    #[error("token algorithm is not the key's")]
    WrongAlgorithm,
    /// No key verifies the signature.
    #[error("token signature does not verify")]
    BadSignature,
}

/// Bytes that one of our keys has signed. Built only by [`KeySet::verify`](crate::KeySet::verify).
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedPayload {
    payload: Vec<u8>,
    typ: Option<String>,
}

impl VerifiedPayload {
    /// The payload as it was signed.
    pub fn bytes(&self) -> &[u8] {
        &self.payload
    }

    /// The payload as it was signed.
    pub fn into_bytes(self) -> Vec<u8> {
        self.payload
    }

    /// The `typ` of the header (RFC 7515 §4.1.9), for example `logout+jwt`.
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }
}

/// Claims are personal data: only the length is shown.
impl fmt::Debug for VerifiedPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifiedPayload[{} bytes]", self.payload.len())
    }
}

/// What the header may say. Everything else in it (`jku`, `x5u`, `jwk`, …) is ignored; a repeated member is an error.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
    #[serde(default, deserialize_with = "present")]
    b64: bool,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// A token taken apart, nothing verified.
pub(crate) struct ParsedToken<'a> {
    text: Cow<'a, str>,
    /// Where the payload and the signature begin.
    payload_at: usize,
    signature_at: usize,
    algorithm: Algorithm,
    kid: Option<String>,
    typ: Option<String>,
}

impl<'a> ParsedToken<'a> {
    pub(crate) fn parse(token: &'a str) -> Result<Self, VerifyError> {
        if token.len() > MAX_TOKEN_LEN {
            return Err(VerifyError::TooLong);
        }
        let text = if token.bytes().all(|byte| byte.is_ascii_graphic()) {
            Cow::Borrowed(token)
        } else {
            Cow::Owned(token.chars().filter(|c| !c.is_whitespace()).collect())
        };
        // Looks at no more than three dots, however many there are.
        let mut dots = text.match_indices('.').map(|(at, _)| at);
        let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else {
            return Err(VerifyError::Malformed);
        };
        let header = text.get(..first).ok_or(VerifyError::Malformed)?;
        let header = read_header(header)?;
        let algorithm = header
            .alg
            .parse()
            .map_err(|_| VerifyError::UnsupportedAlgorithm)?;
        Ok(Self {
            payload_at: first + 1,
            signature_at: second + 1,
            text,
            algorithm,
            kid: header.kid.filter(|kid| !kid.is_empty()),
            typ: header.typ,
        })
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// `None` when absent or empty.
    pub(crate) fn key_id(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    pub(crate) fn signing_input(&self) -> &[u8] {
        self.text
            .as_bytes()
            .get(..self.signature_at - 1)
            .unwrap_or_default()
    }

    pub(crate) fn signature(&self) -> Result<Vec<u8>, VerifyError> {
        decode(self.text.get(self.signature_at..))
    }

    /// To be called once the signature has been verified.
    pub(crate) fn into_payload(self) -> Result<VerifiedPayload, VerifyError> {
        let payload = decode(self.text.get(self.payload_at..self.signature_at - 1))?;
        Ok(VerifiedPayload {
            payload,
            typ: self.typ,
        })
    }
}

fn read_header(part: &str) -> Result<Header, VerifyError> {
    let json = decode(Some(part))?;
    // Derived deserializers also take arrays; a header is an object.
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(VerifyError::Malformed);
    }
    let header: Header = serde_json::from_slice(&json).map_err(|_| VerifyError::Malformed)?;
    if header.crit || header.b64 {
        return Err(VerifyError::UnknownExtension);
    }
    Ok(header)
}

fn decode(part: Option<&str>) -> Result<Vec<u8>, VerifyError> {
    part.and_then(|part| URL_SAFE_NO_PAD.decode(part).ok())
        .ok_or(VerifyError::Malformed)
}
