//! Brings a database of any Dex release, or an empty one, to the schema we use (compat: `storage.md` §7.2, §14).
//!
//! Everything happens in one transaction: a failure or a crash on the way leaves the database as it was. Steps look at the catalogue
//! first, because databases exist whose recorded number and columns disagree.

use dex_core::records::{Entity, Kind};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use super::schema::{LAST_MIGRATION, TABLES, Table, TableColumn};

/// A database could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub(super) enum MigrationError {
    /// Written by Dex's other SQL engine, which has tables of its own.
    #[error(
        "was written by Dex with DEX_ENT_ENABLED; its tables are not those of the classic engine"
    )]
    OtherEngine,
    /// A table with a name of Dex lacks a column that has been there since the table exists.
    #[error("is not a database of Dex: table {table} has no column {column}")]
    Foreign {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// SQLite failed.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// Migrates; returns how many of Dex's steps were run.
pub(super) fn migrate(connection: &mut Connection) -> Result<u32, MigrationError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if !has_table(&transaction, "migrations")? && has_table(&transaction, "oauth2clients")? {
        return Err(MigrationError::OtherEngine);
    }
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS migrations (num integer not null, at timestamp not null)",
    )?;
    let reached: Option<u32> =
        transaction.query_row("SELECT max(num) FROM migrations", [], |row| row.get(0))?;
    let reached = reached.unwrap_or(0);
    for step in reached + 1..=LAST_MIGRATION {
        for table in TABLES {
            run_step(&transaction, table, step)?;
        }
        // Dex records the date only.
        transaction.execute(
            "INSERT INTO migrations (num, at) VALUES (?1, date('now'))",
            [step],
        )?;
    }
    for table in TABLES {
        complete(&transaction, table)?;
    }
    repair_groups(&transaction)?;
    for entity in Entity::ALL.into_iter().filter(|e| !e.is_dex()) {
        create_ours(&transaction, entity)?;
    }
    transaction.commit()?;
    Ok(LAST_MIGRATION.saturating_sub(reached))
}

/// What one of Dex's steps does to one table.
fn run_step(transaction: &Transaction<'_>, table: &Table, step: u32) -> Result<(), MigrationError> {
    if table.since > step {
        return Ok(());
    }
    if table.since == step {
        if table.name == "auth_session" {
            // The former shape cannot be converted: it lacks what identifies a session. Dex drops it, too.
            transaction.execute_batch("DROP TABLE IF EXISTS auth_session")?;
        }
        return create(transaction, table, step);
    }
    for column in table.columns.iter().filter(|column| column.since == step) {
        add_column(transaction, table.name, column)?;
    }
    Ok(())
}

/// Supplies what the recorded steps should have made: unreleased code of Dex changed some steps after they had been recorded.
fn complete(transaction: &Transaction<'_>, table: &Table) -> Result<(), MigrationError> {
    if !has_table(transaction, table.name)? {
        create(transaction, table, LAST_MIGRATION)?;
    }
    if table.name == "auth_session" && !has_column(transaction, table.name, "id")? {
        transaction.execute_batch("DROP TABLE auth_session")?;
        create(transaction, table, LAST_MIGRATION)?;
    }
    for column in table.columns {
        let is_original = column.since == table.since && !column.declaration.contains("default");
        if is_original
            && column.declaration.contains("not null")
            && !has_column(transaction, table.name, column.name)?
        {
            return Err(MigrationError::Foreign {
                table: table.name,
                column: column.name,
            });
        }
        add_column(transaction, table.name, column)?;
    }
    create_index(transaction, table)
}

/// Makes the table with the columns it has by step `step`.
fn create(transaction: &Transaction<'_>, table: &Table, step: u32) -> Result<(), MigrationError> {
    let columns: Vec<String> = table
        .columns
        .iter()
        .filter(|column| column.since <= step)
        .map(|column| format!("[{}] {}", column.name, column.declaration))
        .collect();
    transaction.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS [{}] ({}, PRIMARY KEY ({}))",
        table.name,
        columns.join(", "),
        table.primary_key.join(", ")
    ))?;
    create_index(transaction, table)
}

fn create_index(transaction: &Transaction<'_>, table: &Table) -> Result<(), MigrationError> {
    if let Some((index, columns)) = table.index {
        transaction.execute_batch(&format!(
            "CREATE INDEX IF NOT EXISTS [{index}] ON [{}] ({columns})",
            table.name
        ))?;
    }
    Ok(())
}

fn add_column(
    transaction: &Transaction<'_>,
    table: &str,
    column: &TableColumn,
) -> Result<(), MigrationError> {
    if !has_column(transaction, table, column.name)? {
        transaction.execute_batch(&format!(
            "ALTER TABLE [{table}] ADD COLUMN [{}] {}",
            column.name, column.declaration
        ))?;
    }
    Ok(())
}

/// Rows that were there before Dex's step 12 got the TEXT `[]`, with which Dex fails to read them (compat: `storage.md` §7.5).
fn repair_groups(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(
        "UPDATE password SET groups = CAST(groups AS blob) WHERE typeof(groups) = 'text'",
    )
}

/// A table of our own, from the description. Dex ignores it.
fn create_ours(transaction: &Transaction<'_>, entity: Entity) -> Result<(), MigrationError> {
    let description = entity.description();
    let table = description.table;
    let (keys, others) = description.columns.split_at(description.key_len);
    let names: Vec<&str> = keys.iter().map(|column| column.name).collect();
    let columns: Vec<String> = keys
        .iter()
        .map(|column| format!("[{}] {} not null", column.name, sql_type(column.kind)))
        .collect();
    transaction.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS [{table}] ({}, PRIMARY KEY ({}))",
        columns.join(", "),
        names.join(", ")
    ))?;
    for column in others {
        if !has_column(transaction, table, column.name)? {
            transaction.execute_batch(&format!(
                "ALTER TABLE [{table}] ADD COLUMN [{}] {}",
                column.name,
                sql_type(column.kind)
            ))?;
        }
    }
    Ok(())
}

fn sql_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Bytes | Kind::Json => "blob",
        Kind::Time => "timestamp",
        Kind::Bool | Kind::Int => "integer",
    }
}

fn has_table(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    exists(
        connection,
        "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE",
        &[table],
    )
}

fn has_column(connection: &Connection, table: &str, column: &str) -> rusqlite::Result<bool> {
    exists(
        connection,
        "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2 COLLATE NOCASE",
        &[table, column],
    )
}

fn exists(connection: &Connection, sql: &str, parameters: &[&str]) -> rusqlite::Result<bool> {
    let found = connection
        .prepare_cached(sql)?
        .query_row(rusqlite::params_from_iter(parameters), |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}
