//! Cells while they are counted, by hash; from them a rollup is made, whatever the order they came in.

use std::collections::HashMap;

use super::{Bucket, Cell, Rollup, RollupCell, Series};
use crate::index::absence::{Absence, Recipe};
use crate::index::limits::SidecarLimits;
use crate::index::text_list::TextList;
use crate::index::text_table::{Lookup, TextTable};

const SECOND_US: i64 = 1_000_000;
const MINUTE_US: i64 = 60 * SECOND_US;
const HOUR_US: i64 = 60 * MINUTE_US;

/// The grains of a rollup. Each divides the next, so that cells can be made coarser without the rows, and the
/// intervals of the API's charts are multiples of one of them.
const GRAINS_US: [i64; 9] = [
    SECOND_US,
    5 * SECOND_US,
    10 * SECOND_US,
    MINUTE_US,
    5 * MINUTE_US,
    15 * MINUTE_US,
    HOUR_US,
    6 * HOUR_US,
    24 * HOUR_US,
];

/// Counts by time bucket, service and severity. Memory is bounded by the limits.
#[derive(Debug)]
pub(in crate::index) struct CellMap {
    width_us: i64,
    services: TextTable,
    severities: TextTable,
    cells: HashMap<CellKey, Totals>,
    num_rows: u64,
    /// Earliest and latest `timestamp`, microseconds.
    times_us: Option<(i64, i64)>,
    limits: SidecarLimits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct CellKey {
    bucket: i64,
    service: u32,
    severity: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    num_rows: u64,
    bytes_uncompressed: u64,
}

impl CellMap {
    pub(super) fn new(limits: &SidecarLimits) -> Self {
        Self {
            width_us: GRAINS_US[0],
            services: TextTable::new(),
            severities: TextTable::new(),
            cells: HashMap::new(),
            num_rows: 0,
            times_us: None,
            limits: limits.clone(),
        }
    }

    /// The number of a service's name.
    ///
    /// # Errors
    /// The names are over their budget.
    pub(super) fn service(&mut self, name: &str) -> Result<u32, Absence> {
        let room = self.limits.max_name_bytes.saturating_sub(self.severities.text_bytes());
        intern(&mut self.services, name, room)
    }

    /// The number of a severity's text.
    ///
    /// # Errors
    /// The names are over their budget.
    pub(super) fn severity(&mut self, text: &str) -> Result<u32, Absence> {
        let room = self.limits.max_name_bytes.saturating_sub(self.services.text_bytes());
        intern(&mut self.severities, text, room)
    }

    /// Adds one row.
    ///
    /// # Errors
    /// There are too many cells at the coarsest grain.
    pub(super) fn add_row(
        &mut self,
        timestamp_us: i64,
        (service, severity): (u32, u32),
        bytes_uncompressed: u64,
    ) -> Result<(), Absence> {
        let bucket = timestamp_us.div_euclid(self.width_us);
        let cell = Totals { num_rows: 1, bytes_uncompressed };
        self.add_cell(CellKey { bucket, service, severity }, cell)
    }

    fn add_cell(&mut self, key: CellKey, totals: Totals) -> Result<(), Absence> {
        let cell = self.cells.entry(key).or_default();
        cell.num_rows += totals.num_rows;
        cell.bytes_uncompressed += totals.bytes_uncompressed;
        self.num_rows += totals.num_rows;
        // A grain that is too fine now is too fine for good, because cells only become more.
        while self.cells.len() > self.limits.max_cells {
            self.coarsen(Absence::OverBudget)?;
        }
        Ok(())
    }

    /// Tells the times of rows that were added.
    pub(super) fn extend_times(&mut self, min_us: i64, max_us: i64) {
        let (min_before, max_before) = self.times_us.unwrap_or((min_us, max_us));
        self.times_us = Some((min_before.min(min_us), max_before.max(max_us)));
    }

    /// Adds a rollup, as if its rows had been added.
    ///
    /// # Errors
    /// There are too many cells or names, or the grains do not fit together.
    pub(super) fn add_rollup(&mut self, rollup: &Rollup) -> Result<(), Absence> {
        while self.width_us < rollup.width_us {
            self.coarsen(Absence::NotMade)?;
        }
        if self.width_us % rollup.width_us != 0 {
            return Err(Absence::NotMade);
        }
        for (number, bucket) in rollup.buckets.iter().enumerate() {
            for cell in rollup.cells_of(number) {
                let RollupCell { service, severity, num_rows, bytes_uncompressed, .. } =
                    rollup.describe(bucket, cell);
                let (service, severity) = (self.service(service)?, self.severity(severity)?);
                // The grain may have become coarser since the cell before.
                let bucket = bucket.index.div_euclid(self.width_us / rollup.width_us);
                let totals = Totals { num_rows, bytes_uncompressed };
                self.add_cell(CellKey { bucket, service, severity }, totals)?;
            }
        }
        self.extend_times(rollup.min_timestamp_us, rollup.max_timestamp_us);
        Ok(())
    }

    /// Takes the next grain.
    fn coarsen(&mut self, otherwise: Absence) -> Result<(), Absence> {
        let next = GRAINS_US.into_iter().find(|&width_us| width_us > self.width_us).ok_or(otherwise)?;
        let factor = next / self.width_us;
        let mut cells = HashMap::with_capacity(self.cells.len() / 2);
        for (key, totals) in self.cells.drain() {
            let bucket = key.bucket.div_euclid(factor);
            let cell: &mut Totals = cells.entry(CellKey { bucket, ..key }).or_default();
            cell.num_rows += totals.num_rows;
            cell.bytes_uncompressed += totals.bytes_uncompressed;
        }
        (self.cells, self.width_us) = (cells, next);
        Ok(())
    }

    pub(super) fn memory_bytes(&self) -> usize {
        // One byte of control for each place of the map.
        let cell_bytes = size_of::<(CellKey, Totals)>() + 1;
        let places = self.cells.capacity() * 8 / 7;
        places * cell_bytes + self.services.memory_bytes() + self.severities.memory_bytes()
    }

    /// The rollup at the finest grain that is worth its bytes.
    pub(super) fn finish(mut self) -> Recipe<Rollup> {
        let most_cells = self.limits.cells_for(self.num_rows);
        while self.cells.len() > most_cells {
            if let Err(absence) = self.coarsen(Absence::AsLargeAsData) {
                return Recipe::Absent(absence);
            }
        }
        match self.times_us {
            Some(times_us) => Recipe::Present(self.into_rollup(times_us).into()),
            None => Recipe::Absent(Absence::AsLargeAsData),
        }
    }

    fn into_rollup(self, (min_timestamp_us, max_timestamp_us): (i64, i64)) -> Rollup {
        let (services, service_ranks) = sorted(&self.services);
        let (severities, severity_ranks) = sorted(&self.severities);
        let mut cells: Vec<(i64, Series, Totals)> = self
            .cells
            .into_iter()
            .map(|(key, totals)| {
                let service = service_ranks[key.service as usize];
                let severity = severity_ranks[key.severity as usize];
                (key.bucket, Series { service, severity }, totals)
            })
            .collect();
        cells.sort_unstable_by_key(|&(bucket, series, _)| (bucket, series));
        let mut series: Vec<Series> = cells.iter().map(|&(_, series, _)| series).collect();
        series.sort_unstable();
        series.dedup();
        let buckets = buckets(cells.iter().map(|&(bucket, ..)| bucket));
        let number = |wanted: &Series| series.binary_search(wanted).expect("BUG: it lists all series") as u32;
        let cells = cells.iter().map(|(_, series, totals)| Cell {
            series: number(series),
            num_rows: totals.num_rows,
            bytes_uncompressed: totals.bytes_uncompressed,
        });
        Rollup {
            width_us: self.width_us,
            min_timestamp_us,
            max_timestamp_us,
            services,
            severities,
            cells: cells.collect(),
            series: series.into_boxed_slice(),
            buckets,
        }
    }
}

/// The buckets of cells whose buckets' indexes rise.
fn buckets(cells: impl Iterator<Item = i64>) -> Box<[Bucket]> {
    let mut buckets: Vec<Bucket> = Vec::new();
    for (index, end) in cells.zip(1..) {
        match buckets.last_mut() {
            Some(last) if last.index == index => last.end = end,
            _ => buckets.push(Bucket { index, end }),
        }
    }
    buckets.into_boxed_slice()
}

fn intern(names: &mut TextTable, name: &str, room: usize) -> Result<u32, Absence> {
    match names.lookup(0, name) {
        Lookup::Found(number) => Ok(number),
        Lookup::New(_) if names.text_bytes() + name.len() > room => Err(Absence::OverBudget),
        Lookup::New(hash) => Ok(names.insert(hash, 0, name)),
    }
}

/// The texts of a table in order, and the place of each.
fn sorted(table: &TextTable) -> (TextList, Vec<u32>) {
    let mut numbers: Vec<u32> = (0..table.len() as u32).collect();
    numbers.sort_unstable_by_key(|&number| table.text(number));
    let mut ranks = vec![0; numbers.len()];
    for (rank, &number) in numbers.iter().enumerate() {
        ranks[number as usize] = rank as u32;
    }
    (numbers.iter().map(|&number| table.text(number)).collect(), ranks)
}
