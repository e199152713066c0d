//! Every setting of a spec does what it says.

use std::collections::HashSet;

use data::{AttributeKeys, IncidentKind, Incidents, LogGenerator, LogSpec, RecordShape, SpecError};

use crate::reading::{Row, requests, rows};

#[test]
fn the_asked_number_of_distinct_attribute_keys_is_reached() {
    for (keys, expected) in
        [(AttributeKeys::K20, 20), (AttributeKeys::K500, 500), (AttributeKeys::K5000, 5_000)]
    {
        let spec = LogSpec { rows: 3 * expected.max(1_000), num_attribute_keys: keys, ..LogSpec::default() };
        let rows = rows(spec);
        let attributes = rows.iter().flat_map(|row| &row.record.attributes);
        let distinct: HashSet<&str> = attributes.map(|attribute| attribute.key.as_str()).collect();
        assert_eq!(distinct.len() as u64, expected);
    }
}

#[test]
fn a_data_set_has_the_asked_rows_in_requests_of_the_asked_size() {
    let spec = LogSpec { rows: 1_050, records_per_request: 100, ..LogSpec::default() };
    let sizes: Vec<usize> = requests(spec).iter().map(Vec::len).collect();
    assert_eq!(sizes, [[100; 10].as_slice(), &[50]].concat());
    assert!(requests(LogSpec { rows: 0, ..LogSpec::default() }).is_empty());
}

#[test]
fn times_rise_from_request_to_request_within_the_range() {
    let spec = LogSpec { rows: 5_000, records_per_request: 250, ..LogSpec::default() };
    let mut latest_us = spec.start_us;
    for request in requests(spec.clone()) {
        let times: Vec<i64> = request.iter().map(Row::time_us).collect();
        assert!(times.iter().all(|time_us| (latest_us..spec.end_us).contains(time_us)));
        latest_us = times.into_iter().max().unwrap();
    }
    let last_hour_us = spec.end_us - 3_600_000_000;
    assert!(latest_us > last_hour_us, "the range is filled to its end");
}

#[test]
fn a_range_of_a_millisecond_and_one_of_decades_both_work() {
    for end_us in [1_001, 2_000_000_000_000_000] {
        let spec = LogSpec { rows: 300, start_us: 1_000, end_us, ..LogSpec::default() };
        let rows = rows(spec);
        assert!(rows.iter().all(|row| (1_000..end_us).contains(&row.time_us())));
        assert_eq!(rows.len(), 300);
    }
}

#[test]
fn quiet_data_has_no_incidents() {
    let spec = LogSpec { incidents: Incidents::Quiet, rows: 20_000, ..LogSpec::default() };
    assert!(spec.incidents().is_empty());
    let rows = rows(spec);
    let orders = rows.iter().filter(|row| row.service() == "orders");
    let versions: HashSet<&str> = orders.map(|row| row.resource_text("service.version")).collect();
    assert_eq!(versions.len(), 1);
}

#[test]
fn incidents_lie_within_the_range() {
    let spec = LogSpec::default();
    let kinds: Vec<IncidentKind> = spec.incidents().iter().map(|incident| incident.kind).collect();
    assert_eq!(kinds, [IncidentKind::Deploy, IncidentKind::ErrorBurst, IncidentKind::LatencyStep]);
    for incident in spec.incidents() {
        assert!(spec.start_us <= incident.start_us && incident.end_us <= spec.end_us);
        assert!(incident.services.iter().all(|name| data::service_names().any(|known| known == *name)));
    }
}

#[test]
fn records_for_sizing_are_even() {
    let spec = LogSpec { rows: 20_000, shape: RecordShape::Sizing, ..LogSpec::default() };
    let rows = rows(spec);
    let mut request_ids = HashSet::new();
    for row in &rows {
        assert_eq!(row.resource.len(), 5);
        assert!((4..=7).contains(&row.record.attributes.len()), "{:?}", row.record.attributes);
        let id = row.attribute("request.id").cloned();
        assert!(request_ids.insert(format!("{id:?}")) && id.is_some());
    }
    let num_traced = rows.iter().filter(|row| !row.record.trace_id.is_empty()).count();
    let traced = num_traced as f64 / rows.len() as f64;
    assert!((0.38..0.42).contains(&traced), "{traced}");
}

#[test]
fn impossible_specs_are_refused_with_the_value_and_the_bound() {
    let refusal = |spec| LogGenerator::new(spec).err();
    assert_eq!(
        refusal(LogSpec { start_us: 5, end_us: 5, ..LogSpec::default() }),
        Some(SpecError::EmptyRange { start_us: 5, end_us: 5 })
    );
    assert_eq!(
        refusal(LogSpec { start_us: -1, ..LogSpec::default() }).unwrap().to_string(),
        "time range -1 us to 1768780800000000 us must lie within 0 to 9223372036854775 us"
    );
    assert_eq!(
        refusal(LogSpec { records_per_request: 0, ..LogSpec::default() }),
        Some(SpecError::NoRecordsPerRequest)
    );
    assert_eq!("500".parse(), Ok(AttributeKeys::K500));
    assert_eq!("sizing".parse(), Ok(RecordShape::Sizing));
    assert_eq!(
        "big".parse::<RecordShape>().unwrap_err().to_string(),
        "shape must be natural or sizing, not \"big\""
    );
    assert_eq!(
        "50".parse::<AttributeKeys>().unwrap_err().to_string(),
        "number of attribute keys must be 20, 500 or 5000, not \"50\""
    );
}
