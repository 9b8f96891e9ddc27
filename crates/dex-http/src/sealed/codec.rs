//! The content of a sealed cookie: fields in a fixed order, each with its length, nothing behind the last.
//!
//! A content begins with the version of its layout. One that is not ours does not decode: the person begins again.

use dex_core::Timestamp;
use dex_core::records::{Blob, PkceChallenge};

use super::{Authenticated, PendingRequest};

/// The bytes are not a content of this layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a sealed content")]
pub(crate) struct InvalidContent;

pub(crate) fn encode_pending(request: &PendingRequest) -> Vec<u8> {
    let mut writer = Writer(vec![LAYOUT]);
    writer.text(&request.client_id);
    writer.texts(&request.response_types);
    writer.texts(&request.scopes);
    writer.text(&request.redirect_uri);
    writer.text(&request.nonce);
    writer.text(&request.state);
    writer.text(&request.pkce.challenge);
    writer.text(&request.pkce.method);
    writer.text(&request.prompt);
    writer.number(request.max_age);
    writer.number(i64::from(request.force_approval));
    writer.text(&request.login_hint);
    writer.text(&request.connector_id);
    writer.bytes(request.connector_data.expose());
    writer.number(request.expiry.unix_secs());
    writer.0
}

pub(crate) fn decode_pending(content: &[u8]) -> Result<PendingRequest, InvalidContent> {
    let mut reader = Reader::of(content)?;
    let request = PendingRequest {
        client_id: reader.text()?,
        response_types: reader.texts()?,
        scopes: reader.texts()?,
        redirect_uri: reader.text()?,
        nonce: reader.text()?,
        state: reader.text()?,
        pkce: PkceChallenge {
            challenge: reader.text()?,
            method: reader.text()?,
        },
        prompt: reader.text()?,
        max_age: reader.number()?,
        force_approval: reader.number()? == 1,
        login_hint: reader.text()?,
        connector_id: reader.text()?,
        connector_data: Blob::from(reader.bytes()?.to_vec()),
        expiry: Timestamp::from_unix(reader.number()?, 0).ok_or(InvalidContent)?,
    };
    reader.end()?;
    Ok(request)
}

pub(crate) fn encode_authenticated(authenticated: &Authenticated) -> Vec<u8> {
    let mut writer = Writer(vec![LAYOUT]);
    writer.bytes(&authenticated.browser_secret);
    writer.0
}

pub(crate) fn decode_authenticated(content: &[u8]) -> Result<Authenticated, InvalidContent> {
    let mut reader = Reader::of(content)?;
    let browser_secret = reader.bytes()?.try_into().map_err(|_| InvalidContent)?;
    reader.end()?;
    Ok(Authenticated { browser_secret })
}

struct Writer(Vec<u8>);

impl Writer {
    fn bytes(&mut self, bytes: &[u8]) {
        // Larger contents do not fit a cookie and are refused by their size before they are sealed.
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.length(len);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn texts(&mut self, texts: &[String]) {
        self.length(u32::try_from(texts.len()).unwrap_or(u32::MAX));
        for text in texts {
            self.text(text);
        }
    }

    fn number(&mut self, number: i64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    /// Seven bits a byte, low ones first.
    fn length(&mut self, mut len: u32) {
        loop {
            let [low, ..] = len.to_le_bytes();
            if len < 0x80 {
                self.0.push(low);
                return;
            }
            self.0.push(low | 0x80);
            len >>= 7;
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn of(content: &'a [u8]) -> Result<Self, InvalidContent> {
        match content {
            [LAYOUT, rest @ ..] if content.len() <= MAX_CONTENT => Ok(Self(rest)),
            _ => Err(InvalidContent),
        }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], InvalidContent> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(InvalidContent)?;
        self.0 = rest;
        Ok(taken)
    }

    fn length(&mut self) -> Result<usize, InvalidContent> {
        let mut len = 0_usize;
        for shift in [0, 7, 14, 21] {
            let [byte] = self.take(1)? else {
                return Err(InvalidContent);
            };
            len |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(len);
            }
        }
        Err(InvalidContent)
    }

    fn bytes(&mut self) -> Result<&'a [u8], InvalidContent> {
        let len = self.length()?;
        self.take(len)
    }

    fn text(&mut self) -> Result<String, InvalidContent> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| InvalidContent)
    }

    fn texts(&mut self) -> Result<Vec<String>, InvalidContent> {
        let count = self.length()?;
        // Every text takes at least the byte of its length.
        if count > self.0.len() {
            return Err(InvalidContent);
        }
        (0..count).map(|_| self.text()).collect()
    }

    fn number(&mut self) -> Result<i64, InvalidContent> {
        let bytes = self.take(8)?.try_into().map_err(|_| InvalidContent)?;
        Ok(i64::from_be_bytes(bytes))
    }

    fn end(&self) -> Result<(), InvalidContent> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(InvalidContent)
        }
    }
}

const LAYOUT: u8 = 1;

/// Far above what fits a cookie.
const MAX_CONTENT: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_request() -> impl Strategy<Value = PendingRequest> {
        let texts = || proptest::collection::vec(".{0,20}", 0..4);
        (
            (
                ".{0,20}",
                texts(),
                texts(),
                ".{0,40}",
                ".{0,20}",
                ".{0,300}",
            ),
            (".{0,50}", ".{0,6}", ".{0,20}", any::<i64>(), any::<bool>()),
            (
                ".{0,20}",
                ".{0,20}",
                proptest::collection::vec(any::<u8>(), 0..100),
                0_i64..4_000_000_000,
            ),
        )
            .prop_map(|(a, b, c)| PendingRequest {
                client_id: a.0,
                response_types: a.1,
                scopes: a.2,
                redirect_uri: a.3,
                nonce: a.4,
                state: a.5,
                pkce: PkceChallenge {
                    challenge: b.0,
                    method: b.1,
                },
                prompt: b.2,
                max_age: b.3,
                force_approval: b.4,
                login_hint: c.0,
                connector_id: c.1,
                connector_data: Blob::from(c.2),
                expiry: Timestamp::from_unix(c.3, 0).unwrap(),
            })
    }

    proptest! {
        #[test]
        fn a_request_decodes_to_itself(request in any_request()) {
            prop_assert_eq!(decode_pending(&encode_pending(&request)).unwrap(), request);
        }

        #[test]
        fn a_cut_or_longer_content_does_not_decode(request in any_request(), cut in any::<proptest::sample::Index>()) {
            let content = encode_pending(&request);
            prop_assert!(decode_pending(&content[..cut.index(content.len())]).is_err());
            prop_assert!(decode_pending(&[content, vec![0]].concat()).is_err());
        }

        #[test]
        fn no_bytes_panic_the_decoders(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            super::super::decode_any(&bytes);
            super::super::decode_any(&[vec![LAYOUT], bytes].concat());
        }
    }

    #[test]
    fn the_browsers_secret_decodes_to_itself() {
        let authenticated = Authenticated {
            browser_secret: [7; 32],
        };
        let content = encode_authenticated(&authenticated);
        assert_eq!(decode_authenticated(&content).unwrap(), authenticated);
        assert!(decode_authenticated(&content[..20]).is_err());
    }
}
