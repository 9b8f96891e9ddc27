//! Dex's tables as they are after its last migration, and with which migration each column came (compat: `storage.md` §7.2, §7.3).

/// The number of the last migration. Dex and we agree on it: a row with a higher one would make a later Dex skip its own step.
pub(super) const LAST_MIGRATION: u32 = 23;

/// A table of Dex.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The migration that makes it (in its final form).
    pub(super) since: u32,
    pub(super) primary_key: &'static [&'static str],
    pub(super) columns: &'static [TableColumn],
    /// Name and columns of an index, if it has one.
    pub(super) index: Option<(&'static str, &'static str)>,
}

/// A column of Dex.
pub(super) struct TableColumn {
    pub(super) name: &'static str,
    pub(super) declaration: &'static str,
    /// The migration that adds it.
    pub(super) since: u32,
}

/// Shortens the lists below: `declaration: names, from the migration`.
macro_rules! table {
    ($name:literal, since $since:literal, key [$($key:literal),*], $($from:literal: [$($column:literal $declaration:expr),* $(,)?]),* $(,)?) => {
        Table {
            name: $name,
            since: $since,
            primary_key: &[$($key),*],
            columns: &[$($(TableColumn { name: $column, declaration: $declaration, since: $from },)*)*],
            index: None,
        }
    };
}

const TEXT: &str = "text not null";
const TEXT_OR_EMPTY: &str = "text not null default ''";
const BLOB: &str = "blob not null";
const BLOB_OR_NULL: &str = "blob";
const FLAG: &str = "integer not null";
const TIME: &str = "timestamp not null";
const TIME_OR_1970: &str = "timestamp not null default '1970-01-01 00:00:00'";
const TIME_OR_YEAR_1: &str = "timestamp not null default '0001-01-01 00:00:00 UTC'";

/// All tables of Dex but `migrations`, in the order in which it makes them.
pub(super) const TABLES: &[Table] = &[
    table!("client", since 1, key ["id"],
        1: ["id" TEXT, "secret" TEXT, "redirect_uris" BLOB, "trusted_peers" BLOB, "public" FLAG, "name" TEXT, "logo_url" TEXT],
        15: ["allowed_connectors" BLOB_OR_NULL],
        18: ["mfa_chain" BLOB_OR_NULL],
        19: ["post_logout_redirect_uris" BLOB_OR_NULL],
        21: ["sso_shared_with" BLOB_OR_NULL],
        22: ["backchannel_logout_uri" TEXT_OR_EMPTY, "refresh_token_lifetime" TEXT_OR_EMPTY],
    ),
    table!("auth_request", since 1, key ["id"],
        1: ["id" TEXT, "client_id" TEXT, "response_types" BLOB, "scopes" BLOB, "redirect_uri" TEXT, "nonce" TEXT, "state" TEXT,
            "force_approval_prompt" FLAG, "logged_in" FLAG, "claims_user_id" TEXT, "claims_username" TEXT, "claims_email" TEXT,
            "claims_email_verified" FLAG, "claims_groups" BLOB, "connector_id" TEXT, "connector_data" BLOB_OR_NULL, "expiry" TIME],
        5: ["claims_preferred_username" TEXT_OR_EMPTY],
        8: ["code_challenge" TEXT_OR_EMPTY, "code_challenge_method" TEXT_OR_EMPTY],
        11: ["hmac_key" BLOB_OR_NULL],
        18: ["mfa_validated" "integer not null default 0", "prompt" TEXT_OR_EMPTY, "max_age" "integer not null default -1",
             "auth_time" TIME_OR_1970],
        20: ["webauthn_session_data" BLOB_OR_NULL],
    ),
    table!("auth_code", since 1, key ["id"],
        1: ["id" TEXT, "client_id" TEXT, "scopes" BLOB, "nonce" TEXT, "redirect_uri" TEXT, "claims_user_id" TEXT,
            "claims_username" TEXT, "claims_email" TEXT, "claims_email_verified" FLAG, "claims_groups" BLOB, "connector_id" TEXT,
            "connector_data" BLOB_OR_NULL, "expiry" TIME],
        5: ["claims_preferred_username" TEXT_OR_EMPTY],
        8: ["code_challenge" TEXT_OR_EMPTY, "code_challenge_method" TEXT_OR_EMPTY],
        18: ["auth_time" TIME_OR_1970],
        23: ["session_id" TEXT_OR_EMPTY],
    ),
    table!("refresh_token", since 1, key ["id"],
        1: ["id" TEXT, "client_id" TEXT, "scopes" BLOB, "nonce" TEXT, "claims_user_id" TEXT, "claims_username" TEXT,
            "claims_email" TEXT, "claims_email_verified" FLAG, "claims_groups" BLOB, "connector_id" TEXT,
            "connector_data" BLOB_OR_NULL],
        2: ["token" TEXT_OR_EMPTY, "created_at" TIME_OR_YEAR_1, "last_used" TIME_OR_YEAR_1],
        5: ["claims_preferred_username" TEXT_OR_EMPTY],
        9: ["obsolete_token" "text default ''"],
    ),
    table!("password", since 1, key ["email"],
        1: ["email" TEXT, "hash" BLOB, "username" TEXT, "user_id" TEXT],
        // Dex's own default is the TEXT '[]', which Dex then cannot read back. As bytes it can, also in rows that a Dex without
        // the column inserts.
        12: ["preferred_username" TEXT_OR_EMPTY, "groups" "blob not null default x'5b5d'"],
        13: ["name" TEXT_OR_EMPTY, "email_verified" "integer"],
    ),
    table!("keys", since 1, key ["id"],
        1: ["id" TEXT, "verification_keys" BLOB, "signing_key" BLOB, "signing_key_pub" BLOB, "next_rotation" TIME],
    ),
    table!("offline_session", since 3, key ["user_id", "conn_id"],
        3: ["user_id" TEXT, "conn_id" TEXT, "refresh" BLOB],
        6: ["connector_data" BLOB_OR_NULL],
    ),
    table!("connector", since 4, key ["id"],
        4: ["id" TEXT, "type" TEXT, "name" TEXT, "resource_version" TEXT, "config" BLOB_OR_NULL],
        14: ["grant_types" BLOB_OR_NULL],
    ),
    table!("device_request", since 7, key ["user_code"],
        7: ["user_code" TEXT, "device_code" TEXT, "client_id" TEXT, "client_secret" "text", "scopes" BLOB, "expiry" TIME],
    ),
    table!("device_token", since 7, key ["device_code"],
        7: ["device_code" TEXT, "status" TEXT, "token" BLOB_OR_NULL, "expiry" TIME, "last_request" TIME,
            "poll_interval" "integer not null"],
        10: ["code_challenge" TEXT_OR_EMPTY, "code_challenge_method" TEXT_OR_EMPTY],
    ),
    table!("user_identity", since 16, key ["user_id", "connector_id"],
        16: ["user_id" TEXT, "connector_id" TEXT, "claims_user_id" TEXT, "claims_username" TEXT,
             "claims_preferred_username" TEXT_OR_EMPTY, "claims_email" TEXT, "claims_email_verified" FLAG, "claims_groups" BLOB,
             "consents" BLOB, "created_at" TIME, "last_login" TIME, "blocked_until" TIME],
        18: ["mfa_secrets" BLOB_OR_NULL],
        20: ["webauthn_credentials" BLOB_OR_NULL],
    ),
    // Made by 17 with another key, widened by 19, dropped and made anew by 23. What came before does not survive, so it is left out.
    Table {
        index: Some(("auth_session_user_idx", "user_id, connector_id")),
        ..table!("auth_session", since 23, key ["id"],
            23: ["id" TEXT, "secret" TEXT_OR_EMPTY, "user_id" TEXT, "connector_id" TEXT, "client_states" BLOB, "created_at" TIME,
                 "last_activity" TIME, "ip_address" TEXT_OR_EMPTY, "user_agent" TEXT_OR_EMPTY, "absolute_expiry" TIME_OR_1970,
                 "idle_expiry" TIME_OR_1970, "logout_state" BLOB_OR_NULL],
        )
    },
];

#[cfg(test)]
mod tests {
    use dex_core::records::{Entity, Kind};

    use super::*;

    #[test]
    fn the_tables_hold_every_column_of_every_record_of_dex() {
        for entity in Entity::ALL.into_iter().filter(|e| e.is_dex()) {
            let description = entity.description();
            let table = TABLES
                .iter()
                .find(|table| table.name == description.table)
                .expect(description.table);
            assert_eq!(table.primary_key.len(), description.key_len);
            assert_eq!(
                table.columns.len(),
                description.columns.len(),
                "{}",
                table.name
            );
            for column in &description.columns {
                let declared = table
                    .columns
                    .iter()
                    .find(|c| c.name == column.name)
                    .expect(column.name)
                    .declaration;
                let expected = match column.kind {
                    Kind::Text if (table.name, column.name) == ("device_token", "token") => "blob",
                    Kind::Text => "text",
                    Kind::Bytes | Kind::Json => "blob",
                    Kind::Time => "timestamp",
                    Kind::Bool | Kind::Int => "integer",
                };
                assert!(
                    declared.starts_with(expected),
                    "{}.{}",
                    table.name,
                    column.name
                );
            }
        }
    }
}
