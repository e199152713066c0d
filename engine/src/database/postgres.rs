//! PostgreSQL: a database on a server that several processes may share.

use std::time::Duration;

use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::{Any, AnyConnection, AnyPool, Connection, Executor, Transaction};

use super::{ACQUIRE_TIMEOUT, DatabaseError, SchemaStep, migrate};

/// How long the first connection may take; a server that is not there must be said at once.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a statement waits for another writer before it gives up, as with SQLite's busy timeout.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '5s'";

/// The number that all writers of one database lock. Any fixed number does; a database is Timberline's own.
const LOCK_FOR_WRITERS: &str = "SELECT pg_advisory_xact_lock(7233174418331)";

/// Opens a database by its `postgres://` URL and brings its schema up to date. The database must exist and be for
/// nothing else.
///
/// # Errors
/// [`DatabaseError::NewerSchema`] when a later version has been here, [`DatabaseError::Open`] when the server is not
/// there within seconds or refuses.
pub async fn open_postgres(
    url: &str,
    max_connections: u32,
    schema: &[SchemaStep],
) -> Result<AnyPool, DatabaseError> {
    install_default_drivers();
    // A pool tries again and again until its time is up, and then hides why; one connection says it at once.
    let first = tokio::time::timeout(CONNECT_TIMEOUT, AnyConnection::connect(url)).await;
    first.map_err(|_elapsed| sqlx::Error::PoolTimedOut)??.close().await?;
    let pool = AnyPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _| {
            Box::pin(async move { connection.execute(LOCK_TIMEOUT).await.map(drop) })
        })
        .connect(url)
        .await?;
    migrate(&pool, schema).await?;
    Ok(pool)
}

pub(super) async fn begin_write(pool: &AnyPool) -> Result<Transaction<'static, Any>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    transaction.execute(LOCK_FOR_WRITERS).await?;
    Ok(transaction)
}
