//! Minting access and ID tokens (OpenID Connect Core 1.0 §2 and §3.1.3.6; compat: `tokens.md` §5).

use dex_core::Timestamp;
use dex_core::audience::{self, Audience};
use dex_core::claims::{IdentityClaims, TokenClaims, access_token_mark, new_id_token_jti};
use dex_core::entropy::new_uuid;
use dex_core::go_json;
use dex_core::opaque::Subject;
use dex_core::records::{Claims, Client};
use dex_signer::{HashedPayload, SignerError};
use dex_storage::{StorageError, StorageExt as _};

use crate::provider::Provider;

/// Whom tokens are about and whom they are for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenRequest<'a, S> {
    pub(crate) client_id: &'a str,
    pub(crate) connector_id: &'a str,
    pub(crate) claims: &'a Claims,
    pub(crate) scopes: &'a [S],
    /// Empty for none.
    pub(crate) nonce: &'a str,
    /// Unset for none.
    pub(crate) auth_time: Timestamp,
    /// The browser session (`sid`); empty for none.
    pub(crate) session_id: &'a str,
    /// The code that is redeemed, for `c_hash`.
    pub(crate) code: Option<&'a str>,
    pub(crate) id_token: IdToken,
}

/// Whether an ID token goes with the access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdToken {
    Issued,
    Left,
}

/// Signed tokens.
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    pub(crate) id_token: Option<String>,
    /// Whole seconds until both expire.
    pub(crate) expires_in: i64,
}

/// Why no tokens were signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// A client in the audience does not trust the one that asks, or not any more.
    #[error("client {peer:?} does not trust client {client_id:?}")]
    Untrusted {
        /// The client in the audience.
        peer: String,
        /// The client that asks.
        client_id: String,
    },
    /// A client in the audience cannot be looked up.
    #[error("failed to look up a client in the audience")]
    Storage(#[from] StorageError),
    /// There is no signature to be had.
    #[error("failed to sign")]
    Signer(#[from] SignerError),
}

/// Signs the access token and then, bound to it by `at_hash`, the ID token.
pub(crate) async fn issue<S: AsRef<str> + Sync>(
    op: &Provider,
    request: &TokenRequest<'_, S>,
    now: Timestamp,
) -> Result<Tokens, IssueError> {
    let audience = Audience::of(request.scopes, request.client_id);
    check_trust(op, &audience, request.client_id).await?;
    let key = op.signer.signing_key().await?;
    let subject = Subject {
        user_id: request.claims.user_id.clone(),
        connector_id: request.connector_id.to_owned(),
    }
    .encode();
    let iat = now.unix_secs();
    let exp = now
        .saturating_add(op.policy.id_tokens_valid_for)
        .unix_secs();
    let access_jti = new_uuid(op.entropy.as_ref());
    let access = TokenClaims {
        iss: op.issuer.as_str(),
        sub: &subject,
        aud: &audience,
        exp,
        iat,
        jti: &access_jti,
        azp: audience.authorized_party(),
        nonce: request.nonce,
        auth_time: auth_time_secs(request.auth_time),
        sid: request.session_id,
        at_hash: &access_token_mark(&access_jti),
        c_hash: "",
        identity: IdentityClaims::of(request.scopes, request.claims, request.connector_id),
    };
    let payload = go_json::to_vec(&access);
    let (access_token, id_token) = if request.id_token == IdToken::Issued {
        let c_hash = request
            .code
            .map(|code| key.algorithm().half_hash(code))
            .unwrap_or_default();
        let id = TokenClaims {
            jti: &new_id_token_jti(op.entropy.as_ref()),
            at_hash: AT_HASH_HERE,
            c_hash: &c_hash,
            ..access
        };
        let (access_token, id_token) = key.sign_pair(payload, without_at_hash(&id)).await?;
        (access_token, Some(id_token))
    } else {
        (key.sign(None, payload).await?, None)
    };
    Ok(Tokens {
        access_token,
        id_token,
        expires_in: exp - iat,
    })
}

/// Trust is checked again at every signature, so that taking it away ends the next refresh.
async fn check_trust(
    op: &Provider,
    audience: &Audience,
    client_id: &str,
) -> Result<(), IssueError> {
    for peer in audience.peers() {
        let record = op.storage.find::<Client>(peer).await?;
        if !audience::is_trusted(record.as_ref(), client_id) {
            return Err(IssueError::Untrusted {
                peer: peer.to_owned(),
                client_id: client_id.to_owned(),
            });
        }
    }
    Ok(())
}

/// The claims of an ID token, but for the hash of an access token that is not signed yet.
fn without_at_hash(claims: &TokenClaims<'_>) -> HashedPayload {
    let mut before = go_json::to_vec(claims);
    // No string value can contain this member: quotes in values are escaped.
    let member = format!("\"at_hash\":\"{AT_HASH_HERE}\"");
    let place = before
        .windows(member.len())
        .position(|window| window == member.as_bytes())
        .map_or(before.len(), |start| {
            start + member.len() - AT_HASH_HERE.len() - 1
        });
    let after = before.split_off(place);
    let after = after.get(AT_HASH_HERE.len()..).unwrap_or_default().to_vec();
    HashedPayload::around(before, after)
}

/// Stands where the hash will be.
const AT_HASH_HERE: &str = "at_hash";

/// Zero, which is left out, for an unset time.
fn auth_time_secs(at: Timestamp) -> i64 {
    if at.is_unset() { 0 } else { at.unix_secs() }
}
