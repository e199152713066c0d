//! What the scans of one query's table leave out and read, for explanations.

use std::fmt::Write;

use parking_lot::Mutex;

use crate::catalog::Sources;

/// Data files that an explanation names of each scan.
const MAX_NAMED: usize = 100;

/// The scans of one table, in the order of planning.
#[derive(Debug, Default)]
pub(crate) struct ScanLog(Mutex<Vec<Scan>>);

#[derive(Debug)]
struct Scan {
    num_files: usize,
    kept: Sources,
}

impl ScanLog {
    /// Notes a scan that reads `kept` of so many data files.
    pub(super) fn add(&self, num_files: usize, kept: &Sources) {
        self.0.lock().push(Scan { num_files, kept: kept.clone() });
    }

    /// A line for each scan, and one for each data file that it reads.
    pub(crate) fn describe(&self, table: &str) -> String {
        let mut text = String::new();
        for Scan { num_files, kept } in &*self.0.lock() {
            let num_kept = kept.files.len();
            let num_rows: usize = kept.segments.iter().map(|segment| segment.batch.num_rows()).sum();
            // Writing into a text cannot fail.
            let _written = writeln!(
                text,
                "{table}: {num_kept} of {num_files} data files read, {} pruned; {num_rows} rows in memory",
                num_files.saturating_sub(num_kept)
            );
            for file in kept.files.iter().take(MAX_NAMED) {
                let _written = writeln!(text, "  {}: {} rows", file.path, file.num_rows);
            }
            if num_kept > MAX_NAMED {
                let _written = writeln!(text, "  and {} more", num_kept - MAX_NAMED);
            }
        }
        text
    }
}
