//! What handlers see of a request: bounded, parsed once.

use std::net::SocketAddr;

use bytes::Bytes;
use dex_core::Timestamp;
use http::{HeaderMap, Method};

/// The address of the TCP peer; servers that mount the provider put it into the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a newtype that servers construct"
)]
pub struct PeerAddress(pub SocketAddr);

/// The route that served a request, without the issuer's path; found in the response's extensions, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a newtype that servers read")]
pub struct MatchedRoute(pub &'static str);

/// One request, body read.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) method: Method,
    /// The whole path as received, percent-encoded.
    pub(crate) path: String,
    /// The query as received, percent-encoded; empty if there is none.
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The clock, read once.
    pub(crate) now: Timestamp,
}

impl Incoming {
    /// Parameters of the query.
    pub(crate) fn query_parameters(&self) -> Result<Parameters, InvalidForm> {
        Parameters::parse(self.query.as_bytes())
    }

    /// Parameters of an `application/x-www-form-urlencoded` body; none for any other type.
    pub(crate) fn body_parameters(&self) -> Result<Parameters, InvalidForm> {
        let Some(content_type) = self.headers.get(http::header::CONTENT_TYPE) else {
            return Ok(Parameters::default());
        };
        let media_type = content_type
            .to_str()
            .map_err(|_| InvalidForm)?
            .split(';')
            .next()
            .unwrap_or_default();
        if media_type
            .trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        {
            Parameters::parse(&self.body)
        } else {
            Ok(Parameters::default())
        }
    }

    /// Body parameters, then those of the query that the body does not name (compat: `authflow.md` §4).
    pub(crate) fn merged_parameters(&self) -> Result<Parameters, InvalidForm> {
        let Parameters(mut merged) = self.body_parameters()?;
        let from_body = merged.len();
        for (name, value) in self.query_parameters()?.0 {
            if !merged
                .iter()
                .take(from_body)
                .any(|(known, _)| *known == name)
            {
                merged.push((name, value));
            }
        }
        Ok(Parameters(merged))
    }

    /// All cookies, in order.
    pub(crate) fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers
            .get_all(http::header::COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
    }
}

/// Malformed percent-encoding, a `;`, or too many parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed form")]
pub(crate) struct InvalidForm;

/// Decoded form parameters, in order, repetitions kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Parameters(pub(crate) Vec<(String, String)>);

impl Parameters {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, InvalidForm> {
        let mut parameters = Vec::new();
        for pair in text
            .split(|byte| *byte == b'&')
            .filter(|pair| !pair.is_empty())
        {
            if pair.contains(&b';') || parameters.len() == MAX_PARAMETERS {
                return Err(InvalidForm);
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = decode(halves.next().unwrap_or_default())?;
            let value = decode(halves.next().unwrap_or_default())?;
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    /// The first value; `None` when absent. (Callers for whom empty means absent use [`non_empty`](Self::non_empty).)
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first value, empty counting as absent.
    pub(crate) fn non_empty(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// The first of `names` that occurs more than once (RFC 6749 §3.1: parameters must not be repeated).
    pub(crate) fn repeated<'n>(&self, names: &[&'n str]) -> Option<&'n str> {
        names
            .iter()
            .copied()
            .find(|name| self.0.iter().filter(|(known, _)| known == name).count() > 1)
    }
}

/// Form decoding: `+` is a space, `%XX` a byte; the result must be UTF-8.
fn decode(text: &[u8]) -> Result<String, InvalidForm> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = rest
                    .next()
                    .and_then(|b| char::from(*b).to_digit(16))
                    .ok_or(InvalidForm)?;
                let low = rest
                    .next()
                    .and_then(|b| char::from(*b).to_digit(16))
                    .ok_or(InvalidForm)?;
                u8::try_from(high * 16 + low).map_err(|_| InvalidForm)?
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).map_err(|_| InvalidForm)
}

/// No request of ours has more; a flood of names must not cost us.
const MAX_PARAMETERS: usize = 256;

/// Largest request body that is read, in bytes. SAML responses are the largest honest ones.
pub(crate) const MAX_BODY: usize = 1024 * 1024;
