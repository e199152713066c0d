//! The attribute keys of rows.

use std::collections::BTreeSet;

use datafusion::common::Result as DataFusionResult;
use datafusion::prelude::{Expr, ident};
use futures::StreamExt;

use super::facet::AttributeSource;
use super::key_table::{KeyTable, WantedKeys};
use super::{ListRange, external, translate};
use crate::catalog::Snapshot;
use crate::error::Result;
use crate::query::QueryContext;
use crate::query::attribute_keys::attribute_keys;
use crate::query::filter::{FilterContext, TextSearch, in_range};
use crate::query::model::LogFilter;
use crate::query::planner::answer_from_keys;
use crate::query::session::QuerySession;
use crate::query::settings::QueryKind;
use crate::query::time_range::TimeRange;

/// A request for attribute keys.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeKeysRequest {
    /// Which rows.
    pub filter: LogFilter,
    /// Of which time.
    pub range: TimeRange,
    /// Whose attributes.
    pub source: AttributeSource,
    /// Text that a key must contain, ignoring case; empty means any.
    pub search: String,
    /// Where the text may also be.
    pub search_in: SearchIn,
    /// Only these keys; empty means any.
    pub keys: BTreeSet<String>,
    /// Which part of the list.
    pub list: ListRange,
}

/// Where a text is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SearchIn {
    /// In keys.
    #[default]
    Keys,
    /// In keys, and in the values of the keys that do not have it. Costs a look at every value.
    KeysAndValues,
}

/// Attribute keys.
///
/// First those that contain the text, then those with values that contain it. The former are the text itself, then
/// those that have it between other characters than letters and digits, then the rest; below that keys of more rows
/// come first, then they come by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributeKeys {
    /// The part of the list that was asked for.
    pub keys: Vec<AttributeKey>,
    /// How many keys the whole list has.
    pub total: usize,
}

/// An attribute key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeKey {
    /// The whole key.
    pub name: String,
    /// How many rows have it; if it was found by its values, how many have it with such a value.
    pub count: u64,
    /// If the key was found by its values, that of the most rows, the first by text of several.
    pub matched_value: Option<String>,
}

impl QueryContext {
    /// The attribute keys that rows have.
    ///
    /// # Errors
    /// As [`Self::count`]; `ResourcesExhausted` when the keys, or the values that contain the text, do not fit into
    /// memory.
    pub async fn attribute_keys(
        &self,
        snapshot: &Snapshot,
        request: &AttributeKeysRequest,
    ) -> Result<AttributeKeys> {
        let (session, asked) = (self.session(snapshot), request.clone());
        let context = FilterContext { now_us: self.now_us() };
        let work = async move {
            let condition = translate(&asked.filter, &context)?;
            keys(&session, condition, asked).await
        };
        self.run_on_threads(QueryKind::Aggregate, snapshot, work).await
    }
}

async fn keys(
    session: &QuerySession,
    condition: Expr,
    asked: AttributeKeysRequest,
) -> DataFusionResult<AttributeKeys> {
    let search = TextSearch::new("search", &asked.search).map_err(external)?;
    if asked.range.is_empty() {
        return Ok(AttributeKeys::default());
    }
    let wanted = WantedKeys { search, search_in: asked.search_in, keys: asked.keys };
    let mut table = KeyTable::new(wanted, session.reserve("attribute keys"));
    match asked.search_in {
        SearchIn::Keys => count_keys(session, &condition, asked.range, asked.source, &mut table).await?,
        SearchIn::KeysAndValues => {
            search_values(session, condition, asked.range, asked.source, &mut table).await?
        }
    }
    Ok(table.into_list(asked.list))
}

/// Looks at the maps of all rows. They are read as a stream: slices would push everything else out of their cache.
async fn search_values(
    session: &QuerySession,
    condition: Expr,
    range: TimeRange,
    source: AttributeSource,
    table: &mut KeyTable,
) -> DataFusionResult<()> {
    let rows = session.rows_where(in_range(range).and(condition))?.select([ident(source.column())])?;
    let mut batches = session.execute(rows).await?;
    while let Some(batch) = batches.next().await {
        table.add_maps(batch?.column(0))?;
    }
    Ok(())
}

async fn count_keys(
    session: &QuerySession,
    condition: &Expr,
    range: TimeRange,
    source: AttributeSource,
    table: &mut KeyTable,
) -> DataFusionResult<()> {
    let rest =
        answer_from_keys(session, condition, range, |file| table.add_known(source.known_keys(file))).await?;
    let keys = [attribute_keys(ident(source.column()))];
    rest.visit_surplus(session, condition, &keys, |columns| table.subtract_keys(&columns[0])).await?;
    rest.visit_values(session, condition, &keys, |columns| table.add_keys(&columns[0])).await
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use datafusion::execution::runtime_env::RuntimeEnv;
    use datafusion::physical_plan::displayable;
    use object_store::ObjectStore;
    use object_store::memory::InMemory;
    use uuid::Uuid;

    use super::*;
    use crate::clock::SystemClock;
    use crate::query::QuerySettings;
    use crate::query::filter::translate;
    use crate::query::lazy_session::LazySession;
    use crate::query::model::{FilterLeaf, FilterNode, Namespace, Operand, Operator};
    use crate::query::planner::Sidecars;
    use crate::query::slices::SliceCache;
    use crate::schema::{ProjectId, TableId};
    use crate::storage::DataFile;

    /// A session over files that are never opened.
    pub(in crate::query::facets) fn session_over_unopened_files(num_files: u128) -> QuerySession {
        let file = |number: u128| DataFile {
            id: Uuid::from_u128(number),
            path: format!("never/opened/{number}.parquet").into(),
            level: 0,
            min_timestamp_us: 0,
            max_timestamp_us: 10,
            min_ingested_us: 0,
            max_ingested_us: 10,
            num_rows: 5,
            size_bytes: 1000,
            metadata_bytes: 10,
            sidecar_bytes: 0,
        };
        let snapshot = Snapshot {
            table: TableId::logs(ProjectId(1)),
            files: Arc::new((0..num_files).map(|number| Arc::new(file(number))).collect()),
            segments: Vec::new(),
            retention: None,
        };
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let sidecars = Sidecars::new(Arc::clone(&store), 1 << 20, Arc::new(SystemClock));
        let config = QuerySettings { num_threads: 2, ..QuerySettings::default() }.session_config();
        let slices = SliceCache::new(1 << 20).map(Arc::new);
        let session = LazySession::alone(config, Arc::new(RuntimeEnv::default()));
        QuerySession::new(snapshot, store, session, sidecars, slices, None)
    }

    #[tokio::test]
    async fn keys_are_looked_at_in_the_scan_where_no_map_is_put_together() {
        let of_a_key = FilterNode::Leaf(FilterLeaf {
            path: String::new(),
            key: "k".to_owned(),
            namespace: Namespace::LogAttribute,
            operator: Operator::IsSet,
            operand: Operand::Absent,
        });
        for properties in [vec![], vec![of_a_key]] {
            let filter = LogFilter { properties, ..LogFilter::default() };
            let condition = translate(&filter, &FilterContext { now_us: 0 }).unwrap();
            let range = TimeRange { start_us: 3, end_us: 7 };
            let session = session_over_unopened_files(1);
            let rows = session.rows_where(in_range(range).and(condition)).unwrap();
            let rows = rows.select(vec![attribute_keys(ident(AttributeSource::Record.column()))]).unwrap();
            let plan = rows.create_physical_plan().await.unwrap();
            let plan = displayable(plan.as_ref()).indent(false).to_string();
            let scan = plan.lines().find(|line| line.contains("DataSourceExec")).unwrap_or_default();
            assert!(scan.contains("attribute_keys("), "{plan}");
            assert_eq!(plan.matches("attribute_keys(attributes").count(), 1, "{plan}");
        }
    }
}
