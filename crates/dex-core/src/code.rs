//! Redeeming an authorization code: whose it is, how long it lives, and what proves the right to it (RFC 6749 §4.1.3, RFC 7636 §4.6;
//! compat: `tokens.md` §2.7 and §4).

use ring::digest;

use crate::Timestamp;
use crate::entropy::identifier_of;
use crate::pkce::{self, PkceError};
use crate::records::{AuthCode, RefreshToken};
use crate::refresh::CROSSING;

/// Why a code is not redeemed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeRejected {
    /// There is no such code, or it has been redeemed.
    #[error("no such authorization code")]
    Unknown,
    /// It was redeemed before, and not just now: somebody else may have it. What was issued for it has to end (RFC 6749 §4.1.2).
    #[error("authorization code was presented again; its refresh token is revoked")]
    Replayed,
    /// It has lapsed.
    #[error("authorization code has expired")]
    Expired,
    /// It was issued to another client.
    #[error("authorization code of another client")]
    OtherClient,
    /// The redirect URI is not the one of the request.
    #[error("redirect URI is not the one of the authorization request")]
    RedirectUri,
    /// The proof key does not hold.
    #[error(transparent)]
    ProofKey(#[from] PkceError),
}

/// Judges a redemption; the checks are in the order of the errors that clients see.
///
/// # Errors
/// By cause. None of them spends the code.
pub fn redeem(
    code: &AuthCode,
    client_id: &str,
    redirect_uri: &str,
    code_verifier: &str,
    now: Timestamp,
) -> Result<(), CodeRejected> {
    if now > code.expiry {
        return Err(CodeRejected::Expired);
    }
    // RFC 6749 §4.1.3: the code must have been issued to this client, and to this redirect URI.
    if code.client_id != client_id {
        return Err(CodeRejected::OtherClient);
    }
    pkce::verify(&code.pkce, code_verifier)?;
    if code.redirect_uri != redirect_uri {
        return Err(CodeRejected::RedirectUri);
    }
    Ok(())
}

/// The id of the refresh token family that begins with this code: a hash of it, in the form of any identifier. So a code that comes
/// back leads to what was issued for it, and the id leads nobody to the code.
pub fn family_id(code: &str) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"dexd refresh token family of code ");
    context.update(code.as_bytes());
    let hash = context.finish();
    let (half, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
    identifier_of(half)
}

/// Judges a code that is not there any more, by the family that it began. Right after the redemption it is two requests of one client
/// that crossed each other, and the family lives on.
pub fn judge_missing(
    family: Option<&RefreshToken>,
    client_id: &str,
    now: Timestamp,
) -> CodeRejected {
    match family {
        Some(family)
            if family.client_id == client_id
                && now > family.created_at.saturating_add(CROSSING) =>
        {
            CodeRejected::Replayed
        }
        _ => CodeRejected::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::PkceChallenge;

    const S256: &str = "lyyl-X4a69qrqgEfUL8wodWic3Be9ZZ5eovBgIKKi-w";

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_unix(secs, 0).unwrap()
    }

    fn code() -> AuthCode {
        AuthCode {
            client_id: "app".into(),
            redirect_uri: "http://127.0.0.1:5555/callback".into(),
            expiry: at(100),
            ..AuthCode::default()
        }
    }

    #[test]
    fn o07_a_code_is_bound_to_client_and_redirect_uri() {
        let uri = "http://127.0.0.1:5555/callback";
        for (client, redirect_uri, now, expected) in [
            ("app", uri, 100, Ok(())),
            ("app", uri, 101, Err(CodeRejected::Expired)),
            ("other", uri, 50, Err(CodeRejected::OtherClient)),
            ("", uri, 50, Err(CodeRejected::OtherClient)),
            ("app", "", 50, Err(CodeRejected::RedirectUri)),
            ("other", "http://evil", 50, Err(CodeRejected::OtherClient)),
            ("other", uri, 101, Err(CodeRejected::Expired)),
        ] {
            assert_eq!(redeem(&code(), client, redirect_uri, "", at(now)), expected);
        }
    }

    #[test]
    fn o03_redirect_uris_are_compared_byte_by_byte() {
        for other in [
            "http://127.0.0.1:5555/callback/",
            "http://127.0.0.1:5555/Callback",
            "http://127.0.0.1:5556/callback",
            "HTTP://127.0.0.1:5555/callback",
            "http://127.0.0.1:5555/%63allback",
            "http://127.0.0.1:5555/callback?",
            " http://127.0.0.1:5555/callback",
        ] {
            assert_eq!(
                redeem(&code(), "app", other, "", at(50)),
                Err(CodeRejected::RedirectUri),
                "{other}"
            );
        }
    }

    #[test]
    fn the_proof_key_is_judged_before_the_redirect_uri() {
        let code = AuthCode {
            pkce: PkceChallenge {
                challenge: S256.into(),
                method: "S256".into(),
            },
            ..code()
        };
        assert_eq!(
            redeem(&code, "app", "http://evil", "", at(50)),
            Err(CodeRejected::ProofKey(PkceError::VerifierMissing))
        );
    }

    #[test]
    fn the_id_of_a_family_has_the_form_of_any_id() {
        let id = family_id("abc");
        assert_eq!(id.len(), 25);
        assert!(crate::entropy::is_token(&id));
        assert_eq!(id, family_id("abc"));
        assert_ne!(id, family_id("abd"));
    }

    #[test]
    fn a_missing_code_is_judged_by_what_it_began() {
        let family = RefreshToken {
            client_id: "app".into(),
            created_at: at(100),
            ..RefreshToken::default()
        };
        for (family, client, now, expected) in [
            (None, "app", 500, CodeRejected::Unknown),
            (Some(&family), "app", 130, CodeRejected::Unknown),
            (Some(&family), "app", 131, CodeRejected::Replayed),
            (Some(&family), "other", 500, CodeRejected::Unknown),
        ] {
            assert_eq!(judge_missing(family, client, at(now)), expected);
        }
    }
}
