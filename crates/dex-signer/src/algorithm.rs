//! Names and hashes of the signature algorithms.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;

/// Signature algorithms of JWS (RFC 7518 §3.1, RFC 8037 §3.1). All of them verify; [`Algorithm::LOCAL`] sign locally.
///
/// `none` and the HMAC family have no variant: nothing here can accept them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// What the local signer can make keys for. Dex itself offers only RS256 and ES256.
    pub const LOCAL: [Self; 4] = [Self::Rs256, Self::Es256, Self::Ps256, Self::EdDsa];

    const ALL: [Self; 10] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
    ];

    /// The `alg` value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
        }
    }

    /// `at_hash` or `c_hash` of a token or code (OpenID Connect Core 1.0 §3.3.2.11): the left half of its hash, base64url.
    ///
    /// The hash is the one of the signature algorithm; Ed25519 hashes with SHA-512 inside, so that is taken for it.
    pub fn half_hash(self, token_or_code: &str) -> String {
        let hash = digest::digest(self.digest(), token_or_code.as_bytes());
        let (left, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
        URL_SAFE_NO_PAD.encode(left)
    }

    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Rs256 | Self::Ps256 | Self::Es256 => &digest::SHA256,
            Self::Rs384 | Self::Ps384 | Self::Es384 => &digest::SHA384,
            Self::Rs512 | Self::Ps512 | Self::Es512 | Self::EdDsa => &digest::SHA512,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Not the name of an asymmetric signature algorithm that is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a supported signature algorithm")]
#[non_exhaustive]
pub struct UnknownAlgorithm;

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// Exact, case-sensitive names (RFC 7515 §4.1.1).
    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or(UnknownAlgorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.name().parse(), Ok(algorithm));
        }
        for name in ["", "none", "None", "HS256", "rs256", "RS256 ", "Ed25519"] {
            assert_eq!(name.parse::<Algorithm>(), Err(UnknownAlgorithm), "{name}");
        }
    }

    /// compat: `tokens.md` 5.3
    #[test]
    fn half_hash_matches_the_vector() {
        let token = "ya29.CjHSA1l5WUn8xZ6HanHFzzdHdbXm-14rxnC7JHch9eFIsZkQEGoWzaYG4o7k5f6BnPLj";
        for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::Ps256] {
            assert_eq!(algorithm.half_hash(token), "piwt8oCH-K2D9pXlaS1Y-w");
        }
    }

    #[test]
    fn half_hash_is_half_the_hash() {
        for (algorithm, bytes) in [
            (Algorithm::Rs384, 24),
            (Algorithm::Es512, 32),
            (Algorithm::EdDsa, 32),
        ] {
            let hash = URL_SAFE_NO_PAD.decode(algorithm.half_hash("x")).unwrap();
            assert_eq!(hash.len(), bytes, "{algorithm}");
        }
    }
}
