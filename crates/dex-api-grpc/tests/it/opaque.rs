//! What `dex_core::opaque` writes out by hand is what `proto/internal/opaque.proto` says.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dex_core::opaque::{self, RefreshTokenValue, Subject};
use proptest::prelude::*;
use prost::Message as _;

#[expect(unreachable_pub, reason = "generated")]
mod internal {
    include!(concat!(env!("OUT_DIR"), "/internal.rs"));
}

fn bytes(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

proptest! {
    #[test]
    fn a_subject_is_an_id_token_subject(user_id in ".{0,200}", connector_id in ".{0,20}") {
        let text = Subject { user_id: user_id.clone(), connector_id: connector_id.clone() }.encode();
        let message = internal::IdTokenSubject { user_id, conn_id: connector_id };
        prop_assert_eq!(bytes(&text), message.encode_to_vec());
    }

    #[test]
    fn a_refresh_token_value_is_a_refresh_token(refresh_id in ".{1,40}", secret in ".{0,40}") {
        let text = RefreshTokenValue { refresh_id: refresh_id.clone(), secret: secret.clone() }.encode();
        let message = internal::RefreshToken { refresh_id, token: secret };
        prop_assert_eq!(bytes(&text), message.encode_to_vec());
    }

    #[test]
    fn a_session_cookie_is_a_session_cookie(session_id in ".{1,40}", secret in ".{0,40}") {
        let text = opaque::SessionCookie { session_id: session_id.clone(), secret: secret.clone() }.encode();
        let message = internal::SessionCookie { session_id, secret };
        prop_assert_eq!(bytes(&text), message.encode_to_vec());
    }

    #[test]
    fn a_step_links_input_is_an_hmac_payload(values in prop::collection::vec(".{0,200}", 0..5)) {
        let borrowed: Vec<&str> = values.iter().map(String::as_str).collect();
        let bytes = opaque::hmac_payload(&borrowed);
        prop_assert_eq!(bytes, internal::HmacPayload { values }.encode_to_vec());
    }
}
