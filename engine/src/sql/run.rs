//! One statement from its text to the stream of its answer.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use futures::Stream;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::encode::{self, SqlFormat, SqlPiece};
use super::guard::parse;
use super::request::{SqlCaller, SqlQuery, SqlSources};
use super::running::{SqlStatementInfo, Ticket, killed_error};
use super::statement::{self, Prepared};
use crate::error::Result;
use crate::query::{QueryContext, QueryKind, StreamBounds, deadline_exceeded, stream_until};
use crate::schema::TableId;

/// How long a statement waits for its place.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// The answer to a statement, which is made while it is read. Dropping it ends the statement.
pub struct SqlAnswer {
    id: Uuid,
    rows: SendableRecordBatchStream,
    threads: tokio::runtime::Handle,
}

impl std::fmt::Debug for SqlAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqlAnswer").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SqlAnswer {
    /// By which the statement can be ended.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Names and types of the columns.
    pub fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }

    /// The rows. Their errors are DataFusion's; [`from_datafusion`](crate::query::from_datafusion) turns them into the
    /// engine's.
    pub fn into_rows(self) -> SendableRecordBatchStream {
        self.rows
    }

    /// The rows as text or bytes of a form, in pieces of about 64 KiB. A stream that ends without an error is whole;
    /// what precedes an error is not.
    ///
    /// # Errors
    /// `InvalidRequest` when the form has no place for a type of the answer.
    pub fn encode(self, format: SqlFormat) -> Result<impl Stream<Item = Result<SqlPiece>> + Send + use<>> {
        encode::encode(self.rows, format, &self.threads)
    }
}

impl QueryContext {
    /// The answer to one read-only statement over a snapshot's rows, the table `logs`, as a stream.
    ///
    /// Errors of the stream are DataFusion's; [`from_datafusion`](crate::query::from_datafusion) turns them into the
    /// engine's. The deadline covers the whole stream.
    ///
    /// # Errors
    /// As [`Self::run_sql`].
    pub async fn sql(
        &self,
        snapshot: &crate::catalog::Snapshot,
        text: &str,
    ) -> Result<SendableRecordBatchStream> {
        Ok(self.run_sql(SqlSources::logs(snapshot), SqlQuery::of(text)).await?.into_rows())
    }

    /// Starts a read-only statement. It runs on threads and in memory of its own, which are half of what queries have,
    /// until its answer has been read, its time is over, it is killed, or the answer is dropped.
    ///
    /// # Errors
    /// `InvalidRequest` when the statement is refused, with the position where the parser gives one, or was killed;
    /// `LimitExceeded` when it is too long; `Unavailable` when too many others run; `DeadlineExceeded`.
    pub async fn run_sql(&self, sources: SqlSources, query: SqlQuery) -> Result<SqlAnswer> {
        let statement = parse(&query.text)?;
        let table = sources.logs.table;
        let mut ticket = self.sql_means().statements().begin(table, &sources.caller, &query.text);
        let started = self.start(statement.into_inner(), sources, query, &mut ticket).await;
        let (rows, bounds) = started.inspect_err(|error| ticket.failed(error))?;
        let id = ticket.id();
        let threads = self.sql_means().threads().clone();
        let _on_threads = threads.enter();
        Ok(SqlAnswer { id, rows: stream_until(rows, bounds, ticket), threads: threads.clone() })
    }

    /// The statements about a table that run or have ended lately, as far as a caller may see them; the latest first.
    pub fn sql_statements(&self, table: TableId, caller: &SqlCaller) -> Vec<SqlStatementInfo> {
        self.sql_means().statements().of(table, caller)
    }

    /// Ends a statement about a table that a caller may see. Whether there was one that runs.
    pub fn kill_sql(&self, table: TableId, caller: &SqlCaller, id: Uuid) -> bool {
        self.sql_means().statements().kill(table, caller, id)
    }

    async fn start(
        &self,
        statement: sqlparser::ast::Statement,
        sources: SqlSources,
        query: SqlQuery,
        ticket: &mut Ticket,
    ) -> Result<(SendableRecordBatchStream, StreamBounds)> {
        let (deadline, killed) = (self.sql_deadline(query.max_time), ticket.killed());
        let deadline_at = Instant::now() + deadline;
        let entering = async {
            let wait_until = deadline_at.min(Instant::now() + MAX_WAIT);
            self.sql_means().lanes().enter(sources.logs.table, wait_until).await
        };
        let lane = tokio::select! {
            lane = entering => lane?,
            () = killed.cancelled() => return Err(killed_error()),
        };
        ticket.start();
        let (session, snapshot) = (self.session_of(QueryKind::Sql, &sources.logs), sources.logs.clone());
        let activity = sources.activity.as_ref();
        let activity =
            activity.map(|(snapshot, filter)| (self.session_of(QueryKind::Sql, snapshot), filter.clone()));
        let listed = self.sql_means().statements().of(sources.logs.table, &sources.caller);
        let max_rows = query.max_rows;
        let prepared =
            Prepared { statement, parameters: query.parameters, session, activity, sources, listed };
        let work = async move {
            match timeout_at(deadline_at, statement::execute(prepared)).await {
                Ok(rows) => rows,
                Err(_elapsed) => {
                    Err(datafusion::error::DataFusionError::External(Box::new(deadline_exceeded(deadline))))
                }
            }
        };
        let rows = tokio::select! {
            rows = self.run_on_threads(QueryKind::Sql, &snapshot, work) => rows?,
            () = killed.cancelled() => return Err(killed_error()),
        };
        let store = Arc::clone(self.store());
        let bounds = StreamBounds { snapshot, store, deadline, deadline_at, max_rows, killed, lane };
        Ok((rows, bounds))
    }
}
