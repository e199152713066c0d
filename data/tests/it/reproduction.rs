//! The same seed gives the same bytes, here and everywhere, today and later.

use data::encode::{self, Encoding};
use data::{ActivityGenerator, ActivitySpec, AttributeKeys, LogGenerator, LogSpec, RecordShape, samples};

/// FNV-1a, 64 bits: enough to notice any change, and short enough to be right.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn logs(spec: LogSpec, encoding: Encoding) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode::write_requests(LogGenerator::new(spec).unwrap(), encoding, &mut bytes).unwrap();
    bytes
}

fn activity(spec: ActivitySpec) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode::write_activity(ActivityGenerator::new(spec).unwrap(), &mut bytes).unwrap();
    bytes
}

#[test]
fn the_bytes_of_a_seed_are_pinned() {
    let check = |num_attribute_keys, expected: u64| {
        let spec = LogSpec { rows: 3_000, num_attribute_keys, ..LogSpec::default() };
        let found = fingerprint(&logs(spec, Encoding::Protobuf));
        assert_eq!(found, expected, "{num_attribute_keys:?}: {found:#018x}");
    };
    check(AttributeKeys::K20, 0x9ad0_aef8_8bbf_92e2);
    check(AttributeKeys::K500, 0x2b8f_4efe_609c_ce9a);
    check(AttributeKeys::K5000, 0x3938_5347_c5a4_9973);
    let spec = LogSpec { rows: 3_000, shape: RecordShape::Sizing, ..LogSpec::default() };
    let found = fingerprint(&logs(spec, Encoding::Protobuf));
    assert_eq!(found, 0xfb8f_5e15_b19c_c84d, "{found:#018x}");
    let found = fingerprint(&activity(ActivitySpec::default()));
    assert_eq!(found, 0xe25d_6e56_769d_145d, "{found:#018x}");
}

#[test]
fn another_seed_gives_other_records() {
    let of_seed = |seed| logs(LogSpec { seed, rows: 50, ..LogSpec::default() }, Encoding::Protobuf);
    assert_ne!(of_seed(1), of_seed(2));
}

#[test]
fn the_size_of_requests_does_not_change_the_records() {
    let sorted = |records_per_request| {
        let mut rows = crate::reading::rows(LogSpec { rows: 500, records_per_request, ..LogSpec::default() });
        rows.sort_by_key(|row| (row.record.time_unix_nano, row.record.observed_time_unix_nano));
        rows.into_iter().map(|row| (row.resource, row.record)).collect::<Vec<_>>()
    };
    assert_eq!(sorted(7), sorted(500));
}

/// When this fails on purpose: `cargo run -p data --example write_samples`.
#[test]
fn the_checked_in_samples_are_what_the_generator_makes() {
    assert!(logs(samples::log_spec(), Encoding::Protobuf) == samples::LOGS_PROTOBUF);
    assert!(logs(samples::log_spec(), Encoding::Json) == samples::LOGS_JSON);
    assert!(logs(samples::log_spec(), Encoding::NdJson) == samples::LOGS_NDJSON);
    assert!(activity(samples::activity_spec()) == samples::ACTIVITY_JSON);
}
