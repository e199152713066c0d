//! Clients of others: the Python driver of ADBC for Flight SQL, psycopg and psql for the PostgreSQL protocol, pyarrow for
//! Arrow over HTTP; and DuckDB, which answers the same over the same rows.
//!
//! Needs Python with `adbc_driver_flightsql`, `duckdb`, `psycopg` and `pyarrow`; the continuous integration installs
//! them, elsewhere their absence is said and the test passes. `TIMBERLINE_TEST_PYTHON` names the interpreter.

use std::collections::HashMap;
use std::path::Path;

use axum::http::Method;
use data::{ActivityEntry, samples};
use engine::activity::{self, ChainHead, Delivery, spaced_json};
use engine::schema::{OrganizationId, ProjectId};
use tokio::process::Command;

use super::super::harness::TestServer;
use super::Doors;

const ADBC: &str = r#"
import sys
import adbc_driver_flightsql.dbapi as flight
from adbc_driver_flightsql import DatabaseOptions
uri, key = sys.argv[1:]
bearer = {DatabaseOptions.AUTHORIZATION_HEADER.value: "Bearer " + key}
with flight.connect(uri, db_kwargs=bearer, autocommit=True) as connection:
    with connection.cursor() as cursor:
        cursor.execute("SELECT service_name, count(*) AS n FROM logs GROUP BY 1 ORDER BY n DESC")
        table = cursor.fetch_arrow_table()
        assert table.to_pydict() == {"service_name": ["api", "web"], "n": [2, 1]}, table
        cursor.execute("SELECT body FROM logs WHERE body = ?".replace("?", "$1"), ("failed",))
        assert cursor.fetchall() == [("failed",)]
        cursor.execute("SELECT * FROM logs")
        assert cursor.fetch_arrow_table().num_rows == 3
    objects = connection.adbc_get_objects(depth="tables").read_all().to_pylist()
    names = [t["table_name"] for s in objects[0]["catalog_db_schemas"] for t in s["db_schema_tables"]]
    assert "logs" in names, objects
    assert [f.name for f in connection.adbc_get_table_schema("logs")][:1] == ["timestamp"]
    assert connection.adbc_get_info()["vendor_name"] == "Timberline"
with flight.connect(uri, db_kwargs={"username": "1", "password": key}, autocommit=True) as connection:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM logs")
        assert cursor.fetchone() == (3,)
print("done")
"#;

const PSYCOPG: &str = r#"
import sys
import psycopg
port, key = sys.argv[1:]
with psycopg.connect(host="127.0.0.1", port=port, user="ann", password=key, dbname="1") as connection:
    rows = connection.execute("SELECT body, severity_number::int FROM logs WHERE body = %s", ("failed",)).fetchall()
    assert rows == [("failed", 17)], rows
    assert connection.execute("SELECT count(*) FROM logs", binary=True).fetchone() == (3,)
    with connection.cursor(name="c") as cursor:
        cursor.itersize = 2
        cursor.execute("SELECT value FROM generate_series(1, 5) ORDER BY value")
        assert [row[0] for row in cursor] == [1, 2, 3, 4, 5]
    seen = connection.execute("SELECT min(timestamp) FROM logs").fetchone()[0]
    assert seen.tzinfo is not None, seen
print("done")
"#;

/// An interpreter that has the modules; none, which is said, when it has not.
async fn python(modules: &str) -> Option<String> {
    let python = std::env::var("TIMBERLINE_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python).args(["-c", &format!("import {modules}")]).output().await;
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    assert!(std::env::var_os("CI").is_none(), "{python} with {modules} is not installed");
    eprintln!("skipped: {python} with {modules} is not installed");
    None
}

async fn run(python: &str, script: &str, arguments: &[&str]) {
    let output = Command::new(python).arg("-c").arg(script).args(arguments).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && output.stdout == b"done\n", "{said}");
}

#[tokio::test]
async fn the_python_driver_of_adbc_reads() {
    let Some(python) = python("adbc_driver_flightsql, pyarrow").await else { return };
    let doors = Doors::open().await;
    run(&python, ADBC, &[&format!("grpc://{}", doors.flight), doors.server.key()]).await;
    doors.close().await;
}

#[tokio::test]
async fn psycopg_reads() {
    let Some(python) = python("psycopg").await else { return };
    let doors = Doors::open().await;
    run(&python, PSYCOPG, &[&doors.postgres.port().to_string(), doors.server.key()]).await;
    doors.close().await;
}

/// Every query of `queries/` through every door, and by an engine of others.
const QUERY_SETS: &str = include_str!("query_sets.py");

/// A server with the samples that the golden answers are of.
async fn with_samples() -> TestServer {
    let server = TestServer::start().await;
    let sent = server.send(&[("content-type", "application/x-protobuf")], samples::LOGS_PROTOBUF).await;
    assert_eq!(sent.status, 200, "{:?}", sent.body);
    let project = server.request(Method::GET, "/api/projects/1/", "").await.json();
    let organization = OrganizationId(project["organization"].as_str().unwrap().parse().unwrap());
    server.change_metadata("UPDATE projects SET receive_org_level_activity_logs = 1").await;
    let entries: Vec<ActivityEntry> = serde_json::from_slice(samples::ACTIVITY_JSON).unwrap();
    let mut numbers = HashMap::new();
    let entries = entries.into_iter().map(|entry| {
        let next = numbers.len() as i64 + 1;
        let user_id = entry.user.as_ref().map(|user| *numbers.entry(user.uuid).or_insert(next));
        stored(entry, user_id)
    });
    let (engine, entries) = (server.state.engine(), entries.collect());
    engine.append_activity(organization, entries, Delivery::First, ChainHead::default()).await.unwrap();
    server
}

fn stored(entry: ActivityEntry, user_id: Option<i64>) -> activity::ActivityEntry {
    activity::ActivityEntry {
        id: entry.id,
        timestamp_us: entry.created_at.timestamp_micros(),
        project: entry.team_id.map(ProjectId),
        user_id,
        was_impersonated: Some(entry.was_impersonated),
        is_system: Some(entry.is_system),
        client: entry.client,
        ip_address: entry.ip_address,
        scope: entry.scope,
        activity: serde_json::to_value(entry.activity).unwrap().as_str().unwrap().to_owned(),
        item_id: Some(entry.item_id),
        detail: Some(spaced_json(&entry.detail).unwrap()),
    }
}

#[tokio::test]
async fn the_query_sets_are_answered_alike_through_every_door_and_by_duckdb() {
    let Some(python) = python("adbc_driver_flightsql, duckdb, psycopg, pyarrow").await else { return };
    if !super::psql::has_psql() {
        return;
    }
    let doors = Doors::of(with_samples().await).await;
    let package = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs this test");
    let queries = Path::new(&package).join("../queries");
    let (http, flight) = (format!("http://{}", doors.http), format!("grpc://{}", doors.flight));
    let port = doors.postgres.port().to_string();
    let arguments = [queries.to_str().unwrap(), &http, doors.server.key(), &flight, &port];
    run(&python, QUERY_SETS, &arguments).await;
    doors.close().await;
}
