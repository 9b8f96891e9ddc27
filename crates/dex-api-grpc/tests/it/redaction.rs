//! No secret of a message reaches its `Debug` text.

use dex_api_grpc::v2;

#[test]
fn debug_texts_hold_no_secret() {
    let texts = [
        format!(
            "{:?}",
            v2::CreateClientReq {
                client: Some(v2::Client {
                    secret: "hush".into(),
                    ..Default::default()
                })
            }
        ),
        format!(
            "{:?}",
            v2::CreatePasswordReq {
                password: Some(v2::Password {
                    hash: b"hush".to_vec(),
                    ..Default::default()
                })
            }
        ),
        format!(
            "{:?}",
            v2::UpdatePasswordReq {
                new_hash: b"hush".to_vec(),
                ..Default::default()
            }
        ),
        format!(
            "{:?}",
            v2::VerifyPasswordReq {
                password: "hush".into(),
                ..Default::default()
            }
        ),
        format!(
            "{:?}",
            v2::Connector {
                config: b"hush".to_vec(),
                ..Default::default()
            }
        ),
        format!(
            "{:?}",
            v2::UpdateConnectorReq {
                new_config: b"hush".to_vec(),
                ..Default::default()
            }
        ),
    ];
    for text in texts {
        assert!(text.contains(".."), "{text}");
        // Bytes would be printed as numbers.
        assert!(!text.contains("hush") && !text.contains("104"), "{text}");
    }
}
