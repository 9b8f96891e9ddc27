//! The entities (compat: `storage.md` §3), each field with its column.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::column::{Blob, ColumnValue, Json, SecretText};
use super::{Column, DecodeError, Description, Entity, Record, RecordKey, Row, Value, fold};
use crate::Timestamp;

/// A part of a record that fills several columns.
trait Columns: Sized {
    fn describe(columns: &mut Vec<Column>);
    fn write(&self, values: &mut Vec<Value>);
    fn read(
        table: &'static str,
        values: &mut std::vec::IntoIter<Value>,
    ) -> Result<Self, DecodeError>;
}

/// Describes structs once: fields, columns, conversions.
macro_rules! columns {
    ($(#[$attr:meta])* pub struct $name:ident { $($(#[$fattr:meta])* $field:ident : $type:ty $(= $column:literal)?,)* }) => {
        $(#[$attr])*
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct $name { $($(#[$fattr])* pub $field: $type,)* }

        impl Columns for $name {
            fn describe(columns: &mut Vec<Column>) {
                $(columns!(@describe columns, $type $(, $column)?);)*
            }

            fn write(&self, values: &mut Vec<Value>) {
                $(columns!(@write values, self.$field $(, $column)?);)*
            }

            fn read(table: &'static str, values: &mut std::vec::IntoIter<Value>) -> Result<Self, DecodeError> {
                Ok(Self { $($field: columns!(@read table, values, $type $(, $column)?),)* })
            }
        }
    };
    (@describe $columns:ident, $type:ty, $column:literal) => {
        $columns.push(Column { name: $column, kind: <$type as ColumnValue>::KIND })
    };
    (@describe $columns:ident, $type:ty) => { <$type as Columns>::describe($columns) };
    (@write $values:ident, $field:expr, $column:literal) => { $values.push($field.to_value()) };
    (@write $values:ident, $field:expr) => { $field.write($values) };
    (@read $table:ident, $values:ident, $type:ty, $column:literal) => {
        <$type as ColumnValue>::from_value($values.next().unwrap_or(Value::Null))
            .map_err(|reason| DecodeError { table: $table, column: $column, reason })?
    };
    (@read $table:ident, $values:ident, $type:ty) => { <$type as Columns>::read($table, $values)? };
}

/// Makes a described struct a record: table, number of key columns, expiry columns.
macro_rules! record {
    ($name:ident, $table:literal, key 1, expires $expires:expr) => {
        record!(@impl $name, $table, 1, false, $expires, &'a str, |key| vec![key.to_owned()]);
    };
    ($name:ident, $table:literal, key 2, expires $expires:expr) => {
        record!(@impl $name, $table, 2, false, $expires, (&'a str, &'a str), |key| vec![key.0.to_owned(), key.1.to_owned()]);
    };
    ($name:ident, $table:literal, lower-case key 1, expires $expires:expr) => {
        record!(@impl $name, $table, 1, true, $expires, &'a str, |key| vec![fold(key)]);
    };
    (@impl $name:ident, $table:literal, $key_len:literal, $folds_key:literal, $expires:expr, $key:ty, |$k:ident| $parts:expr) => {
        impl Record for $name {
            const ENTITY: Entity = Entity::$name;
            type Key<'a> = $key;

            fn description() -> &'static Description {
                static DESCRIPTION: LazyLock<Description> = LazyLock::new(|| {
                    let mut columns = Vec::new();
                    $name::describe(&mut columns);
                    Description { table: $table, columns, key_len: $key_len, folds_key: $folds_key, expires: $expires }
                });
                &DESCRIPTION
            }

            fn record_key($k: Self::Key<'_>) -> RecordKey {
                RecordKey { entity: Self::ENTITY, parts: $parts }
            }

            fn to_row(&self) -> Row {
                let mut values = Vec::with_capacity(Self::description().columns.len());
                self.write(&mut values);
                Row { entity: Self::ENTITY, values }
            }

            fn from_row(row: Row) -> Result<Self, DecodeError> {
                Self::read($table, &mut row.values.into_iter())
            }
        }
    };
}

columns! {
    /// An application that asks for tokens (RFC 6749 §2).
    pub struct Client {
        /// The `client_id`.
        id: String = "id",
        /// The client secret, in clear, as Dex keeps it.
        secret: SecretText = "secret",
        /// Registered redirect URIs.
        redirect_uris: Vec<String> = "redirect_uris",
        /// Clients that may ask for tokens with this client in the audience.
        trusted_peers: Vec<String> = "trusted_peers",
        /// A client that cannot keep a secret (RFC 6749 §2.1).
        public: bool = "public",
        /// Shown to people.
        name: String = "name",
        /// Shown to people.
        logo_url: String = "logo_url",
        /// Connector ids this client may use; empty: all.
        allowed_connectors: Vec<String> = "allowed_connectors",
        /// Authenticators in order; `None`: the server's default chain, empty: no second factor.
        mfa_chain: Option<Vec<String>> = "mfa_chain",
        /// Registered `post_logout_redirect_uri` values.
        post_logout_redirect_uris: Vec<String> = "post_logout_redirect_uris",
        /// Clients that share a sign-on; `None`: the server's default, empty: nobody, `*`: everybody.
        sso_shared_with: Option<Vec<String>> = "sso_shared_with",
        /// Where logout tokens are posted; empty: takes no part in back-channel logout.
        backchannel_logout_uri: String = "backchannel_logout_uri",
        /// Empty or `standalone`: independent of the browser session; `session`: ends with it.
        refresh_token_lifetime: String = "refresh_token_lifetime",
    }
}
record!(Client, "client", key 1, expires &[]);

columns! {
    /// Who somebody is, as a connector said.
    #[derive(Eq, Serialize, Deserialize)]
    pub struct Claims {
        /// The user's id at the connector.
        user_id: String = "claims_user_id",
        /// The display name (`name` claim).
        username: String = "claims_username",
        /// The `preferred_username` claim.
        preferred_username: String = "claims_preferred_username",
        /// The e-mail address.
        email: String = "claims_email",
        /// Whether the connector vouches for the address.
        email_verified: bool = "claims_email_verified",
        /// Group memberships, in the connector's order.
        groups: Vec<String> = "claims_groups",
    }
}

columns! {
    /// The proof key of a request (RFC 7636). Judge by the challenge: Dex stores `plain` beside an empty one.
    #[derive(Eq, Serialize, Deserialize)]
    pub struct PkceChallenge {
        /// The `code_challenge`; empty: none.
        challenge: String = "code_challenge",
        /// The `code_challenge_method`.
        method: String = "code_challenge_method",
    }
}

columns! {
    /// An authorization request under way.
    pub struct AuthRequest {
        /// Identifier; also the upstream `state`.
        id: String = "id",
        /// The client that asked.
        client_id: String = "client_id",
        /// Requested response types.
        response_types: Vec<String> = "response_types",
        /// Requested scopes, in order.
        scopes: Vec<String> = "scopes",
        /// Where the answer goes.
        redirect_uri: String = "redirect_uri",
        /// The request's `nonce`.
        nonce: String = "nonce",
        /// The request's `state`.
        state: String = "state",
        /// The consent page must be shown.
        force_approval_prompt: bool = "force_approval_prompt",
        /// When the request lapses.
        expiry: Timestamp = "expiry",
        /// Somebody has been authenticated.
        logged_in: bool = "logged_in",
        /// Who.
        claims: Claims,
        /// Through which connector.
        connector_id: String = "connector_id",
        /// What the connector wants kept.
        connector_data: Blob = "connector_data",
        /// The request's proof key.
        pkce: PkceChallenge,
        /// Key of the step links.
        hmac_key: Blob = "hmac_key",
        /// A second factor has been given.
        mfa_validated: bool = "mfa_validated",
        /// The `prompt` in canonical order.
        prompt: String = "prompt",
        /// `max_age` in seconds; -1: not given. New requests must set it.
        max_age: i64 = "max_age",
        /// When the person logged in.
        auth_time: Timestamp = "auth_time",
        /// State of a running WebAuthn ceremony.
        webauthn_session_data: Blob = "webauthn_session_data",
    }
}
record!(AuthRequest, "auth_request", key 1, expires &["expiry"]);

columns! {
    /// An authorization code waiting to be redeemed (RFC 6749 §4.1.2).
    pub struct AuthCode {
        /// The code itself.
        id: SecretText = "id",
        /// The client it was issued to.
        client_id: String = "client_id",
        /// Granted scopes.
        scopes: Vec<String> = "scopes",
        /// The request's `nonce`.
        nonce: String = "nonce",
        /// The redirect URI of the request.
        redirect_uri: String = "redirect_uri",
        /// Who logged in.
        claims: Claims,
        /// Through which connector.
        connector_id: String = "connector_id",
        /// What the connector wants kept.
        connector_data: Blob = "connector_data",
        /// When the code lapses.
        expiry: Timestamp = "expiry",
        /// The request's proof key.
        pkce: PkceChallenge,
        /// When the person logged in.
        auth_time: Timestamp = "auth_time",
        /// The browser session it came from; may be empty.
        session_id: String = "session_id",
    }
}
record!(AuthCode, "auth_code", key 1, expires &["expiry"]);

columns! {
    /// A refresh token family: one login's line of refresh tokens. The id stays, the secret rotates.
    pub struct RefreshToken {
        /// Identifier of the family, first half of the token.
        id: String = "id",
        /// The client it was issued to.
        client_id: String = "client_id",
        /// Granted scopes.
        scopes: Vec<String> = "scopes",
        /// The request's `nonce`.
        nonce: String = "nonce",
        /// Who logged in, as of the last refresh.
        claims: Claims,
        /// Through which connector.
        connector_id: String = "connector_id",
        /// This family's upstream credentials.
        connector_data: Blob = "connector_data",
        /// The secret that works now, second half of the token.
        token: SecretText = "token",
        /// The secret before it; may be empty.
        obsolete_token: SecretText = "obsolete_token",
        /// When the family began.
        created_at: Timestamp = "created_at",
        /// When the secret last changed or was last used.
        last_used: Timestamp = "last_used",
    }
}
record!(RefreshToken, "refresh_token", key 1, expires &[]);

/// What an [`OfflineSession`] knows of a client's refresh token.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RefreshTokenRef {
    /// Id of the refresh token.
    #[serde(rename = "ID")]
    pub id: String,
    /// The client.
    #[serde(rename = "ClientID")]
    pub client_id: String,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it was last used.
    pub last_used: Timestamp,
    /// The browser session it came from; may be empty.
    #[serde(rename = "SessionID")]
    pub session_id: String,
}

columns! {
    /// What is kept of a user between refreshes: the newest refresh token of each client, and the connector's data.
    pub struct OfflineSession {
        /// The user's id at the connector.
        user_id: String = "user_id",
        /// The connector.
        conn_id: String = "conn_id",
        /// Client id → its newest refresh token.
        refresh: BTreeMap<String, RefreshTokenRef> = "refresh",
        /// What the connector wants kept.
        connector_data: Blob = "connector_data",
    }
}
record!(OfflineSession, "offline_session", key 2, expires &[]);

columns! {
    /// A user of the built-in password database. The key is the address in lower case.
    pub struct Password {
        /// Login name.
        email: String = "email",
        /// bcrypt hash, as text.
        hash: Blob = "hash",
        /// Falls back for `name`.
        username: String = "username",
        /// The user's id.
        user_id: String = "user_id",
        /// The `preferred_username` claim.
        preferred_username: String = "preferred_username",
        /// Group memberships.
        groups: Vec<String> = "groups",
        /// Display name.
        name: String = "name",
        /// Whether the address is verified; unset counts as true.
        email_verified: Option<bool> = "email_verified",
    }
}
record!(Password, "password", lower-case key 1, expires &[]);

columns! {
    /// A configured way to an upstream.
    pub struct Connector {
        /// Identifier, part of paths and of `sub`.
        id: String = "id",
        /// Which connector.
        kind: String = "type",
        /// Shown to people.
        name: String = "name",
        /// Changes whenever the record does; empty for connectors of the configuration file.
        resource_version: String = "resource_version",
        /// The connector's configuration, JSON.
        config: Blob = "config",
        /// Grants that may use it; empty: all.
        grant_types: Vec<String> = "grant_types",
    }
}
record!(Connector, "connector", key 1, expires &[]);

columns! {
    /// A device that waits for somebody (RFC 8628).
    pub struct DeviceRequest {
        /// What the person types.
        user_code: String = "user_code",
        /// What the device holds.
        device_code: SecretText = "device_code",
        /// The client.
        client_id: String = "client_id",
        /// The secret the device sent; may be empty.
        client_secret: SecretText = "client_secret",
        /// Requested scopes.
        scopes: Vec<String> = "scopes",
        /// When both codes lapse.
        expiry: Timestamp = "expiry",
    }
}
record!(DeviceRequest, "device_request", key 1, expires &["expiry"]);

columns! {
    /// What a polling device gets (RFC 8628).
    pub struct DeviceToken {
        /// What the device holds.
        device_code: SecretText = "device_code",
        /// `authorization_pending` or `complete`.
        status: String = "status",
        /// The token response, JSON text, when complete.
        token: Blob = "token",
        /// When the device code lapses.
        expiry: Timestamp = "expiry",
        /// When the device last asked.
        last_request: Timestamp = "last_request",
        /// Seconds the device must wait between polls.
        poll_interval: i64 = "poll_interval",
        /// The device's proof key.
        pkce: PkceChallenge,
    }
}
record!(DeviceToken, "device_token", key 1, expires &["expiry"]);

/// A public key kept for verification (compat: `signer.md` §3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerificationKey {
    /// The public JWK, as stored.
    #[serde(rename = "publicKey")]
    pub public_key: serde_json::Value,
    /// Until when it is kept.
    pub expiry: Timestamp,
}

columns! {
    /// The signing key and the keys that verify; one record, id [`SigningKeys::ID`].
    pub struct SigningKeys {
        /// Always [`SigningKeys::ID`].
        id: String = "id",
        /// Keys that verify but no longer (or do not yet) sign.
        verification_keys: Json<Vec<VerificationKey>> = "verification_keys",
        /// The private JWK that signs; a secret.
        signing_key: SecretJson = "signing_key",
        /// Its public half.
        signing_key_pub: Json<serde_json::Value> = "signing_key_pub",
        /// When the next key takes over.
        next_rotation: Timestamp = "next_rotation",
    }
}
record!(SigningKeys, "keys", key 1, expires &[]);

impl SigningKeys {
    /// The id of the one record.
    pub const ID: &'static str = "keys";
}

columns! {
    /// The private key that will sign next (ours): its public half is already published. One record, id [`NextSigningKey::ID`].
    pub struct NextSigningKey {
        /// Always [`NextSigningKey::ID`].
        id: String = "id",
        /// The private JWK; a secret.
        signing_key: SecretJson = "signing_key",
        /// When its public half was first published.
        published_at: Timestamp = "published_at",
    }
}
record!(NextSigningKey, "dexd_next_signing_key", key 1, expires &[]);

impl NextSigningKey {
    /// The id of the one record.
    pub const ID: &'static str = "next";
}

/// One key that seals authorization requests into cookies.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSealingKey {
    /// Short public name of the key, carried in each cookie.
    pub id: String,
    /// 32 bytes, base64url without padding; a secret.
    pub key: String,
    /// When the key was made.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for StoredSealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredSealingKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

columns! {
    /// The keys that seal authorization requests (ours), newest first. One record, id [`SealingKeys::ID`].
    pub struct SealingKeys {
        /// Always [`SealingKeys::ID`].
        id: String = "id",
        /// The newest seals, all open.
        keys: Json<Vec<StoredSealingKey>> = "keys",
        /// When a new key is due.
        next_rotation: Timestamp = "next_rotation",
    }
}
record!(SealingKeys, "dexd_sealing_keys", key 1, expires &[]);

impl SealingKeys {
    /// The id of the one record.
    pub const ID: &'static str = "sealing";
}

/// A JSON document that is a secret (a private JWK): never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretJson(Option<serde_json::Value>);

impl SecretJson {
    /// The document.
    pub fn expose(&self) -> Option<&serde_json::Value> {
        self.0.as_ref()
    }
}

impl From<serde_json::Value> for SecretJson {
    fn from(document: serde_json::Value) -> Self {
        Self(Some(document))
    }
}

impl std::fmt::Debug for SecretJson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() {
            "[secret]"
        } else {
            "[no secret]"
        })
    }
}

impl ColumnValue for SecretJson {
    const KIND: super::Kind = super::Kind::Json;

    fn to_value(&self) -> Value {
        Json(self.0.clone()).to_value()
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Json::from_value(value).map(|Json(document)| Self(document))
    }
}

/// An enrolled one-time-password secret.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MfaSecret {
    /// The authenticator.
    #[serde(rename = "authenticatorID")]
    pub authenticator_id: String,
    /// Kind of authenticator.
    #[serde(rename = "type")]
    pub kind: String,
    /// The shared secret.
    pub secret: String,
    /// Enrolment was completed.
    pub confirmed: bool,
    /// When it was enrolled.
    pub created_at: Timestamp,
    /// The last counter that was accepted.
    #[serde(skip_serializing_if = "is_zero")]
    pub last_used_counter: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl std::fmt::Debug for MfaSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MfaSecret")
            .field("authenticator_id", &self.authenticator_id)
            .field("confirmed", &self.confirmed)
            .finish_non_exhaustive()
    }
}

/// An enrolled security key. Byte fields are standard base64.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(
    missing_docs,
    reason = "the fields are those of WebAuthn Level 2 §6.1, by name"
)]
pub struct WebAuthnCredential {
    #[serde(rename = "credentialID")]
    pub credential_id: String,
    pub public_key: String,
    pub attestation_type: String,
    pub aaguid: Option<String>,
    pub sign_count: u32,
    pub clone_warning: bool,
    pub transport: Option<Vec<String>>,
    pub backup_eligible: bool,
    pub backup_state: bool,
    pub display_name: String,
    pub created_at: Timestamp,
}

columns! {
    /// What is remembered of a person with sessions on.
    pub struct UserIdentity {
        /// The user's id at the connector.
        user_id: String = "user_id",
        /// The connector.
        connector_id: String = "connector_id",
        /// Who, as of the last login.
        claims: Claims,
        /// Client id → scopes consented to.
        consents: BTreeMap<String, Vec<String>> = "consents",
        /// First login.
        created_at: Timestamp = "created_at",
        /// Last login.
        last_login: Timestamp = "last_login",
        /// Refused until then; unset or past: not blocked.
        blocked_until: Timestamp = "blocked_until",
        /// Authenticator id → one-time-password secret.
        mfa_secrets: BTreeMap<String, MfaSecret> = "mfa_secrets",
        /// Authenticator id → security keys.
        webauthn_credentials: BTreeMap<String, Vec<WebAuthnCredential>> = "webauthn_credentials",
    }
}
record!(UserIdentity, "user_identity", key 2, expires &[]);

/// How a browser session stands with one client.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ClientAuthState {
    /// When the person signed in to the client.
    pub authenticated_at: Timestamp,
    /// When the client was last used.
    pub last_activity: Timestamp,
    /// When a token was last issued.
    pub last_token_issued_at: Timestamp,
    /// Signed in through another client's session.
    #[serde(rename = "ViaSSO")]
    pub via_sso: bool,
}

/// A logout that is under way at the upstream.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    missing_docs,
    reason = "the fields are the logout request's parameters, by name"
)]
pub struct LogoutState {
    #[serde(rename = "PostLogoutRedirectURI")]
    pub post_logout_redirect_uri: String,
    #[serde(rename = "State")]
    pub state: String,
    #[serde(rename = "ClientID")]
    pub client_id: String,
    #[serde(rename = "ConnectorID")]
    pub connector_id: String,
}

columns! {
    /// A browser session.
    pub struct AuthSession {
        /// Published as `sid`.
        id: String = "id",
        /// Only in the cookie.
        secret: SecretText = "secret",
        /// The user's id at the connector.
        user_id: String = "user_id",
        /// The connector.
        connector_id: String = "connector_id",
        /// Client id → how the session stands with it.
        client_states: BTreeMap<String, ClientAuthState> = "client_states",
        /// When it began.
        created_at: Timestamp = "created_at",
        /// When it was last used.
        last_activity: Timestamp = "last_activity",
        /// Address of the last authentication.
        ip_address: String = "ip_address",
        /// Browser of the last authentication.
        user_agent: String = "user_agent",
        /// Ends then in any case.
        absolute_expiry: Timestamp = "absolute_expiry",
        /// Ends then if not used before.
        idle_expiry: Timestamp = "idle_expiry",
        /// A logout under way at the upstream.
        logout_state: Json<LogoutState> = "logout_state",
    }
}
record!(AuthSession, "auth_session", key 1, expires &["absolute_expiry", "idle_expiry"]);

/// Claims of tokens that a client gets for itself (RFC 6749 §4.4). Kept in the configuration only.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientCredentialsClaims {
    /// The `groups` claim.
    pub groups: Vec<String>,
}
