//! Client credentials in an `Authorization: Basic` header (RFC 6749 §2.3.1; compat: `tokens.md` §2.2).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What a client presents as its identity.
#[derive(Clone, PartialEq, Eq, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "RFC 6749 §2.3.1 names exactly these two"
)]
pub struct ClientCredentials {
    /// The `client_id`; empty if none was sent.
    pub id: String,
    /// The `client_secret`; empty if none was sent.
    pub secret: String,
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A well-formed Basic header whose parts are not form-encoded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a header has exactly these two parts"
)]
pub enum InvalidBasicAuth {
    /// The part before the colon.
    #[error("client_id improperly encoded")]
    ClientId,
    /// The part behind it.
    #[error("client_secret improperly encoded")]
    ClientSecret,
}

/// Reads the value of an `Authorization` header.
///
/// `None` when it is not Basic, not base64, or has no colon: the form's parameters count then, as if there were no header.
///
/// # Errors
/// [`InvalidBasicAuth`] when a part is not form-encoded UTF-8; the client id is judged first.
pub fn parse(header: &[u8]) -> Result<Option<ClientCredentials>, InvalidBasicAuth> {
    let Some((scheme, encoded)) = header.split_at_checked(SCHEME.len()) else {
        return Ok(None);
    };
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Ok(None);
    }
    let Ok(pair) = STANDARD.decode(encoded) else {
        return Ok(None);
    };
    let Some(colon) = pair.iter().position(|byte| *byte == b':') else {
        return Ok(None);
    };
    let (id, secret) = pair.split_at(colon);
    Ok(Some(ClientCredentials {
        id: form_decode(id).ok_or(InvalidBasicAuth::ClientId)?,
        secret: form_decode(secret.get(1..).unwrap_or_default())
            .ok_or(InvalidBasicAuth::ClientSecret)?,
    }))
}

/// `+` is a space, `%XX` a byte; `None` for a broken escape or what is not UTF-8.
fn form_decode(text: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || {
                    let digit = char::from(*rest.next()?).to_digit(16)?;
                    u8::try_from(digit).ok()
                };
                digit()? * 16 + digit()?
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).ok()
}

const SCHEME: &[u8] = b"Basic ";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    fn credentials(id: &str, secret: &str) -> ClientCredentials {
        ClientCredentials {
            id: id.into(),
            secret: secret.into(),
        }
    }

    #[test]
    fn both_parts_are_form_decoded() {
        for (pair, id, secret) in [
            ("app:s3cret", "app", "s3cret"),
            ("app:a+b", "app", "a b"),
            ("app:a%2Bb", "app", "a+b"),
            ("a%3ab:c:d", "a:b", "c:d"),
            ("app:", "app", ""),
            (":", "", ""),
            ("app:%c3%A4", "app", "ä"),
        ] {
            assert_eq!(
                parse(header(pair).as_bytes()),
                Ok(Some(credentials(id, secret))),
                "{pair}"
            );
        }
        let lower = header("a:b").replace("Basic", "bAsIC");
        assert_eq!(parse(lower.as_bytes()), Ok(Some(credentials("a", "b"))));
    }

    #[test]
    fn what_is_not_basic_leaves_the_form_in_charge() {
        for value in [
            "",
            "Basic",
            "Basic  YTpi",
            "Bearer YTpi",
            "Basic YTp",
            "Basic YTpi=",
            "Basic YWI=",
            "Basic !!!!",
            "Basic YTpi\n",
        ] {
            assert_eq!(parse(value.as_bytes()), Ok(None), "{value:?}");
        }
    }

    #[test]
    fn broken_escapes_are_named_the_id_first() {
        for (pair, error) in [
            ("%zz:x", InvalidBasicAuth::ClientId),
            ("%:%", InvalidBasicAuth::ClientId),
            ("a:%4", InvalidBasicAuth::ClientSecret),
            ("%ff:x", InvalidBasicAuth::ClientId),
        ] {
            assert_eq!(parse(header(pair).as_bytes()), Err(error), "{pair}");
        }
    }

    proptest! {
        #[test]
        fn encoded_credentials_are_read_back(id in ".*", secret in ".*") {
            let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let value = header(&format!("{}:{}", encode(&id), encode(&secret)));
            prop_assert_eq!(parse(value.as_bytes()), Ok(Some(credentials(&id, &secret))));
        }

        #[test]
        fn no_bytes_panic_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = parse(&bytes);
            let mut header = b"Basic ".to_vec();
            header.extend(STANDARD.encode(&bytes).into_bytes());
            let _ = parse(&header);
        }
    }
}
