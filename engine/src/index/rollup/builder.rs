//! Makes a rollup of rows.

use arrow::array::{Array, RecordBatch};

use super::{CellMap, Rollup};
use crate::error::Result;
use crate::index::absence::{Absence, Recipe};
use crate::index::columns_of::{DictionaryColumn, sizes, timestamps};
use crate::index::limits::SidecarLimits;
use crate::schema::columns;

/// Counts rows by time, service and severity.
#[derive(Debug)]
pub(in crate::index) struct RollupBuilder {
    /// What is counted so far, or why there will be no rollup.
    cells: Result<CellMap, Absence>,
}

impl RollupBuilder {
    pub(in crate::index) fn new(limits: &SidecarLimits) -> Self {
        Self { cells: Ok(CellMap::new(limits)) }
    }

    /// Adds rows.
    ///
    /// # Errors
    /// `Internal` when they lack a column.
    pub(in crate::index) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let rows = Rows {
            timestamps: timestamps(batch, columns::TIMESTAMP)?.values(),
            services: DictionaryColumn::of(batch, columns::SERVICE_NAME)?,
            severities: DictionaryColumn::of(batch, columns::SEVERITY_TEXT)?,
            sizes: sizes(batch, columns::BYTES_UNCOMPRESSED)?.values(),
        };
        if let Ok(cells) = &mut self.cells
            && let Err(absence) = rows.add_to(cells)
        {
            self.cells = Err(absence);
        }
        Ok(())
    }

    pub(in crate::index) fn memory_bytes(&self) -> usize {
        self.cells.as_ref().map_or(0, CellMap::memory_bytes)
    }

    pub(in crate::index) fn finish(self) -> Recipe<Rollup> {
        match self.cells {
            Ok(cells) => cells.finish(),
            Err(absence) => Recipe::Absent(absence),
        }
    }
}

impl Rollup {
    /// The rollup of the rows of two rollups, at the finest grain that both have, or coarser where the limits
    /// ask for it.
    pub fn merge(&self, other: &Self, limits: &SidecarLimits) -> Recipe<Self> {
        let mut cells = CellMap::new(limits);
        match cells.add_rollup(self).and_then(|()| cells.add_rollup(other)) {
            Ok(()) => cells.finish(),
            Err(absence) => Recipe::Absent(absence),
        }
    }
}

/// The columns of some rows.
struct Rows<'a> {
    timestamps: &'a [i64],
    services: DictionaryColumn<'a>,
    severities: DictionaryColumn<'a>,
    sizes: &'a [u32],
}

impl Rows<'_> {
    fn add_to(&self, cells: &mut CellMap) -> Result<(), Absence> {
        const UNKNOWN: u32 = u32::MAX;
        // From the numbers of this batch's dictionaries to those of the names.
        let mut services = vec![UNKNOWN; self.services.values.len()];
        let mut severities = vec![UNKNOWN; self.severities.values.len()];
        let (mut min_us, mut max_us) = (i64::MAX, i64::MIN);
        for (row, &timestamp_us) in self.timestamps.iter().enumerate() {
            let (service, severity) = (self.services.key(row), self.severities.key(row));
            if services[service] == UNKNOWN {
                services[service] = cells.service(self.services.values.value(service))?;
            }
            if severities[severity] == UNKNOWN {
                severities[severity] = cells.severity(self.severities.values.value(severity))?;
            }
            let series = (services[service], severities[severity]);
            cells.add_row(timestamp_us, series, u64::from(self.sizes[row]))?;
            min_us = min_us.min(timestamp_us);
            max_us = max_us.max(timestamp_us);
        }
        if min_us <= max_us {
            cells.extend_times(min_us, max_us);
        }
        Ok(())
    }
}
