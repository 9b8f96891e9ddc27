//! Refresh token families: when a presented token works, rotates, is too old, or has been replayed (RFC 9700 §4.14).

use std::time::Duration;

/// Rotation and lifetimes of refresh tokens (compat: `tokens.md` §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefreshPolicy {
    /// The secret changes on use. Default true.
    pub rotate: bool,
    /// Window after a use in which the secret before it still gets the same answer. Default zero.
    pub reuse_interval: Duration,
    /// Life since the last use. Default unlimited.
    pub valid_if_not_used_for: Option<Duration>,
    /// Life since the login. Default unlimited.
    pub absolute_lifetime: Option<Duration>,
    /// A new login ends the earlier family of the same user and client, as Dex does. Default false.
    pub one_per_client: bool,
}

impl Default for RefreshPolicy {
    fn default() -> Self {
        Self {
            rotate: true,
            reuse_interval: Duration::ZERO,
            valid_if_not_used_for: None,
            absolute_lifetime: None,
            one_per_client: false,
        }
    }
}
