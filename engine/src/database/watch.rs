//! Whether an SQLite file was changed, asked cheaply.

use std::fmt;
use std::path::Path;

use sqlx::any::install_default_drivers;
use sqlx::{AnyConnection, Connection};
use tokio::sync::Mutex;

use super::DatabaseError;
use super::sqlite::{prepare_connection, sqlite_url};

/// A connection that never writes, on which SQLite counts the commits of all others, those of other processes too.
pub struct ChangeWatch(Mutex<Option<AnyConnection>>);

impl fmt::Debug for ChangeWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChangeWatch")
    }
}

impl ChangeWatch {
    /// Watches a file that there is.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn open(path: &Path) -> Result<Self, DatabaseError> {
        install_default_drivers();
        let mut connection = AnyConnection::connect(&sqlite_url(path)).await?;
        prepare_connection(&mut connection).await?;
        Ok(Self(Mutex::new(Some(connection))))
    }

    /// Gives `seen` a number that is another one after every commit. Looks happen one after the other: of two numbers,
    /// that which `seen` gets later is the later one. Costs some ten microseconds.
    ///
    /// # Errors
    /// When the file cannot be read, or the watch was closed.
    pub async fn look(&self, seen: impl FnOnce(i64)) -> Result<(), sqlx::Error> {
        let mut connection = self.0.lock().await;
        let connection = connection.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        let (version,): (i64,) = sqlx::query_as("PRAGMA data_version").fetch_one(connection).await?;
        seen(version);
        Ok(())
    }

    /// Lets the file go.
    pub async fn close(&self) {
        let connection = self.0.lock().await.take();
        if let Some(connection) = connection
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "a connection did not close");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{SchemaStep, open_sqlite};

    #[tokio::test]
    async fn every_commit_is_another_number_and_a_read_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let schema = [SchemaStep { version: 1, description: "a", sql: "CREATE TABLE t (a BIGINT)" }];
        let pool = open_sqlite(&path, 2, &schema).await.unwrap();
        let watch = ChangeWatch::open(&path).await.unwrap();
        let look = async || {
            let mut number = None;
            watch.look(|seen| number = Some(seen)).await.unwrap();
            number.unwrap()
        };
        let mut last = look().await;
        for value in 0..5 {
            sqlx::query("SELECT a FROM t").fetch_all(&pool).await.unwrap();
            assert_eq!(look().await, last);
            let mut transaction = pool.begin().await.unwrap();
            sqlx::query("INSERT INTO t VALUES ($1)").bind(value).execute(&mut *transaction).await.unwrap();
            assert_eq!(look().await, last, "not committed");
            transaction.commit().await.unwrap();
            let now = look().await;
            assert_ne!(now, last);
            last = now;
        }
        watch.close().await;
        assert!(watch.look(|_| ()).await.is_err());
    }
}
