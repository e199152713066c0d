//! Settings: where they come from, what they are called, and what they may be.
//!
//! Every setting is one entry of [`settings`], and every source gives text: a TOML file (`--config`), the
//! environment (`TIMBERLINE_<SECTION>__<KEY>`), and flags. A later source wins over an earlier one.
//! A name that is not in the table is an error, in a file and in the environment alike.
//!
//! Reading order: [`ServerConfig`] (what comes out), `setting` (one entry, and the parsers), `sections` (the entries),
//! `load` (the sources), `effective` (what comes out, for people).

mod delivery;
mod effective;
mod load;
mod sections;
mod setting;
mod sign_on;
#[cfg(test)]
mod tests;
mod traces;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use engine::EngineConfig;

pub use self::delivery::{DeliveryConfig, SmtpConfig, SmtpTls};
pub use self::effective::EffectiveSetting;
pub use self::load::{SettingError, Sources};
pub use self::sections::settings;
use self::setting::MIB;
pub use self::setting::Setting;
pub use self::sign_on::SignOnConfig;
pub use self::traces::{SecretHeaders, TracesConfig};
use crate::meta::{self, MetaLocation};
use crate::secret::Secret;

/// What the server runs with: validated, nothing optional.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The data folder, and what the engine may use.
    pub engine: EngineConfig,
    /// The address of the HTTP API; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The address of OTLP over gRPC, when it is wanted; port 0 picks a free one.
    pub grpc_listen: Option<SocketAddr>,
    /// How long a stop waits for requests that are under way.
    pub drain_timeout: Duration,
    /// What a request that sends records may cost.
    pub ingest: IngestConfig,
    /// URL of the PostgreSQL database with the metadata; without it they are a file of the data folder.
    pub metadata_url: Option<DatabaseUrl>,
    /// What following rows as they come in may cost.
    pub tail: TailConfig,
    /// What exports may take.
    pub export: ExportConfig,
    /// Bounds on alerts.
    pub alerts: AlertsConfig,
    /// Where people reach the server, for links in messages; without it the address it listens on.
    pub public_url: Option<String>,
    /// The model that explains logs.
    pub ai: AiConfig,
    /// Log-ins of the web page.
    pub auth: AuthConfig,
    /// The provider that users sign on with.
    pub sign_on: SignOnConfig,
    /// What secrets of other services are stored encrypted with; without it a file of the data folder has it.
    pub secret_key: Option<Secret>,
    /// Where notifications may go.
    pub delivery: DeliveryConfig,
    /// The server that takes e-mails.
    pub smtp: SmtpConfig,
    /// How the server logs about itself.
    pub log: LogConfig,
    /// Where the server sends traces of its own work.
    pub traces: TracesConfig,
    /// How much one key and one project may ask for and send.
    pub rate_limits: RateLimitConfig,
    /// Questions about logs that one organization may ask at a time, if that is bounded.
    pub max_questions_per_organization: Option<u32>,
    /// Who may read numbers about the server.
    pub metrics_access: MetricsAccess,
    /// What SQL may take.
    pub sql: SqlConfig,
    /// What every setting is and where that comes from, as far as the settings were read from somewhere.
    pub listed: Vec<EffectiveSetting>,
}

/// Bounds on SQL beside those of all queries, and its doors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlConfig {
    /// Most rows of one answer; an answer of more ends with an error.
    pub max_rows: Option<u64>,
    /// The address of Arrow Flight SQL, when it is wanted; port 0 picks a free one.
    pub flight_listen: Option<SocketAddr>,
    /// The address of the PostgreSQL protocol, when it is wanted; port 0 picks a free one.
    pub postgres_listen: Option<SocketAddr>,
    /// Connections of Flight SQL at a time, and as many of the PostgreSQL protocol.
    pub max_connections: usize,
    /// A connection of theirs ends when nothing has come or gone for so long.
    pub idle_timeout: Duration,
    /// PEM file with the certificate of both.
    pub tls_certificate: Option<PathBuf>,
    /// PEM file with its key.
    pub tls_key: Option<PathBuf>,
}

impl Default for SqlConfig {
    fn default() -> Self {
        Self {
            max_rows: None,
            flight_listen: None,
            postgres_listen: None,
            max_connections: 100,
            idle_timeout: Duration::from_secs(3600),
            tls_certificate: None,
            tls_key: None,
        }
    }
}

/// URL of a database; its debug form hides it, because it may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl FromStr for DatabaseUrl {
    type Err = String;

    /// The error says nothing of the text, which may hold a password.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self(text.to_owned()));
        }
        Err("expected a URL that begins with postgres://, or none".to_owned())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(..)")
    }
}

/// Where a model answers; none when an address or a name is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AiConfig {
    /// What `/chat/completions` is appended to.
    pub base_url: Option<String>,
    /// The model's name there.
    pub model: Option<String>,
    /// Sent as a bearer token.
    pub api_key: Option<Secret>,
    /// Longest time of one question.
    pub timeout: Duration,
}

/// Log-ins of the web page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthConfig {
    /// How long one lasts.
    pub session_lifetime: Duration,
    /// How long after the password was given who may do what can be changed.
    pub sensitive_max_age: Duration,
    /// Whether browsers are to send the cookies by HTTPS only, also when a request does not say that it came so.
    pub secure_cookies: bool,
}

/// Bounds on exports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportConfig {
    /// Exports that are streamed at a time; further ones are answered 503.
    pub max_streams: usize,
    /// Largest file of an export that is made in the background.
    pub max_file_bytes: usize,
    /// How long such a file is kept, days.
    pub keep_days: u32,
}

/// Bounds on alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertsConfig {
    /// Most alerts of a project; 0 is no bound.
    pub max_per_project: u32,
}

/// Bounds on requests that send records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngestConfig {
    /// Largest body as it is sent; larger ones are answered 413.
    pub max_encoded_bytes: usize,
    /// Largest body after decompression; larger ones are answered 413.
    pub max_decompressed_bytes: usize,
    /// Bytes that all requests under way may hold together; beyond, new ones are answered 503.
    pub max_in_flight_bytes: usize,
    /// Largest record; larger ones are rejected in the partial-success reply.
    pub max_record_bytes: usize,
}

/// Bounds on live tails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TailConfig {
    /// Most live tails at a time; beyond, new ones are answered 503.
    pub max_subscribers: usize,
    /// Most live tails of one project at a time; beyond, new ones are answered 429.
    pub max_subscribers_per_project: usize,
    /// Bytes of rows that wait for one slow client; beyond, rows are dropped and counted. Memory of queries.
    pub buffer_bytes: usize,
}

/// How the server logs about itself, on stderr.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// The form of a line.
    pub format: LogFormat,
    /// Which events are logged, in `tracing`'s filter syntax.
    pub filter: String,
    /// Requests that take so long are logged as a warning; without it none are.
    pub slow_query: Option<Duration>,
}

/// How much one key and one project may ask for and send; none is without end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateLimitConfig {
    /// Requests with one key within a minute.
    pub key_per_minute: Option<u32>,
    /// Requests with one key within an hour.
    pub key_per_hour: Option<u32>,
    /// Requests to `patterns_diff` with one key within a minute.
    pub patterns_diff_per_minute: Option<u32>,
    /// Requests to `patterns_diff` with one key within an hour.
    pub patterns_diff_per_hour: Option<u32>,
    /// Requests about one project within a minute.
    pub project_per_minute: Option<u32>,
    /// Requests about one project within an hour.
    pub project_per_hour: Option<u32>,
    /// Bytes that one project may send within a minute.
    pub ingest_bytes_per_minute: Option<u64>,
}

/// Who may read numbers about the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsAccess {
    /// Callers on this machine, as far as can be told, and those with a key.
    Local,
    /// Those with a personal API key.
    Key,
    /// Everyone who can reach the server.
    Everyone,
    /// Nobody.
    None,
}

/// The form of a line of the server's own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// The data folder, when nothing says another one.
pub const DEFAULT_DATA_DIR: &str = "timberline-data";
impl ServerConfig {
    /// The defaults for a data folder, which holds everything: metadata, write-ahead log, data files.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            engine: EngineConfig::new(data_dir),
            listen: SocketAddr::from(([127, 0, 0, 1], 4318)),
            grpc_listen: None,
            drain_timeout: Duration::from_secs(20),
            ingest: IngestConfig {
                max_encoded_bytes: 64 * MIB,
                max_decompressed_bytes: 64 * MIB,
                max_in_flight_bytes: 256 * MIB,
                max_record_bytes: MIB,
            },
            metadata_url: None,
            tail: TailConfig { max_subscribers: 64, max_subscribers_per_project: 16, buffer_bytes: MIB },
            export: ExportConfig { max_streams: 4, max_file_bytes: 256 * MIB, keep_days: 7 },
            alerts: AlertsConfig { max_per_project: 0 },
            public_url: None,
            ai: AiConfig { base_url: None, model: None, api_key: None, timeout: Duration::from_secs(60) },
            auth: AuthConfig {
                session_lifetime: Duration::from_secs(336 * 3_600),
                sensitive_max_age: Duration::from_secs(120 * 60),
                secure_cookies: false,
            },
            sign_on: SignOnConfig::default(),
            secret_key: None,
            delivery: DeliveryConfig::default(),
            smtp: SmtpConfig::default(),
            log: LogConfig {
                format: LogFormat::Text,
                filter: "info".to_owned(),
                slow_query: Some(Duration::from_secs(1)),
            },
            traces: TracesConfig::default(),
            rate_limits: RateLimitConfig::default(),
            max_questions_per_organization: Some(256),
            metrics_access: MetricsAccess::Local,
            sql: SqlConfig::default(),
            listed: Vec::new(),
        }
    }

    /// Shares memory out among requests on their way in, fresh rows, queries, caches and compaction. The largest request
    /// is no larger than its share allows, compressed and decompressed.
    pub fn share_memory(&mut self, memory_bytes: usize) {
        self.engine.share_memory(memory_bytes);
        let ingest = &mut self.ingest;
        ingest.max_in_flight_bytes = memory_bytes / 8;
        let largest = ingest.max_in_flight_bytes / 2;
        ingest.max_encoded_bytes = ingest.max_encoded_bytes.min(largest);
        ingest.max_decompressed_bytes = ingest.max_decompressed_bytes.min(largest);
    }

    /// The data folder.
    pub fn data_dir(&self) -> &Path {
        &self.engine.data_dir
    }

    /// Where the metadata are.
    pub fn metadata(&self) -> MetaLocation {
        match &self.metadata_url {
            Some(DatabaseUrl(url)) => MetaLocation::Postgres(url.clone()),
            None => MetaLocation::File(self.data_dir().join(meta::FILE_NAME)),
        }
    }
}
