//! Hostile rows: memory stays within its bound, and what is said stays true.

use super::rows::{Row, batch};
use super::{file_id, open};
use crate::index::attribute_values::{KeyLookup, Values};
use crate::index::{Absence, Recipe, SidecarBuilder, SidecarLimits};

const NUM_BATCHES: usize = 40;
const ROWS_PER_BATCH: usize = 2500;

/// Every row has a key, values and a service that no other has, some of them long, at its own time.
fn hostile(number: usize) -> Row {
    let unique = format!("{number:08x}");
    let long = if number.is_multiple_of(97) { unique.repeat(200) } else { unique.clone() };
    let row = Row::new(number as i64 * 7_000_000_000, &unique, "info");
    let row =
        row.with(&format!("key-{unique}"), "").with("id", &long).with("seven", &(number % 7).to_string());
    let letters = unique.bytes().map(|digit| char::from(b'g' + digit % 16)).collect::<String>();
    let row = Row { body: format!("{letters} {letters}x y{letters}"), ..row };
    let row = (0..3).fold(row, |row, key| row.with(&format!("wide-{}", (number + key * 31) % 3000), &unique));
    row.with_resource("host", &unique)
}

#[test]
fn memory_is_bounded_whatever_the_rows_hold() {
    let limits = SidecarLimits::default();
    let mut builder = SidecarBuilder::new(&limits);
    let mut most = 0;
    for number in 0..NUM_BATCHES {
        let rows: Vec<Row> = (0..ROWS_PER_BATCH).map(|row| hostile(number * ROWS_PER_BATCH + row)).collect();
        builder.add(&batch(&rows)).unwrap();
        most = most.max(builder.memory_bytes());
    }
    assert!(most <= SidecarBuilder::MAX_MEMORY_BYTES, "{most} bytes");
    assert!(most > 1 << 20, "{most} bytes cannot be all");
    let num_rows = (NUM_BATCHES * ROWS_PER_BATCH) as u64;
    let built = builder.finish(file_id(), num_rows).unwrap();
    assert!(built.bytes.len() < 8 << 20, "{} bytes", built.bytes.len());
    let sidecar = open(&built);
    assert_eq!(sidecar.rollup(), &Recipe::Absent(Absence::OverBudget));
    let values = sidecar.attribute_values().present().unwrap();
    let attributes = values.attributes();
    assert!(!attributes.is_complete() && attributes.num_keys() > 10_000, "{} keys", attributes.num_keys());
    assert_eq!(attributes.get(&format!("key-{:08x}", num_rows - 1)), KeyLookup::Unknown);
    let KeyLookup::Counted(seven) = attributes.get("seven") else { panic!("it was among the first keys") };
    assert_eq!(seven.num_rows, num_rows);
    assert!(matches!(seven.values, Values::Kept(values) if values.count("0") == num_rows.div_ceil(7)));
    let KeyLookup::Counted(id) = attributes.get("id") else { panic!("it was among the first keys") };
    assert_eq!(id.num_rows, num_rows);
    assert!(matches!(id.values, Values::NotKept { min_distinct } if min_distinct > 100));
}

#[test]
fn a_value_as_large_as_a_record_takes_no_room() {
    let limits = SidecarLimits::default();
    let large = "x".repeat(1 << 20);
    let rows: Vec<Row> = (0..20)
        .map(|number| Row::new(0, "api", "info").with(&format!("{number}"), &large).with(&large, ""))
        .collect();
    let mut builder = SidecarBuilder::new(&limits);
    builder.add(&batch(&rows)).unwrap();
    assert!(builder.memory_bytes() < 8 << 20, "{} bytes", builder.memory_bytes());
    let built = builder.finish(file_id(), 20).unwrap();
    let sidecar = open(&built);
    let attributes = sidecar.attribute_values().present().unwrap().attributes();
    assert_eq!(attributes.num_keys(), 21);
    let is_without_values = |key| {
        let KeyLookup::Counted(counts) = attributes.get(key) else { panic!("{key} is counted") };
        counts.values == Values::NotKept { min_distinct: 1 }
    };
    assert!(is_without_values("0") && !is_without_values(&large));
}
