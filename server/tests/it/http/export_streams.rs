//! Exports as they are read.

use axum::body::Body;
use axum::http::{Method, Request, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::harness::{Answer, TestServer, last_day, record};
use crate::waiting::until;

const STREAM: &str = "/api/projects/1/logs/export/stream";

async fn export(server: &TestServer, body: Value) -> Answer {
    server.request(Method::POST, STREAM, body.to_string()).await
}

async fn filled(num: i64) -> TestServer {
    let server = TestServer::start().await;
    let records: Vec<Value> =
        (0..num).map(|index| record(index % 977 + 1, "INFO", &format!("line {index}"))).collect();
    server.store("api", &records).await;
    server
}

#[tokio::test]
async fn ndjson_is_the_rows_of_a_query_without_its_limit() {
    let server = filled(5_000).await;
    for order in ["latest", "earliest"] {
        let query = json!({ "dateRange": last_day(), "orderBy": order, "limit": 3 });
        let answer = export(&server, json!({ "query": query, "format": "ndjson" })).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/x-ndjson"));
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 5_000);
        let mut paged = Vec::new();
        let mut query = json!({ "dateRange": last_day(), "orderBy": order, "limit": 2_000 });
        loop {
            let page = server.ask("query", query.clone()).await.json();
            paged.extend(page["results"].as_array().unwrap().iter().cloned());
            if page["nextCursor"].is_null() {
                break;
            }
            query["after"] = page["nextCursor"].clone();
        }
        assert!(lines == paged, "{order}");
    }
}

#[tokio::test]
async fn csv_has_the_columns_that_are_named() {
    let server = TestServer::start().await;
    let mut sent = record(60, "ERROR", "=say \"hi\", you");
    sent["attributes"] = json!([{ "key": "a.b", "value": { "stringValue": "v" } }]);
    server.store("api", &[sent, record(50, "INFO", "{\"n\":7}")]).await;
    let columns =
        json!(["timestamp", "level", "body", "attributes.a.b", "attributes", "body.n", "service_name"]);
    let answer = export(&server, json!({ "query": { "dateRange": last_day() }, "columns": columns })).await;
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(
        answer.header("content-disposition"),
        "attachment; filename=\"logs-all-services-from--24h.csv\""
    );
    assert_eq!(
        String::from_utf8(answer.body.to_vec()).unwrap(),
        "timestamp,level,body,attributes.a.b,attributes,body.n,service_name\r\n\
         2025-12-16T10:32:10Z,info,\"{\"\"n\"\":7}\",,{},7,api\r\n\
         2025-12-16T10:32:00Z,error,\"=say \"\"hi\"\", you\",v,\"{\"\"a.b\"\":\"\"v\"\"}\",,api\r\n"
    );
    let nothing =
        json!({ "query": { "dateRange": last_day(), "searchTerm": "nowhere" }, "columns": ["body"] });
    assert_eq!(export(&server, nothing).await.body, "body\r\n");
}

#[tokio::test]
async fn parquet_is_a_whole_file() {
    let server = filled(100).await;
    let answer = export(&server, json!({ "query": { "dateRange": last_day() }, "format": "parquet" })).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (200, "application/vnd.apache.parquet")
    );
    assert!(answer.body.starts_with(b"PAR1") && answer.body.ends_with(b"PAR1"));
    let refused = export(
        &server,
        json!({ "query": { "dateRange": last_day() }, "format": "parquet", "columns": ["body", "level"] }),
    )
    .await;
    assert_eq!(refused.refusal(), (400, "invalid_input".into(), json!("columns")));
}

#[tokio::test]
async fn what_cannot_be_exported_is_refused_before_it_begins() {
    let server = TestServer::start().await;
    let range = || json!({ "dateRange": last_day() });
    assert_eq!(export(&server, json!({})).await.simple_refusal(), (400, "no query was given".into()));
    for (body, attr) in [
        (json!({ "query": [] }), json!("query")),
        (json!({ "query": {} }), json!("dateRange")),
        (json!({ "query": range(), "format": "xml" }), json!("format")),
        (json!({ "query": range(), "columns": "body" }), json!("columns")),
        (json!({ "query": range(), "columns": ["nothing"] }), json!("columns__0")),
    ] {
        assert_eq!(
            export(&server, body.clone()).await.refusal(),
            (400, "parse_error".into(), attr),
            "{body}"
        );
    }
    let leaf = json!([{ "key": "k", "type": "log_attribute", "operator": "regex", "value": "(" }]);
    let query = json!({ "dateRange": last_day(), "filterGroup": leaf });
    assert_eq!(export(&server, json!({ "query": query })).await.simple_refusal().0, 400);
    let other = server.limited_key(&["alert:read"], None, None).await;
    let body = json!({ "query": range() }).to_string();
    assert_eq!(server.request_as(&other, Method::POST, STREAM, body).await.refusal().0, 403);
}

#[tokio::test]
async fn streams_at_a_time_are_bounded_and_end_with_their_reader() {
    let server = TestServer::start_with(|config| config.export.max_streams = 1).await;
    let records: Vec<Value> = (0..2_000).map(|index| record(index + 1, "INFO", &"x".repeat(4_000))).collect();
    server.store("api", &records).await;
    let body = json!({ "query": { "dateRange": last_day() } }).to_string();
    let request = Request::post(STREAM).header(header::AUTHORIZATION, format!("Bearer {}", server.key()));
    let request = request.body(Body::from(body.clone())).unwrap();
    let first = server::app(server.state.clone()).oneshot(request).await.unwrap();
    let mut reading = first.into_body();
    assert!(reading.frame().await.unwrap().unwrap().data_ref().is_some_and(|data| !data.is_empty()));
    let second = server.request(Method::POST, STREAM, body.clone()).await;
    assert_eq!((second.refusal().0, second.header("retry-after")), (503, "1"));
    drop(reading);
    until("the place is free again", async || {
        (server.request(Method::POST, STREAM, body.clone()).await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn damage_in_the_middle_breaks_the_stream_off() {
    let server = TestServer::start().await;
    let of = |seconds: i64| -> Vec<Value> {
        let body = |index: i64| format!("{index}{}", "x".repeat(2_000));
        (0..2_000).map(|index| record(seconds + index % 600, "INFO", &body(index))).collect()
    };
    server.store("old", &of(40 * 86_400)).await;
    server.state.engine().flush().await.unwrap();
    for path in files_in(&server.data_dir().join("logs")) {
        std::fs::remove_file(path).unwrap();
    }
    // In memory, and more than the first windows hold.
    server.store("new", &of(60)).await;
    let body = json!({ "query": { "dateRange": { "date_from": "-60d" } } }).to_string();
    let request = Request::post(STREAM).header(header::AUTHORIZATION, format!("Bearer {}", server.key()));
    let answer =
        server::app(server.state.clone()).oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200, "the first rows are whole");
    assert!(answer.into_body().collect().await.is_err(), "the body has no end");
}

fn files_in(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_in(&path) } else { vec![path] }).collect()
}
