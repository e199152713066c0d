//! Transactions of the catalog that fail: a second connection makes the database refuse them.

use std::path::Path;

use sqlx::{AnyConnection, Connection, Executor, Row};

use super::Broken;
use crate::catalog::CATALOG_FILE_NAME;

/// What the database can be made to refuse: how it begins to, and how it ends.
const REFUSALS: [(&str, &str); 8] = [
    (
        "CREATE TRIGGER refused BEFORE INSERT ON snapshots BEGIN SELECT RAISE(ABORT, 'simulated'); END",
        "commits",
    ),
    (
        "CREATE TRIGGER refused BEFORE UPDATE ON snapshots BEGIN SELECT RAISE(ABORT, 'simulated'); END",
        "notes of manifests",
    ),
    (
        "CREATE TRIGGER refused BEFORE INSERT ON intents BEGIN SELECT RAISE(ABORT, 'simulated'); END",
        "intents",
    ),
    (
        "CREATE TRIGGER refused BEFORE DELETE ON intents BEGIN SELECT RAISE(ABORT, 'simulated'); END",
        "the end of intents",
    ),
    (
        "CREATE TRIGGER refused BEFORE DELETE ON wal_ranges BEGIN SELECT RAISE(ABORT, 'simulated'); END",
        "the end of ranges",
    ),
    (
        "CREATE TRIGGER refused BEFORE UPDATE ON data_files BEGIN SELECT RAISE(ABORT, 'simulated'); END",
        "the removal of files",
    ),
    (
        "CREATE TRIGGER refused BEFORE DELETE ON data_files BEGIN SELECT RAISE(ABORT, 'simulated'); END",
        "the end of files",
    ),
    (
        "CREATE TRIGGER refused BEFORE UPDATE ON writers BEGIN SELECT RAISE(ABORT, 'simulated'); END",
        "the writer",
    ),
];

/// Number of refusals there are.
pub(super) const NUM_REFUSALS: usize = REFUSALS.len();

/// A second connection to the catalog of a simulated machine.
#[derive(Default)]
pub(super) struct CatalogFaults {
    connection: Option<AnyConnection>,
    is_refusing: bool,
}

impl CatalogFaults {
    /// Connects to the catalog of a folder.
    pub(super) async fn connect(&mut self, data_dir: &Path) -> Result<(), Broken> {
        let url = format!("sqlite://{}", data_dir.join(CATALOG_FILE_NAME).display());
        let mut connection = AnyConnection::connect(&url).await.map_err(broken)?;
        connection.execute("PRAGMA busy_timeout = 5000").await.map_err(broken)?;
        connection.execute("PRAGMA synchronous = OFF").await.map_err(broken)?;
        self.connection = Some(connection);
        Ok(())
    }

    /// Gives the writer an id that is always the same.
    pub(super) async fn name_writer(&mut self) -> Result<(), Broken> {
        self.execute("UPDATE writers SET writer_id = '01890000-0000-7000-8000-000000000000'").await
    }

    /// Makes the database refuse something; says what.
    pub(super) async fn refuse(&mut self, which: usize) -> Result<&'static str, Broken> {
        let (statement, what) = REFUSALS[which];
        self.execute(statement).await?;
        self.is_refusing = true;
        Ok(what)
    }

    /// Lets the database work again.
    pub(super) async fn refuse_nothing(&mut self) -> Result<(), Broken> {
        if std::mem::take(&mut self.is_refusing) {
            self.execute("DROP TRIGGER refused").await?;
        }
        Ok(())
    }

    /// Forgets which batches are in data files: an engine on such a catalog is broken.
    pub(super) async fn forget_ranges(&mut self) -> Result<(), Broken> {
        self.execute("DELETE FROM wal_ranges").await
    }

    /// Objects that may have been written and are not committed.
    pub(super) async fn num_intents(&mut self) -> Result<i64, Broken> {
        let row = self.connection()?.fetch_one("SELECT COUNT(*) FROM intents").await.map_err(broken)?;
        row.try_get(0).map_err(broken)
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), Broken> {
        self.connection()?.execute(statement).await.map_err(broken)?;
        Ok(())
    }

    fn connection(&mut self) -> Result<&mut AnyConnection, Broken> {
        self.connection.as_mut().ok_or_else(|| Broken("no connection to the catalog".to_owned()))
    }
}

fn broken(error: sqlx::Error) -> Broken {
    Broken(format!("the simulation cannot use the catalog: {error}"))
}
