//! Entries in order.
//!
//! A page is found slice by slice, beginning with those that can have its first entries, until no other can have one.
//! Where entries may have expired, or where a page lies far from the first one, it is found in two steps: the first
//! orders the entries that are asked for by their keys alone, time and id; the second reads the wide columns of just the
//! entries of the page, whose narrow range of time prunes pages.

use std::collections::HashMap;

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use datafusion::common::{Result as DataFusionResult, ScalarValue, internal_err};
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn;
use datafusion::prelude::{Expr, ident, lit};
use uuid::Uuid;

use super::condition::{beyond, condition};
use super::model::{ActivityCursor, ActivityFilter, ActivityOrder, ActivityQuery};
use crate::activity::{StoredEntry, decode_entries};
use crate::catalog::Snapshot;
use crate::error::Result;
use crate::query::filter::timestamp_literal;
use crate::query::model::Order;
use crate::query::settings::QueryKind;
use crate::query::slices::{self, MAX_SLICED_PAGE, NewestQuestion, Seen, Wanted};
use crate::query::time_range::TimeRange;
use crate::query::{QueryContext, QuerySession};
use crate::schema::{activity, activity_schema, columns};

/// A page of entries.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivityPage {
    /// In the order that was asked for.
    pub entries: Vec<StoredEntry>,
    /// Whether more follow.
    pub has_more: bool,
}

impl QueryContext {
    /// The page of entries that a query asks for.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn activity_page(&self, snapshot: &Snapshot, query: &ActivityQuery) -> Result<ActivityPage> {
        let (session, asked) = (self.session(snapshot), query.clone());
        let work = async move {
            if let Some(page) = page_of_slices(&session, &asked).await? {
                return Ok(page);
            }
            let mut keys = find_keys(&session, &asked).await?;
            let has_more = keys.len() > asked.limit;
            keys.truncate(asked.limit);
            let entries = read_entries(&session, &keys).await?;
            Ok(ActivityPage { entries, has_more })
        };
        self.run_on_threads(QueryKind::Rows, snapshot, work).await
    }

    /// How many entries pass a filter.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn activity_count(&self, snapshot: &Snapshot, filter: &ActivityFilter) -> Result<u64> {
        let (session, filter) = (self.session(snapshot), filter.clone());
        let work = async move {
            if let Some(num_entries) = count_of_slices(&session, &filter).await? {
                return Ok(num_entries);
            }
            let entries = session.rows_where(condition(&filter).map_err(of_engine)?)?;
            let counted = entries.aggregate(vec![], vec![expr_fn::count(lit(1))])?;
            let mut num_entries = 0;
            for batch in &session.collect(counted).await?.batches {
                num_entries += batch.column(0).as_primitive::<Int64Type>().iter().flatten().sum::<i64>();
            }
            Ok(num_entries.unsigned_abs())
        };
        self.run_on_threads(QueryKind::Aggregate, snapshot, work).await
    }
}

pub(super) fn of_engine(error: crate::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// A page found slice by slice; none when entries may have expired, or when sorting them all is no worse.
async fn page_of_slices(
    session: &QuerySession,
    query: &ActivityQuery,
) -> DataFusionResult<Option<ActivityPage>> {
    let Some(reader) = &session.slices else { return Ok(None) };
    let num_before_end = query.offset.saturating_add(query.limit);
    let range = range_of(query);
    let (live, others) = session.sources_in(range);
    if num_before_end > MAX_SLICED_PAGE || !others.is_empty() {
        return Ok(None);
    }
    let condition = wanted(query)?;
    let order = match query.order {
        ActivityOrder::Latest => Order::Latest,
        ActivityOrder::Earliest => Order::Earliest,
    };
    let question = NewestQuestion { condition: &condition, range, order, limit: num_before_end + 1 };
    let found = slices::find(session, reader, &question, live).await?;
    let has_more = found.len() > num_before_end;
    let page = found.get(query.offset..found.len().min(num_before_end)).unwrap_or_default();
    let entries = slices::entries_at(session, reader, page).await?;
    Ok(Some(ActivityPage { entries, has_more }))
}

/// How many entries pass a filter, counted slice by slice; none when entries may have expired.
async fn count_of_slices(session: &QuerySession, filter: &ActivityFilter) -> DataFusionResult<Option<u64>> {
    let Some(reader) = &session.slices else { return Ok(None) };
    let range = range_of_filter(filter);
    let (live, others) = session.sources_in(range);
    if !others.is_empty() {
        return Ok(None);
    }
    let condition = condition(filter).map_err(of_engine)?;
    let mut num_entries = 0;
    let take = |seen: Seen| {
        num_entries += match seen {
            Seen::Times(times) => times.len() as u64,
            Seen::Number(number) => number,
        };
        Ok(())
    };
    slices::visit_times(session, reader, &condition, &[range], live, Wanted::Number, take).await?;
    Ok(Some(num_entries))
}

/// When the entries of a filter were made, at least.
fn range_of_filter(filter: &ActivityFilter) -> TimeRange {
    TimeRange {
        start_us: filter.since_us.unwrap_or(i64::MIN),
        end_us: filter.until_us.map_or(i64::MAX, |until_us| until_us.saturating_add(1)),
    }
}

/// When the entries of a page were made, at least.
fn range_of(query: &ActivityQuery) -> TimeRange {
    let mut range = range_of_filter(&query.filter);
    match query.after {
        Some(after) if query.order == ActivityOrder::Latest => {
            range.end_us = range.end_us.min(after.timestamp_us.saturating_add(1));
        }
        Some(after) => range.start_us = range.start_us.max(after.timestamp_us),
        None => {}
    }
    range
}

/// The condition that an entry is asked for.
fn wanted(query: &ActivityQuery) -> DataFusionResult<Expr> {
    let wanted = condition(&query.filter).map_err(of_engine)?;
    Ok(match query.after {
        Some(after) => beyond(after, query.order).and(wanted),
        None => wanted,
    })
}

/// The keys of the page, and of the entry after it.
async fn find_keys(session: &QuerySession, query: &ActivityQuery) -> DataFusionResult<Vec<ActivityCursor>> {
    let wanted = wanted(query)?;
    let is_ascending = query.order == ActivityOrder::Earliest;
    let key = || [ident(columns::TIMESTAMP), ident(activity::ID)];
    let page = session
        .rows_where(wanted)?
        .select(key())?
        .sort(key().map(|column| column.sort(is_ascending, false)).to_vec())?
        .limit(query.offset, Some(query.limit.saturating_add(1)))?;
    let mut keys = Vec::new();
    for batch in &session.collect(page).await?.batches {
        let times = batch.column(0).as_primitive_opt::<TimestampMicrosecondType>();
        let ids = batch.column(1).as_fixed_size_binary_opt();
        let Some((times, ids)) = times.zip(ids) else { return internal_err!("keys of other types") };
        for row in 0..batch.num_rows() {
            let Ok(id) = Uuid::from_slice(ids.value(row)) else {
                return internal_err!("an id of other bytes");
            };
            keys.push(ActivityCursor { timestamp_us: times.value(row), id });
        }
    }
    Ok(keys)
}

/// The entries with these keys, in the order of the keys.
async fn read_entries(session: &QuerySession, keys: &[ActivityCursor]) -> DataFusionResult<Vec<StoredEntry>> {
    let times = keys.iter().map(|key| key.timestamp_us);
    let Some((since_us, until_us)) = times.clone().min().zip(times.max()) else { return Ok(Vec::new()) };
    let timestamp = || ident(columns::TIMESTAMP);
    let wanted = timestamp()
        .gt_eq(timestamp_literal(since_us))
        .and(timestamp().lt_eq(timestamp_literal(until_us)))
        .and(has_id(keys.iter().map(|key| key.id)));
    let mut found = HashMap::with_capacity(keys.len());
    for entry in entries_where(session, wanted).await? {
        found.insert(entry.entry.id, entry);
    }
    let in_order = keys.iter().map(|key| found.remove(&key.id)).collect::<Option<Vec<_>>>();
    in_order.map_or_else(|| internal_err!("an entry of the page was found and could not be read"), Ok)
}

/// The whole entries that meet a condition, in no order. They are held in memory.
pub(super) async fn entries_where(
    session: &QuerySession,
    wanted: Expr,
) -> DataFusionResult<Vec<StoredEntry>> {
    let schema = activity_schema();
    let all = schema.fields().iter().map(|field| ident(field.name()));
    let found = session.collect(session.rows_where(wanted)?.select(all)?).await?;
    let mut entries = Vec::new();
    for batch in &found.batches {
        entries.extend(decode_entries(batch).map_err(of_engine)?);
    }
    Ok(entries)
}

/// The condition that an entry has one of these ids.
pub(super) fn has_id(ids: impl Iterator<Item = Uuid>) -> Expr {
    let ids = ids.map(|id| lit(ScalarValue::FixedSizeBinary(16, Some(id.as_bytes().to_vec()))));
    ident(activity::ID).in_list(ids.collect(), false)
}
