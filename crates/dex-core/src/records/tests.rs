use proptest::prelude::*;

use super::*;
use crate::Timestamp;

fn assert_described<R: Record + Default>() {
    let row = R::default().to_row();
    assert_eq!(
        row.values.len(),
        R::description().columns.len(),
        "{}",
        R::description().table
    );
    assert_eq!(R::from_row(row).unwrap(), R::default());
}

#[test]
fn every_record_has_one_value_per_column() {
    assert_described::<Client>();
    assert_described::<AuthRequest>();
    assert_described::<AuthCode>();
    assert_described::<RefreshToken>();
    assert_described::<OfflineSession>();
    assert_described::<Password>();
    assert_described::<Connector>();
    assert_described::<DeviceRequest>();
    assert_described::<DeviceToken>();
    assert_described::<SigningKeys>();
    assert_described::<UserIdentity>();
    assert_described::<AuthSession>();
    assert_described::<NextSigningKey>();
    assert_described::<SealingKeys>();
}

#[test]
fn key_columns_are_text_and_come_first() {
    for entity in Entity::ALL {
        let description = entity.description();
        assert!(
            description
                .columns
                .iter()
                .take(description.key_len)
                .all(|c| c.kind == Kind::Text)
        );
        for name in description.expires {
            assert!(
                description
                    .columns
                    .iter()
                    .any(|c| c.name == *name && c.kind == Kind::Time)
            );
        }
    }
}

#[test]
fn a_password_is_found_in_any_letter_case() {
    assert_eq!(
        Password::record_key("Foo@Example.COM"),
        Password::record_key("foo@example.com")
    );
    let password = Password {
        email: "Foo@Example.COM".into(),
        ..Default::default()
    };
    assert_eq!(password.key(), Password::record_key("foo@example.com"));
    assert_eq!(password.to_row().key(), password.key());
}

#[test]
fn letters_are_folded_one_by_one() {
    assert_eq!(fold("ΟΔΟΣ İ ẞ"), "οδοσ i ß");
}

#[test]
fn a_refresh_reference_has_dex_member_names() {
    let reference = RefreshTokenRef {
        id: "r1".into(),
        client_id: "c".into(),
        ..Default::default()
    };
    assert_eq!(
        serde_json::to_string(&reference).unwrap(),
        r#"{"ID":"r1","ClientID":"c","CreatedAt":"0001-01-01T00:00:00Z","LastUsed":"0001-01-01T00:00:00Z","SessionID":""}"#
    );
}

#[test]
fn null_empty_and_missing_lists_read_as_empty() {
    for value in [
        Value::Null,
        Value::Bytes(vec![]),
        Value::Bytes(b"null".to_vec()),
        Value::Text("[]".into()),
    ] {
        assert_eq!(Vec::<String>::from_value(value), Ok(vec![]));
    }
    assert_eq!(
        Option::<Vec<String>>::from_value(Value::Bytes(b"[]".to_vec())),
        Ok(Some(vec![]))
    );
    assert_eq!(
        Option::<Vec<String>>::from_value(Value::Bytes(b"null".to_vec())),
        Ok(None)
    );
}

#[test]
fn malformed_json_is_an_error_that_names_the_column() {
    let mut row = Client::default().to_row();
    row.values[2] = Value::Bytes(b"{".to_vec());
    let error = Client::from_row(row).unwrap_err();
    assert_eq!((error.table, error.column), ("client", "redirect_uris"));
}

#[test]
fn numbers_of_many_digits_survive_being_stored_twice() {
    let mut row = NextSigningKey::default().to_row();
    row.values[1] =
        Value::Bytes(b"{\"n\": 1111111575757575757111111111111111111111111111.11e11}".to_vec());
    let once = NextSigningKey::from_row(row).unwrap();
    assert_eq!(NextSigningKey::from_row(once.to_row()).unwrap(), once);
}

#[test]
fn debug_shows_no_secret() {
    let client = Client {
        id: "a".into(),
        secret: "hunter2".into(),
        ..Default::default()
    };
    assert!(!format!("{client:?} {:?}", client.to_row()).contains("hunter2"));
}

proptest! {
    #[test]
    fn refresh_tokens_round_trip(id in ".*", scopes in prop::collection::vec(".*", 0..4), groups in prop::collection::vec(".*", 0..4),
                                 data in prop::collection::vec(any::<u8>(), 0..20), secs in 0_i64..4_000_000_000) {
        let record = RefreshToken {
            id, scopes,
            claims: Claims { groups, email_verified: true, ..Default::default() },
            connector_data: data.into(),
            last_used: Timestamp::from_unix(secs, 5).unwrap(),
            ..Default::default()
        };
        prop_assert_eq!(RefreshToken::from_row(record.to_row()).unwrap(), record);
    }

    #[test]
    fn no_stored_bytes_panic_a_reader(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        for entity in Entity::ALL {
            let values = vec![Value::Bytes(bytes.clone()); entity.description().columns.len()];
            let row = Row { entity, values };
            let _ = (Client::from_row(row.clone()), AuthSession::from_row(row.clone()), SigningKeys::from_row(row));
        }
    }
}
