//! The recipe `rollup` against counts over rows.

use std::collections::BTreeMap;
use std::ops::Range;

use proptest::prelude::*;

use super::rows::{Row, instant, rows, service, severity, sliced};
use super::{build, generous, open, recipes};
use crate::index::rollup::{NameFilter, RollupFilter};
use crate::index::{Absence, Recipe, Recipes, Rollup, SidecarLimits};

const SECOND: i64 = 1_000_000;

/// Which names a question is about: none of a list, one of a list, or any.
fn names(name: impl Strategy<Value = String>) -> impl Strategy<Value = (u8, Vec<String>)> {
    (0_u8..3, prop::collection::vec(name, 0..3))
}

fn filter<'a>(kind: u8, names: &'a [&'a str]) -> NameFilter<'a> {
    match kind {
        0 => NameFilter::Any,
        1 => NameFilter::OneOf(names),
        _ => NameFilter::NoneOf(names),
    }
}

fn is_meant((kind, names): &(u8, Vec<String>), name: &str) -> bool {
    match kind {
        0 => true,
        1 => names.iter().any(|known| known == name),
        _ => names.iter().all(|known| known != name),
    }
}

/// Cells of a width, counted row by row.
fn naive_cells(rows: &[Row], width_us: i64) -> BTreeMap<(i64, &str, &str), (u64, u64)> {
    let mut cells = BTreeMap::new();
    for row in rows {
        let start_us = row.timestamp_us.div_euclid(width_us).saturating_mul(width_us);
        let cell: &mut (u64, u64) =
            cells.entry((start_us, row.service.as_str(), row.severity.as_str())).or_default();
        cell.0 += 1;
        cell.1 += u64::from(row.bytes);
    }
    cells
}

/// A cell: bucket, service and severity; rows and bytes.
type Cell<'r> = ((i64, &'r str, &'r str), (u64, u64));

fn cells(rollup: &Rollup) -> Vec<Cell<'_>> {
    let cells = rollup
        .cells()
        .map(|cell| ((cell.start_us, cell.service, cell.severity), (cell.num_rows, cell.bytes_uncompressed)));
    cells.collect()
}

proptest! {
    /// The covered buckets and the rows of the edges together are the answer, at any grain.
    #[test]
    fn counts_equal_those_of_rows(
        rows in rows(1..80),
        max_cells in 1_usize..40,
        range in prop_oneof![(instant(), instant()), Just((i64::MIN, i64::MAX))],
        services in names(service()),
        severities in names(severity()),
    ) {
        let rollup = recipes(&rows, &SidecarLimits { max_cells, ..generous() }).rollup;
        let Recipe::Present(rollup) = rollup else { return Ok(()) };
        prop_assert!(rollup.num_cells() <= max_cells);
        let range = range.0..range.1;
        let wanted = |row: &&Row, range: &Range<i64>| {
            range.contains(&row.timestamp_us)
                && is_meant(&services, &row.service)
                && is_meant(&severities, &row.severity)
        };
        let (service_names, severity_names): (Vec<&str>, Vec<&str>) = (
            services.1.iter().map(String::as_str).collect(),
            severities.1.iter().map(String::as_str).collect(),
        );
        let count = rollup.count(&RollupFilter {
            range: range.clone(),
            services: filter(services.0, &service_names),
            severities: filter(severities.0, &severity_names),
        });
        prop_assert!(count.edges.len() <= 2);
        let (mut num_rows, mut bytes) = (count.num_rows, count.bytes_uncompressed);
        for edge in &count.edges {
            prop_assert!(edge.start < edge.end && range.start <= edge.start && edge.end <= range.end);
            let meant = rows.iter().filter(|row| wanted(row, edge));
            num_rows += meant.clone().count() as u64;
            bytes += meant.map(|row| u64::from(row.bytes)).sum::<u64>();
        }
        let meant = rows.iter().filter(|row| wanted(row, &range));
        prop_assert_eq!(num_rows, meant.clone().count() as u64);
        prop_assert_eq!(bytes, meant.map(|row| u64::from(row.bytes)).sum::<u64>());
    }

    #[test]
    fn cells_equal_those_of_rows_in_any_order(
        rows in rows(1..60), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4), max_cells in 1_usize..60,
    ) {
        let limits = SidecarLimits { max_cells, ..generous() };
        let sliced = Recipes::of_rows(&sliced(&rows, &cuts), &limits).unwrap().unwrap();
        prop_assert_eq!(&sliced, &recipes(&rows, &limits));
        if let Some(rollup) = sliced.rollup.present() {
            let naive: Vec<_> = naive_cells(&rows, rollup.width_us()).into_iter().collect();
            prop_assert_eq!(cells(rollup), naive);
            let times = rows.iter().map(|row| row.timestamp_us);
            prop_assert_eq!(Some(rollup.min_timestamp_us()), times.clone().min());
            prop_assert_eq!(Some(rollup.max_timestamp_us()), times.max());
        }
    }

    #[test]
    fn encoded_rollups_decode_to_the_same(rows in rows(1..60), max_cells in 1_usize..60) {
        let limits = SidecarLimits { max_cells, ..generous() };
        let sidecar = open(&build(&rows, &limits));
        prop_assert_eq!(sidecar.rollup(), &recipes(&rows, &limits).rollup);
    }

    #[test]
    fn merged_rollups_have_the_cells_of_all_rows(
        left in rows(1..40), right in rows(1..40), left_cells in 1_usize..60, right_cells in 1_usize..60,
    ) {
        let rollup = |rows: &[Row], max_cells| recipes(rows, &SidecarLimits { max_cells, ..generous() }).rollup;
        let (Recipe::Present(left_rollup), Recipe::Present(right_rollup)) =
            (rollup(&left, left_cells), rollup(&right, right_cells)) else { return Ok(()) };
        let all = [left, right].concat();
        let most = left_cells.max(right_cells);
        let merged = left_rollup.merge(&right_rollup, &SidecarLimits { max_cells: most, ..generous() });
        prop_assert_eq!(
            &merged,
            &right_rollup.merge(&left_rollup, &SidecarLimits { max_cells: most, ..generous() })
        );
        let Some(merged) = merged.present() else {
            prop_assert!(naive_cells(&all, 86_400 * SECOND).len() > most);
            return Ok(());
        };
        prop_assert!(merged.num_cells() <= most);
        prop_assert_eq!(cells(merged), naive_cells(&all, merged.width_us()).into_iter().collect::<Vec<_>>());
        let finest = left_rollup.width_us().max(right_rollup.width_us());
        prop_assert!(merged.width_us() >= finest);
        prop_assert!(merged.width_us() == finest || naive_cells(&all, finest).len() > most);
    }
}

/// One row each second, of one series.
fn one_row_each_second(num_rows: i64) -> Vec<Row> {
    (0..num_rows).map(|second| Row::new(second * SECOND, "api", "info")).collect()
}

#[track_caller]
fn check_grain(num_rows: i64, limits: &SidecarLimits, width_secs: Option<i64>) {
    let rollup = recipes(&one_row_each_second(num_rows), limits).rollup;
    assert_eq!(rollup.present().map(|rollup| rollup.width_us() / SECOND), width_secs, "{num_rows} rows");
    if width_secs.is_none() {
        assert_eq!(rollup.absence(), Some(&Absence::AsLargeAsData));
    }
}

#[test]
fn the_grain_is_the_finest_that_is_worth_its_cells() {
    let limits = SidecarLimits::default();
    check_grain(15, &limits, None);
    check_grain(16, &limits, Some(60));
    check_grain(1_600, &limits, Some(60));
    check_grain(16_000, &limits, Some(60));
    let few = SidecarLimits { max_cells: 100, ..limits.clone() };
    check_grain(16_000, &few, Some(300));
    let any = SidecarLimits { min_rows_per_cell: 1, ..limits };
    check_grain(16_000, &any, Some(1));
}

#[test]
fn too_many_series_make_no_rollup() {
    let rows: Vec<Row> = (0..50).map(|service| Row::new(0, &service.to_string(), "info")).collect();
    let limits = SidecarLimits { max_cells: 49, min_rows_per_cell: 1, ..SidecarLimits::default() };
    assert_eq!(recipes(&rows, &limits).rollup.absence(), Some(&Absence::OverBudget));
    let limits = SidecarLimits { max_cells: 50, ..limits };
    assert_eq!(recipes(&rows, &limits).rollup.present().map(Rollup::num_cells), Some(50));
    let limits = SidecarLimits { max_name_bytes: 93, ..limits };
    assert_eq!(recipes(&rows, &limits).rollup.absence(), Some(&Absence::OverBudget));
    let limits = SidecarLimits { max_name_bytes: 94, ..limits };
    assert_eq!(recipes(&rows, &limits).rollup.present().map(Rollup::num_cells), Some(50));
}

#[test]
fn an_edge_without_rows_that_are_meant_is_not_asked() {
    let mut rows = one_row_each_second(600);
    rows.push(Row::new(30 * SECOND, "checkout", "info"));
    let limits = SidecarLimits { max_cells: 11, min_rows_per_cell: 1, ..SidecarLimits::default() };
    let recipes = recipes(&rows, &limits);
    let rollup = recipes.rollup.present().unwrap();
    assert_eq!((rollup.width_us(), rollup.num_cells()), (60 * SECOND, 11));
    let ask = |range, services: &[&str]| {
        let severities = NameFilter::Any;
        let count = rollup.count(&RollupFilter { range, services: NameFilter::OneOf(services), severities });
        (count.num_rows, count.edges)
    };
    let (from, to) = (20 * SECOND, 150 * SECOND);
    assert_eq!(ask(from..to, &["api"]), (60, vec![from..60 * SECOND, 120 * SECOND..to]));
    assert_eq!(ask(from..to, &["checkout"]), (0, vec![from..60 * SECOND]));
    assert_eq!(ask(from..to, &["worker"]), (0, vec![]));
    // The last row is at 599 s, so the last bucket is covered before it ends.
    assert_eq!(ask(0..599 * SECOND + 1, &["api"]), (600, vec![]));
    assert_eq!(ask(0..599 * SECOND, &["api"]), (540, vec![540 * SECOND..599 * SECOND]));
    assert_eq!(ask(to..from, &["api"]), (0, vec![]));
}
