//! The SQL of each entity, made once from its description.

use std::sync::LazyLock;

use dex_core::records::{Description, Entity};

/// Everything the backend ever says about one entity.
#[derive(Debug)]
pub(super) struct Statements {
    /// One row by its key: all columns in the order of the description.
    pub(super) select: String,
    /// All rows.
    pub(super) list: String,
    /// A new row.
    pub(super) insert: String,
    /// A row that may exist: columns that are not ours keep their values.
    pub(super) upsert: String,
    /// A row by its key.
    pub(super) delete: String,
    /// For entities that expire: finding and deleting what has.
    pub(super) expiry: Option<Expiry>,
}

/// Garbage collection of one entity.
#[derive(Debug)]
pub(super) struct Expiry {
    /// Row ids of at most `?2` rows that expired before `?1`.
    pub(super) find: String,
    /// The row with id `?2` if it (still) expired before `?1`.
    pub(super) delete: String,
}

/// The statements of `entity`.
pub(super) fn of(entity: Entity) -> &'static Statements {
    static ALL: LazyLock<Vec<Statements>> = LazyLock::new(|| {
        Entity::ALL
            .iter()
            .map(|entity| Statements::new(entity.description()))
            .collect()
    });
    let index = Entity::ALL.iter().position(|e| *e == entity);
    index
        .and_then(|index| ALL.get(index))
        .expect("Entity::ALL holds every entity")
}

impl Statements {
    fn new(description: &Description) -> Self {
        let table = name(description.table);
        let names: Vec<String> = description.columns.iter().map(|c| name(c.name)).collect();
        let (keys, others) = names.split_at(description.key_len);
        let all = names.join(",");
        let by_key = numbered(keys, " AND ");
        let parameters: Vec<String> = (1..=names.len()).map(|n| format!("?{n}")).collect();
        let insert = format!(
            "INSERT INTO {table} ({all}) VALUES ({})",
            parameters.join(",")
        );
        let changes: Vec<String> = others.iter().map(|n| format!("{n}=excluded.{n}")).collect();
        let expired: Vec<String> = description
            .expires
            .iter()
            .map(|column| format!("{}<?1", name(column)))
            .collect();
        let expired = expired.join(" OR ");
        Self {
            select: format!("SELECT {all} FROM {table} WHERE {by_key}"),
            list: format!("SELECT {all} FROM {table}"),
            upsert: format!(
                "{insert} ON CONFLICT ({}) DO UPDATE SET {}",
                keys.join(","),
                changes.join(",")
            ),
            insert,
            delete: format!("DELETE FROM {table} WHERE {by_key}"),
            expiry: (!expired.is_empty()).then(|| Expiry {
                find: format!("SELECT rowid FROM {table} WHERE {expired} LIMIT ?2"),
                delete: format!("DELETE FROM {table} WHERE rowid=?2 AND ({expired})"),
            }),
        }
    }
}

/// A quoted name. In double quotes SQLite would take the name of a missing column for a string and answer with that.
fn name(name: &str) -> String {
    format!("[{name}]")
}

fn numbered(names: &[String], separator: &str) -> String {
    let conditions: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(index, name)| format!("{name}=?{}", index + 1))
        .collect();
    conditions.join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_follow_the_description() {
        let session = of(Entity::OfflineSession);
        assert_eq!(
            session.select,
            "SELECT [user_id],[conn_id],[refresh],[connector_data] FROM [offline_session] WHERE [user_id]=?1 AND [conn_id]=?2"
        );
        assert_eq!(
            session.upsert,
            "INSERT INTO [offline_session] ([user_id],[conn_id],[refresh],[connector_data]) VALUES (?1,?2,?3,?4) \
             ON CONFLICT ([user_id],[conn_id]) DO UPDATE SET [refresh]=excluded.[refresh],[connector_data]=excluded.[connector_data]"
        );
        assert!(session.expiry.is_none());
        assert_eq!(
            of(Entity::AuthSession).expiry.as_ref().unwrap().delete,
            "DELETE FROM [auth_session] WHERE rowid=?2 AND ([absolute_expiry]<?1 OR [idle_expiry]<?1)"
        );
    }
}
