//! Reading and writing rows on one connection (compat: `storage.md` §7.4, §7.5).

use dex_core::Timestamp;
use dex_core::records::{Entity, Kind, RecordKey, Row, Value};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OptionalExtension, ToSql, params_from_iter};

use super::failure::{Failure, is_duplicate};
use super::{statements, time_text};
use crate::{StorageError, Write};

/// One record by its key.
pub(super) fn find(connection: &Connection, key: &RecordKey) -> rusqlite::Result<Option<Row>> {
    let mut statement = connection.prepare_cached(&statements::of(key.entity).select)?;
    statement
        .query_row(params_from_iter(&key.parts), |row| read(key.entity, row))
        .optional()
}

/// All records of an entity.
pub(super) fn list(connection: &Connection, entity: Entity) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(&statements::of(entity).list)?;
    let rows = statement.query_map([], |row| read(entity, row))?;
    rows.collect()
}

/// One change, inside a transaction.
pub(super) fn write(connection: &Connection, write: &Write) -> Result<(), Failure> {
    match write {
        Write::Create(row) => {
            let statement = connection.prepare_cached(&statements::of(row.entity).insert)?;
            match put(statement, row) {
                Err(error) if is_duplicate(&error) => {
                    Err(Failure::Refused(StorageError::AlreadyExists))
                }
                outcome => Ok(outcome?),
            }
        }
        Write::Put(row) => {
            let statement = connection.prepare_cached(&statements::of(row.entity).upsert)?;
            Ok(put(statement, row)?)
        }
        Write::Delete(key) => {
            let mut statement = connection.prepare_cached(&statements::of(key.entity).delete)?;
            if statement.execute(params_from_iter(&key.parts))? == 0 {
                return Err(Failure::Refused(StorageError::NotFound));
            }
            Ok(())
        }
    }
}

fn put(mut statement: CachedStatement<'_>, row: &Row) -> rusqlite::Result<()> {
    // The key is bound as callers will look for it: addresses are stored in lower case.
    let key = row.key().parts;
    for (index, part) in key.iter().enumerate() {
        statement.raw_bind_parameter(index + 1, part)?;
    }
    let description = row.entity.description();
    for (index, (column, value)) in description
        .columns
        .iter()
        .zip(&row.values)
        .enumerate()
        .skip(key.len())
    {
        let shape = shape(row.entity, column.name);
        statement.raw_bind_parameter(index + 1, Stored { value, shape })?;
    }
    statement.raw_execute().map(|_| ())
}

/// How bytes go into a column.
#[derive(Clone, Copy)]
enum Shape {
    /// As a BLOB, nothing as `NULL`.
    Blob,
    /// As a BLOB, nothing as an empty one: the column is `NOT NULL`.
    NeverNull,
    /// As TEXT: Dex reads the column as a string and fails on `NULL`.
    Text,
}

fn shape(entity: Entity, column: &str) -> Shape {
    match (entity, column) {
        (Entity::DeviceToken, "token") => Shape::Text,
        (Entity::Password, "hash") => Shape::NeverNull,
        _ => Shape::Blob,
    }
}

/// A value in the storage class that Dex expects to find.
struct Stored<'a> {
    value: &'a Value,
    shape: Shape,
}

impl ToSql for Stored<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match (self.value, self.shape) {
            (Value::Null, Shape::Blob) => ToSqlOutput::Borrowed(ValueRef::Null),
            (Value::Null, Shape::NeverNull) => ToSqlOutput::Borrowed(ValueRef::Blob(&[])),
            (Value::Null, Shape::Text) => ToSqlOutput::Borrowed(ValueRef::Text(&[])),
            (Value::Text(text), _) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            (Value::Bytes(bytes), Shape::Text) if str::from_utf8(bytes).is_ok() => {
                ToSqlOutput::Borrowed(ValueRef::Text(bytes))
            }
            (Value::Bytes(bytes), _) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            (Value::Time(at), _) => time_text::encode(*at).into(),
            (Value::Bool(flag), _) => i64::from(*flag).into(),
            (Value::Int(number), _) => (*number).into(),
        })
    }
}

fn read(entity: Entity, row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let columns = &entity.description().columns;
    let mut values = Vec::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        values.push(read_value(column.kind, row.get_ref(index)?));
    }
    Ok(Row { entity, values })
}

/// The value in a column of `kind`, whatever its storage class: SQLite keeps what was written. What does not fit stays as it is
/// and fails when the record is decoded.
fn read_value(kind: Kind, stored: ValueRef<'_>) -> Value {
    match (kind, stored) {
        (Kind::Time, ValueRef::Text(bytes) | ValueRef::Blob(bytes)) => {
            Value::Time(str::from_utf8(bytes).map_or(Timestamp::ZERO, time_text::decode))
        }
        (Kind::Time, ValueRef::Integer(number)) => Value::Time(time_text::from_integer(number)),
        (Kind::Bool, ValueRef::Integer(number)) => Value::Bool(number != 0),
        (Kind::Text, ValueRef::Integer(number)) => Value::Text(number.to_string()),
        (_, ValueRef::Null | ValueRef::Real(_)) => Value::Null,
        (_, ValueRef::Integer(number)) => Value::Int(number),
        (_, ValueRef::Blob(bytes)) => Value::Bytes(bytes.to_vec()),
        (_, ValueRef::Text(bytes)) => match String::from_utf8(bytes.to_vec()) {
            Ok(text) => Value::Text(text),
            Err(not_utf8) => Value::Bytes(not_utf8.into_bytes()),
        },
    }
}

/// Row ids of at most `limit` records that expired before the time text `now`.
pub(super) fn find_expired(
    connection: &Connection,
    entity: Entity,
    now: &str,
    limit: usize,
) -> rusqlite::Result<Vec<i64>> {
    let Some(expiry) = &statements::of(entity).expiry else {
        return Ok(Vec::new());
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(&expiry.find)?;
    let ids = statement.query_map((now, limit), |row| row.get(0))?;
    ids.collect()
}

/// Deletes those of the rows that (still) expired before `now`; returns how many.
pub(super) fn delete_expired(
    connection: &Connection,
    entity: Entity,
    now: &str,
    ids: &[i64],
) -> rusqlite::Result<usize> {
    let Some(expiry) = &statements::of(entity).expiry else {
        return Ok(0);
    };
    let mut statement = connection.prepare_cached(&expiry.delete)?;
    let mut count = 0;
    for id in ids {
        count += statement.execute((now, id))?;
    }
    Ok(count)
}
