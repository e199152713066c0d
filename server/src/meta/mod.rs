//! Metadata: organizations, users, memberships, projects, tokens and keys, in an SQL database.
//!
//! SQLite or PostgreSQL through sqlx's database-neutral driver, with one SQL text for both: `$1` placeholders, TEXT
//! and BIGINT columns only. One file per entity; [`bootstrap`] fills a new database.

pub mod access_control;
pub mod activity;
pub mod activity_subscription;
pub mod alert;
pub mod approval;
pub mod bootstrap;
mod counter;
pub mod deletion;
pub mod destination;
pub mod export_asset;
pub(crate) mod identity;
pub mod integration;
pub mod invite;
mod job_lease;
pub mod log_view;
pub mod membership;
mod memo;
pub mod notification;
pub mod organization;
pub mod outbox;
pub mod personal_api_key;
pub mod project;
pub mod project_token;
mod retention;
pub mod role;
pub mod rule;
pub mod session;
#[cfg(test)]
pub(crate) mod testing;
pub mod user;

use std::fmt;
use std::path::{Path, PathBuf};

use engine::database::{Backend, DatabaseError, SchemaStep, copy_sqlite, open_postgres, open_sqlite};
use sqlx::{Any, AnyPool, Transaction};

use self::memo::Memo;

pub use membership::Level;

/// Name of the SQLite file in the data folder.
pub const FILE_NAME: &str = "meta.db";

/// Reads are short and writes are rare; more connections would only contend for SQLite's one writer.
const MAX_CONNECTIONS: u32 = 4;

const SCHEMA: &[SchemaStep] = &[
    SchemaStep {
        version: 1,
        description: "organizations, users, projects and keys",
        sql: include_str!("migrations/0001_organizations_users_projects_keys.sql"),
    },
    SchemaStep {
        version: 2,
        description: "saved views and exports",
        sql: include_str!("migrations/0002_views_exports.sql"),
    },
    SchemaStep {
        version: 3,
        description: "processing of records and rules for them",
        sql: include_str!("migrations/0003_processing_and_rules.sql"),
    },
    SchemaStep { version: 4, description: "sessions", sql: include_str!("migrations/0004_sessions.sql") },
    SchemaStep {
        version: 5,
        description: "identities of users at providers",
        sql: include_str!("migrations/0005_user_identities.sql"),
    },
    SchemaStep {
        version: 6,
        description: "access controls",
        sql: include_str!("migrations/0006_access_controls.sql"),
    },
    SchemaStep {
        version: 7,
        description: "integrations",
        sql: include_str!("migrations/0007_integrations.sql"),
    },
    SchemaStep { version: 8, description: "deletions", sql: include_str!("migrations/0008_deletions.sql") },
    SchemaStep {
        version: 10,
        description: "checkpoints of the audit trail and its exports",
        sql: include_str!("migrations/0010_activity.sql"),
    },
    SchemaStep {
        version: 20,
        description: "alerts on logs",
        sql: include_str!("migrations/0020_alerts.sql"),
    },
    SchemaStep {
        version: 21,
        description: "destinations of notifications",
        sql: include_str!("migrations/0021_destinations.sql"),
    },
    SchemaStep {
        version: 22,
        description: "subscriptions to the audit trail",
        sql: include_str!("migrations/0022_activity_subscriptions.sql"),
    },
    SchemaStep { version: 23, description: "approvals", sql: include_str!("migrations/0023_approvals.sql") },
    SchemaStep {
        version: 24,
        description: "alerts for each service",
        sql: include_str!("migrations/0024_alert_services.sql"),
    },
];

/// Where the metadata are.
#[derive(Clone, PartialEq, Eq)]
pub enum MetaLocation {
    /// In an SQLite file.
    File(PathBuf),
    /// In a PostgreSQL database with this URL, which may hold a password.
    Postgres(String),
}

impl fmt::Debug for MetaLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Postgres(_) => f.write_str("Postgres(..)"),
        }
    }
}

/// The metadata database; cheap to clone.
#[derive(Clone, Debug)]
pub struct Meta {
    pool: AnyPool,
    backend: Backend,
    memo: Memo,
}

/// What can go wrong with the metadata database.
#[derive(Debug, thiserror::Error)]
pub enum MetaError {
    /// It cannot be opened.
    #[error("cannot open the metadata: {0}")]
    Open(#[from] DatabaseError),
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
    /// [`MetaError::Open`] when a later version has been here, the file cannot be opened or is no database.
    pub async fn open(path: &Path) -> Result<Self, MetaError> {
        let pool = open_sqlite(path, MAX_CONNECTIONS, SCHEMA).await?;
        let memo = Memo::of_file(path).await?;
        Ok(Self { pool, backend: Backend::Sqlite, memo })
    }

    /// Opens the database at a location and brings its schema up to date. A file is made when it does not exist, a
    /// PostgreSQL database must exist.
    ///
    /// # Errors
    /// As [`Meta::open`], and when the database server does not answer.
    pub async fn open_at(location: &MetaLocation) -> Result<Self, MetaError> {
        match location {
            MetaLocation::File(path) => Self::open(path).await,
            MetaLocation::Postgres(url) => {
                let pool = open_postgres(url, MAX_CONNECTIONS, SCHEMA).await?;
                Ok(Self { pool, backend: Backend::Postgres, memo: Memo::default() })
            }
        }
    }

    /// Whether the metadata are a file of the data folder, which a backup of the folder must hold too.
    pub fn is_file(&self) -> bool {
        self.backend == Backend::Sqlite
    }

    /// Begins a transaction that writes: what it reads holds until it ends, because no other runs beside it.
    pub(crate) async fn begin_write(&self) -> Result<Transaction<'static, Any>, MetaError> {
        Ok(self.backend.begin_write(&self.pool).await?)
    }

    /// Writes a consistent copy of a database file to a new file, while it is in use.
    ///
    /// # Errors
    /// When the file exists or cannot be written, or the metadata are no file.
    pub async fn copy_to(&self, path: &Path) -> Result<(), MetaError> {
        Ok(copy_sqlite(&self.pool, path).await?)
    }

    /// Closes every connection; the write-ahead log is folded into the file.
    pub async fn close(&self) {
        self.memo.close().await;
        self.pool.close().await;
    }
}

/// Whether a statement failed because something that must be unique is there already.
fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn columns_have_only_types_that_every_database_shares() {
        let folder = tempfile::tempdir().unwrap();
        let meta = Meta::open(&folder.path().join(FILE_NAME)).await.unwrap();
        let columns: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT t.name, c.name, c.type FROM sqlite_master t JOIN pragma_table_info(t.name) c
             WHERE t.type = 'table' AND t.name NOT LIKE '\\_sqlx%' ESCAPE '\\'",
        )
        .fetch_all(&meta.pool)
        .await
        .unwrap();
        assert!(columns.len() > 30, "{columns:?}");
        for (table, column, kind) in columns {
            assert!(["TEXT", "BIGINT"].contains(&kind.as_str()), "{table}.{column} is {kind}");
        }
    }

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
        let (synchronous,): (i64,) =
            sqlx::query_as("PRAGMA synchronous").fetch_one(&meta.pool).await.unwrap();
        assert_eq!(synchronous, 2, "2 is FULL");
    }

    #[tokio::test]
    async fn a_newer_schema_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let meta = Meta::open(&path).await.unwrap();
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum, execution_time)
             VALUES (999, 'later', '2030-01-01', 1, x'00', 0)",
        )
        .execute(&meta.pool)
        .await
        .unwrap();
        meta.close().await;
        let error = Meta::open(&path).await.unwrap_err();
        assert!(
            matches!(error, MetaError::Open(DatabaseError::NewerSchema { found: 999, known })
                if known == SCHEMA[SCHEMA.len() - 1].version),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        std::fs::write(&path, "this is not an SQLite database, and it is long enough to be looked at")
            .unwrap();
        assert!(matches!(Meta::open(&path).await, Err(MetaError::Open(_))));
    }
}
