//! The client side of OAuth 2.0 (RFC 6749) that redirect connectors share.

mod client;
mod token_response;

pub use client::{AuthStyle, OAuth2Client};
pub use token_response::TokenResponse;

use url::Url;
use url::form_urlencoded;

/// The authorization endpoint with `parameters` added: sorted by name, form-encoded, after the query it may already have.
pub fn authorization_url(endpoint: &Url, parameters: &[(&str, &str)]) -> Url {
    let mut parameters = parameters.to_vec();
    parameters.sort_by_key(|(name, _)| *name);
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    let added = query.finish();
    let mut url = endpoint.clone();
    let query = match url.query().filter(|query| !query.is_empty()) {
        Some(existing) => format!("{existing}&{added}"),
        None => added,
    };
    url.set_query(Some(&query));
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_sorted_and_form_encoded() {
        for (endpoint, expected) in [
            (
                "https://op.example/auth",
                "https://op.example/auth?client_id=a+b&scope=openid+profile&state=%26",
            ),
            (
                "https://op.example/auth?tenant=z",
                "https://op.example/auth?tenant=z&client_id=a+b&scope=openid+profile&state=%26",
            ),
        ] {
            let url = authorization_url(
                &endpoint.parse().unwrap(),
                &[
                    ("state", "&"),
                    ("client_id", "a b"),
                    ("scope", "openid profile"),
                ],
            );
            assert_eq!(url.as_str(), expected);
        }
    }
}
