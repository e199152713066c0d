//! The most frequent values of a facet.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Result as DataFusionResult;
use datafusion::dataframe::DataFrame;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::prelude::{Expr, ident, lit};
use futures::StreamExt;

use super::facet::Facet;
use super::{ListRange, external, translate};
use crate::catalog::Snapshot;
use crate::error::Result;
use crate::query::QueryContext;
use crate::query::error::QueryOrigin;
use crate::query::filter::{FilterContext, TextSearch, in_range};
use crate::query::model::{FilterNode, LogFilter};
use crate::query::session::QuerySession;
use crate::query::time_range::TimeRange;

/// A request for the values of one facet.
#[derive(Clone, Debug, PartialEq)]
pub struct ValuesRequest {
    /// Which rows.
    pub filter: LogFilter,
    /// Of which time.
    pub range: TimeRange,
    /// What the values are of.
    pub facet: Facet,
    /// Text that a value must contain, ignoring case; empty means any.
    pub search: String,
    /// Which part of the list.
    pub list: ListRange,
}

/// A request for the values of several facets, each as if nothing was asked of that facet.
#[derive(Clone, Debug, PartialEq)]
pub struct FacetsRequest {
    /// Which rows; conditions on a facet do not count for that facet.
    pub filter: LogFilter,
    /// Which rows; conditions that count for every facet.
    pub scope: Vec<FilterNode>,
    /// Of which time.
    pub range: TimeRange,
    /// What the values are of.
    pub facets: Vec<Facet>,
    /// Text that a value must contain, ignoring case; empty means any.
    pub search: String,
    /// Most values of each.
    pub limit: usize,
}

/// A value and how many rows have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueCount {
    /// The value.
    pub value: String,
    /// The rows.
    pub count: u64,
}

impl QueryContext {
    /// The values of a facet, those of the most rows first, then by value.
    ///
    /// Reads the columns of the facet and of the filter. Values beyond what memory holds are spilled.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn values(&self, snapshot: &Snapshot, request: &ValuesRequest) -> Result<Vec<ValueCount>> {
        let (session, asked) = (self.session(snapshot), request.clone());
        let context = FilterContext { now_us: self.now_us() };
        let work = async move {
            let values = Values {
                session: &session,
                range: asked.range,
                search: TextSearch::new("value", &asked.search).map_err(external)?,
                list: asked.list,
            };
            values.of(&asked.facet, translate(&asked.filter, &context)?).await
        };
        self.run_on_threads(QueryOrigin::Engine, snapshot, work).await
    }

    /// The values of each facet in its order, as [`Self::values`] has them. Costs a scan for each.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn facets(&self, snapshot: &Snapshot, request: &FacetsRequest) -> Result<Vec<Vec<ValueCount>>> {
        let (session, asked) = (self.session(snapshot), request.clone());
        let context = FilterContext { now_us: self.now_us() };
        let work = async move {
            let values = Values {
                session: &session,
                range: asked.range,
                search: TextSearch::new("facetSearch", &asked.search).map_err(external)?,
                list: ListRange { offset: 0, limit: asked.limit },
            };
            let scope = LogFilter { properties: asked.scope, ..LogFilter::default() };
            let scope = translate(&scope, &context)?;
            if asked.facets.is_empty() {
                // A filter has to mean something even when nothing is asked under it.
                translate(&asked.filter, &context)?;
            }
            let mut facets = Vec::with_capacity(asked.facets.len());
            for facet in &asked.facets {
                let condition = facet.condition_without(&asked.filter, &context).map_err(external)?;
                facets.push(values.of(facet, scope.clone().and(condition)).await?);
            }
            Ok(facets)
        };
        self.run_on_threads(QueryOrigin::Engine, snapshot, work).await
    }
}

/// What is asked of every facet.
struct Values<'a> {
    session: &'a QuerySession,
    range: TimeRange,
    search: TextSearch,
    list: ListRange,
}

impl Values<'_> {
    async fn of(&self, facet: &Facet, condition: Expr) -> DataFusionResult<Vec<ValueCount>> {
        if self.range.is_empty() || self.list.limit == 0 {
            return Ok(Vec::new());
        }
        let mut top = TopValues::new(self.list, self.session.reserve("values"));
        let rows = in_range(self.range).and(condition);
        let mut batches = counted_values(self.session, facet, rows)?.execute_stream().await?;
        while let Some(batch) = batches.next().await {
            top.add(&batch?, &self.search)?;
        }
        Ok(top.into_list())
    }
}

/// The values of the rows that meet a condition, each once, and how many rows have it. One of them may be null.
fn counted_values(session: &QuerySession, facet: &Facet, condition: Expr) -> DataFusionResult<DataFrame> {
    const VALUE: &str = "value";
    let values = session.rows_where(condition)?.select(vec![facet.value().alias(VALUE)])?;
    values.aggregate(vec![ident(VALUE)], vec![count(lit(1))])
}

/// A value with its place in the list: those of more rows come first, then by value.
type Ranked = (Reverse<u64>, String);

/// The values with the most rows, in memory that counts as the query's.
struct TopValues {
    list: ListRange,
    /// The last of the list is on top.
    heap: BinaryHeap<Ranked>,
    reservation: MemoryReservation,
}

impl TopValues {
    /// What a value without its text takes up, generously.
    const VALUE_BYTES: usize = 96;

    fn new(list: ListRange, reservation: MemoryReservation) -> Self {
        Self { list, heap: BinaryHeap::new(), reservation }
    }

    /// Adds a batch of (value, count), each value once in all batches.
    fn add(&mut self, batch: &RecordBatch, search: &TextSearch) -> DataFusionResult<()> {
        let values = cast(batch.column(0), &DataType::Utf8)?;
        let values: &StringArray = values.as_string();
        let counts = batch.column(1).as_primitive::<Int64Type>();
        for row in (0..batch.num_rows()).filter(|row| values.is_valid(*row)) {
            let (value, count) = (values.value(row), counts.value(row).unsigned_abs());
            if self.belongs(value, count) && search.is_in(value) {
                self.push(value, count)?;
            }
        }
        Ok(())
    }

    /// Whether a value is among the first of those that were seen so far.
    fn belongs(&self, value: &str, count: u64) -> bool {
        let is_full = self.heap.len() >= self.list.offset.saturating_add(self.list.limit);
        let comes_before = |last: &Ranked| (Reverse(count), value) < (last.0, last.1.as_str());
        !is_full || self.heap.peek().is_some_and(comes_before)
    }

    fn push(&mut self, value: &str, count: u64) -> DataFusionResult<()> {
        self.reservation.try_grow(Self::VALUE_BYTES + value.len())?;
        self.heap.push((Reverse(count), value.to_owned()));
        if self.heap.len() > self.list.offset.saturating_add(self.list.limit)
            && let Some((_, last)) = self.heap.pop()
        {
            self.reservation.shrink(Self::VALUE_BYTES + last.len());
        }
        Ok(())
    }

    fn into_list(self) -> Vec<ValueCount> {
        let ranked = self.heap.into_sorted_vec().into_iter().skip(self.list.offset);
        ranked.map(|(Reverse(count), value)| ValueCount { value, count }).collect()
    }
}

#[cfg(test)]
mod tests {
    use datafusion::physical_plan::displayable;

    use super::super::keys::tests::session_over_unopened_files;
    use super::*;

    #[tokio::test]
    async fn values_are_grouped_in_one_stream_that_may_spill() {
        let session = session_over_unopened_files(4);
        let plan = counted_values(&session, &Facet::Service, lit(true)).unwrap();
        let plan = plan.create_physical_plan().await.unwrap();
        let plan = displayable(plan.as_ref()).indent(false).to_string();
        assert!(plan.contains("mode=Partial") && plan.contains("mode=Final,"), "{plan}");
        assert!(!plan.contains("Hash("), "{plan}");
    }
}
