//! Opaque strings that are a protobuf message in unpadded base64url: `sub`, refresh tokens, session cookies (compat: `tokens.md` §1.2).
//!
//! The messages have string fields only, so the encoding is written out here: tag, length as varint, UTF-8 bytes; empty strings are
//! left out. Decoding is as lenient as Dex's: unknown fields are skipped, CR and LF ignored, unused trailing bits not looked at.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// The `sub` claim: a user of a connector.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The user's id at the connector.
    pub user_id: String,
    /// The connector; empty for tokens a client got for itself.
    pub connector_id: String,
}

/// What a client holds as its refresh token.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshTokenValue {
    /// Identifier of the stored record.
    pub refresh_id: String,
    /// The secret of the moment; empty for tokens of very old servers.
    pub secret: String,
}

/// What a browser holds as its session cookie.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionCookie {
    /// Identifier of the session.
    pub session_id: String,
    /// Its secret.
    pub secret: String,
}

impl std::fmt::Debug for RefreshTokenValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RefreshTokenValue")
            .field("refresh_id", &self.refresh_id)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SessionCookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionCookie")
            .field("session_id", &self.session_id)
            .finish_non_exhaustive()
    }
}

/// The text is not an encoded message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an encoded message")]
pub struct InvalidOpaque;

impl Subject {
    /// The text form.
    pub fn encode(&self) -> String {
        encode_pair(&self.user_id, &self.connector_id)
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// [`InvalidOpaque`] when the text is not base64url of such a message.
    pub fn decode(text: &str) -> Result<Self, InvalidOpaque> {
        decode_pair(text).map(|(user_id, connector_id)| Self {
            user_id,
            connector_id,
        })
    }
}

impl RefreshTokenValue {
    /// The text form.
    pub fn encode(&self) -> String {
        encode_pair(&self.refresh_id, &self.secret)
    }

    /// Reads the text form. What is not an encoded message is the bare record id of a very old server, with an empty secret.
    pub fn parse(text: &str) -> Self {
        match decode_pair(text) {
            Ok((refresh_id, secret)) => Self { refresh_id, secret },
            Err(InvalidOpaque) => Self {
                refresh_id: text.to_owned(),
                secret: String::new(),
            },
        }
    }
}

impl SessionCookie {
    /// The text form.
    pub fn encode(&self) -> String {
        encode_pair(&self.session_id, &self.secret)
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// [`InvalidOpaque`] when the text is not base64url of such a message.
    pub fn decode(text: &str) -> Result<Self, InvalidOpaque> {
        decode_pair(text).map(|(session_id, secret)| Self { session_id, secret })
    }
}

/// The input of a step link's MAC: a message with one repeated string field (compat: `authflow.md` §13.1).
pub fn hmac_payload(values: &[&str]) -> Vec<u8> {
    let mut message = Vec::with_capacity(values.iter().map(|v| v.len() + 3).sum());
    for value in values {
        // Elements of a repeated field are written even when empty.
        push_field(&mut message, FIELD_1, value);
    }
    message
}

fn encode_pair(first: &str, second: &str) -> String {
    let mut message = Vec::with_capacity(first.len() + second.len() + 8);
    for (tag, text) in [(FIELD_1, first), (FIELD_2, second)] {
        if !text.is_empty() {
            push_field(&mut message, tag, text);
        }
    }
    BASE64.encode(message)
}

fn push_field(message: &mut Vec<u8>, tag: u8, text: &str) {
    message.push(tag);
    let mut len = text.len();
    loop {
        let [low, ..] = len.to_le_bytes();
        if len < 0x80 {
            message.push(low);
            break;
        }
        message.push(low | 0x80);
        len >>= 7;
    }
    message.extend_from_slice(text.as_bytes());
}

fn decode_pair(text: &str) -> Result<(String, String), InvalidOpaque> {
    if text.len() > MAX_ENCODED_LEN {
        return Err(InvalidOpaque);
    }
    let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let message = BASE64.decode(text).map_err(|_| InvalidOpaque)?;
    let (mut first, mut second) = (String::new(), String::new());
    let mut rest = message.as_slice();
    while !rest.is_empty() {
        let (tag, after_tag) = varint(rest)?;
        let (field, wire_type) = (tag >> 3, tag & 7);
        if field == 0 {
            return Err(InvalidOpaque);
        }
        rest = match wire_type {
            0 => varint(after_tag)?.1,
            1 => after_tag.get(8..).ok_or(InvalidOpaque)?,
            2 => {
                let (len, after_len) = varint(after_tag)?;
                let len = usize::try_from(len).map_err(|_| InvalidOpaque)?;
                let (bytes, after) = after_len.split_at_checked(len).ok_or(InvalidOpaque)?;
                if let 1 | 2 = field {
                    let value = String::from_utf8(bytes.to_vec()).map_err(|_| InvalidOpaque)?;
                    if field == 1 {
                        first = value;
                    } else {
                        second = value;
                    }
                }
                after
            }
            5 => after_tag.get(4..).ok_or(InvalidOpaque)?,
            _ => return Err(InvalidOpaque),
        };
    }
    Ok((first, second))
}

fn varint(bytes: &[u8]) -> Result<(u64, &[u8]), InvalidOpaque> {
    let mut value = 0_u64;
    for ((index, byte), shift) in bytes.iter().enumerate().zip((0_u32..70).step_by(7)) {
        value |= u64::from(byte & 0x7f)
            .checked_shl(shift)
            .ok_or(InvalidOpaque)?;
        if byte & 0x80 == 0 {
            return Ok((value, bytes.get(index + 1..).unwrap_or_default()));
        }
    }
    Err(InvalidOpaque)
}

const FIELD_1: u8 = 0x0a;
const FIELD_2: u8 = 0x12;

/// Far above any user id a connector gives, far below what could hurt.
const MAX_ENCODED_LEN: usize = 16 * 1024;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn subjects_match_dex_vectors() {
        let long = "a".repeat(128);
        for (user, connector, text) in [
            ("foo", "bar", "CgNmb28SA2Jhcg"),
            ("1", "test", "CgExEgR0ZXN0"),
            ("0-385-28089-0", "mock", "Cg0wLTM4NS0yODA4OS0wEgRtb2Nr"),
            ("my-app", "", "CgZteS1hcHA"),
        ] {
            let subject = Subject {
                user_id: user.into(),
                connector_id: connector.into(),
            };
            assert_eq!(subject.encode(), text);
            assert_eq!(Subject::decode(text), Ok(subject));
        }
        let encoded = Subject {
            user_id: long,
            connector_id: "c".into(),
        }
        .encode();
        assert!(
            encoded.starts_with("CoABYWFh") && encoded.ends_with("YWESAWM"),
            "{encoded}"
        );
    }

    #[test]
    fn refresh_tokens_match_dex_vectors() {
        let value = RefreshTokenValue {
            refresh_id: "test".into(),
            secret: "bar".into(),
        };
        assert_eq!(value.encode(), "CgR0ZXN0EgNiYXI");
        assert!(RefreshTokenValue::parse("CgR0ZXN0EgNiYXI") == value);
    }

    #[test]
    fn a_bare_id_is_a_refresh_token_of_an_old_server() {
        for text in ["not+base64url", "padded==", "!"] {
            let value = RefreshTokenValue::parse(text);
            assert_eq!(
                (value.refresh_id.as_str(), value.secret.as_str()),
                (text, "")
            );
        }
    }

    #[test]
    fn line_breaks_unknown_fields_and_trailing_bits_are_ignored() {
        let plain = Subject {
            user_id: "foo".into(),
            connector_id: "bar".into(),
        };
        assert_eq!(Subject::decode("CgNmb28S\r\nA2Jhcg"), Ok(plain.clone()));
        assert_eq!(Subject::decode("CgNmb28SA2Jhch"), Ok(plain.clone()));
        let extra = BASE64.encode(b"\x0a\x03foo\x12\x03bar\x1a\x01x\x20\x05");
        assert_eq!(Subject::decode(&extra), Ok(plain));
    }

    #[test]
    fn malformed_messages_are_refused() {
        for bytes in [
            &b"\x0a\x05foo"[..],
            b"\x0a",
            b"\x0a\x01\xff",
            b"\x02\x00",
            b"\x0b",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert_eq!(
                Subject::decode(&BASE64.encode(bytes)),
                Err(InvalidOpaque),
                "{bytes:x?}"
            );
        }
    }

    #[test]
    fn hmac_payload_matches_dex_vector() {
        assert_eq!(
            hex::encode(hmac_payload(&["flow-hmac-test", "step:continue"])),
            "0a0e666c6f772d686d61632d746573740a0d737465703a636f6e74696e7565"
        );
    }

    proptest! {
        #[test]
        fn subjects_round_trip(user_id in ".*", connector_id in ".*") {
            let subject = Subject { user_id, connector_id };
            prop_assert_eq!(Subject::decode(&subject.encode()), Ok(subject));
        }

        #[test]
        fn no_text_panics_a_decoder(text in ".*") {
            let _ = (Subject::decode(&text), RefreshTokenValue::parse(&text), SessionCookie::decode(&text));
        }

        #[test]
        fn no_message_panics_a_decoder(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Subject::decode(&BASE64.encode(bytes));
        }
    }
}
