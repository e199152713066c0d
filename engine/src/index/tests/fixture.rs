//! The frozen sidecar of version 1: every later program reads it to the same answers.

use bytes::Bytes;
use object_store::path::Path;
use uuid::Uuid;

use crate::index::attribute_values::{KeyLookup, KeyTable, Values};
use crate::index::rollup::{NameFilter, RollupFilter};
use crate::index::{Absence, Recipe, Sidecar};

const VERSION_1: &[u8] = include_bytes!("../../../tests/fixtures/sidecar-v1.sidecar");
/// As the first, of so few rows that there is no rollup.
const VERSION_1_SMALL: &[u8] = include_bytes!("../../../tests/fixtures/sidecar-v1-small.sidecar");

const SECOND: i64 = 1_000_000;
/// 2026-01-12T00:00:00Z.
const START_US: i64 = 1_768_176_000 * SECOND;

fn open(bytes: &'static [u8]) -> Sidecar {
    Sidecar::open(&Path::from("v1.sidecar"), Bytes::from_static(bytes)).unwrap()
}

fn kept(table: &KeyTable, key: &str) -> Vec<(String, u64)> {
    match table.get(key) {
        KeyLookup::Counted(counts) => match counts.values {
            Values::Kept(values) => values.iter().map(|(value, count)| (value.to_owned(), count)).collect(),
            Values::NotKept { min_distinct } => vec![("not kept".to_owned(), min_distinct)],
        },
        other => panic!("{key}: {other:?}"),
    }
}

fn counts(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected.iter().map(|(value, count)| ((*value).to_owned(), *count)).collect()
}

#[test]
fn the_rollup_of_version_1_is_read() {
    let sidecar = open(VERSION_1);
    assert_eq!(sidecar.file_id(), Uuid::from_u128(0x0197_0000_0000_7000_8000_0000_0000_0001));
    assert_eq!(sidecar.num_rows(), 1200);
    let rollup = sidecar.rollup().present().unwrap();
    assert_eq!((rollup.width_us(), rollup.num_cells()), (300 * SECOND, 72));
    assert_eq!(rollup.services().collect::<Vec<_>>(), ["", "api", "käse"]);
    assert_eq!(rollup.severities().collect::<Vec<_>>(), ["error", "info"]);
    let ask = |range, services| {
        let severities = NameFilter::OneOf(&["info"]);
        let count = rollup.count(&RollupFilter { range, services, severities });
        (count.num_rows, count.bytes_uncompressed, count.edges)
    };
    let hour = START_US..START_US + 3600 * SECOND;
    assert_eq!(ask(hour.clone(), NameFilter::Any), (1080, 133_920, vec![]));
    assert_eq!(ask(hour, NameFilter::OneOf(&["api"])), (360, 44_640, vec![]));
    let edges =
        vec![START_US + SECOND..START_US + 300 * SECOND, START_US + 900 * SECOND..START_US + 901 * SECOND];
    let from_the_second = START_US + SECOND..START_US + 901 * SECOND;
    assert_eq!(ask(from_the_second, NameFilter::NoneOf(&[""])), (120, 14_877, edges));
}

#[test]
fn the_values_of_version_1_are_read() {
    let sidecar = open(VERSION_1);
    let values = sidecar.attribute_values().present().unwrap();
    assert_eq!(kept(values.columns(), "service_name"), counts(&[("", 400), ("api", 400), ("käse", 400)]));
    assert_eq!(kept(values.columns(), "severity_text"), counts(&[("error", 120), ("info", 1080)]));
    assert_eq!(kept(values.columns(), "event_name"), counts(&[("", 1200)]));
    let attributes = values.attributes();
    assert!(attributes.is_complete());
    let keys: Vec<_> = attributes.keys().map(|counts| (counts.key, counts.num_rows)).collect();
    assert_eq!(keys, [("even", 600), ("http.status", 1200), ("request.id", 1200)]);
    assert_eq!(kept(attributes, "even"), counts(&[("ja", 600)]));
    assert_eq!(
        kept(attributes, "http.status"),
        counts(&[("200", 300), ("201", 300), ("202", 300), ("203", 300)])
    );
    assert_eq!(kept(attributes, "request.id"), counts(&[("not kept", 1001)]));
    assert_eq!(kept(values.resource_attributes(), "host"), counts(&[("a", 1200)]));
    assert_eq!(attributes.get("odd"), KeyLookup::NoRow);
}

#[test]
fn a_skipped_recipe_of_version_1_is_read() {
    let sidecar = open(VERSION_1_SMALL);
    assert_eq!(sidecar.rollup(), &Recipe::Absent(Absence::AsLargeAsData));
    let values = sidecar.attribute_values().present().unwrap();
    assert_eq!(kept(values.attributes(), "http.status"), counts(&[("200", 1), ("201", 1), ("202", 1)]));
}

/// The rows that the frozen sidecars were made of still make the same recipes under the limits of that time.
#[test]
fn the_rows_of_version_1_still_make_the_same_recipes() {
    use super::rows::Row;
    use crate::index::SidecarLimits;

    let row = |number: i64| {
        let service = ["", "api", "käse"][(number % 3) as usize];
        let severity = if number % 10 == 9 { "error" } else { "info" };
        let row = Row::new(START_US + number * 3 * SECOND, service, severity);
        let row = Row { bytes: 100 + (number % 50) as u32, ..row };
        let row = row.with("http.status", &(200 + number % 4).to_string());
        let row = row.with("request.id", &format!("{number:016x}")).with_resource("host", "a");
        if number % 2 == 0 { row.with("even", "ja") } else { row }
    };
    let limits = SidecarLimits {
        max_cells: 32 << 10,
        min_rows_per_cell: 16,
        max_name_bytes: 256 << 10,
        max_key_bytes: 2 << 20,
        max_values_per_key: 1000,
        max_value_bytes_per_key: 256 << 10,
        max_value_bytes: 4 << 20,
        value_bytes_per_row: 4,
        min_value_bytes: 16 << 10,
        max_word_entries: 512 << 10,
        max_word_bytes: 512 << 10,
    };
    for (frozen, num_rows) in [(VERSION_1, 1200), (VERSION_1_SMALL, 3)] {
        let rows: Vec<Row> = (0..num_rows).map(row).collect();
        let made = super::recipes(&rows, &limits);
        let frozen = open(frozen);
        assert_eq!((frozen.rollup(), frozen.attribute_values()), (&made.rollup, &made.attribute_values));
    }
}
