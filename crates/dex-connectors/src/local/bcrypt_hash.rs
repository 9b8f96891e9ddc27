//! bcrypt hashes as Dex's library reads them.
//!
//! The text is `$2a$10$` + 22 characters of salt + 31 of hash. Any major byte up to `2` and any minor byte pass and are computed
//! alike; only the first 72 bytes of a password count; a NUL in it is a character like any other.

use base64::Engine;
use base64::alphabet::BCRYPT;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A parsed bcrypt hash. Its cost is at least 4 and at most 31.
#[derive(Clone)]
pub struct BcryptHash {
    cost: u32,
    /// Undecodable salts are found when a password is compared, as in Dex: then nothing matches.
    salt: Option<[u8; 16]>,
    /// 31 characters, or fewer if the text was cut off: then nothing matches.
    encoded: Vec<u8>,
}

/// Why a text is not a bcrypt hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidHash {
    /// Fewer than 59 bytes.
    #[error("the hash is too short to be a bcrypt hash")]
    TooShort,
    /// Does not begin with `$`, or a field is not closed by one.
    #[error("the hash does not have the form $2a$10$...")]
    Form,
    /// A version newer than 2.
    #[error("the hash has an unknown bcrypt version")]
    Version,
    /// Not two digits, or not in 4 to 31.
    #[error("the hash has a cost outside 4 to 31")]
    Cost,
}

impl BcryptHash {
    /// Reads the text form.
    ///
    /// # Errors
    /// As the variants of [`InvalidHash`] say.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidHash> {
        if text.len() < MIN_LEN {
            return Err(InvalidHash::TooShort);
        }
        let [b'$', major, rest @ ..] = text else {
            return Err(InvalidHash::Form);
        };
        if *major > b'2' {
            return Err(InvalidHash::Version);
        }
        let ([b'$', rest @ ..] | [_, b'$', rest @ ..]) = rest else {
            return Err(InvalidHash::Form);
        };
        let [tens @ b'0'..=b'9', units @ b'0'..=b'9', b'$', rest @ ..] = rest else {
            return Err(InvalidHash::Cost);
        };
        let cost = u32::from(tens - b'0') * 10 + u32::from(units - b'0');
        if !(4..=31).contains(&cost) {
            return Err(InvalidHash::Cost);
        }
        let (salt, encoded) = rest.split_at_checked(SALT_CHARS).unwrap_or((rest, &[]));
        Ok(Self {
            cost,
            salt: ALPHABET
                .decode(salt)
                .ok()
                .and_then(|bytes| bytes.try_into().ok()),
            encoded: encoded.iter().take(HASH_CHARS).copied().collect(),
        })
    }

    /// A hash that nothing matches and that costs as much to compare as a real one of this cost.
    pub(super) fn decoy(cost: u32) -> Self {
        Self {
            cost,
            salt: Some(*b"nobody's salt..."),
            encoded: Vec::new(),
        }
    }

    /// The binary logarithm of the work.
    pub fn cost(&self) -> u32 {
        self.cost
    }

    /// Whether this is the hash of `password`. Takes 2^cost rounds of work whatever the answer.
    pub fn matches(&self, password: &[u8]) -> bool {
        let mut key = Zeroizing::new(Vec::with_capacity(MAX_KEY));
        key.extend(password.iter().take(MAX_KEY));
        if key.len() < MAX_KEY {
            key.push(0);
        }
        let computed = bcrypt::bcrypt(self.cost, self.salt.unwrap_or_default(), &key);
        let encoded = ALPHABET.encode(computed.get(..HASH_BYTES).unwrap_or_default());
        let equal: bool = encoded.as_bytes().ct_eq(&self.encoded).into();
        equal && self.salt.is_some()
    }
}

impl std::fmt::Debug for BcryptHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BcryptHash")
            .field("cost", &self.cost)
            .finish_non_exhaustive()
    }
}

/// The shortest text Dex's library looks at: without a minor version.
const MIN_LEN: usize = 59;
const SALT_CHARS: usize = 22;
const HASH_CHARS: usize = 31;
const HASH_BYTES: usize = 23;
/// Blowfish's key schedule takes 18 words.
const MAX_KEY: usize = 72;

/// Go's decoder ignores stray low bits of the last character, so we do.
const ALPHABET: GeneralPurpose = GeneralPurpose::new(
    &BCRYPT,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_of(password: &[u8]) -> String {
        let mut key = password.to_vec();
        key.truncate(MAX_KEY);
        if key.len() < MAX_KEY {
            key.push(0);
        }
        let salt = *b"0123456789abcdef";
        let computed = bcrypt::bcrypt(4, salt, &key);
        format!(
            "$2a$04${}{}",
            ALPHABET.encode(salt),
            ALPHABET.encode(&computed[..HASH_BYTES])
        )
    }

    #[test]
    fn published_vectors_match() {
        // Test vectors of the original C implementation.
        for (password, hash) in [
            (
                "U*U",
                "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            ),
            (
                "U*U*",
                "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK",
            ),
            (
                "",
                "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy",
            ),
        ] {
            let parsed = BcryptHash::parse(hash.as_bytes()).unwrap();
            assert!(parsed.matches(password.as_bytes()), "{password}");
            assert!(!parsed.matches(b"something else"));
        }
    }

    #[test]
    fn every_version_byte_is_computed_alike() {
        let hash = hash_of(b"secret");
        for version in ["$2$", "$2b$", "$2x$", "$2y$", "$2?$", "$0a$"] {
            let text = hash.replacen("$2a$", version, 1);
            assert!(
                BcryptHash::parse(text.as_bytes())
                    .unwrap()
                    .matches(b"secret"),
                "{version}"
            );
        }
    }

    #[test]
    fn only_72_bytes_count_and_nul_is_a_character() {
        let long = [b'x'; 72];
        let hash = BcryptHash::parse(hash_of(&long).as_bytes()).unwrap();
        assert!(hash.matches(&long));
        assert!(hash.matches(&[b'x'; 100]));
        assert!(!hash.matches(&[b'x'; 71]));
        let hash = BcryptHash::parse(hash_of(b"a\0b").as_bytes()).unwrap();
        assert!(hash.matches(b"a\0b"));
        assert!(!hash.matches(b"a"));
        assert!(!hash.matches(b"a\0c"));
    }

    #[test]
    fn malformed_hashes_are_named() {
        let good = hash_of(b"secret");
        for (text, expected) in [
            ("", InvalidHash::TooShort),
            (&good[..58], InvalidHash::TooShort),
            (&good.replacen('$', "?", 1), InvalidHash::Form),
            (&good.replacen("$2a", "$2ab", 1), InvalidHash::Form),
            (&good.replacen("$2a", "$3a", 1), InvalidHash::Version),
            (&good.replacen("$04", "$03", 1), InvalidHash::Cost),
            (&good.replacen("$04", "$32", 1), InvalidHash::Cost),
            (&good.replacen("$04", "$x4", 1), InvalidHash::Cost),
        ] {
            assert_eq!(
                BcryptHash::parse(text.as_bytes()).unwrap_err(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn a_cut_off_or_unreadable_hash_matches_nothing() {
        let good = hash_of(b"secret");
        let cut = &good[..59];
        assert!(
            !BcryptHash::parse(cut.as_bytes())
                .unwrap()
                .matches(b"secret")
        );
        let bad_salt = format!("{}!{}", &good[..7], &good[8..]);
        assert!(
            !BcryptHash::parse(bad_salt.as_bytes())
                .unwrap()
                .matches(b"secret")
        );
        assert!(!BcryptHash::decoy(4).matches(b""));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            let _ = BcryptHash::parse(&text);
        }

        #[test]
        fn no_almost_hash_makes_the_parser_panic(text in "\\$[0-9][ab]?\\$[0-9]{2}\\$[./A-Za-z0-9é]{50,60}") {
            let _ = BcryptHash::parse(text.as_bytes());
        }
    }
}
