//! Settings: where they come from, what they are called, and what they may be.
//!
//! Every setting is one entry of [`SETTINGS`], and every source gives text: a TOML file (`--config`), the
//! environment (`TIMBERLINE_<SECTION>__<KEY>`), and flags. A later source wins over an earlier one.
//! A name that is not in the table is an error, in a file and in the environment alike.

use std::collections::HashMap;
use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use engine::EngineConfig;
use tracing_subscriber::EnvFilter;

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
    /// The model that explains logs.
    pub ai: AiConfig,
    /// Log-ins of the web page.
    pub auth: AuthConfig,
    /// The provider that users sign on with.
    pub sign_on: SignOnConfig,
    /// How the server logs about itself.
    pub log: LogConfig,
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

/// The OpenID Connect provider that users sign on with; none without an issuer and a client id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignOnConfig {
    /// Its address, exactly as it names itself.
    pub issuer: String,
    /// What the provider calls this server.
    pub client_id: String,
    /// By which this server shows the provider who it is.
    pub client_secret: Option<Secret>,
    /// The only domains whose addresses may sign on, lower case; every domain if there are none.
    pub email_domains: Vec<String>,
    /// UUID of the organization that joins who is no user yet; without it nobody becomes one.
    pub organization: Option<String>,
}

impl SignOnConfig {
    /// Whether there is a provider.
    pub fn is_configured(&self) -> bool {
        !self.issuer.is_empty() && !self.client_id.is_empty()
    }

    /// Whether an address is of a domain that may sign on.
    pub fn allows(&self, email: &str) -> bool {
        let domain = email.rsplit('@').next().unwrap_or_default().trim().to_lowercase();
        self.email_domains.is_empty() || self.email_domains.contains(&domain)
    }
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
}

/// The form of a line of the server's own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

const MIB: usize = 1024 * 1024;

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
            ai: AiConfig { base_url: None, model: None, api_key: None, timeout: Duration::from_secs(60) },
            auth: AuthConfig {
                session_lifetime: Duration::from_secs(336 * 3_600),
                sensitive_max_age: Duration::from_secs(120 * 60),
                secure_cookies: false,
            },
            sign_on: SignOnConfig::default(),
            log: LogConfig { format: LogFormat::Text, filter: "info".to_owned() },
        }
    }

    /// Shares memory out among requests on their way in, fresh rows, queries, caches and compaction.
    pub fn share_memory(&mut self, memory_bytes: usize) {
        self.engine.share_memory(memory_bytes);
        self.ingest.max_in_flight_bytes = memory_bytes / 8;
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

/// One setting: its name, what it means, its default, and how its text becomes a value.
#[derive(Debug)]
pub struct Setting {
    /// Table of the TOML file.
    pub section: &'static str,
    /// Key in that table.
    pub key: &'static str,
    /// What it decides, with its unit.
    pub doc: &'static str,
    /// Its default, as text.
    pub default: &'static str,
    apply: fn(&mut ServerConfig, &str) -> Result<(), String>,
}

impl Setting {
    /// The name in messages and in a file: `section.key`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.section, self.key)
    }

    /// The name in the environment.
    pub fn variable(&self) -> String {
        format!("{ENVIRONMENT_PREFIX}{}__{}", self.section.to_uppercase(), self.key.to_uppercase())
    }
}

const ENVIRONMENT_PREFIX: &str = "TIMBERLINE_";

/// What the variables begin with that remote stores are reached by.
const STORE_PREFIXES: [&str; 3] = ["AWS_", "GOOGLE_", "AZURE_"];

/// The data folder, when nothing says another one.
pub const DEFAULT_DATA_DIR: &str = "timberline-data";

/// Every setting there is, in the order in which they are applied: a part of the memory can be set on its own after
/// the whole has been shared out.
pub const SETTINGS: &[Setting] = &[
    Setting {
        section: "memory",
        key: "total_bytes",
        doc: "memory that is shared out: 1/4 to fresh rows, 3/8 to queries, 1/8 each to requests on their way in, \
              caches and compaction; the process itself takes up to 256 MiB more",
        default: "2GiB",
        apply: |config, text| bytes(text).map(|value| config.share_memory(value)),
    },
    Setting {
        section: "server",
        key: "data_dir",
        doc: "folder that holds everything; made when it does not exist",
        default: DEFAULT_DATA_DIR,
        apply: |config, text| parse(text, "a path").map(|value| config.engine.data_dir = value),
    },
    Setting {
        section: "server",
        key: "listen",
        doc: "address and port of the HTTP API; port 0 picks a free one",
        default: "127.0.0.1:4318",
        apply: |config, text| {
            parse(text, "an address with a port, like 127.0.0.1:4318").map(|value| config.listen = value)
        },
    },
    Setting {
        section: "server",
        key: "grpc_listen",
        doc: "address and port that take OTLP over gRPC, or `none`; port 0 picks a free one",
        default: "none",
        apply: |config, text| {
            let address = match text {
                "none" => Ok(None),
                _ => parse(text, "an address with a port, like 127.0.0.1:4317, or none").map(Some),
            };
            address.map(|value| config.grpc_listen = value)
        },
    },
    Setting {
        section: "server",
        key: "drain_secs",
        doc: "how long a stop waits for requests that are under way, seconds",
        default: "20",
        apply: |config, text| seconds(text).map(|value| config.drain_timeout = value),
    },
    Setting {
        section: "ingest",
        key: "max_encoded_bytes",
        doc: "largest request body as it is sent",
        default: "64MiB",
        apply: |config, text| bytes(text).map(|value| config.ingest.max_encoded_bytes = value),
    },
    Setting {
        section: "ingest",
        key: "max_decompressed_bytes",
        doc: "largest request body after decompression",
        default: "64MiB",
        apply: |config, text| bytes(text).map(|value| config.ingest.max_decompressed_bytes = value),
    },
    Setting {
        section: "ingest",
        key: "max_in_flight_bytes",
        doc: "bytes that all ingest requests under way may hold together",
        default: "256MiB",
        apply: |config, text| bytes(text).map(|value| config.ingest.max_in_flight_bytes = value),
    },
    Setting {
        section: "ingest",
        key: "max_record_bytes",
        doc: "largest record; larger ones are rejected in the partial-success reply",
        default: "1MiB",
        apply: |config, text| bytes(text).map(|value| config.ingest.max_record_bytes = value),
    },
    Setting {
        section: "engine",
        key: "max_buffer_bytes",
        doc: "most bytes of rows in memory; beyond, ingestion answers 503",
        default: "512MiB",
        apply: |config, text| bytes(text).map(|value| config.engine.max_buffer_bytes = value),
    },
    Setting {
        section: "engine",
        key: "flush_bytes",
        doc: "bytes of one project's rows in memory that start a flush to data files",
        default: "128MiB",
        apply: |config, text| bytes(text).map(|value| config.engine.flush_bytes = value),
    },
    Setting {
        section: "engine",
        key: "flush_interval_secs",
        doc: "age of the oldest row in memory that starts a flush, seconds",
        default: "300",
        apply: |config, text| seconds(text).map(|value| config.engine.flush_interval = value),
    },
    Setting {
        section: "engine",
        key: "wal_segment_bytes",
        doc: "size of one file of the write-ahead log",
        default: "64MiB",
        apply: |config, text| bytes(text).map(|value| config.engine.wal_segment_bytes = value as u64),
    },
    Setting {
        section: "engine",
        key: "max_wal_bytes",
        doc: "most bytes of the write-ahead log; beyond, ingestion answers 503",
        default: "2GiB",
        apply: |config, text| bytes(text).map(|value| config.engine.max_wal_bytes = value as u64),
    },
    Setting {
        section: "engine",
        key: "target_file_bytes",
        doc: "size that compaction makes data files of",
        default: "256MiB",
        apply: |config, text| bytes(text).map(|value| config.engine.target_file_bytes = value as u64),
    },
    Setting {
        section: "engine",
        key: "merge_memory_bytes",
        doc: "uncompressed bytes of rows that compaction holds at a time",
        default: "128MiB",
        apply: |config, text| bytes(text).map(|value| config.engine.merge_memory_bytes = value as u64),
    },
    Setting {
        section: "engine",
        key: "cache_bytes",
        doc: "memory for footers of data files and for sidecars",
        default: "256MiB",
        apply: |config, text| bytes(text).map(|value| config.engine.cache_bytes = value),
    },
    Setting {
        section: "metadata",
        key: "url",
        doc: "where organizations, users, projects and keys are: `postgres://user:password@host/database`, \
              or `none` for a file in the data folder",
        default: "none",
        apply: |config, text| {
            let url = if text == "none" { Ok(None) } else { text.parse().map(Some) };
            url.map(|value| config.metadata_url = value)
        },
    },
    Setting {
        section: "storage",
        key: "url",
        doc: "where data files are: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`, \
              `file:///folder`, or `none` for the data folder",
        default: "none",
        apply: |config, text| {
            config.engine.storage.url = (text != "none").then(|| text.to_owned());
            Ok(())
        },
    },
    Setting {
        section: "storage",
        key: "cache_bytes",
        doc: "most bytes of a remote store's data files that are kept in the data folder; 0 keeps none",
        default: "10GiB",
        apply: |config, text| {
            let value = if text == "0" { Ok(0) } else { bytes(text) };
            value.map(|value| config.engine.storage.cache_bytes = value as u64)
        },
    },
    Setting {
        section: "storage",
        key: "request_timeout_secs",
        doc: "longest time of one request to a remote store, with its body, seconds",
        default: "30",
        apply: |config, text| seconds(text).map(|value| config.engine.storage.request_timeout = value),
    },
    Setting {
        section: "storage",
        key: "connect_timeout_secs",
        doc: "longest time until a connection to a remote store stands, seconds",
        default: "5",
        apply: |config, text| seconds(text).map(|value| config.engine.storage.connect_timeout = value),
    },
    Setting {
        section: "storage",
        key: "max_retries",
        doc: "how often a request is repeated when a remote store fails or is busy",
        default: "5",
        apply: |config, text| {
            parse(text, "a whole number").map(|value| config.engine.storage.max_retries = value)
        },
    },
    Setting {
        section: "storage",
        key: "retry_timeout_secs",
        doc: "time after which a request to a remote store is not repeated any more, seconds",
        default: "60",
        apply: |config, text| seconds(text).map(|value| config.engine.storage.retry_timeout = value),
    },
    Setting {
        section: "query",
        key: "memory_bytes",
        doc: "memory that all running queries share",
        default: "768MiB",
        apply: |config, text| bytes(text).map(|value| config.engine.query_memory_bytes = value),
    },
    Setting {
        section: "query",
        key: "timeout_secs",
        doc: "longest time a query may run, seconds",
        default: "60",
        apply: |config, text| seconds(text).map(|value| config.engine.query_timeout = value),
    },
    Setting {
        section: "tail",
        key: "max_subscribers",
        doc: "most live tails at a time; beyond, new ones are answered 503",
        default: "64",
        apply: |config, text| parse(text, "a whole number").map(|value| config.tail.max_subscribers = value),
    },
    Setting {
        section: "tail",
        key: "max_subscribers_per_project",
        doc: "most live tails of one project at a time; beyond, new ones are answered 429",
        default: "16",
        apply: |config, text| {
            parse(text, "a whole number").map(|value| config.tail.max_subscribers_per_project = value)
        },
    },
    Setting {
        section: "tail",
        key: "buffer_bytes",
        doc: "bytes of rows that wait for one slow live tail, of the memory of queries; beyond, rows are dropped and \
              counted",
        default: "1MiB",
        apply: |config, text| bytes(text).map(|value| config.tail.buffer_bytes = value),
    },
    Setting {
        section: "export",
        key: "max_streams",
        doc: "exports that are streamed at a time; further ones are answered 503",
        default: "4",
        apply: |config, text| positive(text).map(|value| config.export.max_streams = value as usize),
    },
    Setting {
        section: "export",
        key: "max_file_bytes",
        doc: "largest file of an export that is made in the background",
        default: "256MiB",
        apply: |config, text| bytes(text).map(|value| config.export.max_file_bytes = value),
    },
    Setting {
        section: "export",
        key: "keep_days",
        doc: "how long such a file is kept, days",
        default: "7",
        apply: |config, text| positive(text).map(|value| config.export.keep_days = value),
    },
    Setting {
        section: "ai",
        key: "base_url",
        doc: "address of an OpenAI-compatible API that explains logs, like `https://host/v1`, or `none`; the logs to be \
              explained are sent there, without what looks like a secret",
        default: "none",
        apply: |config, text| address(text).map(|value| config.ai.base_url = value),
    },
    Setting {
        section: "ai",
        key: "model",
        doc: "name of the model there, or `none`",
        default: "none",
        apply: |config, text| {
            config.ai.model = unless_none(text);
            Ok(())
        },
    },
    Setting {
        section: "ai",
        key: "api_key",
        doc: "key that is sent there, or `none`; best given in the environment",
        default: "none",
        apply: |config, text| {
            config.ai.api_key = unless_none(text).map(Secret::new);
            Ok(())
        },
    },
    Setting {
        section: "ai",
        key: "timeout_secs",
        doc: "longest time the model may take, seconds",
        default: "60",
        apply: |config, text| seconds(text).map(|value| config.ai.timeout = value),
    },
    Setting {
        section: "auth",
        key: "session_hours",
        doc: "how long a log-in lasts, hours",
        default: "336",
        apply: |config, text| {
            positive(text)
                .map(|hours| config.auth.session_lifetime = Duration::from_secs(u64::from(hours) * 3_600))
        },
    },
    Setting {
        section: "auth",
        key: "sensitive_minutes",
        doc: "how long after a log-in organizations, members, roles and keys can be changed in it, minutes",
        default: "120",
        apply: |config, text| {
            positive(text)
                .map(|minutes| config.auth.sensitive_max_age = Duration::from_secs(u64::from(minutes) * 60))
        },
    },
    Setting {
        section: "auth",
        key: "secure_cookies",
        doc: "`always`: browsers send the cookies of a log-in by HTTPS only; `auto`: only if the log-in came so, which \
              a proxy says in `X-Forwarded-Proto`",
        default: "auto",
        apply: |config, text| match text {
            "always" | "auto" => {
                config.auth.secure_cookies = text == "always";
                Ok(())
            }
            _ => Err(format!("{text:?} is not always or auto")),
        },
    },
    Setting {
        section: "oidc",
        key: "issuer",
        doc: "address of the OpenID Connect provider that users can sign on with, exactly as it names itself, or `none`",
        default: "none",
        apply: |config, text| address(text).map(|value| config.sign_on.issuer = value.unwrap_or_default()),
    },
    Setting {
        section: "oidc",
        key: "client_id",
        doc: "what the provider calls this server, or `none`",
        default: "none",
        apply: |config, text| {
            config.sign_on.client_id = unless_none(text).unwrap_or_default();
            Ok(())
        },
    },
    Setting {
        section: "oidc",
        key: "client_secret",
        doc: "by which this server shows the provider who it is, or `none`; best given in the environment",
        default: "none",
        apply: |config, text| {
            config.sign_on.client_secret = unless_none(text).map(Secret::new);
            Ok(())
        },
    },
    Setting {
        section: "oidc",
        key: "email_domains",
        doc: "the only domains whose e-mail addresses may sign on, joined by commas, or `none` for every domain",
        default: "none",
        apply: |config, text| {
            let domains = unless_none(text).unwrap_or_default();
            let domains = domains.split(',').map(|domain| domain.trim().to_lowercase());
            config.sign_on.email_domains = domains.filter(|domain| !domain.is_empty()).collect();
            Ok(())
        },
    },
    Setting {
        section: "oidc",
        key: "organization",
        doc: "UUID of the organization that somebody who is no user yet joins by signing on, or `none`: then only users \
              sign on",
        default: "none",
        apply: |config, text| {
            let id = unless_none(text).map(|text| parse::<uuid::Uuid>(&text, "a UUID, or none")).transpose();
            id.map(|id| config.sign_on.organization = id.map(|id| id.to_string()))
        },
    },
    Setting {
        section: "log",
        key: "format",
        doc: "form of the server's own log on stderr: text or json",
        default: "text",
        apply: |config, text| log_format(text).map(|value| config.log.format = value),
    },
    Setting {
        section: "log",
        key: "filter",
        doc: "which events are logged, like info or server=debug",
        default: "info",
        apply: |config, text| {
            EnvFilter::try_new(text).map_err(|error| format!("{text:?} is not a log filter: {error}"))?;
            config.log.filter = text.to_owned();
            Ok(())
        },
    },
];

/// A setting that does not exist, or has a value that it cannot have; one line for people.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct SettingError(String);

/// The sources of settings, weakest first.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Name and text of the configuration file.
    pub file: Option<(PathBuf, String)>,
    /// The environment; variables without the product's prefix are ignored.
    pub environment: Vec<(String, String)>,
    /// Settings given as flags: name (`section.key`) and value.
    pub flags: Vec<(&'static str, String)>,
}

impl ServerConfig {
    /// Reads the sources over defaults.
    ///
    /// # Errors
    /// The first setting that is unknown or out of its bounds, with the place it stands in.
    pub fn load(defaults: Self, sources: &Sources) -> Result<Self, SettingError> {
        let mut given = Given::default();
        if let Some((path, text)) = &sources.file {
            given.read_file(&path.display().to_string(), text)?;
        }
        for (variable, value) in &sources.environment {
            given.read_variable(variable, value)?;
        }
        for (name, value) in &sources.flags {
            let setting =
                find(|setting| setting.name() == *name).expect("BUG: a flag names a setting of the table");
            given.note(setting, value.clone(), "command line");
        }
        let mut config = defaults;
        for setting in SETTINGS {
            if let Some((text, source)) = given.values.get(&setting.name()) {
                config.set(setting, text, source)?;
            }
        }
        config.read_store_options(&sources.environment);
        config.validate()?;
        Ok(config)
    }

    /// Takes the variables that the store's own tools know too, like `AWS_ACCESS_KEY_ID`. Those that its client does
    /// not know are other programs' affair.
    fn read_store_options(&mut self, environment: &[(String, String)]) {
        let is_of_a_store = |name: &str| STORE_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        let storage = &mut self.engine.storage;
        let known =
            environment.iter().filter(|(name, _)| is_of_a_store(name) && storage.accepts_option(name));
        storage.options = known.cloned().collect();
    }

    fn set(&mut self, setting: &Setting, text: &str, source: &str) -> Result<(), SettingError> {
        (setting.apply)(self, text)
            .map_err(|reason| SettingError(format!("setting {} ({source}): {reason}", setting.name())))
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.engine.validate().map_err(|error| SettingError(format!("setting {}", error.message())))?;
        let IngestConfig { max_encoded_bytes, max_decompressed_bytes, max_in_flight_bytes, .. } = self.ingest;
        let one_request = max_encoded_bytes.saturating_add(max_decompressed_bytes);
        if max_in_flight_bytes < one_request {
            return Err(SettingError(format!(
                "setting ingest.max_in_flight_bytes: {max_in_flight_bytes} is too small for one request of the largest \
                 size; it must be at least {one_request}"
            )));
        }
        Ok(())
    }
}

/// What the sources say: the text of each setting and where it stands, the strongest source's.
#[derive(Debug, Default)]
struct Given {
    values: HashMap<String, (String, String)>,
}

impl Given {
    fn note(&mut self, setting: &Setting, text: String, source: &str) {
        self.values.insert(setting.name(), (text, source.to_owned()));
    }

    fn read_file(&mut self, path: &str, text: &str) -> Result<(), SettingError> {
        let tables: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            SettingError(format!("cannot read {path}: {}", one_line(&error)))
        })?;
        for (section, table) in &tables {
            let toml::Value::Table(table) = table else {
                return Err(SettingError(format!("unknown setting {section} in {path}")));
            };
            for (key, value) in table {
                let setting = find(|setting| setting.section == section && setting.key == key)
                    .ok_or_else(|| SettingError(format!("unknown setting {section}.{key} in {path}")))?;
                self.note(setting, toml_text(value), path);
            }
        }
        Ok(())
    }

    fn read_variable(&mut self, variable: &str, value: &str) -> Result<(), SettingError> {
        if !variable.starts_with(ENVIRONMENT_PREFIX) {
            return Ok(());
        }
        let setting = find(|setting| setting.variable() == variable)
            .ok_or_else(|| SettingError(format!("unknown setting {variable} in the environment")))?;
        self.note(setting, value.to_owned(), "environment");
        Ok(())
    }
}

fn find(matches: impl Fn(&Setting) -> bool) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| matches(setting))
}

/// A TOML value as the text that a flag or a variable would have.
fn toml_text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// TOML's errors span several lines with the source in them; the first lines say it all.
fn one_line(error: &toml::de::Error) -> String {
    error.message().replace('\n', ", ")
}

fn parse<T: FromStr>(text: &str, what: impl Display) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is not {what}"))
}

fn unless_none(text: &str) -> Option<String> {
    (text != "none" && !text.is_empty()).then(|| text.to_owned())
}

fn address(text: &str) -> Result<Option<String>, String> {
    let Some(text) = unless_none(text) else { return Ok(None) };
    match text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) {
        Some(rest) if !rest.is_empty() && !rest.contains(char::is_whitespace) => Ok(Some(text)),
        _ => Err(format!("{text:?} is not an address that begins with https:// or http://, or none")),
    }
}

fn positive(text: &str) -> Result<u32, String> {
    const WHAT: &str = "a whole number from 1";
    parse::<u16>(text, WHAT).and_then(|number| match number {
        0 => Err(format!("{text:?} is not {WHAT}")),
        number => Ok(number.into()),
    })
}

fn seconds(text: &str) -> Result<Duration, String> {
    parse(text, "a whole number of seconds").map(Duration::from_secs)
}

/// A number of bytes, plain or with a binary unit: `1048576`, `64MiB`.
fn bytes(text: &str) -> Result<usize, String> {
    const WHAT: &str = "a number of bytes, like 1048576 or 64MiB";
    let units = [("KiB", 1024), ("MiB", MIB), ("GiB", 1024 * MIB)];
    let (digits, unit) = units
        .iter()
        .find_map(|(suffix, unit)| text.strip_suffix(suffix).map(|digits| (digits, *unit)))
        .unwrap_or((text, 1));
    let number: usize = parse(digits.trim_end(), WHAT).map_err(|_| format!("{text:?} is not {WHAT}"))?;
    match number.checked_mul(unit) {
        Some(bytes) if bytes > 0 => Ok(bytes),
        _ => Err(format!("{text:?} is not between 1 byte and the address space")),
    }
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("{text:?} is not text or json")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_file(text: &str) -> Result<ServerConfig, String> {
        load(Sources { file: Some((PathBuf::from("t.toml"), text.to_owned())), ..Sources::default() })
    }

    fn from_environment(variable: &str, value: &str) -> Result<ServerConfig, String> {
        load(Sources { environment: vec![(variable.to_owned(), value.to_owned())], ..Sources::default() })
    }

    fn load(sources: Sources) -> Result<ServerConfig, String> {
        ServerConfig::load(ServerConfig::new(DEFAULT_DATA_DIR), &sources).map_err(|error| error.to_string())
    }

    #[test]
    fn every_default_in_the_table_is_the_default() {
        let defaults = format!("{:?}", ServerConfig::new(DEFAULT_DATA_DIR));
        let mut config = ServerConfig::new(DEFAULT_DATA_DIR);
        for setting in SETTINGS {
            config.set(setting, setting.default, "test").unwrap();
            assert_eq!(format!("{config:?}"), defaults, "{}", setting.name());
        }
    }

    /// The list of settings for people, as it must stand in SETTINGS.md.
    fn settings_table() -> String {
        let row = |setting: &Setting| {
            let (name, variable) = (setting.name(), setting.variable());
            format!("| `{name}` | `{variable}` | `{}` | {} |\n", setting.default, setting.doc)
        };
        let rows: String = SETTINGS.iter().map(row).collect();
        format!("| in a file | in the environment | default | meaning |\n|---|---|---|---|\n{rows}")
    }

    #[test]
    fn the_written_list_of_settings_is_the_table() {
        let written = include_str!("../SETTINGS.md");
        assert!(written.ends_with(&settings_table()), "SETTINGS.md must end with:\n{}", settings_table());
    }

    #[test]
    fn no_source_gives_the_defaults() {
        let config = load(Sources::default()).unwrap();
        assert_eq!(format!("{config:?}"), format!("{:?}", ServerConfig::new("timberline-data")));
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_the_file() {
        let mut sources = Sources {
            file: Some((
                PathBuf::from("t.toml"),
                "[server]\ndata_dir = 'file'\nlisten = '127.0.0.1:1'\ndrain_secs = 7".into(),
            )),
            environment: vec![
                ("TIMBERLINE_SERVER__DATA_DIR".into(), "environment".into()),
                ("TIMBERLINE_SERVER__LISTEN".into(), "127.0.0.1:2".into()),
                ("HOME".into(), "/root".into()),
            ],
            flags: vec![("server.data_dir", "flag".into())],
        };
        let config = load(sources.clone()).unwrap();
        assert_eq!(config.data_dir(), Path::new("flag"));
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.drain_timeout, Duration::from_secs(7));
        sources.flags.clear();
        assert_eq!(load(sources).unwrap().data_dir(), Path::new("environment"));
    }

    #[test]
    fn memory_is_shared_out_before_its_parts_are_set() {
        let sources = Sources {
            file: Some((PathBuf::from("t.toml"), "[query]\nmemory_bytes = '5MiB'".into())),
            environment: vec![("TIMBERLINE_MEMORY__TOTAL_BYTES".into(), "8GiB".into())],
            flags: Vec::new(),
        };
        let config = load(sources).unwrap();
        assert_eq!(config.engine.query_memory_bytes, 5 * MIB);
        assert_eq!(config.engine.max_buffer_bytes, 2048 * MIB);
        assert_eq!(config.ingest.max_in_flight_bytes, 1024 * MIB);
    }

    #[test]
    fn an_unknown_name_is_an_error_that_names_it() {
        assert_eq!(
            from_file("[server]\nlissten = 'x'").unwrap_err(),
            "unknown setting server.lissten in t.toml"
        );
        assert_eq!(from_file("[sever]\nlisten = 'x'").unwrap_err(), "unknown setting sever.listen in t.toml");
        assert_eq!(from_file("listen = 'x'").unwrap_err(), "unknown setting listen in t.toml");
        assert_eq!(
            from_environment("TIMBERLINE_LISTEN", "x").unwrap_err(),
            "unknown setting TIMBERLINE_LISTEN in the environment"
        );
    }

    #[test]
    fn a_value_out_of_its_bounds_is_an_error_that_names_the_setting() {
        for (variable, value, expected) in [
            ("SERVER__LISTEN", "4318", "server.listen (environment): \"4318\" is not an address with a port"),
            ("SERVER__DRAIN_SECS", "-1", "server.drain_secs (environment): \"-1\" is not a whole number"),
            (
                "INGEST__MAX_ENCODED_BYTES",
                "1MB",
                "ingest.max_encoded_bytes (environment): \"1MB\" is not a number of bytes",
            ),
            ("INGEST__MAX_RECORD_BYTES", "0", "ingest.max_record_bytes (environment): \"0\" is not between"),
            ("INGEST__MAX_IN_FLIGHT_BYTES", "1MiB", "ingest.max_in_flight_bytes: 1048576 is too small"),
            ("LOG__FORMAT", "xml", "log.format (environment): \"xml\" is not text or json"),
            ("LOG__FILTER", "a=b=c", "log.filter (environment): \"a=b=c\" is not a log filter"),
        ] {
            let error = from_environment(&format!("TIMBERLINE_{variable}"), value).unwrap_err();
            assert!(error.starts_with(&format!("setting {expected}")), "{error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }

    #[test]
    fn a_store_is_reached_by_its_own_variables() {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let environment = vec![
            variable("TIMBERLINE_STORAGE__URL", "s3://logs/eu"),
            variable("AWS_ACCESS_KEY_ID", "id"),
            variable("AWS_SECRET_ACCESS_KEY", "hush"),
            variable("AWS_PROFILE", "of another program"),
            variable("GOOGLE_SERVICE_ACCOUNT", "of another store"),
            variable("ACCESS_KEY_ID", "of nobody"),
        ];
        let config = load(Sources { environment: environment.clone(), ..Sources::default() }).unwrap();
        assert_eq!(config.engine.storage.options, environment[1..3]);
        assert!(!format!("{config:?}").contains("hush"));
        let without_store = Sources { environment: environment[1..].to_vec(), ..Sources::default() };
        assert!(load(without_store).unwrap().engine.storage.options.is_empty());
    }

    #[test]
    fn a_wrong_address_of_a_store_names_the_setting() {
        let error = from_environment("TIMBERLINE_STORAGE__URL", "ftp://logs").unwrap_err();
        assert!(error.starts_with("setting storage.url: unknown scheme"), "{error}");
        let config = from_file("[storage]\ncache_bytes = 0\nmax_retries = 2").unwrap();
        assert_eq!((config.engine.storage.cache_bytes, config.engine.storage.max_retries), (0, 2));
    }

    #[test]
    fn sizes_may_have_a_unit_and_file_values_a_type() {
        let config =
            from_file("[ingest]\nmax_encoded_bytes = 4096\nmax_decompressed_bytes = '3MiB'").unwrap();
        assert_eq!(config.ingest.max_encoded_bytes, 4096);
        assert_eq!(config.ingest.max_decompressed_bytes, 3 * MIB);
    }

    #[test]
    fn a_file_that_is_not_toml_is_one_line() {
        let error = from_file("[server\nlisten").unwrap_err();
        assert!(error.starts_with("cannot read t.toml: "), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}
