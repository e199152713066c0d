//! The second pass: what is told of each template, added up over all rows.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::sync::Arc;

use arrow::array::{
    AsArray, FixedSizeBinaryArray, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::prelude::{Expr, ident};
use futures::StreamExt;
use uuid::Uuid;

use super::super::filter::in_range;
use super::super::model::Cursor;
use super::super::rows::{bytes, column};
use super::super::session::QuerySession;
use super::super::time_range::TimeRange;
use super::function::body_template;
use crate::pattern::Templates;
use crate::schema::columns;

/// Rows of a template that are shown, the newest ones.
pub(super) const MAX_EXAMPLES: usize = 10;

/// Parts that the time of a sparkline is cut into.
const NUM_BUCKETS: u64 = 30;

/// What there is of templates in a stretch of time.
#[derive(Debug)]
pub(super) struct Tally {
    /// By template, for those that are returned.
    pub(super) templates: Vec<TemplateTally>,
    pub(super) buckets: Buckets,
    /// All rows that pass the filter.
    pub(super) total_rows: u64,
    /// Those of them that have a template, returned or not.
    pub(super) rows_of_templates: u64,
    _memory: MemoryReservation,
}

/// What there is of one template.
#[derive(Clone, Debug, Default)]
pub(super) struct TemplateTally {
    pub(super) num_rows: u64,
    /// The first and the last `timestamp`, microseconds.
    pub(super) seen_us: Option<(i64, i64)>,
    pub(super) by_severity: BTreeMap<String, u64>,
    pub(super) by_service: HashMap<String, u64>,
    pub(super) sparkline: Vec<u64>,
    /// The newest rows.
    newest: BinaryHeap<Reverse<(i64, Uuid)>>,
}

/// Equal parts of a stretch of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Buckets {
    range: TimeRange,
    width_us: u64,
}

impl Buckets {
    pub(super) fn of(range: TimeRange) -> Self {
        let length_us = if range.is_empty() { 0 } else { range.end_us.abs_diff(range.start_us) };
        Self { range, width_us: length_us.div_ceil(NUM_BUCKETS).max(1) }
    }

    pub(super) fn len(&self) -> usize {
        if self.range.is_empty() {
            return 0;
        }
        self.place(self.range.end_us.saturating_sub(1)) + 1
    }

    /// The bucket of an instant of the range.
    fn place(&self, us: i64) -> usize {
        (us.abs_diff(self.range.start_us) / self.width_us) as usize
    }

    /// Where each begins and ends.
    pub(super) fn ranges(&self) -> Vec<TimeRange> {
        let edge = |place: usize| {
            let edge = i128::from(self.range.start_us) + place as i128 * i128::from(self.width_us);
            i64::try_from(edge).unwrap_or(i64::MAX).min(self.range.end_us)
        };
        (0..self.len()).map(|place| TimeRange { start_us: edge(place), end_us: edge(place + 1) }).collect()
    }
}

impl TemplateTally {
    /// The newest rows, newest first.
    pub(super) fn newest(&self) -> Vec<Cursor> {
        let mut newest: Vec<(i64, Uuid)> = self.newest.iter().map(|Reverse(key)| *key).collect();
        newest.sort_unstable_by(|left, right| right.cmp(left));
        newest.into_iter().map(|(timestamp_us, uuid)| Cursor { timestamp_us, uuid }).collect()
    }

    fn note_time(&mut self, timestamp_us: i64, id: impl FnOnce() -> Uuid) {
        let (first, last) = self.seen_us.unwrap_or((timestamp_us, timestamp_us));
        self.seen_us = Some((first.min(timestamp_us), last.max(timestamp_us)));
        let is_full = self.newest.len() == MAX_EXAMPLES;
        if is_full && self.newest.peek().is_some_and(|Reverse((oldest_us, _))| timestamp_us < *oldest_us) {
            return;
        }
        self.newest.push(Reverse((timestamp_us, id())));
        if is_full {
            self.newest.pop();
        }
    }
}

/// Adds up the rows of a window: of each of the first `num_returned` templates, and in all.
pub(super) async fn tally(
    session: &QuerySession,
    filter: &Expr,
    window: TimeRange,
    templates: &Arc<Templates>,
    num_returned: usize,
) -> Result<Tally> {
    let buckets = Buckets::of(window);
    let memory = session.reserve("patterns");
    memory.try_grow(num_returned * (size_of::<TemplateTally>() + 8 * buckets.len() + 1024))?;
    let empty = TemplateTally { sparkline: vec![0; buckets.len()], ..TemplateTally::default() };
    let mut tally = Tally {
        templates: vec![empty; num_returned],
        buckets,
        total_rows: 0,
        rows_of_templates: 0,
        _memory: memory,
    };
    if window.is_empty() {
        return Ok(tally);
    }
    let names = [columns::TIMESTAMP, columns::UUID, columns::SEVERITY_TEXT, columns::SERVICE_NAME].map(ident);
    let template = body_template(ident(columns::BODY), templates).alias(TEMPLATE);
    let rows = session.rows_where(in_range(window).and(filter.clone()))?;
    let rows = rows.select(names.into_iter().chain([template]))?;
    let mut batches = session.execute(rows).await?;
    while let Some(batch) = batches.next().await {
        tally.add(&batch?)?;
    }
    Ok(tally)
}

const TEMPLATE: &str = "template";

impl Tally {
    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let templates: &Int32Array = column(batch, TEMPLATE)?;
        let timestamps: &TimestampMicrosecondArray = column(batch, columns::TIMESTAMP)?;
        let ids: &FixedSizeBinaryArray = column(batch, columns::UUID)?;
        let severities = text(batch, columns::SEVERITY_TEXT)?;
        let services = text(batch, columns::SERVICE_NAME)?;
        self.total_rows += batch.num_rows() as u64;
        for row in 0..batch.num_rows() {
            let Ok(place) = usize::try_from(templates.value(row)) else { continue };
            self.rows_of_templates += 1;
            let Some(template) = self.templates.get_mut(place) else { continue };
            let timestamp_us = timestamps.value(row);
            template.num_rows += 1;
            template.note_time(timestamp_us, || Uuid::from_bytes(bytes(ids, row)));
            if let Some(cell) = template.sparkline.get_mut(self.buckets.place(timestamp_us)) {
                *cell += 1;
            }
            // Severities are seven.
            add_one(&mut template.by_severity, severities.value(row));
            let service = services.value(row);
            match template.by_service.get_mut(service) {
                Some(count) => *count += 1,
                None => {
                    self._memory.try_grow(service.len() + 64)?;
                    template.by_service.insert(service.to_owned(), 1);
                }
            }
        }
        Ok(())
    }
}

fn add_one(counts: &mut BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => {
            counts.insert(name.to_owned(), 1);
        }
    }
}

fn text(batch: &RecordBatch, name: &str) -> Result<StringArray> {
    let column = batch.column(batch.schema().index_of(name)?);
    Ok(cast(column, &DataType::Utf8)?.as_string::<i32>().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_cover_a_range_without_gaps() {
        for (start_us, end_us) in [(0, 1), (0, 29), (0, 30), (5, 36), (-7, 1_000_003), (i64::MIN, i64::MAX)] {
            let range = TimeRange { start_us, end_us };
            let ranges = Buckets::of(range).ranges();
            assert!((1..=NUM_BUCKETS as usize).contains(&ranges.len()), "{range:?}");
            assert_eq!((ranges[0].start_us, ranges[ranges.len() - 1].end_us), (start_us, end_us));
            assert!(ranges.windows(2).all(|pair| pair[0].end_us == pair[1].start_us), "{ranges:?}");
            assert!(ranges.iter().all(|bucket| bucket.start_us < bucket.end_us), "{ranges:?}");
        }
        assert_eq!(Buckets::of(TimeRange { start_us: 5, end_us: 5 }).len(), 0);
        assert_eq!(Buckets::of(TimeRange { start_us: 6, end_us: 5 }).ranges(), []);
    }

    #[test]
    fn the_newest_rows_are_kept_whatever_their_order() {
        let mut forwards = TemplateTally::default();
        let mut backwards = TemplateTally::default();
        // Two rows of each instant.
        let rows = || (0..60_u128).map(|row| ((row / 2) as i64, Uuid::from_u128(row)));
        rows().for_each(|(us, id)| forwards.note_time(us, || id));
        rows().collect::<Vec<_>>().into_iter().rev().for_each(|(us, id)| backwards.note_time(us, || id));
        let newest = forwards.newest();
        assert_eq!(
            (newest.len(), newest[0].uuid, newest[9].uuid),
            (10, Uuid::from_u128(59), Uuid::from_u128(50))
        );
        assert_eq!(newest, backwards.newest());
        assert_eq!((forwards.seen_us, backwards.seen_us), (Some((0, 29)), Some((0, 29))));
    }
}
