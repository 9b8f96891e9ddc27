//! Stored rows: any combination of values is a record or a named fault, and what is a record survives a round trip.
#![no_main]

use dex_core::Timestamp;
use dex_core::records::{
    AuthCode, AuthRequest, AuthSession, Client, Connector, DeviceRequest, DeviceToken, Entity,
    NextSigningKey, OfflineSession, Password, Record, RefreshToken, Row, SealingKeys, SigningKeys,
    UserIdentity, Value,
};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
enum Stored {
    Null,
    Text(String),
    Bytes(Vec<u8>),
    Time(i64, u32),
    Bool(bool),
    Int(i64),
}

fuzz_target!(|input: (u8, Vec<Stored>)| {
    let (entity, stored) = input;
    let entity = Entity::ALL[usize::from(entity) % Entity::ALL.len()];
    let values = stored
        .into_iter()
        .map(|value| match value {
            Stored::Null => Value::Null,
            Stored::Text(text) => Value::Text(text),
            Stored::Bytes(bytes) => Value::Bytes(bytes),
            Stored::Time(secs, nanos) => {
                Timestamp::from_unix(secs, nanos).map_or(Value::Null, Value::Time)
            }
            Stored::Bool(flag) => Value::Bool(flag),
            Stored::Int(number) => Value::Int(number),
        })
        .collect();
    let row = Row { entity, values };
    let _ = row.key();
    let _ = row.is_expired(Timestamp::default());
    match entity {
        Entity::Client => check::<Client>(row),
        Entity::AuthRequest => check::<AuthRequest>(row),
        Entity::AuthCode => check::<AuthCode>(row),
        Entity::RefreshToken => check::<RefreshToken>(row),
        Entity::OfflineSession => check::<OfflineSession>(row),
        Entity::Password => check::<Password>(row),
        Entity::Connector => check::<Connector>(row),
        Entity::DeviceRequest => check::<DeviceRequest>(row),
        Entity::DeviceToken => check::<DeviceToken>(row),
        Entity::SigningKeys => check::<SigningKeys>(row),
        Entity::UserIdentity => check::<UserIdentity>(row),
        Entity::AuthSession => check::<AuthSession>(row),
        Entity::NextSigningKey => check::<NextSigningKey>(row),
        Entity::SealingKeys => check::<SealingKeys>(row),
        other => unreachable!("{other:?} has no line here"),
    }
});

fn check<R: Record>(row: Row) {
    if let Ok(record) = R::from_row(row) {
        let again = R::from_row(record.to_row());
        assert!(again.is_ok_and(|again| again == record));
    }
}
