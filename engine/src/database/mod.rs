//! SQL databases as Timberline opens them: one text for every backend, migrations at start.
//!
//! Through sqlx's database-neutral driver, so that the SQL can use only what SQLite and PostgreSQL share:
//! `$1` placeholders; TEXT, BIGINT, DOUBLE PRECISION and binary columns.

mod postgres;
mod sqlite;
mod watch;

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Any, AnyPool, SqlStr, Transaction};

pub use postgres::open_postgres;
pub use sqlite::{copy_sqlite, find_sqlite_damage, open_sqlite};
pub use watch::ChangeWatch;

/// How long a caller waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Who keeps a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A file of this process.
    Sqlite,
    /// A server that several processes may share.
    Postgres,
}

impl Backend {
    /// Begins a transaction that may write. Only one of all processes is in such a transaction at a time, so that what
    /// it has read still holds when it writes; readers are not held up.
    ///
    /// # Errors
    /// When the database does not answer, or another writer does not end within seconds.
    pub async fn begin_write(self, pool: &AnyPool) -> Result<Transaction<'static, Any>, sqlx::Error> {
        match self {
            Self::Sqlite => pool.begin_with("BEGIN IMMEDIATE").await,
            Self::Postgres => postgres::begin_write(pool).await,
        }
    }
}

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
