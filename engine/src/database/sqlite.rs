//! SQLite: a database in one file of this process.

use std::path::Path;

use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::{AnyConnection, AnyPool, Connection, Executor, Row};

use super::{ACQUIRE_TIMEOUT, DatabaseError, SchemaStep, migrate};

/// How long a connection waits for another writer, also of another process, before it gives up.
const BUSY_TIMEOUT: &str = "PRAGMA busy_timeout = 5000";

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
        // A file does not hang up, and asking every time costs as much as a statement.
        .test_before_acquire(false)
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

/// What a URL of the neutral driver cannot carry.
pub(super) async fn prepare_connection(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    connection.execute(BUSY_TIMEOUT).await?;
    connection.execute("PRAGMA journal_mode = WAL").await?;
    connection.execute("PRAGMA synchronous = FULL").await?;
    connection.execute("PRAGMA foreign_keys = ON").await?;
    Ok(())
}

/// The URL of a database file, with everything escaped that means something in a URL.
pub(super) fn sqlite_url(path: &Path) -> String {
    let mut url = String::from("sqlite://");
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => url.push(char::from(byte)),
            other => url.push_str(&format!("%{other:02X}")),
        }
    }
    url + "?mode=rwc"
}
