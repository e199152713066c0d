//! Ids against a plain look through all rows.

use proptest::prelude::*;

use super::rows::Row;
use super::{build, generous, open};
use crate::index::ids::{IdSource, STRETCH_ROWS};
use crate::index::{Absence, Ids, SidecarLimits};

/// Rows with an id of their own, some with a trace of three rows.
fn rows(num_rows: u64) -> Vec<Row> {
    let row = |number: u64| {
        let mut row = Row::default().with("request.id", &id(number)).with("status", "200-some-text");
        if number.is_multiple_of(2) {
            row.trace_id[..8].copy_from_slice(&(number / 6 + 1).to_le_bytes());
        }
        row
    };
    (0..num_rows).map(row).collect()
}

fn id(number: u64) -> String {
    format!("{:016x}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

fn ids_of(rows: &[Row]) -> Ids {
    open(&build(rows, &generous())).ids().present().unwrap().clone()
}

#[test]
fn every_id_is_in_its_stretch_and_in_few_others() {
    let num_rows = 2 * STRETCH_ROWS + 1000;
    let rows = rows(num_rows);
    let ids = ids_of(&rows);
    let mut num_found = 0;
    for number in (0..num_rows).step_by(97) {
        let stretch = (number / STRETCH_ROWS) as u32;
        let id = id(number);
        let found = ids.stretches_with(IdSource::Attribute("request.id"), &[id.as_bytes()]).unwrap();
        assert!(found.contains(&stretch), "{number}");
        num_found += found.len();
        let trace = rows[number as usize].trace_id;
        if trace != [0; 16] {
            let found = ids.stretches_with(IdSource::TraceId, &[&trace]).unwrap();
            assert!(found.contains(&stretch), "{number}");
        }
    }
    let num_asked = num_rows.div_ceil(97) as usize;
    assert!(num_found < num_asked + num_asked / 20, "{num_found} of {num_asked}");
    let several = [id(0), id(num_rows - 1)];
    let several: Vec<&[u8]> = several.iter().map(|id| id.as_bytes()).collect();
    let found = ids.stretches_with(IdSource::Attribute("request.id"), &several).unwrap();
    assert!(found.contains(&0) && found.contains(&2));
}

#[test]
fn what_has_few_values_is_no_id() {
    let ids = ids_of(&rows(1000));
    assert_eq!(ids.stretches_with(IdSource::Attribute("status"), &[b"200-some-text"]), None);
    assert_eq!(ids.stretches_with(IdSource::Attribute("trace_id"), &[&[1; 16]]), None);
}

#[test]
fn filters_beyond_the_budget_are_none() {
    let limits = SidecarLimits { max_id_bytes: 100, ..generous() };
    let sidecar = open(&build(&rows(1000), &limits));
    assert_eq!(sidecar.ids().absence(), Some(&Absence::OverBudget));
}

proptest! {
    #[test]
    fn any_bytes_are_ids_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100), num_rows in 0..70_000_u64) {
        if let Ok(ids) = Ids::decode(&bytes, num_rows) {
            prop_assert_eq!(Ids::decode(&ids.encode(), num_rows), Ok(ids.clone()));
            let _ = ids.stretches_with(IdSource::TraceId, &[&[1; 16]]);
        }
    }

    #[test]
    fn ids_round_trip(num_rows in 1..3000_u64) {
        let ids = ids_of(&rows(num_rows));
        prop_assert_eq!(Ids::decode(&ids.encode(), num_rows), Ok(ids));
    }
}
