//! Replacing the signing key at once, because it may be known to others.

use std::sync::Arc;

use dex_core::Timestamp;
use dex_core::clock::Clock;
use dex_core::entropy::Entropy;

use super::{LocalConfig, decision};
use crate::{KeyStore, SignerError};

/// What becomes of the keys that verified until now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "two answers to one question")]
pub enum OldKeys {
    /// They verify until the last token they signed has expired: nobody has to sign in again.
    Keep,
    /// They verify nothing from now on: every token issued so far is void, forged ones included. Relying parties and
    /// `kube-apiserver` go by their own copy of the key document for up to its `max-age`.
    Drop,
}

/// What an emergency rotation did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RotatedNow {
    /// The key that signs from now on.
    pub key_id: String,
    /// When it will be replaced in the ordinary way.
    pub next_rotation: Timestamp,
}

/// Makes a new key that signs at once, without having been published ahead. A key that was published ahead is discarded.
///
/// Running servers take it up within half a minute. Blocks a core for up to a second (RSA), on the blocking pool.
///
/// # Errors
/// [`SignerError::Unavailable`] from the store; the keys are then as they were.
pub async fn rotate_now(
    store: &dyn KeyStore,
    config: &LocalConfig,
    old: OldKeys,
    clock: &dyn Clock,
    entropy: Arc<dyn Entropy>,
) -> Result<RotatedNow, SignerError> {
    config.check()?;
    let algorithm = config.algorithm;
    let fresh = super::generate_off_worker(algorithm, entropy).await?;
    let now = clock.now();
    let result = RotatedNow {
        key_id: fresh.kid.clone(),
        next_rotation: now.saturating_add(config.rotation_period),
    };
    let config = config.clone();
    store
        .update(Box::new(move |keys, next| {
            decision::rotate_at_once(
                &config,
                now,
                old == OldKeys::Keep,
                keys,
                next.as_ref(),
                &fresh,
            )
        }))
        .await?;
    Ok(result)
}
