//! Metadata: organizations, users, memberships, projects, tokens and keys, in an SQL database.
//!
//! SQLite through sqlx's database-neutral driver, with one SQL text that PostgreSQL understands as well:
//! `$1` placeholders, TEXT and BIGINT columns only. One file per entity; [`bootstrap`] fills a new database.

pub mod bootstrap;
mod migrations;
mod organization;
mod membership;
pub mod personal_api_key;
mod project;
mod project_token;
mod user;

use std::path::Path;
use std::time::Duration;

use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AnyConnection, AnyPool, Executor};

pub use membership::Level;
pub use personal_api_key::PersonalApiKey;
pub use project::Project;

/// Name of the SQLite file in the data folder.
pub const FILE_NAME: &str = "meta.db";

/// Reads are short and writes are rare; more connections would only contend for SQLite's one writer.
const MAX_CONNECTIONS: u32 = 4;

/// How long a connection waits for another writer, also of another process, before it gives up.
const BUSY_TIMEOUT_MS: u32 = 5_000;

/// The metadata database; cheap to clone.
#[derive(Clone, Debug)]
pub struct Meta {
    pool: AnyPool,
}

/// What can go wrong with the metadata database.
#[derive(Debug, thiserror::Error)]
pub enum MetaError {
    /// A later version of the program has changed the database.
    #[error("the metadata database has schema {found}, this version of timberline knows up to {known}: use a newer version")]
    NewerSchema {
        /// Schema of the database.
        found: i64,
        /// Newest schema this version knows.
        known: i64,
    },
    /// The schema could not be brought up to date.
    #[error("cannot bring the metadata database up to date")]
    Migrate(#[source] MigrateError),
    /// A statement failed.
    #[error("the metadata database does not answer")]
    Database(#[from] sqlx::Error),
    /// A stored value is not what it must be.
    #[error("the metadata database holds {0}, which is not valid")]
    Corrupt(String),
    /// The operating system gave no random bytes for a secret.
    #[error("cannot get random bytes for a secret: {0}")]
    Random(#[from] getrandom::Error),
}

impl Meta {
    /// Opens the database file, makes it when it does not exist, and brings its schema up to date.
    ///
    /// # Errors
    /// [`MetaError::NewerSchema`] when a later version has been here; [`MetaError::Database`] when the file
    /// cannot be opened or is not a database.
    pub async fn open(path: &Path) -> Result<Self, MetaError> {
        install_default_drivers();
        let pool = AnyPoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .acquire_timeout(Duration::from_secs(10))
            .after_connect(|connection, _| Box::pin(prepare_connection(connection)))
            .connect(&sqlite_url(path))
            .await?;
        let meta = Self { pool };
        meta.migrate().await?;
        Ok(meta)
    }

    async fn migrate(&self) -> Result<(), MetaError> {
        let migrator = Migrator::new(migrations::Steps).await.map_err(MetaError::Migrate)?;
        match migrator.run(&self.pool).await {
            Ok(()) => Ok(()),
            Err(MigrateError::VersionMissing(found)) if found > migrations::NEWEST => {
                Err(MetaError::NewerSchema { found, known: migrations::NEWEST })
            }
            Err(error) => Err(MetaError::Migrate(error)),
        }
    }

    /// Closes every connection; the write-ahead log is folded into the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// What a URL of sqlx's neutral driver cannot carry.
async fn prepare_connection(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    connection.execute(sqlx::AssertSqlSafe(format!("PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}"))).await?;
    connection.execute("PRAGMA journal_mode = WAL").await?;
    connection.execute("PRAGMA synchronous = FULL").await?;
    connection.execute("PRAGMA foreign_keys = ON").await?;
    Ok(())
}

/// The URL of a database file, with everything escaped that means something in a URL.
fn sqlite_url(path: &Path) -> String {
    let mut url = String::from("sqlite://");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => url.push(char::from(*byte)),
            other => url.push_str(&format!("%{other:02X}")),
        }
    }
    url + "?mode=rwc"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_path_with_special_characters_works() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a ?#%41ü.db");
        let meta = Meta::open(&path).await.unwrap();
        meta.close().await;
        assert!(path.is_file());
    }

    #[tokio::test]
    async fn connections_are_durable() {
        let folder = tempfile::tempdir().unwrap();
        let meta = Meta::open(&folder.path().join(FILE_NAME)).await.unwrap();
        let (mode,): (String,) = sqlx::query_as("PRAGMA journal_mode").fetch_one(&meta.pool).await.unwrap();
        assert_eq!(mode, "wal");
        let (synchronous,): (i64,) = sqlx::query_as("PRAGMA synchronous").fetch_one(&meta.pool).await.unwrap();
        assert_eq!(synchronous, 2, "2 is FULL");
    }

    #[tokio::test]
    async fn a_newer_schema_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let meta = Meta::open(&path).await.unwrap();
        meta.pool
            .execute(
                "INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum, execution_time)
                 VALUES (999, 'later', '2030-01-01', 1, x'00', 0)",
            )
            .await
            .unwrap();
        meta.close().await;
        let error = Meta::open(&path).await.unwrap_err();
        assert!(matches!(error, MetaError::NewerSchema { found: 999, known: migrations::NEWEST }), "{error}");
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        std::fs::write(&path, "this is not an SQLite database, and it is long enough to be looked at").unwrap();
        assert!(matches!(Meta::open(&path).await, Err(MetaError::Database(_))));
    }
}
