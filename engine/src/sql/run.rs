//! One statement from its text to the stream of its answer.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{Stream, StreamExt};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::DropGuard;
use uuid::Uuid;

use super::encode::{self, SqlFormat, SqlPiece};
use super::guard::parse_as;
use super::request::{SqlCaller, SqlQuery, SqlSources};
use super::running::{SqlStatementInfo, Ticket, killed_error};
use super::statement::{self, Prepared};
use super::stop::Stop;
use crate::error::Result;
use crate::query::{
    QueryContext, QueryKind, QueryOrigin, StreamBounds, StreamThreads, deadline_exceeded, from_datafusion,
    stream_until,
};
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

    /// The rows, some at a time.
    pub fn into_batches(self) -> impl Stream<Item = Result<RecordBatch>> + Send + use<> {
        self.rows.map(|rows| rows.map_err(|error| from_datafusion(error, QueryOrigin::Sql)))
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

    /// Starts a read-only statement. It runs on threads of its own, half as many as queries have, and in three quarters
    /// of their memory at most, until its answer has been read, its time is over, it is killed, or the answer is dropped.
    ///
    /// # Errors
    /// `InvalidRequest` when the statement is refused, with the position where the parser gives one, or was killed;
    /// `LimitExceeded` when it is too long; `Unavailable` when too many others run; `DeadlineExceeded`.
    pub async fn run_sql(&self, sources: SqlSources, query: SqlQuery) -> Result<SqlAnswer> {
        let statement = parse_as(&query.text, &query.dialect)?;
        let table = sources.logs.table;
        let mut ticket = self.sql_means().statements().begin(table, &sources.caller, &query.text);
        let started = self.start(statement.into_inner(), sources, query, &mut ticket).await;
        let (rows, bounds, stop) = started.inspect_err(|error| ticket.failed(error))?;
        let (id, work) = (ticket.id(), self.sql_means().threads().clone());
        let threads = StreamThreads { work, watch: self.threads().clone() };
        let rows = ending(stream_until(rows, bounds, ticket, &threads), stop.when_dropped());
        Ok(SqlAnswer { id, rows, threads: threads.work })
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
    ) -> Result<(SendableRecordBatchStream, StreamBounds, Arc<Stop>)> {
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
        let (session, snapshot) = (self.sql_session(&sources.logs, &query.dialect), sources.logs.clone());
        let activity = sources.activity.as_ref();
        let activity =
            activity.map(|(snapshot, filter)| (self.sql_session(snapshot, &query.dialect), filter.clone()));
        let listed = self.sql_means().statements().of(sources.logs.table, &sources.caller);
        let max_rows = query.max_rows;
        let stop = Arc::new(Stop::new(deadline, deadline_at, killed.clone()));
        let prepared = Prepared {
            statement,
            parameters: Some(query.parameters),
            session,
            activity,
            dialect: query.dialect,
            sources,
            listed,
            stop: Arc::clone(&stop),
        };
        let planned = self.run_on_threads(QueryKind::Sql, &snapshot, statement::execute(prepared));
        let rows = tokio::select! {
            rows = timeout_at(deadline_at, planned) => rows.map_err(|_elapsed| deadline_exceeded(deadline))??,
            () = killed.cancelled() => return Err(killed_error()),
        };
        let store = Arc::clone(self.store());
        let bounds = StreamBounds { snapshot, store, deadline, deadline_at, max_rows, killed, lane };
        Ok((rows, bounds, stop))
    }
}

/// The same rows; when they are dropped, so is the guard.
fn ending(rows: SendableRecordBatchStream, guard: DropGuard) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let guarded = rows.inspect(move |_| {
        let _held = &guard;
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, guarded))
}
