//! Cookies that hold sealed requests: sealing, opening, and keeping all of them small enough for one header line.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dex_core::Timestamp;
use dex_core::entropy::Entropy;
use http::HeaderValue;
use ring::aead::{Aad, NONCE_LEN, Nonce};

use super::codec;
use super::keys::KEY_ID_LEN;
use super::{Authenticated, NoSealingKey, PendingRequest, SealingKeyring};
use crate::IssuerUrl;
use crate::request::Incoming;

/// Everything needed to seal and open.
pub(crate) struct CookieJar<'a> {
    pub(crate) keys: &'a SealingKeyring,
    pub(crate) issuer: &'a IssuerUrl,
    pub(crate) entropy: &'a dyn Entropy,
    pub(crate) now: Timestamp,
}

/// The request does not fit a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request does not fit a cookie")]
pub(crate) struct TooLarge;

/// The sealed requests a browser sent along.
#[derive(Debug, Default)]
pub(crate) struct RequestCookies(Vec<Carried>);

#[derive(Debug)]
struct Carried {
    handle: String,
    /// As claimed; only ever used to choose which one goes first.
    issued_at: u64,
    size: usize,
}

#[derive(Clone, Copy)]
enum Stage {
    Pending,
    Authenticated,
}

impl Stage {
    fn byte(self) -> u8 {
        match self {
            Self::Pending => 1,
            Self::Authenticated => 2,
        }
    }
}

impl CookieJar<'_> {
    /// The pending request of this handle; `None` if the browser has none, or one that is not acceptable.
    pub(crate) async fn pending(
        &self,
        request: &Incoming,
        handle: &str,
    ) -> Result<Option<PendingRequest>, NoSealingKey> {
        let content = self.open(request, handle, Stage::Pending).await?;
        Ok(content.and_then(|content| codec::decode_pending(&content).ok()))
    }

    /// The browser's secret for this handle; `None` if the browser has none, or one that is not acceptable.
    pub(crate) async fn authenticated(
        &self,
        request: &Incoming,
        handle: &str,
    ) -> Result<Option<Authenticated>, NoSealingKey> {
        let content = self.open(request, handle, Stage::Authenticated).await?;
        Ok(content.and_then(|content| codec::decode_authenticated(&content).ok()))
    }

    /// `Set-Cookie` values that give the browser a pending request and take its oldest ones away where there are too many.
    pub(crate) async fn set_pending(
        &self,
        carried: &RequestCookies,
        handle: &str,
        pending: &PendingRequest,
    ) -> Result<Result<Vec<HeaderValue>, TooLarge>, NoSealingKey> {
        let content = codec::encode_pending(pending);
        if !fits(content.len()) {
            return Ok(Err(TooLarge));
        }
        let value = self.seal(handle, Stage::Pending, content).await?;
        let size = COOKIE_PREFIX.len() + handle.len() + value.len() + SEPARATORS;
        let mut lines: Vec<_> = carried
            .to_evict(handle, size)
            .map(|evicted| self.clear(evicted))
            .collect();
        lines.push(self.line(handle, &value, pending.expiry));
        Ok(Ok(lines))
    }

    /// The `Set-Cookie` value that replaces a pending request by the browser's secret.
    pub(crate) async fn set_authenticated(
        &self,
        handle: &str,
        authenticated: &Authenticated,
        expiry: Timestamp,
    ) -> Result<HeaderValue, NoSealingKey> {
        let content = codec::encode_authenticated(authenticated);
        let value = self.seal(handle, Stage::Authenticated, content).await?;
        Ok(self.line(handle, &value, expiry))
    }

    /// The `Set-Cookie` value that ends a request.
    pub(crate) fn clear(&self, handle: &str) -> HeaderValue {
        self.line(handle, "", self.now)
    }

    fn line(&self, handle: &str, value: &str, expiry: Timestamp) -> HeaderValue {
        let secure = if self.issuer.is_https() {
            "; Secure"
        } else {
            ""
        };
        let line = format!(
            "{COOKIE_PREFIX}{handle}={value}; Path={}; Max-Age={}; HttpOnly; SameSite=Lax{secure}",
            self.issuer.cookie_path(),
            expiry.since(self.now).as_secs(),
        );
        HeaderValue::from_str(&line).expect(
            "a cookie of ours has an identifier, base64url and a URL's path, all visible ASCII",
        )
    }

    async fn seal(
        &self,
        handle: &str,
        stage: Stage,
        mut content: Vec<u8>,
    ) -> Result<String, NoSealingKey> {
        let key = self.keys.sealing_key().await?;
        let issued_at = format!("{:x}", self.now.unix_secs());
        let mut nonce = [0; NONCE_LEN];
        self.entropy.fill(&mut nonce);
        key.aead
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(self.bound_to(handle, stage, &issued_at)),
                &mut content,
            )
            .expect("a few kilobytes are far below what the cipher takes");
        let mut sealed = vec![VERSION, stage.byte()];
        sealed.extend_from_slice(&key.id);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&content);
        Ok(format!("{issued_at}.{}", URL_SAFE_NO_PAD.encode(sealed)))
    }

    async fn open(
        &self,
        request: &Incoming,
        handle: &str,
        stage: Stage,
    ) -> Result<Option<Vec<u8>>, NoSealingKey> {
        let name = format!("{COOKIE_PREFIX}{handle}");
        // A browser may hold several cookies of one name, planted on other paths or by a sibling host: ours is the one that opens.
        for (_, value) in request
            .cookies()
            .filter(|(known, _)| *known == name)
            .take(MAX_SAME_NAME)
        {
            if let Some(content) = self.open_value(handle, stage, value).await? {
                return Ok(Some(content));
            }
        }
        Ok(None)
    }

    async fn open_value(
        &self,
        handle: &str,
        stage: Stage,
        value: &str,
    ) -> Result<Option<Vec<u8>>, NoSealingKey> {
        let Some((issued_at, key_id, nonce, mut sealed)) = split(value, stage) else {
            return Ok(None);
        };
        let Some(key) = self.keys.opening_key(&key_id).await? else {
            return Ok(None);
        };
        let opened = key.aead.open_in_place(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(self.bound_to(handle, stage, issued_at)),
            &mut sealed,
        );
        Ok(opened.ok().map(|content| content.to_vec()))
    }

    /// What a cookie is bound to besides its key.
    fn bound_to(&self, handle: &str, stage: Stage, issued_at: &str) -> Vec<u8> {
        let mut bound = Vec::new();
        for part in [
            self.issuer.as_str().as_bytes(),
            COOKIE_PREFIX.as_bytes(),
            handle.as_bytes(),
            &[VERSION, stage.byte()],
            issued_at.as_bytes(),
        ] {
            bound.extend_from_slice(part);
            bound.push(0);
        }
        bound
    }
}

impl RequestCookies {
    /// The cookies of ours in a request.
    pub(crate) fn of(request: &Incoming) -> Self {
        let carried = request.cookies().filter_map(|(name, value)| {
            let handle = name.strip_prefix(COOKIE_PREFIX)?;
            is_handle(handle).then(|| Carried {
                handle: handle.to_owned(),
                // One that is malformed is as good as oldest.
                issued_at: value
                    .split_once('.')
                    .and_then(|(issued_at, _)| u64::from_str_radix(issued_at, 16).ok())
                    .unwrap_or_default(),
                size: name.len() + value.len() + SEPARATORS,
            })
        });
        Self(carried.collect())
    }

    /// Whether the browser sent any.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Handles that must go so that one more cookie of `size` bytes fits, oldest first.
    fn to_evict<'a>(&'a self, new_handle: &str, size: usize) -> impl Iterator<Item = &'a str> {
        let mut newest_first: Vec<_> = self
            .0
            .iter()
            .filter(|carried| carried.handle != new_handle)
            .collect();
        newest_first.sort_by_key(|carried| std::cmp::Reverse(carried.issued_at));
        let (mut count, mut total) = (1, size);
        newest_first
            .into_iter()
            .filter(move |carried| {
                let stays = count < MAX_REQUESTS && total + carried.size <= MAX_TOTAL;
                if stays {
                    count += 1;
                    total += carried.size;
                }
                !stays
            })
            .map(|carried| carried.handle.as_str())
    }
}

/// Whether this can be one of our handles: `^[a-z][a-z2-7]{24}$`.
pub(crate) fn is_handle(text: &str) -> bool {
    text.len() == 25
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'))
}

/// Whether a content of this length stays below the limit of one cookie value.
fn fits(content_len: usize) -> bool {
    let sealed = 2 + KEY_ID_LEN + NONCE_LEN + content_len + TAG_LEN;
    ISSUED_AT_LEN + 1 + sealed.div_ceil(3) * 4 <= MAX_VALUE
}

type Parts<'v> = (&'v str, [u8; KEY_ID_LEN], [u8; NONCE_LEN], Vec<u8>);

fn split(value: &str, stage: Stage) -> Option<Parts<'_>> {
    let (issued_at, sealed) = value.split_once('.')?;
    if value.len() > MAX_VALUE || issued_at.len() > ISSUED_AT_LEN {
        return None;
    }
    let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let rest = sealed.strip_prefix(&[VERSION, stage.byte()])?;
    let (key_id, rest) = rest.split_first_chunk()?;
    let (nonce, rest) = rest.split_first_chunk()?;
    Some((issued_at, *key_id, *nonce, rest.to_vec()))
}

const COOKIE_PREFIX: &str = "dexd_req_";
const VERSION: u8 = 1;
const TAG_LEN: usize = 16;
/// Hex digits of seconds: enough for all times there are.
const ISSUED_AT_LEN: usize = 16;
/// `=` and `; ` around a cookie in the request's header line.
const SEPARATORS: usize = 3;
/// Requests under way in one browser.
const MAX_REQUESTS: usize = 5;
/// Length of one value; browsers take 4096 bytes with name and attributes.
const MAX_VALUE: usize = 3_500;
/// All of ours in a request, so that the line fits the 8 KiB of common proxies with room for others.
const MAX_TOTAL: usize = 7_000;
const MAX_SAME_NAME: usize = 4;

#[cfg(test)]
mod tests;
