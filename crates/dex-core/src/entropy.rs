//! Randomness, handed in, and the identifiers made of it (compat: `storage.NewID` and friends).
//!
//! All identifiers share one alphabet: a letter `a`–`z`, then base32 with `abcdefghijklmnopqrstuvwxyz234567`. The shape matters
//! to the Kubernetes backend, where identifiers are object names.

use std::sync::Mutex;

use ring::rand::{SecureRandom, SystemRandom};

/// A source of unpredictable bytes.
pub trait Entropy: std::fmt::Debug + Send + Sync + 'static {
    /// Fills `buffer` with random bytes.
    fn fill(&self, buffer: &mut [u8]);
}

/// The operating system's generator.
#[derive(Debug, Clone)]
pub struct SystemEntropy(SystemRandom);

impl SystemEntropy {
    /// A handle to the operating system's generator.
    pub fn new() -> Self {
        Self(SystemRandom::new())
    }
}

impl Default for SystemEntropy {
    fn default() -> Self {
        Self::new()
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        self.0
            .fill(buffer)
            .expect("the operating system's generator does not fail once it has been seeded");
    }
}

/// A deterministic generator for tests: the same seed gives the same bytes. Never use it to issue anything.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<u64>);

impl SeededEntropy {
    /// A generator that starts at `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        let mut state = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for byte in buffer {
            // SplitMix64: one multiplication chain per byte is plenty for tests.
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = *state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (z ^ (z >> 31)).to_le_bytes()[0];
        }
    }
}

/// A 25-character identifier of 124 bits: `^[a-z][a-z2-7]{24}$`. For names of things, not for secrets.
pub fn new_id(entropy: &dyn Entropy) -> String {
    identifier::<16>(entropy)
}

/// A 33-character secret of 164 bits in the alphabet of identifiers: authorization codes and refresh token secrets.
///
/// Dex draws 124 bits for these; RFC 6749 §10.10 asks for at least 128 and recommends 160.
pub fn new_token(entropy: &dyn Entropy) -> String {
    identifier::<21>(entropy)
}

/// Whether `text` has the shape of a secret that this provider or Dex has drawn: [`new_token`] or [`new_id`].
pub fn is_token(text: &str) -> bool {
    matches!(text.len(), 25 | 33)
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'))
}

/// A 51-character device code (RFC 8628 §3.2).
pub fn new_device_code(entropy: &dyn Entropy) -> String {
    identifier::<32>(entropy)
}

/// The key of an authorization request's step links: the 51 ASCII characters are the key bytes, as Dex stores them.
pub fn new_hmac_key(entropy: &dyn Entropy) -> Vec<u8> {
    identifier::<32>(entropy).into_bytes()
}

/// A random UUID version 4 (RFC 9562 §5.4), the form of `jti` and of request ids.
pub fn new_uuid(entropy: &dyn Entropy) -> String {
    let mut bytes = [0_u8; 16];
    entropy.fill(&mut bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut text = hex::encode(bytes);
    for dash in [20, 16, 12, 8] {
        text.insert(dash, '-');
    }
    text
}

fn identifier<const N: usize>(entropy: &dyn Entropy) -> String {
    let mut bytes = [0_u8; N];
    entropy.fill(&mut bytes);
    identifier_of(&bytes)
}

/// First byte to a letter, the others to base32 without padding.
pub(crate) fn identifier_of(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut text = String::with_capacity(1 + bytes.len() * 8 / 5 + 1);
    let [first, rest @ ..] = bytes else {
        return text;
    };
    text.push(char::from(b'a' + first % 26));
    let (mut pending, mut bits) = (0_u32, 0_u32);
    let letter =
        |index: u32| char::from(ALPHABET.get((index & 31) as usize).copied().unwrap_or(b'a'));
    for byte in rest {
        pending = (pending << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(letter(pending >> bits));
        }
    }
    if bits > 0 {
        text.push(letter(pending << (5 - bits)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_dex_shape() {
        let entropy = SystemEntropy::new();
        for (text, len) in [
            (new_id(&entropy), 25),
            (new_token(&entropy), 33),
            (new_device_code(&entropy), 51),
            (String::from_utf8(new_hmac_key(&entropy)).unwrap(), 51),
        ] {
            assert_eq!(text.len(), len, "{text}");
            assert!(text.starts_with(|c: char| c.is_ascii_lowercase()));
            assert!(text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7')));
        }
    }

    #[test]
    fn tokens_are_known_by_their_shape() {
        let entropy = SystemEntropy::new();
        assert!(is_token(&new_token(&entropy)));
        assert!(is_token(&new_id(&entropy)));
        for other in [
            "",
            "a",
            "2bcdefghijklmnopqrstuvwxy",
            "Abcdefghijklmnopqrstuvwxy",
            "abcdefghijklmnopqrstuvwx1",
            "abcdefghijklmnopqrstuvwxyz",
            &new_device_code(&entropy),
        ] {
            assert!(!is_token(other), "{other}");
        }
    }

    #[test]
    fn uuid_is_version_4() {
        let uuid = new_uuid(&SystemEntropy::new());
        assert_eq!(uuid.len(), 36);
        assert_eq!(&uuid[14..15], "4");
        assert!(matches!(&uuid[19..20], "8" | "9" | "a" | "b"));
    }

    #[test]
    fn base32_matches_known_text() {
        #[derive(Debug)]
        struct Fixed;
        impl Entropy for Fixed {
            fn fill(&self, buffer: &mut [u8]) {
                let text = b"\x00foobarfoobarfoo";
                buffer.copy_from_slice(&text[..buffer.len()]);
            }
        }
        // base32("foobarfoobarfoo") = MZXW6YTBOJTG633CMFZGM33P
        assert_eq!(new_id(&Fixed), "amzxw6ytbojtg633cmfzgm33p");
    }
}
