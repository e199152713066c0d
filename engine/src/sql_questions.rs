//! The engine's questions in SQL.

use datafusion::execution::SendableRecordBatchStream;
use futures::future::BoxFuture;
use uuid::Uuid;

use crate::engine::Engine;
use crate::error::Result;
use crate::query::ActivityFilter;
use crate::schema::{OrganizationId, ProjectId, TableId};
use crate::sql::{SqlAnswer, SqlCaller, SqlDescription, SqlQuery, SqlSources, SqlStatementInfo, SystemTable};

impl Engine {
    /// The answer to one read-only SQL statement over a project's logs, the table `logs`.
    ///
    /// # Errors
    /// As [`QueryContext::run_sql`](crate::query::QueryContext::run_sql).
    pub async fn sql(&self, project: ProjectId, text: &str) -> Result<SendableRecordBatchStream> {
        self.queries.sql(&self.snapshot(project), text).await
    }

    /// Starts a read-only SQL statement over a project's logs, those entries of an organization's audit trail that a
    /// filter lets through if there is one, and tables of the caller.
    ///
    /// The future is boxed here, since planning makes it so deep that each caller would take the compiler long.
    ///
    /// # Errors
    /// As [`QueryContext::run_sql`](crate::query::QueryContext::run_sql).
    pub fn run_sql(
        &self,
        project: ProjectId,
        activity: Option<(OrganizationId, ActivityFilter)>,
        system: Vec<SystemTable>,
        caller: SqlCaller,
        query: SqlQuery,
    ) -> BoxFuture<'_, Result<SqlAnswer>> {
        Box::pin(self.queries.run_sql(self.sql_sources(project, activity, system, caller), query))
    }

    /// What such a statement takes and would answer.
    ///
    /// # Errors
    /// As [`QueryContext::describe_sql`](crate::query::QueryContext::describe_sql).
    pub fn describe_sql(
        &self,
        project: ProjectId,
        activity: Option<(OrganizationId, ActivityFilter)>,
        system: Vec<SystemTable>,
        caller: SqlCaller,
        query: SqlQuery,
    ) -> BoxFuture<'_, Result<SqlDescription>> {
        Box::pin(self.queries.describe_sql(self.sql_sources(project, activity, system, caller), query))
    }

    fn sql_sources(
        &self,
        project: ProjectId,
        activity: Option<(OrganizationId, ActivityFilter)>,
        system: Vec<SystemTable>,
        caller: SqlCaller,
    ) -> SqlSources {
        let activity = activity.map(|(organization, filter)| {
            let table = TableId::activity(organization);
            (self.tables.snapshot(table, self.retention.cutoff(table)), filter)
        });
        SqlSources { logs: self.snapshot(project), activity, system, caller }
    }

    /// The SQL statements about a project that run or have ended lately, as far as a caller may see them; the latest
    /// first.
    pub fn sql_statements(&self, project: ProjectId, caller: &SqlCaller) -> Vec<SqlStatementInfo> {
        self.queries.sql_statements(TableId::logs(project), caller)
    }

    /// Ends a statement about a project that a caller may see. Whether there was one that runs.
    pub fn kill_sql(&self, project: ProjectId, caller: &SqlCaller, id: Uuid) -> bool {
        self.queries.kill_sql(TableId::logs(project), caller, id)
    }
}
