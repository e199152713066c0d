//! What a statement will answer, before it runs.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::guard::{num_placeholders, parse_as};
use super::request::{SqlQuery, SqlSources, SqlValue};
use super::statement::{self, Prepared};
use super::stop::Stop;
use crate::error::Result;
use crate::query::{QueryContext, QueryKind, deadline_exceeded};

/// What a statement takes and will answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlDescription {
    /// Names and types of the columns. Where they depend on the values of parameters, those of the answer may differ.
    pub schema: SchemaRef,
    /// The types of `$1`, `$2` and so on, as far as the statement tells them.
    pub parameters: Vec<Option<DataType>>,
}

impl QueryContext {
    /// What a statement would answer. It is planned, and reads nothing.
    ///
    /// # Errors
    /// As [`Self::run_sql`], except that parameters need no values.
    pub async fn describe_sql(&self, sources: SqlSources, query: SqlQuery) -> Result<SqlDescription> {
        let parsed = parse_as(&query.text, &query.dialect)?;
        let num_parameters = num_placeholders(&parsed);
        let snapshot = sources.logs.clone();
        let deadline = self.sql_deadline(query.max_time);
        let deadline_at = Instant::now() + deadline;
        let stop = Arc::new(Stop::new(deadline, deadline_at, CancellationToken::new()));
        let has_values = !query.parameters.is_empty();
        let prepared = |parameters: Option<Vec<SqlValue>>| Prepared {
            statement: parsed.statement().clone(),
            parameters,
            session: self.sql_session(&sources.logs, &query.dialect),
            activity: (sources.activity.as_ref())
                .map(|(entries, filter)| (self.sql_session(entries, &query.dialect), filter.clone())),
            dialect: query.dialect.clone(),
            sources: sources.clone(),
            listed: Vec::new(),
            stop: Arc::clone(&stop),
        };
        let first = prepared(has_values.then(|| query.parameters.clone()));
        // A statement whose types depend on its parameters is planned with nothing in their places.
        let second =
            (!has_values && num_parameters > 0).then(|| prepared(Some(vec![SqlValue::Null; num_parameters])));
        let work = async move {
            let planned = match (statement::planned(first).await, second) {
                (Err(_), Some(second)) => statement::planned(second).await,
                (planned, _) => planned,
            };
            let (plan, _) = planned?;
            Ok(described(&plan, num_parameters))
        };
        let planned = timeout_at(deadline_at, self.run_on_threads(QueryKind::Sql, &snapshot, work));
        planned.await.map_err(|_elapsed| deadline_exceeded(deadline))?
    }
}

fn described(plan: &LogicalPlan, num_parameters: usize) -> SqlDescription {
    // Types that contradict each other are told when the statement runs.
    let known: HashMap<String, Option<DataType>> = plan.get_parameter_types().unwrap_or_default();
    let parameters = (1..=num_parameters).map(|place| known.get(&format!("${place}")).cloned().flatten());
    let schema = Arc::new(plan.schema().as_arrow().clone());
    SqlDescription { schema, parameters: parameters.collect() }
}

/// The error of DataFusion, for those who plan.
pub(super) type Planned<T> = std::result::Result<T, DataFusionError>;
