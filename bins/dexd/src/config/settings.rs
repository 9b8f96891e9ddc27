//! A configuration that holds together: typed values only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use dex_core::records;
use dex_http::Policy;

use crate::logging::{Format, Level};

/// Everything `serve` needs.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The issuer's URL, checked.
    pub(crate) issuer: String,
    pub(crate) storage: StorageSettings,
    /// Address for plain HTTP.
    pub(crate) http: Option<String>,
    pub(crate) https: Option<HttpsSettings>,
    /// Address of the telemetry listener.
    pub(crate) telemetry: Option<String>,
    pub(crate) policy: Policy,
    pub(crate) expiry: Expiry,
    pub(crate) signer: SignerSettings,
    pub(crate) logger: LoggerSettings,
    pub(crate) frontend: Frontend,
    /// In the order of the file.
    pub(crate) clients: Vec<records::Client>,
    /// In the order of the file.
    pub(crate) passwords: Vec<records::Password>,
    /// Addresses that several of them share; the last one counts.
    pub(crate) duplicate_emails: BTreeSet<String>,
    /// In the order of the file, `local` last.
    pub(crate) connectors: Vec<records::Connector>,
    /// A connector that cannot be opened does not stop the start.
    pub(crate) continue_on_connector_failure: bool,
    /// A client address header is named, but nobody is trusted to set it.
    pub(crate) client_address_header_untrusted: bool,
}

/// Where records live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StorageSettings {
    Memory,
    /// A file name or SQLite data source; empty: a temporary database.
    Sqlite {
        file: String,
    },
}

impl StorageSettings {
    /// The name of the configuration.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite { .. } => "sqlite3",
        }
    }
}

/// The HTTPS listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpsSettings {
    pub(crate) address: String,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) min: TlsVersion,
    pub(crate) max: TlsVersion,
}

/// Versions of TLS that are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TlsVersion {
    Tls12,
    Tls13,
}

/// Lifetimes that the file sets, for the start-up log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Expiry {
    pub(crate) id_tokens: Option<Duration>,
    pub(crate) auth_requests: Option<Duration>,
    pub(crate) device_requests: Option<Duration>,
    /// The deprecated key, and whether the signer block overrides it.
    pub(crate) signing_keys: Option<(Duration, bool)>,
}

/// The local signer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SignerSettings {
    pub(crate) rotation_period: Duration,
    pub(crate) algorithm: SigningAlgorithm,
}

/// What new keys sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SigningAlgorithm {
    Rs256,
    Es256,
    Ps256,
    EdDsa,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LoggerSettings {
    pub(crate) level: Level,
    pub(crate) format: Format,
    pub(crate) exclude_fields: Vec<String>,
}

/// How the pages look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Frontend {
    /// Directory with pages and assets in place of ours.
    pub(crate) dir: Option<PathBuf>,
    pub(crate) theme: String,
    pub(crate) issuer: String,
    pub(crate) logo_url: String,
    pub(crate) extra: BTreeMap<String, String>,
}
