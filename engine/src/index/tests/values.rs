//! The recipe `attribute_values` against counts over rows.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::rows::{Row, batch, from_columns, maps, rows, sliced};
use super::{build, generous, open, recipes};
use crate::index::attribute_values::{KeyLookup, KeyTable, Values};
use crate::index::{AttributeValues, Recipes, SidecarLimits};
use crate::schema::columns;

/// Rows by key and value.
type Counts = BTreeMap<String, BTreeMap<String, u64>>;

fn naive(rows: &[Row]) -> [Counts; 3] {
    let [mut columns, mut attributes, mut resources] = [Counts::new(), Counts::new(), Counts::new()];
    let add = |counts: &mut Counts, key: &str, value: &str| {
        *counts.entry(key.to_owned()).or_default().entry(value.to_owned()).or_default() += 1;
    };
    for row in rows {
        add(&mut columns, columns::SERVICE_NAME, &row.service);
        add(&mut columns, columns::SEVERITY_TEXT, &row.severity);
        add(&mut columns, columns::EVENT_NAME, &row.event);
        add(&mut columns, columns::INSTRUMENTATION_SCOPE, &row.scope);
        row.attributes.iter().for_each(|(key, value)| add(&mut attributes, key, value));
        row.resource.iter().for_each(|(key, value)| add(&mut resources, key, value));
    }
    [columns, attributes, resources]
}

fn tables(values: &AttributeValues) -> [&KeyTable; 3] {
    [values.columns(), values.attributes(), values.resource_attributes()]
}

/// The whole table, which has to have all values.
fn counts(table: &KeyTable) -> Counts {
    let keys = table.keys().map(|counts| {
        let Values::Kept(values) = counts.values else { panic!("{} has no values", counts.key) };
        let values: BTreeMap<String, u64> =
            values.iter().map(|(value, num_rows)| (value.to_owned(), num_rows)).collect();
        assert_eq!(values.values().sum::<u64>(), counts.num_rows);
        (counts.key.to_owned(), values)
    });
    keys.collect()
}

/// What a table says is true, and what it does not say, it does not deny.
fn is_sound(table: &KeyTable, naive: &Counts) -> Result<(), TestCaseError> {
    prop_assert!(table.keys().map(|counts| counts.key).is_sorted());
    prop_assert!(table.keys().all(|counts| naive.contains_key(counts.key)));
    for (key, values) in naive {
        match table.get(key) {
            KeyLookup::Counted(counts) => {
                prop_assert_eq!(counts.num_rows, values.values().sum::<u64>());
                match counts.values {
                    Values::Kept(kept) => {
                        prop_assert_eq!(kept.num_distinct(), values.len());
                        prop_assert!(values.iter().all(|(value, &num_rows)| kept.count(value) == num_rows));
                        prop_assert_eq!(kept.count("no such value"), 0);
                    }
                    Values::NotKept { min_distinct } => prop_assert!(min_distinct <= values.len() as u64),
                }
            }
            KeyLookup::NoRow => prop_assert!(false, "{} is denied", key),
            KeyLookup::Unknown => prop_assert!(!table.is_complete()),
        }
    }
    let other = table.get("no such key");
    prop_assert_eq!(other, if table.is_complete() { KeyLookup::NoRow } else { KeyLookup::Unknown });
    Ok(())
}

/// What values cost together, by the rule of the limits.
fn value_bytes(values: &AttributeValues) -> usize {
    let kept = tables(values).into_iter().flat_map(KeyTable::keys).filter_map(|counts| match counts.values {
        Values::Kept(values) => Some(values.iter().map(|(value, _)| value.len() + 32).sum::<usize>()),
        Values::NotKept { .. } => None,
    });
    kept.sum()
}

fn key_bytes(values: &AttributeValues) -> usize {
    tables(values).into_iter().flat_map(KeyTable::keys).map(|counts| counts.key.len() + 64).sum()
}

fn tight() -> impl Strategy<Value = SidecarLimits> {
    (200_usize..1500, 1_usize..5, 32_usize..200, 64_usize..1500, 0_usize..10).prop_map(
        |(
            max_key_bytes,
            max_values_per_key,
            max_value_bytes_per_key,
            max_value_bytes,
            value_bytes_per_row,
        )| {
            SidecarLimits {
                max_key_bytes,
                max_values_per_key,
                max_value_bytes_per_key,
                max_value_bytes,
                value_bytes_per_row,
                min_value_bytes: 100,
                ..SidecarLimits::default()
            }
        },
    )
}

proptest! {
    #[test]
    fn keys_and_values_equal_those_of_rows(
        rows in rows(1..60), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let recipes = Recipes::of_rows(&sliced(&rows, &cuts), &generous()).unwrap().unwrap();
        let values = recipes.attribute_values.present().unwrap();
        prop_assert_eq!(values.num_rows(), rows.len() as u64);
        for (table, naive) in tables(values).into_iter().zip(naive(&rows)) {
            prop_assert!(table.is_complete());
            prop_assert_eq!(counts(table), naive.clone());
            is_sound(table, &naive)?;
        }
    }

    #[test]
    fn nothing_is_wrong_when_little_fits(rows in rows(1..80), limits in tight()) {
        let recipes = recipes(&rows, &limits);
        let values = recipes.attribute_values.present().unwrap();
        for (table, naive) in tables(values).into_iter().zip(naive(&rows)) {
            is_sound(table, &naive)?;
        }
        prop_assert!(key_bytes(values) <= limits.max_key_bytes);
        prop_assert!(value_bytes(values) <= limits.max_value_bytes);
        prop_assert!(value_bytes(values) <= (limits.value_bytes_per_row * rows.len()).max(100));
    }

    #[test]
    fn encoded_values_decode_to_the_same(rows in rows(1..60), limits in prop_oneof![Just(generous()), tight()]) {
        // Which keys are left out depends on the order of hashes in a batch, so the same builder decides both.
        let mut builder = crate::index::SidecarBuilder::new(&limits);
        builder.add(&batch(&rows)).unwrap();
        let recipes = builder.into_recipes().unwrap();
        let sidecar = open(&recipes.encode(super::file_id()));
        prop_assert_eq!(sidecar.attribute_values(), &recipes.attribute_values);
    }

    #[test]
    fn merged_values_are_those_of_all_rows(left in rows(1..40), right in rows(1..40)) {
        let merged = recipes(&left, &generous()).merge(&recipes(&right, &generous()), &generous());
        let all = recipes(&[left, right].concat(), &generous());
        prop_assert_eq!(merged.attribute_values, all.attribute_values);
        prop_assert_eq!(merged.totals, all.totals);
    }

    #[test]
    fn merging_says_nothing_wrong_when_little_fits(
        left in rows(1..60), right in rows(1..60), limits in (tight(), tight(), tight()),
    ) {
        let merged = recipes(&left, &limits.0).merge(&recipes(&right, &limits.1), &limits.2);
        let values = merged.attribute_values.present().unwrap();
        for (table, naive) in tables(values).into_iter().zip(naive(&[left, right].concat())) {
            is_sound(table, &naive)?;
        }
        prop_assert!(key_bytes(values) <= limits.2.max_key_bytes);
        prop_assert!(value_bytes(values) <= limits.2.max_value_bytes);
    }
}

/// 3,000 rows: a key with few values, one with many, one with long ones.
fn varied_rows() -> Vec<Row> {
    let long = "x".repeat(3000);
    let row = |number: usize| {
        let row = Row::new(0, "api", "info").with("few", &(number % 7).to_string());
        let row = row.with("many", &number.to_string()).with("long", &format!("{long}{}", number % 500));
        row.with_resource("host", &(number % 1000).to_string())
    };
    (0..3000).map(row).collect()
}

#[test]
fn a_key_with_many_or_long_values_keeps_none_and_others_do() {
    let recipes =
        recipes(&varied_rows(), &SidecarLimits { value_bytes_per_row: 40, ..SidecarLimits::default() });
    let values = recipes.attribute_values.present().unwrap();
    let lookup = |key| match values.attributes().get(key) {
        KeyLookup::Counted(counts) => (counts.num_rows, counts.values),
        other => panic!("{key}: {other:?}"),
    };
    assert_eq!(lookup("many"), (3000, Values::NotKept { min_distinct: 1001 }));
    // 256 KiB hold 86 values of 3,033 to 3,035 bytes.
    assert_eq!(lookup("long"), (3000, Values::NotKept { min_distinct: 87 }));
    let (3000, Values::Kept(few)) = lookup("few") else { panic!("few values are kept") };
    assert_eq!(few.iter().next(), Some(("0", 429)));
    let KeyLookup::Counted(host) = values.resource_attributes().get("host") else {
        panic!("there is a host")
    };
    let Values::Kept(hosts) = host.values else { panic!("a thousand values are not too many") };
    assert_eq!((hosts.num_distinct(), hosts.count("999"), hosts.count("1000")), (1000, 3, 0));
}

#[test]
fn values_of_few_rows_are_not_as_large_as_their_data() {
    let rows: Vec<Row> = varied_rows().into_iter().take(900).collect();
    let recipes = recipes(&rows, &SidecarLimits::default());
    let values = recipes.attribute_values.present().unwrap();
    let is_kept = |key: &str| match values.attributes().get(key) {
        KeyLookup::Counted(counts) => matches!(counts.values, Values::Kept(_)),
        _ => panic!("{key} is counted"),
    };
    assert!(is_kept("few"));
    assert!(!is_kept("many"), "one value for each row");
}

#[test]
fn a_row_with_a_key_twice_counts_once_and_its_value_is_not_guessed() {
    let row = || Row::new(0, "api", "info").with("a", "0").with("b", "0");
    let rows = [row(), row()];
    let twice =
        maps([vec![("a", "1"), ("a", "2"), ("b", "1")], vec![("a", "1")]].into_iter().map(Vec::into_iter));
    let schema = batch(&rows).schema();
    let columns = schema.fields().iter().zip(batch(&rows).columns().to_vec()).map(|(field, column)| {
        let is_attributes = field.name() == columns::ATTRIBUTES;
        (field.name().as_str(), if is_attributes { std::sync::Arc::clone(&twice) } else { column })
    });
    let recipes = Recipes::of_rows([&from_columns(columns.collect())], &generous()).unwrap().unwrap();
    let attributes = recipes.attribute_values.present().unwrap().attributes();
    let keys: Vec<_> = attributes.keys().map(|counts| (counts.key, counts.num_rows, counts.values)).collect();
    assert_eq!(keys.len(), 2);
    assert_eq!((keys[0].0, keys[0].1), ("a", 2));
    assert!(matches!(keys[0].2, Values::NotKept { .. }));
    assert_eq!((keys[1].0, keys[1].1), ("b", 1));
    assert!(matches!(keys[1].2, Values::Kept(values) if values.count("1") == 1));
}

#[test]
fn a_sidecar_is_made_of_the_rows_of_its_file() {
    let rows = [Row::new(0, "api", "info")];
    let mut builder = crate::index::SidecarBuilder::new(&generous());
    builder.add(&batch(&rows)).unwrap();
    let error = builder.finish(super::file_id(), 2).unwrap_err();
    assert!(error.message().contains("1 rows") && error.message().contains("has 2"), "{error}");
    assert_eq!(open(&build(&rows, &generous())).num_rows(), 1);
    assert!(crate::index::SidecarBuilder::new(&generous()).finish(super::file_id(), 0).is_err());
    assert_eq!(Recipes::of_rows([&batch(&[])], &generous()).unwrap(), None);
}

#[test]
fn rows_without_a_column_are_refused_by_its_name() {
    let whole = batch(&[Row::new(0, "api", "info")]);
    for (number, field) in whole.schema().fields().iter().enumerate() {
        let others: Vec<usize> = (0..whole.num_columns()).filter(|&other| other != number).collect();
        let error = Recipes::of_rows([&whole.project(&others).unwrap()], &generous()).unwrap_err();
        assert!(error.message().contains(field.name().as_str()), "{error}");
    }
}
