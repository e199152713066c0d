//! SQL databases as Timberline opens them: one text for every backend, migrations at start.
//!
//! Through sqlx's database-neutral driver, so that the SQL can use only what SQLite and PostgreSQL share:
//! `$1` placeholders; TEXT, BIGINT, DOUBLE PRECISION and binary columns.

use std::path::Path;
use std::time::Duration;

use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, AnyPool, Connection, Executor, Row, SqlStr};

/// How long a connection waits for another writer, also of another process, before it gives up.
const BUSY_TIMEOUT: &str = "PRAGMA busy_timeout = 5000";

/// How long a caller waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// One step of a schema. Steps are never changed once released, only added.
#[derive(Clone, Copy, Debug)]
pub struct SchemaStep {
    /// Rises from 1.
    pub version: i64,
    /// What the step is for.
    pub description: &'static str,
    /// Its statements.
    pub sql: &'static str,
}

/// What can go wrong when a database is opened.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// A later version of the program has changed the schema.
    #[error("the database has schema {found} and this program knows up to {known}: use a newer version")]
    NewerSchema {
        /// Schema of the database.
        found: i64,
        /// Newest schema this program knows.
        known: i64,
    },
    /// The schema could not be brought up to date.
    #[error("cannot bring the schema up to date")]
    Migrate(#[from] MigrateError),
    /// The database does not answer.
    #[error("cannot open the database")]
    Open(#[from] sqlx::Error),
}

/// Opens an SQLite file, makes it when it does not exist, and brings its schema up to date.
///
/// Commits are durable when they return: write-ahead journal, full synchronisation.
///
/// # Errors
/// [`DatabaseError::NewerSchema`] when a later version has been here.
pub async fn open_sqlite(
    path: &Path,
    max_connections: u32,
    schema: &[SchemaStep],
) -> Result<AnyPool, DatabaseError> {
    install_default_drivers();
    let url = sqlite_url(path);
    // A pool tries again and again until its time is up, and then hides why; one connection says it at once.
    let mut first = AnyConnection::connect(&url).await?;
    prepare_connection(&mut first).await?;
    first.close().await?;
    let pool = AnyPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _| Box::pin(prepare_connection(connection)))
        .connect(&url)
        .await?;
    migrate(&pool, schema).await?;
    Ok(pool)
}

/// What is wrong with the structure of an SQLite database, if anything is. Reads all of it.
pub async fn find_sqlite_damage(pool: &AnyPool) -> Option<String> {
    let found = sqlx::query("PRAGMA quick_check(1)").fetch_one(pool).await;
    match found.and_then(|row| row.try_get::<String, _>(0)) {
        Ok(answer) if answer == "ok" => None,
        Ok(damage) => Some(damage),
        Err(error) => Some(error.to_string()),
    }
}

/// Writes a consistent copy of an SQLite database that is in use to a new file.
///
/// # Errors
/// When the database does not answer or the file cannot be written; it must not exist.
pub async fn copy_sqlite(pool: &AnyPool, to: &Path) -> Result<(), DatabaseError> {
    let to = to
        .to_str()
        .ok_or_else(|| sqlx::Error::Configuration(format!("the path {} is no text", to.display()).into()))?;
    sqlx::query("VACUUM INTO $1").bind(to).execute(pool).await?;
    Ok(())
}

async fn migrate(pool: &AnyPool, schema: &[SchemaStep]) -> Result<(), DatabaseError> {
    let steps = schema.iter().map(|step| {
        let sql = SqlStr::from_static(step.sql);
        Migration::new(step.version, step.description.into(), MigrationType::Simple, sql, false)
    });
    let migrator = Migrator::with_migrations(steps.collect());
    let known = schema.iter().map(|step| step.version).max().unwrap_or_default();
    match migrator.run(pool).await {
        Err(MigrateError::VersionMissing(found)) if found > known => {
            Err(DatabaseError::NewerSchema { found, known })
        }
        result => Ok(result?),
    }
}

/// What a URL of the neutral driver cannot carry.
async fn prepare_connection(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    connection.execute(BUSY_TIMEOUT).await?;
    connection.execute("PRAGMA journal_mode = WAL").await?;
    connection.execute("PRAGMA synchronous = FULL").await?;
    connection.execute("PRAGMA foreign_keys = ON").await?;
    Ok(())
}

/// The URL of a database file, with everything escaped that means something in a URL.
fn sqlite_url(path: &Path) -> String {
    let mut url = String::from("sqlite://");
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => url.push(char::from(byte)),
            other => url.push_str(&format!("%{other:02X}")),
        }
    }
    url + "?mode=rwc"
}
