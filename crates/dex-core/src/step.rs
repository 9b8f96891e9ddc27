//! Step links: a MAC in a URL proves that one step of one authorization request was passed (compat: `authflow.md` §13.1).
//!
//! Dex computes the MAC with the key stored in the request. That link is good in any browser. For a request that began sealed in a
//! browser's cookie, the key is mixed with a secret that only this cookie carries, so that a link seen elsewhere opens nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use crate::opaque::hmac_payload;

/// What a link proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step<'a> {
    /// Somebody logged in, or passed a factor: the dispatcher decides what comes next.
    Continue,
    /// A second factor is due.
    Mfa,
    /// Consent is due.
    Approval,
    /// Consent was given.
    Approved,
    /// The factor of this id is due.
    Authenticator(&'a str),
}

impl Step<'_> {
    fn name(self) -> String {
        match self {
            Self::Continue => "step:continue".to_owned(),
            Self::Mfa => "step:mfa".to_owned(),
            Self::Approval => "step:approval".to_owned(),
            Self::Approved => "step:approved".to_owned(),
            // The prefix keeps an authenticator named `step:approved` from proving consent.
            Self::Authenticator(id) => format!("authenticator:{id}"),
        }
    }
}

/// The key of one request's links.
pub struct StepKey(hmac::Key);

impl StepKey {
    /// The key of a request that is not tied to a browser. `None` for an empty stored key: everybody could compute such MACs.
    pub fn stored(hmac_key: &[u8]) -> Option<Self> {
        (!hmac_key.is_empty()).then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, hmac_key)))
    }

    /// The key of a request tied to the browser that holds `browser_secret`. `None` when either half is empty.
    pub fn bound(hmac_key: &[u8], browser_secret: &[u8]) -> Option<Self> {
        if browser_secret.is_empty() {
            return None;
        }
        let Self(stored) = Self::stored(hmac_key)?;
        let mut context = hmac::Context::with_key(&stored);
        context.update(b"dexd step link key\0");
        context.update(browser_secret);
        Some(Self(hmac::Key::new(
            hmac::HMAC_SHA256,
            context.sign().as_ref(),
        )))
    }

    /// The MAC of a step, as it stands in the link.
    pub fn mac(&self, request_id: &str, step: Step<'_>) -> String {
        let payload = hmac_payload(&[request_id, &step.name()]);
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, &payload))
    }

    /// Whether `mac` proves the step; compares in constant time.
    pub fn verifies(&self, request_id: &str, step: Step<'_>, mac: &str) -> bool {
        let payload = hmac_payload(&[request_id, &step.name()]);
        URL_SAFE_NO_PAD
            .decode(mac)
            .is_ok_and(|mac| hmac::verify(&self.0, &payload, &mac).is_ok())
    }
}

impl std::fmt::Debug for StepKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StepKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macs_match_dex_vectors() {
        let key = StepKey::stored(b"flow-hmac-test-key").unwrap();
        for (step, mac) in [
            (
                Step::Continue,
                "8D-JO9SZLD4dvt7dgC9nJRiuKdNF83mWhB_BruVifwU",
            ),
            (Step::Mfa, "Dwzq7IH9OEQADBp_4AaUCDSPqRUJ-nvm96cW9OHUsT4"),
            (
                Step::Approval,
                "rygsr5lk4Yoa3Lvw1fPs3_Ed14XwQNUhEuVFD4FD0ew",
            ),
            (
                Step::Approved,
                "e39L2-aAlb1Yg9vyeu4ZPIQtcHirhgm88NUvNNe84jg",
            ),
            (
                Step::Authenticator("totp"),
                "kaF1Ox7hToSFzGbdHlO2B57maYL3ietiriIj7sizUuI",
            ),
        ] {
            assert_eq!(key.mac("flow-hmac-test", step), mac);
            assert!(key.verifies("flow-hmac-test", step, mac));
            assert!(!key.verifies("flow-hmac-tesu", step, mac));
        }
        assert_eq!(
            hex::encode(hmac_payload(&["flow-hmac-test", "step:continue"])),
            "0a0e666c6f772d686d61632d746573740a0d737465703a636f6e74696e7565"
        );
    }

    #[test]
    fn a_link_proves_one_step_only() {
        let key = StepKey::stored(b"k").unwrap();
        let mac = key.mac("id", Step::Approval);
        assert!(!key.verifies("id", Step::Approved, &mac));
        assert!(!key.verifies("id", Step::Authenticator("step:approval"), &mac));
        assert!(!key.verifies("id", Step::Approval, "junk!"));
        assert!(!key.verifies("id", Step::Approval, ""));
    }

    #[test]
    fn an_empty_key_never_verifies() {
        assert!(StepKey::stored(b"").is_none());
        assert!(StepKey::bound(b"", b"secret").is_none());
        assert!(StepKey::bound(b"key", b"").is_none());
    }

    #[test]
    fn a_bound_link_needs_the_browsers_secret() {
        let bound = StepKey::bound(b"key", b"secret").unwrap();
        let mac = bound.mac("id", Step::Continue);
        for other in [
            StepKey::stored(b"key").unwrap(),
            StepKey::bound(b"key", b"another").unwrap(),
            StepKey::bound(b"other", b"secret").unwrap(),
        ] {
            assert!(!other.verifies("id", Step::Continue, &mac));
        }
        assert!(bound.verifies("id", Step::Continue, &mac));
    }
}
