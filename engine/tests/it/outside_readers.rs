//! Data files are open: other programs read every column and every attribute of them.
//!
//! Needs Python with `duckdb` and `pyarrow`; the continuous integration installs them, elsewhere their absence is
//! said and the test passes. `TIMBERLINE_TEST_PYTHON` names the interpreter.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use data::{LogGenerator, LogSpec, encode};
use engine::activity::{ActivityEntry, ChainHead, Delivery, StoredEntry};
use engine::clock::{Clock, ManualClock};
use engine::ingest::{RecordLimits, decode_otlp_protobuf};
use engine::query::model::{AttributeMaps, LogFilter, LogQuery, Order};
use engine::query::{LogRow, TimeRange};
use engine::schema::{OrganizationId, ProjectId, TableId};
use engine::{Engine, EngineConfig};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use uuid::Uuid;

const NOW_US: i64 = 1_765_881_156_184_820;
const PROJECT: ProjectId = ProjectId(1);
const NUM_ROWS: u64 = 3000;

/// An interpreter that has the modules, or the reason to skip.
fn python(module: &str) -> Result<String, String> {
    let python = std::env::var("TIMBERLINE_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python).args(["-c", &format!("import {module}")]).output();
    match found {
        Ok(output) if output.status.success() => Ok(python),
        _ => Err(format!("{python} with the module {module} is not installed")),
    }
}

/// Files of several flushes, some merged.
async fn write_files(folder: &Path) -> Vec<LogRow> {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW_US));
    let config = EngineConfig { compaction: false, ..EngineConfig::new(folder) };
    let engine = Engine::open(config, clock).await.unwrap();
    for (index, request) in
        LogGenerator::new(LogSpec { rows: NUM_ROWS, ..LogSpec::default() }).unwrap().enumerate()
    {
        let body = encode::to_protobuf(&request);
        let logs = decode_otlp_protobuf(&body, NOW_US, &RecordLimits::default()).unwrap();
        engine.ingest(TableId::logs(PROJECT), logs).await.unwrap();
        if index % 3 == 0 {
            engine.flush().await.unwrap();
        }
        if index == 12 {
            engine.compact(true).await.unwrap();
        }
    }
    engine.flush().await.unwrap();
    let query = LogQuery {
        range: TimeRange { start_us: 0, end_us: i64::MAX },
        limit: NUM_ROWS as usize,
        order: Order::Earliest,
        filter: LogFilter::default(),
        attributes: AttributeMaps::Included,
        after: None,
        ingested_from_us: None,
    };
    let rows = engine.query_logs(PROJECT, query).await.unwrap().rows;
    assert_eq!(rows.len() as u64, NUM_ROWS);
    rows
}

/// The rows of a dataset by their row ids.
fn read_by(reader: &str, python: &str, dataset: &str, folder: &Path) -> BTreeMap<String, Json> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/outside_reader.py");
    let output = Command::new(python).arg(script).args([reader, dataset]).arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows = std::str::from_utf8(&output.stdout).unwrap().lines().map(|line| {
        let row: Json = serde_json::from_str(line).unwrap();
        (row["uuid"].as_str().unwrap().to_owned(), row)
    });
    rows.collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attributes(read: &Json) -> Vec<(String, String)> {
    let entries: BTreeMap<String, String> = serde_json::from_value(read.clone()).unwrap();
    entries.into_iter().collect()
}

#[track_caller]
fn compare(expected: &LogRow, read: &Json) {
    assert_eq!(read["timestamp"], expected.timestamp_us);
    assert_eq!(read["observed_timestamp"], expected.observed_timestamp_us);
    assert_eq!(read["trace_id"], hex(&expected.trace_id));
    assert_eq!(read["span_id"], hex(&expected.span_id));
    assert_eq!(read["body"], expected.body);
    assert_eq!(read["severity_text"], expected.severity_text);
    assert_eq!(read["severity_number"], expected.severity_number);
    assert_eq!(read["resource_fingerprint"], expected.resource_fingerprint);
    assert_eq!(read["instrumentation_scope"], expected.instrumentation_scope);
    assert_eq!(read["event_name"], expected.event_name);
    assert_eq!(attributes(&read["attributes"]), expected.attributes);
    assert_eq!(attributes(&read["resource_attributes"]), expected.resource_attributes);
    let letters = |name: &str| read[name].as_str().unwrap().len();
    assert_eq!(letters("attribute_types"), expected.attributes.len());
    assert_eq!(letters("resource_attribute_types"), expected.resource_attributes.len());
    assert!(read["ingested_timestamp"].as_i64().unwrap() >= NOW_US);
    assert!(read["bytes_uncompressed"].as_u64().unwrap() > 0);
    assert!(read["trace_flags"].is_u64());
}

/// The readers that are installed, with the interpreter.
fn readers() -> Vec<(&'static str, String)> {
    let mut readers = Vec::new();
    for reader in ["duckdb", "pyarrow"] {
        match python(reader) {
            Ok(python) => readers.push((reader, python)),
            Err(reason) => {
                assert!(
                    std::env::var_os("CI").is_none(),
                    "in continuous integration nothing is skipped: {reason}"
                );
                println!("SKIPPED: {reason}");
            }
        }
    }
    readers
}

#[tokio::test(flavor = "multi_thread")]
async fn other_programs_read_every_column_and_every_attribute() {
    let folder = TempDir::new().unwrap();
    let expected = write_files(folder.path()).await;
    for (reader, python) in readers() {
        let read = read_by(reader, &python, "logs", folder.path());
        assert_eq!(read.len(), expected.len(), "{reader}");
        for row in &expected {
            compare(row, &read[&hex(row.uuid.as_bytes())]);
        }
    }
}

/// Entries with everything, and with as little as there may be.
fn entries() -> Vec<ActivityEntry> {
    let whole = |number: i64| ActivityEntry {
        id: Uuid::from_u128(number as u128 + 1),
        timestamp_us: NOW_US - number,
        project: Some(PROJECT),
        user_id: Some(number),
        was_impersonated: Some(true),
        is_system: Some(false),
        client: Some("web \u{1f980}".to_owned()),
        ip_address: Some("2001:db8::1".to_owned()),
        scope: "Role".to_owned(),
        activity: "created".to_owned(),
        item_id: Some(number.to_string()),
        detail: Some(format!(r#"{{"name": "x", "changes": [{{"after": {number}}}]}}"#)),
    };
    let few = |number| ActivityEntry {
        project: None,
        user_id: None,
        was_impersonated: None,
        is_system: None,
        client: None,
        ip_address: None,
        item_id: None,
        detail: None,
        ..whole(number)
    };
    (0..400).map(|number| if number % 3 == 0 { few(number) } else { whole(number) }).collect()
}

#[track_caller]
fn compare_entry(expected: &StoredEntry, read: &Json) {
    let StoredEntry { entry, link, ingested_us } = expected;
    let read_as = json!({
        "id": hex(entry.id.as_bytes()), "timestamp": entry.timestamp_us, "ingested_timestamp": ingested_us,
        "project_id": entry.project.map(|project| project.0), "user_id": entry.user_id,
        "was_impersonated": entry.was_impersonated, "is_system": entry.is_system, "client": entry.client,
        "ip_address": entry.ip_address, "scope": entry.scope, "activity": entry.activity,
        "item_id": entry.item_id, "detail": entry.detail, "sequence": link.sequence,
        "chain_version": link.version, "hash": hex(&link.hash), "uuid": read["uuid"],
        "bytes_uncompressed": read["bytes_uncompressed"],
    });
    assert_eq!(*read, read_as);
    assert!(read["bytes_uncompressed"].as_u64().unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_programs_read_every_entry_of_the_audit_trail() {
    let folder = TempDir::new().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW_US));
    let config = EngineConfig { compaction: false, ..EngineConfig::new(folder.path()) };
    let engine = Engine::open(config, clock).await.unwrap();
    let organization = OrganizationId(Uuid::from_u128(7));
    for part in entries().chunks(150) {
        let appended =
            engine.append_activity(organization, part.to_vec(), Delivery::First, ChainHead::default());
        appended.await.unwrap();
        engine.flush().await.unwrap();
    }
    let expected = engine.chain_part(organization, 0..i64::MAX).await.unwrap();
    assert_eq!(expected.len(), 400);
    for (reader, python) in readers() {
        let read = read_by(reader, &python, "activity", folder.path());
        assert_eq!(read.len(), expected.len(), "{reader}");
        let by_id: BTreeMap<&str, &Json> =
            read.values().map(|row| (row["id"].as_str().unwrap(), row)).collect();
        for stored in &expected {
            compare_entry(stored, by_id[hex(stored.entry.id.as_bytes()).as_str()]);
        }
    }
}
