//! The recipe `rollup`: rows and bytes by time, service and severity.
//!
//! Time is cut into buckets of one width, the *grain*, chosen for each file. A question about a range of time
//! is answered exactly for the buckets that the range covers; of the at most two buckets at its edges that it
//! covers in part, the rows have to be asked.

mod buckets;
mod builder;
mod cells;
mod format;
mod selection;

use super::text_list::TextList;

pub use buckets::{RollupBucket, SeriesRows};
pub(super) use builder::RollupBuilder;
pub(super) use cells::CellMap;
pub use selection::{NameFilter, RollupCount, RollupFilter, RollupSelection};

/// Rows and bytes by time bucket, service and severity. It has at least one cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollup {
    width_us: i64,
    min_timestamp_us: i64,
    max_timestamp_us: i64,
    services: TextList,
    severities: TextList,
    /// In the order of (service, severity).
    series: Box<[Series]>,
    /// In the order of time; each has cells.
    buckets: Box<[Bucket]>,
    /// By bucket, then by series.
    cells: Box<[Cell]>,
}

/// A service and a severity that occur together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    service: u32,
    severity: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bucket {
    /// The time of its start, divided by the width.
    index: i64,
    /// Where its cells end; they begin where those of the bucket before end.
    end: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    series: u32,
    num_rows: u64,
    bytes_uncompressed: u64,
}

/// The rows of one time bucket, service and severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollupCell<'a> {
    /// Where the bucket begins, microseconds.
    pub start_us: i64,
    /// The service's name; empty when there is none.
    pub service: &'a str,
    /// The severity's text.
    pub severity: &'a str,
    /// Number of rows; at least 1.
    pub num_rows: u64,
    /// Sum of `bytes_uncompressed` of the rows.
    pub bytes_uncompressed: u64,
}

impl Rollup {
    /// The width of a bucket, microseconds. Buckets are aligned to the Unix epoch in UTC.
    pub fn width_us(&self) -> i64 {
        self.width_us
    }

    /// Earliest `timestamp` of all rows, microseconds.
    pub fn min_timestamp_us(&self) -> i64 {
        self.min_timestamp_us
    }

    /// Latest `timestamp` of all rows, microseconds, inclusive.
    pub fn max_timestamp_us(&self) -> i64 {
        self.max_timestamp_us
    }

    /// All services, in the order of their names.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.services.iter()
    }

    /// All severities, in the order of their texts.
    pub fn severities(&self) -> impl Iterator<Item = &str> {
        self.severities.iter()
    }

    /// Number of cells.
    pub fn num_cells(&self) -> usize {
        self.cells.len()
    }

    /// All cells: by time, then by service, then by severity.
    pub fn cells(&self) -> impl Iterator<Item = RollupCell<'_>> {
        self.buckets
            .iter()
            .enumerate()
            .flat_map(|(number, bucket)| self.cells_of(number).iter().map(|cell| self.describe(bucket, cell)))
    }

    /// Memory that it takes.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.services.memory_bytes()
            + self.severities.memory_bytes()
            + size_of_val::<[Series]>(&self.series)
            + size_of_val::<[Bucket]>(&self.buckets)
            + size_of_val::<[Cell]>(&self.cells)
    }

    fn cells_of(&self, bucket: usize) -> &[Cell] {
        let start = if bucket == 0 { 0 } else { self.buckets[bucket - 1].end as usize };
        &self.cells[start..self.buckets[bucket].end as usize]
    }

    fn describe(&self, bucket: &Bucket, cell: &Cell) -> RollupCell<'_> {
        let series = self.series[cell.series as usize];
        RollupCell {
            // The first bucket may begin before the earliest instant that there is.
            start_us: bucket.index.saturating_mul(self.width_us),
            service: self.services.get(series.service as usize),
            severity: self.severities.get(series.severity as usize),
            num_rows: cell.num_rows,
            bytes_uncompressed: cell.bytes_uncompressed,
        }
    }
}
