//! Proof keys for code exchange (RFC 7636; compat: `authflow.md` §10, `tokens.md` §4).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

use crate::records::PkceChallenge;

/// `code_challenge_method`s that this provider can verify.
pub const METHODS: [&str; 2] = [S256, PLAIN];

/// Why a code cannot be redeemed with what was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PkceError {
    /// `code_verifier` does not fit the challenge.
    #[error("Invalid code_verifier.")]
    Mismatch,
    /// The request had a challenge, the redemption has no verifier.
    #[error("Expecting parameter code_verifier in PKCE flow.")]
    VerifierMissing,
    /// A verifier where the request had no challenge: somebody removed it (PKCE downgrade, RFC 9700 §2.1.1).
    #[error("No PKCE flow started. Cannot check code_verifier.")]
    NotStarted,
    /// The stored method is none of ours.
    #[error("the stored code_challenge_method is unknown")]
    UnknownMethod,
}

/// Whether `verifier` proves that the redeemer began the flow. An empty verifier counts as none.
///
/// # Errors
/// By cause, see [`PkceError`].
pub fn verify(stored: &PkceChallenge, verifier: &str) -> Result<(), PkceError> {
    match (stored.challenge.is_empty(), verifier.is_empty()) {
        (true, true) => Ok(()),
        (true, false) => Err(PkceError::NotStarted),
        (false, true) => Err(PkceError::VerifierMissing),
        (false, false) => {
            let computed = match stored.method.as_str() {
                S256 => challenge_s256(verifier),
                PLAIN => verifier.to_owned(),
                _ => return Err(PkceError::UnknownMethod),
            };
            if bool::from(computed.as_bytes().ct_eq(stored.challenge.as_bytes())) {
                Ok(())
            } else {
                Err(PkceError::Mismatch)
            }
        }
    }
}

/// The challenge of a verifier by method `S256` (RFC 7636 §4.2).
pub fn challenge_s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(ring::digest::digest(
        &ring::digest::SHA256,
        verifier.as_bytes(),
    ))
}

/// `S256`
pub const S256: &str = "S256";
/// `plain`, which a request without a method means.
pub const PLAIN: &str = "plain";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stored(challenge: &str, method: &str) -> PkceChallenge {
        PkceChallenge {
            challenge: challenge.to_owned(),
            method: method.to_owned(),
        }
    }

    #[test]
    fn verifiers_are_judged_by_the_stored_challenge() {
        let s256 = "lyyl-X4a69qrqgEfUL8wodWic3Be9ZZ5eovBgIKKi-w";
        for (challenge, method, verifier, expected) in [
            (s256, "S256", "challenge123", Ok(())),
            (
                "L7ZqsT_zNwvrH8E7J0CqPHx1wgBaFiaE-fAZcKUUAbc",
                "S256",
                "66114650f56cc45dee7ee03c49f048ddf9aa53cbf5b09985832fa4f790ff2604",
                Ok(()),
            ),
            ("abc", "plain", "abc", Ok(())),
            ("", "plain", "", Ok(())),
            (s256, "S256", s256, Err(PkceError::Mismatch)),
            (s256, "S256", "", Err(PkceError::VerifierMissing)),
            ("abc", "S512", "abc", Err(PkceError::UnknownMethod)),
            // o06: a challenge that was dropped on the way is noticed.
            ("", "plain", "abc", Err(PkceError::NotStarted)),
            ("", "", "abc", Err(PkceError::NotStarted)),
        ] {
            assert_eq!(verify(&stored(challenge, method), verifier), expected);
        }
    }

    proptest! {
        #[test]
        fn only_the_right_verifier_fits(verifier in ".+", other in ".+") {
            prop_assert_eq!(verify(&stored(&challenge_s256(&verifier), S256), &verifier), Ok(()));
            prop_assert_eq!(verify(&stored(&challenge_s256(&verifier), S256), &other).is_ok(), verifier == other);
            prop_assert_eq!(verify(&stored(&verifier, PLAIN), &other).is_ok(), verifier == other);
        }
    }
}
