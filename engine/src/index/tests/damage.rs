//! Bytes that are not what was once written: refused by name, or as good as new.

use bytes::Bytes;
use proptest::prelude::*;

use super::rows::{Row, rows};
use super::{build, file_id, generous, open, path};
use crate::index::attribute_values::Values;
use crate::index::bytes::{Reader, Refused};
use crate::index::format::{self, Head, PackedRecipe, RecipeEntry, RecipeId};
use crate::index::rollup::{NameFilter, RollupFilter};
use crate::index::{Absence, AttributeValues, Recipe, Rollup, Sidecar};

fn some_rows() -> Vec<Row> {
    let row = |number: i64| {
        let row = Row::new(number * 700_000, if number % 3 == 0 { "api" } else { "worker" }, "info");
        row.with("http.status", &(200 + number % 4).to_string()).with_resource("host", "a")
    };
    (0..200).map(row).collect()
}

/// A damaged recipe says so with the path; one that is there is what it was.
fn is_refused_or_same<T: PartialEq + std::fmt::Debug>(
    now: &Recipe<T>,
    before: &Recipe<T>,
) -> Result<bool, TestCaseError> {
    match now {
        Recipe::Absent(Absence::Damaged(message)) => {
            prop_assert!(message.contains(path().as_ref()), "{}", message);
            Ok(true)
        }
        other => {
            prop_assert_eq!(other, before);
            Ok(false)
        }
    }
}

proptest! {
    #[test]
    fn a_changed_byte_is_noticed(at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let built = build(&some_rows(), &generous());
        let whole = open(&built);
        let mut changed = built.bytes.to_vec();
        changed[at.index(built.bytes.len())] ^= flip;
        match Sidecar::open(&path(), changed.into()) {
            Err(error) => prop_assert!(error.message().contains(path().as_ref()), "{}", error),
            Ok(sidecar) => {
                let refused = [
                    is_refused_or_same(sidecar.rollup(), whole.rollup())?,
                    is_refused_or_same(sidecar.attribute_values(), whole.attribute_values())?,
                    is_refused_or_same(sidecar.words(), whole.words())?,
                    is_refused_or_same(sidecar.ids(), whole.ids())?,
                ];
                let num_refused = refused.iter().filter(|is_refused| **is_refused).count();
                prop_assert_eq!(num_refused, 1, "the one that is changed is refused");
            }
        }
    }

    #[test]
    fn a_cut_sidecar_is_noticed(keep in any::<prop::sample::Index>()) {
        let built = build(&some_rows(), &generous());
        let whole = open(&built);
        match Sidecar::open(&path(), built.bytes.slice(..keep.index(built.bytes.len()))) {
            Err(error) => prop_assert!(error.message().contains(path().as_ref()), "{}", error),
            Ok(sidecar) => {
                is_refused_or_same(sidecar.rollup(), whole.rollup())?;
                is_refused_or_same(sidecar.attribute_values(), whole.attribute_values())?;
                is_refused_or_same(sidecar.words(), whole.words())?;
                prop_assert!(is_refused_or_same(sidecar.ids(), whole.ids())?);
            }
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read(mut bytes in prop::collection::vec(any::<u8>(), 0..300), has_magic: bool) {
        if has_magic && bytes.len() > 12 {
            bytes[..12].copy_from_slice(b"TMBRLSDC\x01\0\0\0");
        }
        prop_assert!(Head::decode(&bytes).is_err());
        prop_assert!(Sidecar::open(&path(), bytes.into()).is_err());
    }

    /// Damage that the checksums do not see, because it was there when they were made.
    #[test]
    fn recipes_of_any_bytes_are_refused_or_hold_together(
        rows in rows(1..20),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
        is_rollup: bool,
    ) {
        let built = build(&rows, &generous());
        let (id, num_rows) = (if is_rollup { RecipeId::Rollup } else { RecipeId::AttributeValues }, rows.len() as u64);
        let Some(Ok(range)) = format::find(&built.facts.recipes, id).map(|entry| entry.range(id)) else {
            return Ok(());
        };
        let entry = format::find(&built.facts.recipes, id).unwrap();
        let mut content = entry.unpack(&built.bytes[range.start as usize..range.end as usize]).unwrap();
        for (at, value) in changes {
            let at = at.index(content.len());
            content[at] = value;
        }
        if let Some(cut) = cut {
            content.truncate(cut.index(content.len()));
        }
        let (bytes, _) = format::encode(file_id(), num_rows, &[PackedRecipe { id, content: Ok(content) }]);
        let sidecar = Sidecar::open(&path(), bytes).unwrap();
        if let Some(rollup) = sidecar.rollup().present() {
            holds_together(rollup, num_rows)?;
        }
        if let Some(values) = sidecar.attribute_values().present() {
            values_hold_together(values, num_rows)?;
        }
    }

    #[test]
    fn recipes_of_wild_bytes_are_refused_or_hold_together(
        bytes in prop::collection::vec(prop_oneof![3 => 0_u8..4, 1 => any::<u8>()], 0..120), num_rows in 0_u64..10,
    ) {
        if let Ok(rollup) = Rollup::decode(&bytes, num_rows) {
            holds_together(&rollup, num_rows)?;
        }
        if let Ok(values) = AttributeValues::decode(&bytes, num_rows) {
            values_hold_together(&values, num_rows)?;
        }
    }
}

fn holds_together(rollup: &Rollup, num_rows: u64) -> Result<(), TestCaseError> {
    let (services, severities) = (NameFilter::Any, NameFilter::Any);
    let ask = |range| rollup.count(&RollupFilter { range, services, severities });
    prop_assert_eq!(rollup.cells().map(|cell| cell.num_rows).sum::<u64>(), num_rows);
    if rollup.max_timestamp_us() < i64::MAX {
        prop_assert_eq!(ask(i64::MIN..i64::MAX).num_rows, num_rows);
    }
    for (from, to) in [(0, 1_000_000), (-5, 5), (i64::MIN, 0), (0, i64::MAX)] {
        prop_assert!(ask(from..to).num_rows <= num_rows);
    }
    Ok(())
}

fn values_hold_together(values: &AttributeValues, num_rows: u64) -> Result<(), TestCaseError> {
    for table in [values.columns(), values.attributes(), values.resource_attributes()] {
        prop_assert!(table.keys().map(|counts| counts.key).is_sorted());
        for counts in table.keys() {
            prop_assert!((1..=num_rows).contains(&counts.num_rows));
            if let Values::Kept(kept) = counts.values {
                prop_assert_eq!(kept.iter().map(|(_, count)| count).sum::<u64>(), counts.num_rows);
                prop_assert!(kept.iter().all(|(value, count)| kept.count(value) == count));
            }
        }
    }
    Ok(())
}

#[test]
fn a_newer_format_is_refused_by_its_version() {
    let mut bytes = build(&some_rows(), &generous()).bytes.to_vec();
    bytes[8] = 2;
    let error = Sidecar::open(&path(), bytes.into()).unwrap_err();
    assert!(error.message().contains("format version 2"), "{error}");
    assert!(error.message().contains(path().as_ref()), "{error}");
}

/// A sidecar whose directory was changed by a program that makes checksums.
fn with_entry(change: impl Fn(&mut RecipeEntry)) -> Sidecar {
    let bytes = build(&some_rows(), &generous()).bytes;
    let head = Head::decode(&bytes).unwrap();
    let mut changed = bytes[..40].to_vec();
    for entry in &head.directory {
        let mut entry = *entry;
        change(&mut entry);
        entry.encode(&mut changed);
    }
    let checksum = xxhash_rust::xxh3::xxh3_64(&changed);
    changed.extend_from_slice(&checksum.to_le_bytes());
    changed.extend_from_slice(&bytes[changed.len()..]);
    Sidecar::open(&path(), changed.into()).unwrap()
}

#[test]
fn hostile_lengths_take_no_memory() {
    let is_damaged = |sidecar: &Sidecar| matches!(sidecar.rollup(), Recipe::Absent(Absence::Damaged(_)));
    assert!(!is_damaged(&with_entry(|_| {})));
    assert!(is_damaged(&with_entry(|entry| entry.uncompressed_length = u32::MAX)));
    assert!(is_damaged(&with_entry(|entry| entry.uncompressed_length += 1)));
    assert!(is_damaged(&with_entry(|entry| entry.uncompressed_length -= 1)));
    assert!(is_damaged(&with_entry(|entry| entry.length = u32::MAX)));
    assert!(is_damaged(&with_entry(|entry| entry.offset = u32::MAX)));
    assert!(is_damaged(&with_entry(|entry| (entry.offset, entry.length) = (u32::MAX, u32::MAX))));
}

#[test]
fn recipes_of_other_versions_are_done_without() {
    let newer = with_entry(|entry| entry.version = 9);
    let Recipe::Absent(Absence::Newer(message)) = newer.rollup() else { panic!("{:?}", newer.rollup()) };
    assert!(message.contains("version 9"), "{message}");
    let unknown = with_entry(|entry| entry.number += 100);
    assert_eq!(unknown.rollup(), &Recipe::Absent(Absence::NotMade));
    let skipped = with_entry(|entry| entry.state = 2);
    assert_eq!(skipped.attribute_values(), &Recipe::Absent(Absence::OverBudget));
    let skipped_for_new_reasons = with_entry(|entry| entry.state = 77);
    assert_eq!(skipped_for_new_reasons.attribute_values(), &Recipe::Absent(Absence::NotMade));
}

#[test]
fn a_head_claims_no_more_than_there_is() {
    let mut bytes = build(&some_rows(), &generous()).bytes.to_vec();
    bytes[36..40].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Head::decode(&bytes), Err(Refused::Damaged("it claims too many recipes")));
    bytes[36..40].copy_from_slice(&64_u32.to_le_bytes());
    bytes.truncate(200);
    assert_eq!(Head::decode(&bytes), Err(Refused::Damaged("it ends too early")));
    assert!(RecipeEntry::decode(&mut Reader::new(&Bytes::from_static(&[0; 31]))).is_err());
}
