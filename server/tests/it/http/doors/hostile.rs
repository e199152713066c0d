//! Statements of somebody who wants more than to read the project's rows, through every door.

use std::time::Duration;

use axum::http::Method;
use serde_json::json;

use super::super::harness::TestServer;
use super::{Doors, flight, postgres};

/// What must not be done, and what must not be read.
pub(in super::super) const HOSTILE: &[&str] = &[
    "CREATE TABLE a AS SELECT 1",
    "CREATE EXTERNAL TABLE a STORED AS CSV LOCATION '/etc/passwd'",
    "CREATE VIEW logs AS SELECT 1",
    "CREATE FUNCTION f(x INT) RETURNS INT RETURN x",
    "DROP TABLE logs",
    "ALTER TABLE logs ADD COLUMN a INT",
    "INSERT INTO logs SELECT * FROM logs",
    "UPDATE logs SET body = ''",
    "DELETE FROM logs",
    "TRUNCATE logs",
    "COPY logs TO '/tmp/timberline-hostile-door.csv'",
    "COPY (SELECT * FROM logs) TO STDOUT",
    "COPY logs FROM '/etc/passwd'",
    "SET datafusion.execution.batch_size = 1",
    "SET ROLE admin",
    "EXPLAIN INSERT INTO logs SELECT * FROM logs",
    "WITH a AS (DELETE FROM logs RETURNING *) SELECT * FROM a",
    "SELECT 1 INTO a",
    "SELECT 1; DROP TABLE logs",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM 's3://bucket/x.parquet'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_parquet('x')",
    "SELECT * FROM TABLE(glob('/*'))",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT * FROM information_schema.df_settings",
    "SELECT * FROM other.public.logs",
    "SELECT * FROM \"2\".public.logs",
    "SELECT * FROM system.settings",
    "SELECT * FROM system.metrics",
    "SELECT repeat('x', 1000000000)",
];

/// A key of somebody who manages nothing.
async fn key_of_a_member(server: &TestServer) -> String {
    super::super::people::person(server, "eve", server::meta::Level::MEMBER).await.key
}

#[tokio::test]
async fn every_door_refuses_the_same() {
    let doors = Doors::open().await;
    let key = key_of_a_member(&doors.server).await;
    let mut driver = flight::with_key(&doors, &key).await;
    let mut connection = postgres::connect(&doors, &key).await.unwrap();
    for sql in HOSTILE {
        let body = json!({ "query": sql }).to_string();
        let over_http = doors.server.request_as(&key, Method::POST, "/api/projects/1/sql", body).await;
        assert_eq!(over_http.status, 400, "{sql}: {:?}", over_http.body);
        let over_flight = flight::ask(&mut driver, sql).await;
        assert!(over_flight.is_err(), "{sql}: {over_flight:?}");
        let simple = sqlx::raw_sql(*sql).execute(&mut connection).await;
        assert!(simple.is_err(), "{sql}: {simple:?}");
        let extended = sqlx::query(*sql).execute(&mut connection).await;
        assert!(extended.is_err(), "{sql}: {extended:?}");
    }
    assert!(!std::path::Path::new("/tmp/timberline-hostile-door.csv").exists());
    // All that was there is there, and is answered.
    let count: i64 =
        sqlx::query_scalar("SELECT count(*) FROM logs").fetch_one(&mut connection).await.unwrap();
    assert_eq!(count, 3);
    drop((connection, driver));
    doors.close().await;
}

#[tokio::test]
async fn statements_without_end_end_at_every_door() {
    let doors = Doors::open_with(|config| config.engine.query_timeout = Duration::from_millis(300)).await;
    let key = doors.server.key();
    let mut driver = flight::with_key(&doors, key).await;
    let mut connection = postgres::connect(&doors, key).await.unwrap();
    for sql in [
        "SELECT count(*) FROM generate_series(1, 1000000000000)",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
        "SELECT sum(l.value * r.value) FROM generate_series(1, 1000000) l, generate_series(1, 1000000) r",
    ] {
        let body = json!({ "query": sql }).to_string();
        let over_http = doors.server.request(Method::POST, "/api/projects/1/sql", body).await;
        assert_eq!(over_http.status, 504, "{sql}: {:?}", over_http.body);
        assert!(flight::ask(&mut driver, sql).await.is_err(), "{sql}");
        assert!(sqlx::raw_sql(sql).execute(&mut connection).await.is_err(), "{sql}");
    }
    drop((connection, driver));
    doors.close().await;
}
