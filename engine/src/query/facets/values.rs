//! The most frequent values of a facet.

use datafusion::common::Result as DataFusionResult;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::prelude::{Expr, ident, lit};
use futures::StreamExt;

use super::facet::Facet;
use super::top_values::{TopValues, ValueCounts};
use super::{ListRange, external, translate};
use crate::catalog::Snapshot;
use crate::error::Result;
use crate::index;
use crate::index::attribute_values::{KeyCounts, KeyLookup};
use crate::query::QueryContext;
use crate::query::filter::{FilterContext, TextSearch};
use crate::query::model::{FilterNode, LogFilter};
use crate::query::planner::{CellQuestion, GroupBy, Rest, answer_from_cells, answer_from_keys};
use crate::query::session::QuerySession;
use crate::query::settings::QueryKind;
use crate::query::texts::Texts;
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
        self.run_on_threads(QueryKind::Aggregate, snapshot, work).await
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
        self.run_on_threads(QueryKind::Aggregate, snapshot, work).await
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
        let mut known = ValueCounts::new(self.session.reserve("values of sidecars"));
        let rest = self.known_values(facet, &condition, &mut known).await?;
        let value = [facet.value()];
        let surplus = rest.visit_surplus(self.session, &condition, &value, |columns| {
            Texts::of(&columns[0])?.count(|value, count| known.subtract(value, count))
        });
        surplus.await?;
        let mut top = TopValues::new(self.list, self.session.reserve("values"));
        match self.read_values(&rest, &condition, &value).await {
            Ok(read) => {
                for (value, count) in read.iter() {
                    top.offer(value, count + known.take(value), &self.search)?;
                }
            }
            // There are more values than fit: the plan of DataFusion spills them.
            Err(error) if matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)) => {
                if let Some(rows) = rest.rows_where(self.session, &condition)? {
                    let mut batches = self.session.execute(counted_values(facet, rows)?).await?;
                    while let Some(batch) = batches.next().await {
                        top.add(&batch?, &mut known, &self.search)?;
                    }
                }
            }
            Err(error) => return Err(error),
        }
        for (value, count) in known.iter() {
            top.offer(value, count, &self.search)?;
        }
        Ok(top.into_list())
    }

    /// The values of the rows that are left which contain the text.
    async fn read_values(
        &self,
        rest: &Rest,
        condition: &Expr,
        value: &[Expr],
    ) -> DataFusionResult<ValueCounts> {
        let mut read = ValueCounts::new(self.session.reserve("values of rows"));
        let visited = rest.visit_values(self.session, condition, value, |columns| {
            Texts::of(&columns[0])?.count_found(&self.search, |value, count| read.add(value, count))
        });
        visited.await?;
        Ok(read)
    }

    /// Takes the values that are known without reading rows, and returns the rows that are left.
    async fn known_values(
        &self,
        facet: &Facet,
        condition: &Expr,
        known: &mut ValueCounts,
    ) -> DataFusionResult<Rest> {
        let (source, key) = match facet {
            Facet::Severity => return self.known_of_cells(GroupBy::Severity, condition, known).await,
            Facet::Service => return self.known_of_cells(GroupBy::Service, condition, known).await,
            Facet::Attribute { source, key } => (*source, key),
        };
        answer_from_keys(self.session, condition, self.range, |file| match source.known_keys(file).get(key) {
            KeyLookup::Counted(KeyCounts {
                values: index::attribute_values::Values::Kept(values), ..
            }) => {
                values.iter().try_for_each(|(value, count)| known.add(value, count))?;
                Ok(true)
            }
            KeyLookup::NoRow => Ok(true),
            KeyLookup::Counted(_) | KeyLookup::Unknown => Ok(false),
        })
        .await
    }

    async fn known_of_cells(
        &self,
        group_by: GroupBy,
        condition: &Expr,
        known: &mut ValueCounts,
    ) -> DataFusionResult<Rest> {
        let question = CellQuestion { condition, range: self.range, interval: None, group_by };
        answer_from_cells(self.session, &question, |total| {
            let value = if group_by == GroupBy::Severity { total.severity } else { total.service };
            known.add(value, total.num_rows)
        })
        .await
    }
}

/// The values of rows, each once, and how many rows have it. One of them may be null.
fn counted_values(facet: &Facet, rows: DataFrame) -> DataFusionResult<DataFrame> {
    const VALUE: &str = "value";
    let values = rows.select(vec![facet.value().alias(VALUE)])?;
    values.aggregate(vec![ident(VALUE)], vec![count(lit(1))])
}

#[cfg(test)]
mod tests {
    use datafusion::physical_plan::displayable;

    use super::super::keys::tests::session_over_unopened_files;
    use super::*;

    #[tokio::test]
    async fn values_are_grouped_in_one_stream_that_may_spill() {
        let session = session_over_unopened_files(4);
        let rows = session.rows_where(lit(true)).unwrap();
        let plan = counted_values(&Facet::Service, rows).unwrap();
        let plan = plan.create_physical_plan().await.unwrap();
        let plan = displayable(plan.as_ref()).indent(false).to_string();
        assert!(plan.contains("mode=Partial") && plan.contains("mode=Final,"), "{plan}");
        assert!(!plan.contains("Hash("), "{plan}");
    }
}
