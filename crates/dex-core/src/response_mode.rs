//! Response modes: how parameters travel back to the client (OAuth 2.0 Multiple Response Type Encoding Practices §2.1).

use crate::response_type::ResponseTypes;

/// How an authorization response is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResponseMode {
    /// In the query of the redirect URI.
    Query,
    /// In its fragment.
    Fragment,
}

impl ResponseMode {
    /// The mode of a request that does not choose: the fragment as soon as a token is among the parameters.
    pub fn default_for(types: &ResponseTypes) -> Self {
        if types.is_implicit() {
            Self::Fragment
        } else {
            Self::Query
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_travel_in_the_fragment() {
        for (types, mode) in [
            ("code", ResponseMode::Query),
            ("id_token", ResponseMode::Fragment),
            ("code token", ResponseMode::Fragment),
        ] {
            assert_eq!(
                ResponseMode::default_for(&ResponseTypes::parse(types)),
                mode
            );
        }
    }
}
