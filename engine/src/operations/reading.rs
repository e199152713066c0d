//! Reading a data folder or a bucket without a server, through its manifests.

use std::path::Path;
use std::sync::Arc;

use crate::catalog::{Snapshot, read_manifests};
use crate::error::{Error, Result};
use crate::query::{ActivityFilter, ActivityTenant, QueryContext, QuerySettings};
use crate::schema::{OrganizationId, ProjectId, TableId};
use crate::sql::{SqlAnswer, SqlCaller, SqlQuery, SqlSources};
use crate::storage::{DataFile, Storage, StorageConfig};

/// The rows of a store's data files, as its newest manifest tells of them. Nothing is locked and nothing is written.
///
/// Rows that a server still has in its write-ahead log are not in it, and rows that have expired are until their files
/// are removed: what says how long rows are kept is not in the store.
#[derive(Debug)]
pub struct ReadOnlyStore {
    queries: QueryContext,
    files: Vec<(TableId, Arc<DataFile>)>,
    snapshot: i64,
}

impl ReadOnlyStore {
    /// Reads the manifests of the store that the settings name; `data_dir` is the data folder, if that is it.
    ///
    /// # Errors
    /// `InvalidRequest` when there is no such folder or the settings are wrong; `NotFound` when it has no manifests;
    /// `CorruptData` when they are not whole; `Unavailable` when the store does not answer.
    pub async fn open(storage: &StorageConfig, data_dir: &Path, settings: QuerySettings) -> Result<Self> {
        if storage.url.is_none() && !data_dir.is_dir() {
            return Err(Error::invalid_request(format!("{} is no folder", data_dir.display())));
        }
        let storage = Storage::open_for_reading(storage, data_dir).await?;
        let manifests = read_manifests(&storage).await?;
        if let Some(problem) = manifests.problems.first()
            && manifests.whole().is_none()
        {
            let message =
                format!("the manifests are not whole: {}; see `timberline doctor`", problem.message);
            return Err(Error::corrupt_data(message));
        }
        let Some(image) = manifests.whole() else {
            return Err(Error::new(
                crate::error::ErrorKind::NotFound,
                "there are no manifests: this is no store of Timberline's, or nothing has been flushed to it yet",
            ));
        };
        let files = image.live.values().map(|(table, file)| (*table, Arc::new(file.clone())));
        let (files, snapshot) = (files.collect(), image.snapshot);
        Ok(Self { queries: QueryContext::new(storage.object_store(), settings)?, files, snapshot })
    }

    /// The number of the newest snapshot that the manifests tell of.
    pub fn snapshot(&self) -> i64 {
        self.snapshot
    }

    /// The projects that have logs, by their numbers.
    pub fn projects(&self) -> Vec<ProjectId> {
        let projects = self.files.iter().filter_map(|(table, _)| match table {
            TableId::Logs(project) => Some(*project),
            TableId::Activity(_) => None,
        });
        let mut projects: Vec<ProjectId> = projects.collect();
        projects.sort_unstable();
        projects.dedup();
        projects
    }

    /// The organizations that have an audit trail, by their ids.
    pub fn organizations(&self) -> Vec<OrganizationId> {
        let organizations = self.files.iter().filter_map(|(table, _)| match table {
            TableId::Activity(organization) => Some(*organization),
            TableId::Logs(_) => None,
        });
        let mut organizations: Vec<OrganizationId> = organizations.collect();
        organizations.sort_unstable();
        organizations.dedup();
        organizations
    }

    /// Starts a read-only SQL statement over a project's logs and, when one is named, the whole audit trail of an
    /// organization: who can read the files can read all of it.
    ///
    /// # Errors
    /// As [`QueryContext::run_sql`].
    pub async fn run_sql(
        &self,
        project: ProjectId,
        trail: Option<OrganizationId>,
        query: SqlQuery,
    ) -> Result<SqlAnswer> {
        let logs = self.rows_of(TableId::logs(project));
        let activity = trail.map(|organization| {
            let entries = self.rows_of(TableId::activity(organization));
            (entries, ActivityFilter::all(ActivityTenant::Organization))
        });
        let caller = SqlCaller { name: String::new(), sees_all: true };
        self.queries.run_sql(SqlSources { logs, activity, system: Vec::new(), caller }, query).await
    }

    fn rows_of(&self, table: TableId) -> Snapshot {
        let files = self.files.iter().filter(|(of_table, _)| *of_table == table);
        let files = Arc::new(files.map(|(_, file)| Arc::clone(file)).collect());
        Snapshot { table, files, segments: Vec::new(), retention: None }
    }
}
