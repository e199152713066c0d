//! The API reference's examples and rules for ingest and for the reading endpoints, one test each, asked through
//! the router.

mod attribute_keys;
mod attributes;
mod bad_input;
mod columns;
mod count_ranges;
mod facet_values;
mod filters;
mod fuzz;
mod group_by;
mod impact;
mod ingest;
mod pages;
mod services;
mod snapshots;
mod sparkline;
mod time;
mod values;

use serde_json::{Value as Json, json};

use super::dates;
use super::harness::Server;
use super::sent::{Encoding, Group, Record, Value};

/// The day on which the records of these tests were made.
const DAY: &str = "2025-12-16";

/// A server that holds these records: those of the first groups in files, the others in memory.
async fn server_with(groups: &[Group]) -> Server {
    let server = Server::start().await;
    let (in_files, in_memory) = groups.split_at(groups.len().div_ceil(2));
    server.store(in_files, Encoding::Protobuf).await;
    server.flush().await;
    server.store(in_memory, Encoding::Json).await;
    server
}

fn group(service: &str, records: Vec<Record>) -> Group {
    let resource = vec![("service.name".to_owned(), text(service))];
    Group { resource, scope: None, records }
}

/// A record at noon of [`DAY`].
fn record(body: &str) -> Record {
    record_at("2025-12-16T12:00:00Z", body)
}

fn record_at(time: &str, body: &str) -> Record {
    let micros = dates::absolute(time).expect("a time");
    Record { time_nanos: micros as u64 * 1000, body: Some(text(body)), ..Record::default() }
}

/// A record at noon whose body is the attributes' values, so that it can be recognised.
fn record_with(attributes: &[(&str, Value)]) -> Record {
    let body = attributes.iter().map(|(_, value)| format!("{value:?}")).collect::<String>();
    let attributes = attributes.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    Record { attributes, ..record(&body) }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A query object over the whole of [`DAY`].
fn day(mut query: Json) -> Json {
    query["dateRange"] = json!({"date_from": DAY, "date_to": "2025-12-17"});
    query
}

fn leaf(namespace: &str, key: &str, operator: &str, value: Json) -> Json {
    json!({"type": namespace, "key": key, "operator": operator, "value": value})
}

/// The rows of a query that must succeed, in order.
async fn rows(server: &Server, query: &Json) -> Vec<Json> {
    let (status, answer) = server.ask("query", query).await;
    assert_eq!(status, 200, "{query}: {answer}");
    answer["results"].as_array().expect("results").clone()
}

/// The bodies of a query's rows, sorted.
async fn bodies(server: &Server, query: &Json) -> Vec<String> {
    let rows = rows(server, query).await;
    let mut bodies: Vec<String> =
        rows.iter().map(|row| row["body"].as_str().expect("a body").to_owned()).collect();
    bodies.sort();
    bodies
}

async fn count(server: &Server, query: &Json) -> u64 {
    let (status, answer) = server.ask("count", query).await;
    assert_eq!(status, 200, "{query}: {answer}");
    answer["count"].as_u64().expect("a count")
}

/// Asks with a flat `filterGroup` of one leaf and compares the bodies.
#[track_caller]
fn check<'a>(server: &'a Server, leaf: Json, expected: &'a [&'a str]) -> impl Future<Output = ()> + use<'a> {
    let caller = std::panic::Location::caller();
    async move {
        let query = day(json!({"filterGroup": [leaf.clone()]}));
        assert_eq!(bodies(server, &query).await, expected, "{leaf} at {caller}");
        assert_eq!(count(server, &query).await, expected.len() as u64, "count of {leaf} at {caller}");
    }
}

fn attribute(key: &str, operator: &str, value: Json) -> Json {
    leaf("log_attribute", key, operator, value)
}

/// Records with one attribute each, whose bodies are the names given; none is a record without it.
fn records(key: &str, named: &[(&str, Option<Value>)]) -> Vec<Record> {
    let record = |(name, value): &(&str, Option<Value>)| Record {
        attributes: value.iter().map(|value| (key.to_owned(), value.clone())).collect(),
        ..record(name)
    };
    named.iter().map(record).collect()
}
