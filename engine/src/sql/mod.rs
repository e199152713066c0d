//! SQL: one read-only statement over the table `logs`, and one scalar expression over a row.
//!
//! `guard` decides which statements may run; what it lets through is planned from the very syntax tree that
//! it checked, so that nothing is read twice with two meanings. The session knows no other table, no
//! information schema, and no way to name a file or an address.

mod guard;
mod row_expression;

use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::sql::parser::Statement as PlannedStatement;

pub(crate) use guard::{ReadOnlyStatement, parse};
pub use row_expression::{RowExpression, RowValue};

use crate::query::QuerySession;

/// The name of the table of log records.
pub const LOGS_TABLE: &str = "logs";

/// Starts a statement; its rows come as a stream.
pub(crate) async fn execute(
    query: &QuerySession,
    statement: ReadOnlyStatement,
) -> Result<SendableRecordBatchStream, DataFusionError> {
    let session = &query.session;
    session.register_table(LOGS_TABLE, Arc::clone(&query.table) as _)?;
    let statement = PlannedStatement::Statement(Box::new(statement.into_inner()));
    let plan = session.state().statement_to_plan(statement).await?;
    // The guard has refused all of these already; two locks are better than one.
    let read_only =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    read_only.verify_plan(&plan)?;
    query.execute(session.execute_logical_plan(plan).await?).await
}
