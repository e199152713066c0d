//! Rows: a page of log records in order.
//!
//! A page is found in two steps. The first orders the matching rows by their key alone, time and id; the
//! second reads the wide columns of just the rows of the page, whose narrow time range prunes pages.

use std::collections::HashMap;

use arrow::array::{
    Array, AsArray, FixedSizeBinaryArray, Int32Array, MapArray, RecordBatch, StringArray, StringViewArray,
    TimestampMicrosecondArray, UInt64Array,
};
use arrow::datatypes::Int32Type;
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::prelude::{Expr, ident, lit};
use uuid::Uuid;

use super::filter::{in_range, timestamp_literal};
use super::model::{AttributeMaps, Cursor, LogQuery, Order};
use super::session::QuerySession;
use super::slices::{self, MAX_SLICED_PAGE, NewestQuestion};
use super::time_range::TimeRange;
use crate::schema::columns;

/// A page of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct LogPage {
    /// The rows, in the query's order.
    pub rows: Vec<LogRow>,
    /// Whether more rows follow.
    pub has_more: bool,
    /// Where the next page begins, when more rows follow.
    pub next_cursor: Option<Cursor>,
}

/// A log record as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRow {
    /// The id of the row.
    pub uuid: Uuid,
    /// When the event happened, microseconds.
    pub timestamp_us: i64,
    /// When the event was observed, microseconds.
    pub observed_timestamp_us: i64,
    /// W3C trace id; zero when unset.
    pub trace_id: [u8; 16],
    /// W3C span id; zero when unset.
    pub span_id: [u8; 8],
    /// The body as text.
    pub body: String,
    /// The record's own attributes by key; empty when they were not asked for.
    pub attributes: Vec<(String, String)>,
    /// The normalised severity.
    pub severity_text: String,
    /// OpenTelemetry severity number.
    pub severity_number: i32,
    /// Attributes of the resource by key; empty when they were not asked for.
    pub resource_attributes: Vec<(String, String)>,
    /// Hash of the resource.
    pub resource_fingerprint: u64,
    /// `name@version` of the scope.
    pub instrumentation_scope: String,
    /// OpenTelemetry event name.
    pub event_name: String,
}

/// The page of rows that `query` asks for, among those that meet `filter`.
pub(super) async fn rows(session: &QuerySession, filter: Expr, query: &LogQuery) -> Result<LogPage> {
    let limit = query.limit.max(1);
    if let Some(page) = page_of_slices(session, &filter, query, limit).await? {
        return Ok(page);
    }
    let mut keys =
        if query.range.is_empty() { Vec::new() } else { find_keys(session, filter, query, limit).await? };
    let has_more = keys.len() > limit;
    keys.truncate(limit);
    let rows = read_rows(session, &keys, query.attributes).await?;
    let next_cursor = if has_more { keys.last().copied() } else { None };
    Ok(LogPage { rows, has_more, next_cursor })
}

/// A page found slice by slice; none when rows may have expired, or when so many are wanted that sorting them all is
/// no worse.
async fn page_of_slices(
    session: &QuerySession,
    filter: &Expr,
    query: &LogQuery,
    limit: usize,
) -> Result<Option<LogPage>> {
    let Some(reader) = &session.slices else { return Ok(None) };
    let (live, others) = session.sources_in(query.range);
    if limit > MAX_SLICED_PAGE || query.range.is_empty() || !others.is_empty() {
        return Ok(None);
    }
    let condition = matching(query, filter.clone());
    let range = match (query.after, query.order) {
        (Some(cursor), Order::Latest) => {
            let end_us = query.range.end_us.min(cursor.timestamp_us.saturating_add(1));
            TimeRange { end_us, ..query.range }
        }
        (Some(cursor), Order::Earliest) => {
            TimeRange { start_us: query.range.start_us.max(cursor.timestamp_us), ..query.range }
        }
        (None, _) => query.range,
    };
    let question = NewestQuestion { condition: &condition, range, order: query.order, limit: limit + 1 };
    let mut found = slices::find(session, reader, &question, live).await?;
    let has_more = found.len() > limit;
    found.truncate(limit);
    let rows = slices::records_at(session, reader, &found, query.attributes).await?;
    let next_cursor = if has_more { found.last().map(|found| found.key) } else { None };
    Ok(Some(LogPage { rows, has_more, next_cursor }))
}

/// The keys of the first `limit` matching rows and of the one after them.
async fn find_keys(
    session: &QuerySession,
    filter: Expr,
    query: &LogQuery,
    limit: usize,
) -> Result<Vec<Cursor>> {
    let ascending = query.order == Order::Earliest;
    let condition = in_range(query.range).and(matching(query, filter));
    let key = || [ident(columns::TIMESTAMP), ident(columns::UUID)];
    let page = session
        .rows_where(condition)?
        .select(key())?
        .sort(key().map(|column| column.sort(ascending, false)).to_vec())?
        .limit(0, Some(limit.saturating_add(1)))?;
    let mut keys = Vec::new();
    for batch in &session.collect(page).await?.batches {
        let timestamps: &TimestampMicrosecondArray = column(batch, columns::TIMESTAMP)?;
        let ids: &FixedSizeBinaryArray = column(batch, columns::UUID)?;
        keys.extend((0..batch.num_rows()).map(|row| Cursor {
            timestamp_us: timestamps.value(row),
            uuid: Uuid::from_bytes(bytes(ids, row)),
        }));
    }
    Ok(keys)
}

/// The condition that a row is asked for, but for its range of time; `filter` is what the query's filter means.
pub(super) fn matching(query: &LogQuery, filter: Expr) -> Expr {
    let mut condition = filter;
    if let Some(cursor) = query.after {
        condition = condition.and(beyond(cursor, query.order));
    }
    if let Some(ingested_from_us) = query.ingested_from_us {
        let ingested = ident(columns::INGESTED_TIMESTAMP).gt_eq(timestamp_literal(ingested_from_us));
        condition = condition.and(ingested);
    }
    condition
}

/// The columns that [`rows_of`] reads.
pub(super) fn row_columns(attributes: AttributeMaps) -> impl Iterator<Item = &'static str> {
    let maps: &[&str] = match attributes {
        AttributeMaps::Included => &[columns::ATTRIBUTES, columns::RESOURCE_ATTRIBUTES],
        AttributeMaps::Excluded => &[],
    };
    ROW_COLUMNS.iter().chain(maps).copied()
}

/// The rows of a batch that has [`row_columns`].
pub(super) fn rows_of(batch: &RecordBatch) -> Result<Vec<LogRow>> {
    let columns = RowColumns::of(batch)?;
    Ok((0..batch.num_rows()).map(|row| columns.row(row)).collect())
}

/// The condition that a row comes after the cursor.
fn beyond(cursor: Cursor, order: Order) -> Expr {
    let timestamp = || ident(columns::TIMESTAMP);
    let cursor_time = || timestamp_literal(cursor.timestamp_us);
    let (uuid, cursor_id) = (ident(columns::UUID), id_literal(cursor.uuid));
    // The first half alone says less, but it prunes.
    match order {
        Order::Latest => {
            let before = timestamp().lt(cursor_time()).or(uuid.lt(cursor_id));
            timestamp().lt_eq(cursor_time()).and(before)
        }
        Order::Earliest => {
            let after = timestamp().gt(cursor_time()).or(uuid.gt(cursor_id));
            timestamp().gt_eq(cursor_time()).and(after)
        }
    }
}

pub(super) fn id_literal(id: Uuid) -> Expr {
    lit(ScalarValue::FixedSizeBinary(16, Some(id.as_bytes().to_vec())))
}

/// The whole rows with these keys, in the order of the keys.
pub(super) async fn read_rows(
    session: &QuerySession,
    keys: &[Cursor],
    attributes: AttributeMaps,
) -> Result<Vec<LogRow>> {
    let Some(range) = range_of(keys) else { return Ok(Vec::new()) };
    let ids = keys.iter().map(|key| id_literal(key.uuid)).collect();
    let condition = in_range(range).and(ident(columns::UUID).in_list(ids, false));
    let names = row_columns(attributes).map(ident);
    let found = session.collect(session.rows_where(condition)?.select(names)?).await?;
    let mut rows = HashMap::with_capacity(keys.len());
    for batch in &found.batches {
        rows.extend(rows_of(batch)?.into_iter().map(|row| (row.uuid, row)));
    }
    let in_order = keys.iter().map(|key| rows.remove(&key.uuid));
    match in_order.collect::<Option<Vec<LogRow>>>() {
        Some(rows) => Ok(rows),
        None => internal_err!("a row of the page was found and could not be read"),
    }
}

/// Whole rows of a batch in the stored schema.
pub(super) fn log_rows(batch: &RecordBatch) -> Result<Vec<LogRow>> {
    let columns = RowColumns::of(batch)?;
    Ok((0..batch.num_rows()).map(|row| columns.row(row)).collect())
}

/// The shortest range with all keys; none without keys.
pub(super) fn range_of(keys: &[Cursor]) -> Option<TimeRange> {
    let start_us = keys.iter().map(|key| key.timestamp_us).min()?;
    let end_us = keys.iter().map(|key| key.timestamp_us).max()?.saturating_add(1);
    Some(TimeRange { start_us, end_us })
}

/// The columns of a [`LogRow`] that are always read.
const ROW_COLUMNS: [&str; 11] = [
    columns::UUID,
    columns::TIMESTAMP,
    columns::OBSERVED_TIMESTAMP,
    columns::TRACE_ID,
    columns::SPAN_ID,
    columns::BODY,
    columns::SEVERITY_TEXT,
    columns::SEVERITY_NUMBER,
    columns::RESOURCE_FINGERPRINT,
    columns::INSTRUMENTATION_SCOPE,
    columns::EVENT_NAME,
];

/// The columns of a batch by their meaning.
struct RowColumns<'a> {
    uuid: &'a FixedSizeBinaryArray,
    timestamp: &'a TimestampMicrosecondArray,
    observed_timestamp: &'a TimestampMicrosecondArray,
    trace_id: &'a FixedSizeBinaryArray,
    span_id: &'a FixedSizeBinaryArray,
    body: &'a StringViewArray,
    severity_text: DictionaryColumn<'a>,
    severity_number: &'a Int32Array,
    resource_fingerprint: &'a UInt64Array,
    instrumentation_scope: DictionaryColumn<'a>,
    event_name: DictionaryColumn<'a>,
    attributes: Option<MapColumn<'a>>,
    resource_attributes: Option<MapColumn<'a>>,
}

impl<'a> RowColumns<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self> {
        Ok(Self {
            uuid: column(batch, columns::UUID)?,
            timestamp: column(batch, columns::TIMESTAMP)?,
            observed_timestamp: column(batch, columns::OBSERVED_TIMESTAMP)?,
            trace_id: column(batch, columns::TRACE_ID)?,
            span_id: column(batch, columns::SPAN_ID)?,
            body: column(batch, columns::BODY)?,
            severity_text: DictionaryColumn::of(batch, columns::SEVERITY_TEXT)?,
            severity_number: column(batch, columns::SEVERITY_NUMBER)?,
            resource_fingerprint: column(batch, columns::RESOURCE_FINGERPRINT)?,
            instrumentation_scope: DictionaryColumn::of(batch, columns::INSTRUMENTATION_SCOPE)?,
            event_name: DictionaryColumn::of(batch, columns::EVENT_NAME)?,
            attributes: MapColumn::of(batch, columns::ATTRIBUTES)?,
            resource_attributes: MapColumn::of(batch, columns::RESOURCE_ATTRIBUTES)?,
        })
    }

    fn row(&self, row: usize) -> LogRow {
        let entries =
            |map: &Option<MapColumn<'_>>| map.as_ref().map_or_else(Vec::new, |map| map.entries(row));
        LogRow {
            uuid: Uuid::from_bytes(bytes(self.uuid, row)),
            timestamp_us: self.timestamp.value(row),
            observed_timestamp_us: self.observed_timestamp.value(row),
            trace_id: bytes(self.trace_id, row),
            span_id: bytes(self.span_id, row),
            body: self.body.value(row).to_owned(),
            attributes: entries(&self.attributes),
            severity_text: self.severity_text.text(row),
            severity_number: self.severity_number.value(row),
            resource_attributes: entries(&self.resource_attributes),
            resource_fingerprint: self.resource_fingerprint.value(row),
            instrumentation_scope: self.instrumentation_scope.text(row),
            event_name: self.event_name.text(row),
        }
    }
}

struct DictionaryColumn<'a> {
    keys: &'a Int32Array,
    values: &'a StringArray,
}

impl<'a> DictionaryColumn<'a> {
    fn of(batch: &'a RecordBatch, name: &str) -> Result<Self> {
        let dictionary =
            batch.column_by_name(name).and_then(|column| column.as_dictionary_opt::<Int32Type>());
        match dictionary.and_then(|column| Some((column.keys(), column.values().as_string_opt()?))) {
            Some((keys, values)) => Ok(Self { keys, values }),
            None => internal_err!("column {name} is not the dictionary it should be"),
        }
    }

    fn text(&self, row: usize) -> String {
        let key = usize::try_from(self.keys.value(row)).expect("BUG: keys of a valid dictionary are indexes");
        self.values.value(key).to_owned()
    }
}

struct MapColumn<'a> {
    maps: &'a MapArray,
    keys: &'a StringArray,
    values: &'a StringArray,
}

impl<'a> MapColumn<'a> {
    /// None when the batch has no such column.
    fn of(batch: &'a RecordBatch, name: &str) -> Result<Option<Self>> {
        let Some(column) = batch.column_by_name(name) else { return Ok(None) };
        let text = |maps: &'a MapArray| Some((maps.keys().as_string_opt()?, maps.values().as_string_opt()?));
        match column.as_map_opt().and_then(|maps| Some((maps, text(maps)?))) {
            Some((maps, (keys, values))) => Ok(Some(Self { maps, keys, values })),
            None => internal_err!("column {name} is not the map it should be"),
        }
    }

    fn entries(&self, row: usize) -> Vec<(String, String)> {
        let offsets = self.maps.value_offsets();
        let entries = offsets[row] as usize..offsets[row + 1] as usize;
        entries
            .map(|entry| (self.keys.value(entry).to_owned(), self.values.value(entry).to_owned()))
            .collect()
    }
}

pub(super) fn column<'a, T: Array + 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a T> {
    match batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref()) {
        Some(column) => Ok(column),
        None => internal_err!("column {name} is not of the type it should be"),
    }
}

pub(super) fn bytes<const N: usize>(column: &FixedSizeBinaryArray, row: usize) -> [u8; N] {
    column.value(row).try_into().expect("BUG: the stored schema fixes the width of ids")
}
