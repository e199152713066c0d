//! Answers of the server in a form that can be compared with the oracle's.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::{Value as Json, json};

use super::answers::Entry;
use super::row::Row;
use super::sent::hex;

/// What is known of a row only once the server has answered.
const CHOSEN_BY_SERVER: [&str; 2] = ["uuid", "resource_fingerprint"];

/// The row as the query endpoint must write it, but times in microseconds and no live checkpoint.
pub(super) fn written(row: &Row, excludes_attributes: bool) -> Json {
    let map = |map: &BTreeMap<String, String>| if excludes_attributes { json!({}) } else { json!(map) };
    json!({
        "uuid": row.uuid,
        "trace_id": hex(&row.trace_id).to_uppercase(),
        "span_id": hex(&row.span_id).to_uppercase(),
        "body": row.body,
        "attributes": map(&row.attributes),
        "timestamp": row.timestamp,
        "observed_timestamp": row.observed_timestamp,
        "severity_text": row.severity_text,
        "severity_number": row.severity_number,
        "level": row.severity_text,
        "resource_attributes": map(&row.resource_attributes),
        "resource_fingerprint": row.resource_fingerprint,
        "instrumentation_scope": row.instrumentation_scope,
        "event_name": row.event_name,
    })
}

/// The rows of an answer of the query endpoint, times in microseconds, without their live checkpoint, which
/// must be a time or null and the same on all of them.
pub(super) fn rows(answer: &Json) -> Result<Vec<Json>, String> {
    let mut rows = answer["results"].as_array().ok_or("no results")?.clone();
    let mut checkpoints = Vec::new();
    for row in &mut rows {
        for field in ["timestamp", "observed_timestamp"] {
            row[field] = json!(micros(&row[field])?);
        }
        let fields = row.as_object_mut().ok_or("a row that is not an object")?;
        checkpoints.push(fields.remove("live_logs_checkpoint").ok_or("a row without live checkpoint")?);
    }
    checkpoints.dedup();
    match checkpoints.as_slice() {
        [] | [Json::Null] => Ok(rows),
        [checkpoint] => micros(checkpoint).map(|_| rows),
        several => Err(format!("rows with different live checkpoints: {several:?}")),
    }
}

/// The entries of an answer of the sparkline endpoint.
pub(super) fn entries(answer: &Json, breakdown: &str) -> Result<Vec<Entry>, String> {
    let entry = |entry: &Json| -> Result<Entry, String> {
        let number = |field: &str| entry[field].as_u64().ok_or(format!("no {field} in {entry}"));
        Ok(Entry {
            time: micros(&entry["time"])?,
            series: entry[breakdown].as_str().ok_or(format!("no {breakdown} in {entry}"))?.to_owned(),
            count: number("count")?,
            num_bytes: number("bytes_uncompressed")?,
        })
    };
    answer.as_array().ok_or("not an array")?.iter().map(entry).collect()
}

/// Microseconds of a time that must name its zone.
pub(super) fn micros(time: &Json) -> Result<i64, String> {
    let text = time.as_str().ok_or(format!("{time} is not a time"))?;
    let time = DateTime::parse_from_rfc3339(text).map_err(|error| format!("{text}: {error}"))?;
    Ok(time.timestamp_micros())
}

/// Gives the sent rows what the server chose for them, from an answer that has all of them.
///
/// Rows are told apart by all other fields; of equal ones it does not matter which is which.
pub(super) fn learn(mut sent: Vec<Row>, answered: &[Json]) -> Result<Vec<Row>, String> {
    let mut learned = Vec::with_capacity(sent.len());
    for reply in answered {
        let index = sent.iter().position(|row| is_answer_to(reply, row));
        let mut row = sent.swap_remove(index.ok_or(format!("a row that was never sent: {reply}"))?);
        row.uuid = reply["uuid"].as_str().ok_or("no uuid")?.to_owned();
        row.resource_fingerprint = reply["resource_fingerprint"].as_str().ok_or("no fingerprint")?.to_owned();
        learned.push(row);
    }
    match sent.first() {
        None => Ok(learned),
        Some(lost) => Err(format!("{} rows are lost, the first is {}", sent.len(), written(lost, false))),
    }
}

fn is_answer_to(reply: &Json, row: &Row) -> bool {
    let known = |json: &Json| {
        let mut fields = json.as_object().cloned().unwrap_or_default();
        CHOSEN_BY_SERVER.iter().for_each(|field| drop(fields.remove(*field)));
        fields
    };
    known(reply) == known(&written(row, false))
}

/// Checks what the server chose: row ids are distinct UUIDs of version 7, and a fingerprint stands for
/// exactly one set of resource attributes.
pub(super) fn check_chosen(rows: &[Row]) -> Result<(), String> {
    let mut ids = BTreeMap::new();
    let mut resources = BTreeMap::new();
    for row in rows {
        let uuid = uuid::Uuid::parse_str(&row.uuid).map_err(|error| error.to_string())?;
        if uuid.get_version_num() != 7 || ids.insert(uuid, ()).is_some() {
            return Err(format!("{uuid} is not version 7 or not unique"));
        }
        let fingerprint: u64 =
            row.resource_fingerprint.parse().map_err(|_| "a fingerprint that is no number")?;
        let known = resources.entry(&row.resource_attributes).or_insert(fingerprint);
        if *known != fingerprint {
            return Err(format!("two fingerprints for {:?}", row.resource_attributes));
        }
    }
    let mut fingerprints: Vec<u64> = resources.values().copied().collect();
    fingerprints.sort_unstable();
    fingerprints.dedup();
    if fingerprints.len() == resources.len() {
        Ok(())
    } else {
        Err("two resources, one fingerprint".to_owned())
    }
}
