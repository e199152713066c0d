//! Rows by minute, service and severity, and the windows that they add up to.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use engine::query::model::LogFilter;
use engine::query::{CellCount, TimeRange};

/// Rows per minute, in the order of time, by severity.
type BySeverity<'c> = HashMap<&'c str, Vec<(i64, u64)>>;

/// The same by service.
pub(super) struct Cells<'c>(HashMap<&'c str, BySeverity<'c>>);

impl<'c> Cells<'c> {
    /// Cells of minutes, in the order of time.
    pub(super) fn of(cells: &'c [CellCount]) -> Self {
        let mut by_service: HashMap<&str, BySeverity<'c>> = HashMap::new();
        for cell in cells {
            let by_severity = by_service.entry(&cell.service_name).or_default();
            by_severity.entry(&cell.severity).or_default().push((cell.start_us, cell.count));
        }
        Self(by_service)
    }

    /// How many rows of the filter's services and severities each window has.
    pub(super) fn together(&self, filter: &LogFilter, windows: &[TimeRange]) -> Vec<u64> {
        let mut counts = vec![0; windows.len()];
        for (_, by_severity) in self.of_services(filter) {
            add(&mut counts, by_severity, filter, windows);
        }
        counts
    }

    /// The same for each of the services that have rows in one of the windows.
    pub(super) fn by_service(&self, filter: &LogFilter, windows: &[TimeRange]) -> BTreeMap<String, Vec<u64>> {
        let counted = self.of_services(filter).into_iter().map(|(service, by_severity)| {
            let mut counts = vec![0; windows.len()];
            add(&mut counts, by_severity, filter, windows);
            (service.to_owned(), counts)
        });
        counted.filter(|(_, counts)| counts.iter().any(|count| *count > 0)).collect()
    }

    fn of_services(&self, filter: &LogFilter) -> Vec<(&'c str, &BySeverity<'c>)> {
        let names: BTreeSet<&str> = match filter.service_names.as_slice() {
            [] => self.0.keys().copied().collect(),
            names => names.iter().map(String::as_str).collect(),
        };
        let found = names.into_iter().filter_map(|name| self.0.get_key_value(name));
        found.map(|(name, cells)| (*name, cells)).collect()
    }
}

fn add(counts: &mut [u64], by_severity: &BySeverity<'_>, filter: &LogFilter, windows: &[TimeRange]) {
    let severities = &filter.severity_levels;
    for (severity, minutes) in by_severity {
        if severities.is_empty() || severities.iter().any(|one| one == severity) {
            for (count, window) in counts.iter_mut().zip(windows) {
                *count += rows_within(minutes, window);
            }
        }
    }
}

/// Rows of the minutes that a window begins and ends with.
pub(super) fn rows_within(minutes: &[(i64, u64)], window: &TimeRange) -> u64 {
    let first = minutes.partition_point(|(us, _)| *us < window.start_us);
    let end = minutes.partition_point(|(us, _)| *us < window.end_us);
    minutes[first..end].iter().map(|(_, count)| count).sum()
}
