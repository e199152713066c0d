//! The facts that stay in memory for every file.

use proptest::prelude::*;

use super::rows::{Row, rows};
use super::{build, generous, path};
use crate::index::{FewCounts, FileFacts, SidecarLimits};

proptest! {
    #[test]
    fn facts_are_those_of_the_rows_and_round_trip(rows in rows(1..60)) {
        let facts = build(&rows, &generous()).facts;
        prop_assert_eq!(facts.num_rows, rows.len() as u64);
        prop_assert_eq!(facts.bytes_uncompressed, rows.iter().map(|row| u64::from(row.bytes)).sum::<u64>());
        let times = rows.iter().map(|row| row.timestamp_us);
        prop_assert_eq!(Some(facts.min_timestamp_us), times.clone().min());
        prop_assert_eq!(Some(facts.max_timestamp_us), times.max());
        for service in ["", "api", "checkout", "nobody"] {
            let num_rows = rows.iter().filter(|row| row.service == service).count() as u64;
            prop_assert_eq!(facts.services.count(service), Some(num_rows));
        }
        let num_errors = rows.iter().filter(|row| row.severity == "error").count() as u64;
        prop_assert_eq!(facts.severities.count("error"), Some(num_errors));
        prop_assert_eq!(FileFacts::decode(&path(), &facts.encode()).unwrap(), facts);
    }

    #[test]
    fn damaged_facts_are_refused_by_name(at in any::<prop::sample::Index>(), flip in 1_u8.., keep in any::<prop::sample::Index>()) {
        let bytes = build(&[Row::new(5, "api", "info")], &generous()).facts.encode();
        let mut changed = bytes.clone();
        changed[at.index(bytes.len())] ^= flip;
        for damaged in [&changed[..], &bytes[..keep.index(bytes.len())]] {
            let error = FileFacts::decode(&path(), damaged).unwrap_err();
            prop_assert!(error.message().contains(path().as_ref()), "{}", error);
        }
    }

    #[test]
    fn any_bytes_are_facts_or_refused(mut bytes in prop::collection::vec(0_u8..5, 0..100)) {
        bytes.insert(0, 1);
        let checksum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        if let Ok(facts) = FileFacts::decode(&path(), &bytes) {
            prop_assert!(facts.services.count("api").is_none_or(|num_rows| num_rows < 5 << 56));
        }
    }
}

#[test]
fn facts_are_small_however_many_names_there_are() {
    let of_services = |num_services: usize, length: usize| {
        let rows: Vec<Row> = (0..num_services)
            .map(|number| Row::new(0, &format!("{number:0length$}"), &format!("severity-{number:0length$}")))
            .collect();
        build(&rows, &SidecarLimits { min_value_bytes: 4 << 20, ..SidecarLimits::default() }).facts
    };
    for num_services in [1, 5, 9, 12, 40, 5000] {
        for length in [1, 8, 60, 250] {
            let facts = of_services(num_services, length);
            assert!(facts.memory_bytes() <= FileFacts::MAX_BYTES, "{} bytes", facts.memory_bytes());
            assert!(facts.encode().len() <= FileFacts::MAX_BYTES, "{} bytes", facts.encode().len());
        }
    }
    // As many as there often are: a dozen services, and the severities of the schema.
    let severities = ["trace", "debug", "info", "warn", "error", "fatal", "unknown"];
    let row = |number: usize| Row::new(0, &format!("service-{:02}", number % 12), severities[number % 7]);
    let rows: Vec<Row> = (0..84).map(row).collect();
    let facts = build(&rows, &SidecarLimits::default()).facts;
    assert_eq!((facts.services.count("service-11"), facts.severities.count("fatal")), (Some(7), Some(12)));
    assert_eq!(of_services(40, 8).services, FewCounts::TooMany { min_distinct: 40 });
    assert_eq!(of_services(40, 8).services.count("x"), None);
}

#[test]
fn newer_facts_are_refused_by_their_version() {
    let mut bytes = build(&[Row::new(5, "api", "info")], &generous()).facts.encode();
    bytes[0] = 2;
    let end = bytes.len() - 4;
    let checksum = crc32fast::hash(&bytes[..end]);
    bytes[end..].copy_from_slice(&checksum.to_le_bytes());
    let error = FileFacts::decode(&path(), &bytes).unwrap_err();
    assert!(error.message().contains("version 2"), "{error}");
}
