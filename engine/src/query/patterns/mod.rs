//! Patterns: what the bodies of rows have in common, counted over all rows.
//!
//! Two passes over the rows that pass the filter. The first counts the distinct masked bodies, which is an aggregation
//! that spills, and mines templates from the most frequent ones. The second gives each row its template and adds up
//! what is told of the templates that are returned. So every number is that of all rows; only masked bodies beyond
//! the bound that are of no template are left out, and the answer says how many rows they are.

mod diff;
mod examples;
mod function;
mod summary;
mod tally;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{AsArray, StringViewArray};
use arrow::datatypes::Int64Type;
use datafusion::common::{Result as DataFusionResult, internal_err};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::prelude::{Expr, ident, lit};
use futures::StreamExt;

use self::tally::{Tally, tally};
use super::context::QueryContext;
use super::filter::in_range;
use super::model::LogFilter;
use super::rows::column;
use super::session::QuerySession;
use super::time_range::TimeRange;
use crate::catalog::Snapshot;
use crate::error::Result;
use crate::pattern::{MaskedBody, Templates, mine};
use crate::schema::columns;

pub use diff::{Classification, PatternChange, PatternsDiff, PatternsDiffRequest, WindowStats};
pub(super) use function::body_pattern;
pub use summary::{PatternExample, PatternSummary, PatternsAnswer};

/// Most patterns of one answer.
pub const MAX_PATTERNS: usize = 200;

/// Distinct masked bodies that templates are mined from, the most frequent ones.
const MAX_MINED_BODIES: usize = 20_000;

/// A request for patterns.
#[derive(Clone, Debug, PartialEq)]
pub struct PatternsRequest {
    /// Which rows.
    pub filter: LogFilter,
    /// Of which time.
    pub range: TimeRange,
    /// At most how many patterns, the most frequent ones; at least 1, and never more than [`MAX_PATTERNS`].
    pub limit: usize,
}

impl QueryContext {
    /// What the bodies of some rows have in common; see [`PatternsAnswer`].
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn patterns(&self, snapshot: &Snapshot, request: &PatternsRequest) -> Result<PatternsAnswer> {
        let (range, limit) = (request.range, request.limit);
        let work = move |session: QuerySession, filter: Expr| async move {
            let mined = mine_windows(&session, &filter, &[range], limit).await?;
            let [tally] = <[Tally; 1]>::try_from(mined.tallies)
                .or_else(|tallies| internal_err!("{} tallies of one window", tallies.len()))?;
            let summaries = summary::summaries(&session, &mined.templates, &tally).await?;
            Ok(PatternsAnswer::of(summaries, &tally, &mined.templates, range))
        };
        self.run(snapshot, &request.filter, work).await
    }
}

/// Templates, and what rows of them there are in each of some stretches of time.
struct Mined {
    templates: Arc<Templates>,
    tallies: Vec<Tally>,
    _memory: MemoryReservation,
}

async fn mine_windows(
    session: &QuerySession,
    filter: &Expr,
    windows: &[TimeRange],
    limit: usize,
) -> DataFusionResult<Mined> {
    let memory = session.reserve("patterns");
    let mut rows_by_body = HashMap::new();
    for window in windows.iter().filter(|window| !window.is_empty()) {
        add_masked_bodies(session, filter, *window, &mut rows_by_body, &memory).await?;
    }
    let mut bodies: Vec<MaskedBody> =
        rows_by_body.into_iter().map(|(text, num_rows)| MaskedBody { text, num_rows }).collect();
    bodies.sort_unstable_by(|left, right| {
        right.num_rows.cmp(&left.num_rows).then_with(|| left.text.cmp(&right.text))
    });
    bodies.truncate(MAX_MINED_BODIES);
    let templates = Arc::new(mine(&bodies));
    memory.try_grow(templates.size_bytes())?;
    let limit = limit.clamp(1, MAX_PATTERNS).min(templates.as_slice().len());
    let mut tallies = Vec::with_capacity(windows.len());
    for window in windows {
        tallies.push(tally(session, filter, *window, &templates, limit).await?);
    }
    Ok(Mined { templates, tallies, _memory: memory })
}

/// Adds the most frequent masked bodies of a stretch of time.
async fn add_masked_bodies(
    session: &QuerySession,
    filter: &Expr,
    window: TimeRange,
    rows_by_body: &mut HashMap<String, u64>,
    memory: &MemoryReservation,
) -> DataFusionResult<()> {
    const ENTRY_BYTES: usize = 128;
    const BODY: &str = "masked_body";
    const ROWS: &str = "num_rows";
    let most_frequent = vec![ident(ROWS).sort(false, false), ident(BODY).sort(true, false)];
    let query = session
        .rows_where(in_range(window).and(filter.clone()))?
        .aggregate(vec![body_pattern(ident(columns::BODY)).alias(BODY)], vec![count(lit(1)).alias(ROWS)])?
        .sort(most_frequent)?
        .limit(0, Some(MAX_MINED_BODIES))?;
    let mut batches = session.execute(query).await?;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        let texts: &StringViewArray = column(&batch, BODY)?;
        let Some(counts) = batch.column(1).as_primitive_opt::<Int64Type>() else {
            return internal_err!("a number of rows is none");
        };
        for row in 0..batch.num_rows() {
            let text = texts.value(row);
            memory.try_grow(text.len() + ENTRY_BYTES)?;
            *rows_by_body.entry(text.to_owned()).or_default() += counts.value(row).unsigned_abs();
        }
    }
    Ok(())
}
