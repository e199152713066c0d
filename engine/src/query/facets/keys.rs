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
use crate::query::error::QueryOrigin;
use crate::query::filter::{FilterContext, TextSearch, in_range};
use crate::query::model::LogFilter;
use crate::query::session::QuerySession;
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
        self.run_on_threads(QueryOrigin::Engine, snapshot, work).await
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
    let map = ident(asked.source.column());
    let column = match asked.search_in {
        SearchIn::Keys => attribute_keys(map),
        SearchIn::KeysAndValues => map,
    };
    let rows = session.rows_where(in_range(asked.range).and(condition))?.select(vec![column])?;
    let wanted = WantedKeys { search, search_in: asked.search_in, keys: asked.keys };
    let mut table = KeyTable::new(wanted, session.reserve("attribute keys"));
    let mut batches = rows.execute_stream().await?;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        match asked.search_in {
            SearchIn::Keys => table.add_keys(batch.column(0))?,
            SearchIn::KeysAndValues => table.add_maps(batch.column(0))?,
        }
    }
    Ok(table.into_list(asked.list))
}
