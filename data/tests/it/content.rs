//! The generated logs look like logs of running systems.

use std::collections::{HashMap, HashSet};

use data::{IncidentKind, LogSpec};
use opentelemetry_proto::tonic::common::v1::any_value::Value;

use crate::reading::{Row, rows};

fn week() -> Vec<Row> {
    rows(LogSpec { rows: 30_000, ..LogSpec::default() })
}

fn share(rows: &[&Row], is_counted: impl Fn(&Row) -> bool) -> f64 {
    assert!(!rows.is_empty());
    rows.iter().filter(|row| is_counted(row)).count() as f64 / rows.len() as f64
}

fn duration_ms(row: &Row) -> Option<f64> {
    match row.attribute("duration_ms") {
        Some(Value::DoubleValue(duration)) => Some(*duration),
        None => None,
        other => panic!("duration_ms is {other:?}"),
    }
}

fn median_duration_ms<'a>(rows: impl Iterator<Item = &'a Row>) -> f64 {
    let mut durations: Vec<f64> = rows.filter_map(duration_ms).collect();
    durations.sort_by(f64::total_cmp);
    durations[durations.len() / 2]
}

#[test]
fn every_service_logs_from_several_instances() {
    let mut instances: HashMap<String, HashSet<String>> = HashMap::new();
    for row in week() {
        let host = row.resource_text("host.name").to_owned();
        instances.entry(row.service().to_owned()).or_default().insert(host);
    }
    let names: HashSet<&str> = data::service_names().collect();
    assert!(names.len() >= 10);
    assert_eq!(instances.keys().map(String::as_str).collect::<HashSet<_>>(), names);
    let num_single = instances.values().filter(|hosts| hosts.len() == 1).count();
    assert_eq!(num_single, 1, "only the batch job runs alone");
}

#[test]
fn resources_say_where_and_what_runs() {
    for row in week() {
        assert!((5..=6).contains(&row.resource.len()));
        assert!(row.resource_text("service.version").contains('.'));
        assert!(["production", "staging"].contains(&row.resource_text("deployment.environment")));
        if row.resource.len() == 6 {
            assert!(row.resource_text("k8s.pod.name").starts_with(row.service()));
            assert!(!row.resource_text("k8s.namespace.name").is_empty());
        }
    }
}

#[test]
fn ids_are_valid_and_traces_connect_services() {
    let mut services_of_trace: HashMap<Vec<u8>, HashSet<String>> = HashMap::new();
    let mut spans = HashSet::new();
    let rows = week();
    for row in &rows {
        let record = &row.record;
        match (record.trace_id.len(), record.span_id.len()) {
            (0, 0) => assert_eq!(record.flags, 0),
            (16, 8) => {
                assert!(record.trace_id.iter().any(|byte| *byte != 0));
                assert!(spans.insert(record.span_id.clone()), "span ids are unique");
                let services = services_of_trace.entry(record.trace_id.clone()).or_default();
                services.insert(row.service().to_owned());
            }
            lengths => panic!("ids of {lengths:?} bytes"),
        }
    }
    let traced = spans.len() as f64 / rows.len() as f64;
    assert!((0.3..0.8).contains(&traced), "{traced}");
    let num_shared = services_of_trace.values().filter(|services| services.len() > 1).count();
    assert!(num_shared * 3 > services_of_trace.len(), "{num_shared} of {}", services_of_trace.len());
}

#[test]
fn bodies_are_mostly_unique_and_about_110_characters_long() {
    let rows = week();
    let texts: Vec<&str> = rows
        .iter()
        .filter_map(|row| match row.record.body.as_ref()?.value.as_ref()? {
            Value::StringValue(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert!(texts.len() < rows.len(), "some bodies are structures");
    let distinct: HashSet<&str> = texts.iter().copied().collect();
    assert!(distinct.len() * 100 > texts.len() * 98, "{} of {}", distinct.len(), texts.len());
    let mean = texts.iter().map(|text| text.len()).sum::<usize>() / texts.len();
    assert!((90..130).contains(&mean), "{mean}");
    assert!(texts.iter().any(|text| text.contains("\n\tat com.shop.")), "stack traces");
    assert!(texts.iter().any(|text| serde_json::from_str::<serde_json::Value>(text).is_ok()), "JSON bodies");
}

#[test]
fn attributes_have_types_and_request_ids_are_unique() {
    let rows = week();
    let mut num_request_ids = 0;
    let mut request_ids = HashSet::new();
    let mut users = HashSet::new();
    for row in &rows {
        assert!((3..=8).contains(&row.record.attributes.len()));
        let keys: HashSet<&str> = row.record.attributes.iter().map(|a| a.key.as_str()).collect();
        assert_eq!(keys.len(), row.record.attributes.len(), "keys of a record are unique");
        for attribute in &row.record.attributes {
            match (attribute.key.as_str(), attribute.value.as_ref().unwrap().value.as_ref().unwrap()) {
                ("http.response.status_code", Value::IntValue(status)) => {
                    assert!((200..600).contains(status))
                }
                ("cache.hit", Value::BoolValue(_)) | ("duration_ms", Value::DoubleValue(_)) => {}
                ("tags", Value::ArrayValue(tags)) => assert!(!tags.values.is_empty()),
                ("request.id", Value::StringValue(id)) => {
                    num_request_ids += 1;
                    request_ids.insert(id.clone());
                }
                ("user.id", Value::StringValue(user)) => _ = users.insert(user.clone()),
                ("http.response.status_code" | "cache.hit" | "duration_ms" | "tags", other) => {
                    panic!("{} is {other:?}", attribute.key)
                }
                _ => {}
            }
        }
    }
    assert!(num_request_ids * 2 > rows.len());
    assert_eq!(request_ids.len(), num_request_ids);
    assert!(users.len() > 2_000);
}

#[test]
fn severities_are_mostly_info_and_told_in_several_forms() {
    let rows = week();
    let rows: Vec<&Row> = rows.iter().collect();
    assert!(rows.iter().all(|row| (1..=24).contains(&row.severity_number())));
    assert!(share(&rows, |row| (9..=12).contains(&row.severity_number())) > 0.7);
    let errors = share(&rows, Row::is_error);
    assert!((0.005..0.05).contains(&errors), "{errors}");
    assert!(rows.iter().any(|row| row.severity_number() >= 21));
    assert!(rows.iter().any(|row| row.record.severity_number == 0));
    assert!(rows.iter().any(|row| row.record.severity_text.is_empty()));
}

#[test]
fn the_error_burst_is_visible() {
    let spec = LogSpec { rows: 60_000, ..LogSpec::default() };
    let incidents = spec.incidents();
    let burst = incidents.iter().find(|incident| incident.kind == IncidentKind::ErrorBurst).unwrap();
    let rows = rows(spec);
    let concerned = rows.iter().filter(|row| burst.services.contains(&row.service()));
    let (inside, outside): (Vec<&Row>, Vec<&Row>) = concerned.partition(|row| burst.covers(row.time_us()));
    assert!(share(&inside, Row::is_error) > 0.3);
    assert!(share(&outside, Row::is_error) < 0.05);
}

#[test]
fn the_latency_step_is_visible() {
    let spec = LogSpec { rows: 60_000, ..LogSpec::default() };
    let incidents = spec.incidents();
    let step = incidents.iter().find(|incident| incident.kind == IncidentKind::LatencyStep).unwrap();
    let rows = rows(spec);
    let of_database = || rows.iter().filter(|row| row.service() == "postgres");
    let inside = median_duration_ms(of_database().filter(|row| step.covers(row.time_us())));
    let outside = median_duration_ms(of_database().filter(|row| !step.covers(row.time_us())));
    assert!(inside > 5.0 * outside, "{inside} and {outside}");
}

#[test]
fn the_deploy_replaces_version_and_pods() {
    let spec = LogSpec { rows: 60_000, ..LogSpec::default() };
    let deploy = spec.incidents().into_iter().find(|incident| incident.kind == IncidentKind::Deploy).unwrap();
    let rows = rows(spec);
    let identity = |row: &Row| {
        let text = |key| row.resource_text(key).to_owned();
        (text("service.version"), text("k8s.pod.name"))
    };
    let of_orders = || rows.iter().filter(|row| row.service() == "orders");
    let before: HashSet<_> =
        of_orders().filter(|row| row.time_us() < deploy.start_us).map(identity).collect();
    let after: HashSet<_> = of_orders().filter(|row| row.time_us() >= deploy.end_us).map(identity).collect();
    let versions = |set: &HashSet<(String, String)>| {
        set.iter().map(|(version, _)| version.clone()).collect::<HashSet<_>>()
    };
    assert_eq!(versions(&before), HashSet::from(["2.3.0".to_owned()]));
    assert_eq!(versions(&after), HashSet::from(["2.4.0".to_owned()]));
    assert_eq!(before.len(), after.len());
    assert!(before.is_disjoint(&after));
}
