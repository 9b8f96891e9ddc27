//! Response types (RFC 6749 §3.1.1, OAuth 2.0 Multiple Response Type Encoding Practices; compat: `authflow.md` §9).

use std::fmt;

/// One word of a `response_type`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ResponseType {
    /// `code`
    Code,
    /// `id_token`
    IdToken,
    /// `token`
    Token,
    /// Anything else.
    Other(Box<str>),
}

impl ResponseType {
    /// Reads one word.
    pub fn parse(word: &str) -> Self {
        match word {
            "code" => Self::Code,
            "id_token" => Self::IdToken,
            "token" => Self::Token,
            other => Self::Other(other.into()),
        }
    }
}

/// The word as sent.
impl fmt::Display for ResponseType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Code => "code",
            Self::IdToken => "id_token",
            Self::Token => "token",
            Self::Other(word) => word,
        })
    }
}

/// The words of one request, in order; any order and repetition means the same set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResponseTypes(Vec<ResponseType>);

impl ResponseTypes {
    /// Reads a `response_type` parameter.
    pub fn parse(text: &str) -> Self {
        Self(text.split_whitespace().map(ResponseType::parse).collect())
    }

    /// Reads the words of a stored request.
    pub fn from_words(words: &[String]) -> Self {
        Self(words.iter().map(|word| ResponseType::parse(word)).collect())
    }

    /// The words, in order.
    pub fn iter(&self) -> impl Iterator<Item = &ResponseType> {
        self.0.iter()
    }

    /// Whether a word is among them.
    pub fn has(&self, word: &ResponseType) -> bool {
        self.0.contains(word)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether tokens come straight from the authorization endpoint.
    pub fn is_implicit(&self) -> bool {
        self.has(&ResponseType::Token) || self.has(&ResponseType::IdToken)
    }

    /// The words as stored.
    pub fn to_words(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_at_any_blank() {
        let types = ResponseTypes::parse("  code   id_token ");
        assert_eq!(types.to_words(), ["code", "id_token"]);
        assert!(types.has(&ResponseType::Code) && types.is_implicit());
        assert!(!ResponseTypes::parse("code code").is_implicit());
        assert!(ResponseTypes::parse(" ").is_empty());
    }
}
