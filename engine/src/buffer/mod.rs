//! Fresh rows: acknowledged rows that no data file holds yet, one list of segments per table.
//!
//! Segments are immutable, so that a query can hold them while new ones arrive. Small ones are joined as they
//! come in, each row a logarithmic number of times, so that thousands of small requests do not make thousands
//! of segments.

mod segment;

use std::sync::Arc;

pub use segment::BufferSegment;

use crate::limits::MAX_JOINED_SEGMENT_ROWS;

/// The fresh rows of one table.
#[derive(Clone, Debug, Default)]
pub(crate) struct TableBuffer {
    /// In order of ingestion.
    segments: Vec<Arc<BufferSegment>>,
    /// No batch below this is among the segments.
    first_sequence: u64,
    /// When the oldest row came in, microseconds.
    oldest_us: Option<i64>,
    /// While a flush runs, the newest sequence number it takes: segments up to it are not joined with others.
    flushing_to: Option<u64>,
    /// Sequence number of the newest batch that a flush has taken out.
    flushed_to: u64,
}

/// The batches that a flush takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SequenceRange {
    pub(crate) first: u64,
    /// Inclusive.
    pub(crate) last: u64,
}

impl TableBuffer {
    pub(crate) fn segments(&self) -> &[Arc<BufferSegment>] {
        &self.segments
    }

    /// The segments that may have rows of batches after `sequence`; none when some of those have left memory.
    pub(crate) fn segments_after(&self, sequence: u64) -> Option<&[Arc<BufferSegment>]> {
        let first = self.segments.partition_point(|segment| segment.sequence <= sequence);
        (self.flushed_to <= sequence).then(|| &self.segments[first..])
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.segments.iter().map(|segment| segment.size_bytes).sum()
    }

    pub(crate) fn oldest_us(&self) -> Option<i64> {
        self.oldest_us
    }

    /// Adds rows that came in at `ingested_us`. Returns the segments that they were joined with: their rows are in the
    /// new one.
    pub(crate) fn push(&mut self, segment: BufferSegment, ingested_us: i64) -> Vec<Arc<BufferSegment>> {
        if self.segments.is_empty() {
            self.first_sequence = segment.sequence;
            self.oldest_us = Some(ingested_us);
        }
        let mut segment = Arc::new(segment);
        let mut replaced = Vec::new();
        while let Some(last) = self.segments.last().filter(|last| self.may_join(last, &segment)) {
            match last.joined(&segment) {
                Ok(joined) => segment = Arc::new(joined),
                Err(error) => {
                    // Two segments are as right as one.
                    tracing::warn!(%error, "cannot join two segments");
                    break;
                }
            }
            replaced.extend(self.segments.pop());
        }
        self.segments.push(segment);
        replaced
    }

    /// Neighbours are joined while the older is not much larger, which bounds how often a row is copied.
    fn may_join(&self, last: &BufferSegment, next: &BufferSegment) -> bool {
        let (last_rows, next_rows) = (last.batch.num_rows(), next.batch.num_rows());
        let is_free = self.flushing_to.is_none_or(|newest| last.sequence > newest);
        is_free && last_rows <= 2 * next_rows && last_rows + next_rows <= MAX_JOINED_SEGMENT_ROWS
    }

    /// Whether a flush has begun that has neither failed nor finished.
    pub(crate) fn is_flushing(&self) -> bool {
        self.flushing_to.is_some()
    }

    /// Takes note that a flush of everything here begins; `None` when there is nothing to flush or a flush is
    /// running.
    pub(crate) fn begin_flush(&mut self) -> Option<SequenceRange> {
        if self.flushing_to.is_some() {
            return None;
        }
        self.flushing_to = self.segments.last().map(|segment| segment.sequence);
        self.flushing_to.map(|last| SequenceRange { first: self.first_sequence, last })
    }

    /// The flush has failed; its rows stay.
    pub(crate) fn abandon_flush(&mut self) {
        self.flushing_to = None;
    }

    /// The flush has committed its rows: takes them out and returns them. Rows that are left came in at
    /// `began_us` or later.
    pub(crate) fn finish_flush(&mut self, began_us: i64) -> Vec<Arc<BufferSegment>> {
        let Some(newest) = self.flushing_to.take() else { return Vec::new() };
        let flushed = self.segments.partition_point(|segment| segment.sequence <= newest);
        let flushed = self.segments.drain(..flushed).collect();
        self.first_sequence = newest + 1;
        self.flushed_to = newest;
        self.oldest_us = (!self.segments.is_empty()).then_some(began_us);
        flushed
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use uuid::Uuid;

    use super::*;
    use crate::ingest::{RecordLimits, decode_otlp_json};
    use crate::schema::{BatchStamp, Dataset, columns};

    /// A batch of one row whose body is its sequence number.
    fn segment(sequence: u64) -> BufferSegment {
        let json = format!(
            r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{{"stringValue":"{sequence}"}}}}]}}]}}]}}"#
        );
        let logs = decode_otlp_json(json.as_bytes(), 5, &RecordLimits::default()).unwrap();
        let stamp = BatchStamp { writer: Uuid::nil(), epoch: 1, sequence, ingested_us: 5 };
        BufferSegment::stamped(Dataset::Logs, &logs.batch, &stamp, 0..1, 100).unwrap()
    }

    fn bodies(buffer: &TableBuffer) -> Vec<u64> {
        let mut bodies = Vec::new();
        for segment in buffer.segments() {
            let column = segment.batch.column_by_name(columns::BODY).unwrap().as_string_view().clone();
            bodies.extend(column.iter().map(|body| body.unwrap().parse::<u64>().unwrap()));
        }
        bodies
    }

    #[test]
    fn a_thousand_small_batches_make_few_segments() {
        let mut buffer = TableBuffer::default();
        (0..1000).for_each(|sequence| drop(buffer.push(segment(sequence), 5)));
        assert!(buffer.segments().len() <= 20, "{} segments", buffer.segments().len());
        assert_eq!(bodies(&buffer), (0..1000).collect::<Vec<_>>());
        assert_eq!(buffer.size_bytes(), 100_000);
    }

    #[test]
    fn a_flush_takes_what_was_there_when_it_began() {
        let mut buffer = TableBuffer::default();
        assert_eq!(buffer.begin_flush(), None);
        (3..10).for_each(|sequence| drop(buffer.push(segment(sequence), 5)));
        assert_eq!(buffer.begin_flush(), Some(SequenceRange { first: 3, last: 9 }));
        assert_eq!(buffer.begin_flush(), None, "one flush at a time");
        (10..30).for_each(|sequence| drop(buffer.push(segment(sequence), 6)));
        assert_eq!(buffer.finish_flush(6).iter().map(|segment| segment.size_bytes).sum::<usize>(), 700);
        assert_eq!(bodies(&buffer), (10..30).collect::<Vec<_>>());
        assert_eq!(buffer.oldest_us(), Some(6));
        assert_eq!(buffer.begin_flush(), Some(SequenceRange { first: 10, last: 29 }));
    }

    #[test]
    fn rows_after_a_batch_are_known_until_one_of_them_has_left() {
        let mut buffer = TableBuffer::default();
        let after = |buffer: &TableBuffer, sequence| {
            let segments = buffer.segments_after(sequence)?;
            Some(segments.iter().map(|segment| segment.sequence).collect::<Vec<_>>())
        };
        assert_eq!(after(&buffer, 0), Some(vec![]));
        buffer.push(segment(3), 5);
        buffer.begin_flush();
        buffer.push(segment(7), 5);
        assert_eq!((after(&buffer, 0), after(&buffer, 3)), (Some(vec![3, 7]), Some(vec![7])));
        buffer.finish_flush(6);
        assert_eq!((after(&buffer, 2), after(&buffer, 3)), (None, Some(vec![7])));
        assert_eq!(after(&buffer, 7), Some(vec![]));
    }

    #[test]
    fn an_abandoned_flush_leaves_everything() {
        let mut buffer = TableBuffer::default();
        buffer.push(segment(1), 5);
        let range = buffer.begin_flush();
        buffer.abandon_flush();
        buffer.push(segment(2), 6);
        assert_eq!(bodies(&buffer), [1, 2]);
        assert_eq!(range, Some(SequenceRange { first: 1, last: 1 }));
        assert_eq!(buffer.begin_flush(), Some(SequenceRange { first: 1, last: 2 }));
    }
}
