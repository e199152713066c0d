//! Planning a checked statement over what it may read, and starting it.

use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::sql::parser::Statement as PlannedStatement;
use futures::{StreamExt, stream};
use sqlparser::ast::Statement;

use super::describe::Planned;
use super::dialect::SqlDialect;
use super::functions;
use super::guard::{describes_tables, reads_schema};
use super::pauses::Pauses;
use super::pg_catalog::{self, About};
use super::request::{SqlSources, SqlValue};
use super::rewrite::rewrite;
use super::running::SqlStatementInfo;
use super::stop::Stop;
use super::system::{self, SYSTEM_SCHEMA};
use super::{ACTIVITY_TABLE, LOGS_TABLE};
use crate::error::Error;
use crate::query::{ActivityFilter, QuerySession, ScanLog, tenant_table, with_known_totals};

/// All that a statement needs.
pub(super) struct Prepared {
    /// Checked.
    pub(super) statement: Statement,
    /// Of its placeholders; without them they stay.
    pub(super) parameters: Option<Vec<SqlValue>>,
    /// Of the logs.
    pub(super) session: QuerySession,
    /// Of the audit trail, and which of its entries there are.
    pub(super) activity: Option<(QuerySession, ActivityFilter)>,
    pub(super) dialect: SqlDialect,
    pub(super) sources: SqlSources,
    /// The statements that the caller may see.
    pub(super) listed: Vec<SqlStatementInfo>,
    /// When it has to end.
    pub(super) stop: Arc<Stop>,
}

/// A statement's plan, and what it is planned with.
pub(super) async fn planned(prepared: Prepared) -> Planned<(LogicalPlan, PlannedWith)> {
    let Prepared { mut statement, parameters, session: query, activity, dialect, sources, listed, stop } =
        prepared;
    let is_describing = dialect.is_postgres() && describes_tables(&statement);
    rewrite(&mut statement, parameters.as_deref()).map_err(external)?;
    let session = &query.session;
    functions::end_with(session, &stop)?;
    session.register_table(LOGS_TABLE, Arc::clone(&query.table) as _)?;
    let mut scans = vec![(LOGS_TABLE, query.table.scans())];
    if let Some((entries, filter)) = &activity {
        scans.push((ACTIVITY_TABLE, entries.table.scans()));
        session.register_table(ACTIVITY_TABLE, tenant_table(entries, filter)?)?;
    }
    let about = match is_describing || reads_schema(&statement, SYSTEM_SCHEMA) {
        true => system::register(session, dialect.catalog(), &sources, &listed)?,
        false => About::default(),
    };
    if let SqlDialect::Postgres { database } = &dialect {
        let caller = &sources.caller.name;
        pg_catalog::register_functions(session, database, caller)?;
        if is_describing {
            pg_catalog::register_tables(session, database, caller, &about).await?;
        }
    }
    let statement = PlannedStatement::Statement(Box::new(statement));
    let plan = session.state().statement_to_plan(statement).await?;
    // The guard has refused all of these already; two locks are better than one.
    let read_only =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    read_only.verify_plan(&plan)?;
    Ok((plan, PlannedWith { query, scans }))
}

/// What a statement was planned with.
pub(super) struct PlannedWith {
    query: QuerySession,
    scans: Vec<(&'static str, Arc<ScanLog>)>,
}

/// Starts a statement; its rows come as a stream.
pub(super) async fn execute(prepared: Prepared) -> Planned<SendableRecordBatchStream> {
    let pauses = Pauses::new(&prepared.stop);
    let (plan, PlannedWith { query, scans }) = planned(prepared).await?;
    let is_explained = matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_));
    let plan = with_known_totals(&query, &plan).await?.unwrap_or(plan);
    let plan = query.session.execute_logical_plan(plan).await?;
    let context = Arc::new(plan.task_ctx());
    let rows = query.start(pauses.put_into(plan.create_physical_plan().await?)?, context)?;
    Ok(if is_explained { with_sources(rows, query, scans) } else { rows })
}

/// Adds a row to an explanation: which files were left out and what was read.
fn with_sources(
    rows: SendableRecordBatchStream,
    query: QuerySession,
    scans: Vec<(&'static str, Arc<ScanLog>)>,
) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let of_row = Arc::clone(&schema);
    // Written last, when it is known what was read.
    let last = stream::once(async move {
        let mut text: String = scans.iter().map(|(table, scans)| scans.describe(table)).collect();
        for (source, files) in query.answered_without_rows() {
            for file in files {
                text.push_str(&format!("  {file}: {source}\n"));
            }
        }
        text.push_str(&format!("cost: {}", query.cost_so_far()));
        let columns = ["sources".to_owned(), text].map(|cell| Arc::new(StringArray::from(vec![cell])) as _);
        Ok(RecordBatch::try_new(of_row, columns.into())?)
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, rows.chain(last)))
}

pub(super) fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
