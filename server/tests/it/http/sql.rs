//! SQL over HTTP: who may read what, forms, limits, errors, and statements that are ended.

use axum::body::Body;
use axum::http::{Method, Request, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use server::meta::Level;
use tower::ServiceExt;

use super::harness::{Answer, TestServer, record};
use super::people::person;
use crate::waiting::until;

const SQL: &str = "/api/projects/1/sql";
const QUERIES: &str = "/api/projects/1/sql/queries";
/// Does not end by itself within these tests.
const ENDLESS: &str = "SELECT value FROM generate_series(1, 1000000000000)";

async fn sql(server: &TestServer, body: Value) -> Answer {
    server.request(Method::POST, SQL, body.to_string()).await
}

async fn rows(server: &TestServer, query: &str) -> Value {
    let answer = sql(server, json!({ "query": query })).await;
    assert_eq!(answer.status, 200, "{query}: {:?}", answer.body);
    answer.json()["rows"].clone()
}

async fn filled() -> TestServer {
    let server = TestServer::start().await;
    server.store("api", &[record(60, "ERROR", "failed"), record(50, "INFO", "{\"n\":7}")]).await;
    server.store("web", &[record(40, "INFO", "fine, \"really\"")]).await;
    server
}

fn streaming(key: &str, body: &Value) -> Request<Body> {
    let request = Request::post(SQL).header(header::AUTHORIZATION, format!("Bearer {key}"));
    request.body(Body::from(body.to_string())).unwrap()
}

#[tokio::test]
async fn a_statement_is_answered_as_a_document() {
    let server = filled().await;
    let body = json!({
        "query": "SELECT service_name, count(*) AS n FROM logs WHERE body <> $1 GROUP BY 1 ORDER BY n DESC",
        "parameters": ["x"],
    });
    let answer = sql(&server, body).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    assert_eq!(
        answer.json(),
        json!({
            "columns": [{ "name": "service_name", "type": "text" }, { "name": "n", "type": "integer" }],
            "rows": [["api", 2], ["web", 1]], "row_count": 2, "error": null,
        })
    );
    assert!(uuid::Uuid::parse_str(answer.header("x-timberline-query-id")).is_ok());
    assert_eq!(rows(&server, "SELECT body ->> 'n' FROM logs WHERE body LIKE '{%'").await, json!([["7"]]));
}

#[tokio::test]
async fn the_form_is_what_is_accepted() {
    let server = filled().await;
    let query = "SELECT body FROM logs WHERE service_name = 'web'";
    for (accept, content_type, beginning) in [
        ("text/csv", "text/csv; charset=utf-8", &b"body\r\n\"fine, \"\"really\"\"\"\r\n"[..]),
        ("application/x-ndjson", "application/x-ndjson", b"{\"body\":\"fine, \\\"really\\\"\"}\n"),
        ("application/vnd.apache.parquet", "application/vnd.apache.parquet", b"PAR1"),
        ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.stream", b"\xff\xff\xff\xff"),
    ] {
        let request = Request::post(SQL)
            .header(header::AUTHORIZATION, format!("Bearer {}", server.key()))
            .header(header::ACCEPT, accept)
            .body(Body::from(json!({ "query": query }).to_string()))
            .unwrap();
        let answer = server.call(request).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, content_type));
        assert!(answer.body.starts_with(beginning), "{accept}: {:?}", answer.body);
    }
    let answer = sql(&server, json!({ "query": query, "format": "csv" })).await;
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
}

#[tokio::test]
async fn what_is_wrong_is_refused_before_it_begins() {
    let server = filled().await;
    for (body, code, attr) in [
        (json!({}), "parse_error", "query"),
        (json!({ "query": 7 }), "parse_error", "query"),
        (json!({ "query": "SELECT 1", "format": "xml" }), "parse_error", "format"),
        (json!({ "query": "SELECT 1", "max_rows": 0 }), "parse_error", "max_rows"),
        (json!({ "query": "SELECT 1", "parameters": [{}] }), "parse_error", "parameters__0"),
        (json!({ "query": "SELECT 1", "parameters": [1] }), "invalid_input", "parameters"),
        (json!({ "query": "SELECT $1" }), "invalid_input", "parameters"),
        (json!({ "query": "SELECT FROM WHERE" }), "invalid_input", "query"),
        (json!({ "query": "SELECT nothing FROM logs" }), "invalid_input", "query"),
        (json!({ "query": "SELECT * FROM '/etc/passwd'" }), "invalid_input", "query"),
        (json!({ "query": "DROP TABLE logs" }), "invalid_input", "query"),
        (json!({ "query": "COPY logs TO '/tmp/x'" }), "invalid_input", "query"),
        (json!({ "query": "SELECT 1; SELECT 2" }), "invalid_input", "query"),
        (json!({ "query": "SELECT body FROM logs", "max_rows": 2 }), "invalid_input", "query"),
        (json!({ "query": "SELECT CAST(body AS INT) FROM logs" }), "invalid_input", "query"),
    ] {
        assert_eq!(sql(&server, body.clone()).await.refusal(), (400, code.into(), json!(attr)), "{body}");
    }
    let slow =
        json!({ "query": "SELECT count(*) FROM generate_series(1, 1000000000000)", "timeout_secs": 1 });
    assert_eq!(sql(&server, slow).await.refusal().0, 504);
    let rows_in_all = server.restart_with(|config| config.sql.max_rows = Some(2)).await;
    let body = json!({ "query": "SELECT body FROM logs", "max_rows": 100 });
    assert_eq!(sql(&rows_in_all, body).await.refusal().0, 400);
}

#[tokio::test]
async fn a_project_reads_its_own_rows_only() {
    let server = filled().await;
    let made = json!({ "name": "Second" }).to_string();
    let made = server.request(Method::POST, "/api/organizations/@current/projects/", made).await;
    let second = made.json()["id"].as_i64().unwrap();
    let path = format!("/api/projects/{second}/sql");
    for query in ["SELECT count(*) FROM logs", "SELECT count(*) FROM system.data_files"] {
        let answer = server.request(Method::POST, &path, json!({ "query": query }).to_string()).await;
        assert_eq!(answer.json()["rows"], json!([[0]]), "{query}");
    }
    assert_eq!(rows(&server, "SELECT count(*) FROM logs").await, json!([[3]]));
    let key = server.limited_key(&["alert:read"], None, None).await;
    let body = json!({ "query": "SELECT 1" }).to_string();
    assert_eq!(server.request_as(&key, Method::POST, SQL, body.clone()).await.refusal().0, 403);
    let key = server.limited_key(&["logs:read"], Some(&[second]), None).await;
    assert_eq!(server.request_as(&key, Method::POST, SQL, body).await.refusal().0, 403);
}

#[tokio::test]
async fn the_trail_needs_its_scope_and_its_access_level() {
    let server = filled().await;
    let changed = json!({ "name": "Shop" }).to_string();
    assert_eq!(server.request(Method::PATCH, "/api/projects/1/", changed).await.status, 200);
    let query = "SELECT scope, activity, detail ->> 'name' FROM activity";
    let answer = rows(&server, query).await;
    assert_eq!((&answer[0][1], answer.as_array().unwrap().len()), (&json!("updated"), 1), "{answer}");
    let body =
        json!({ "query": "WITH a AS (SELECT * FROM public.Activity) SELECT count(*) FROM a" }).to_string();
    let key = server.limited_key(&["logs:read"], None, None).await;
    let refused = server.request_as(&key, Method::POST, SQL, body.clone()).await;
    assert_eq!(refused.refusal().0, 403);
    assert!(refused.json()["detail"].as_str().unwrap().contains("activity_log:read"));
    let key = server.limited_key(&["logs:read", "activity_log:read"], None, None).await;
    assert_eq!(server.request_as(&key, Method::POST, SQL, body.clone()).await.status, 200);
    let member = person(&server, "ann", Level::MEMBER).await;
    assert_eq!(server.request_as(&member.key, Method::POST, SQL, body.clone()).await.status, 200);
    let rule = json!({ "resource": "activity_log", "access_level": "none", "resource_id": null }).to_string();
    let set = server.request(Method::PUT, "/api/projects/1/access_controls", rule).await;
    assert!(set.status.is_success(), "{:?}", set.body);
    assert_eq!(server.request_as(&member.key, Method::POST, SQL, body).await.refusal().0, 403);
}

#[tokio::test]
async fn the_system_schema_tells_who_manages_the_organization_more() {
    let server = filled().await;
    let names =
        "SELECT name FROM system.tables WHERE name IN ('system.settings', 'system.metrics') ORDER BY 1";
    assert_eq!(rows(&server, names).await, json!([["system.metrics"], ["system.settings"]]));
    let metrics =
        rows(&server, "SELECT value FROM system.metrics WHERE name = 'timberline_ingest_rows_total'").await;
    assert_eq!(metrics, json!([[3.0]]));
    assert_eq!(rows(&server, "SELECT count(*) FROM system.alert_events").await, json!([[0]]));
    let listed =
        rows(&server, "SELECT name FROM system.tables WHERE name NOT LIKE 'system.%' ORDER BY 1").await;
    assert_eq!(listed, json!([["activity"], ["logs"]]));
    let member = person(&server, "ann", Level::MEMBER).await;
    for query in ["SELECT * FROM system.settings", "SELECT * FROM system.metrics"] {
        let body = json!({ "query": query }).to_string();
        let answer = server.request_as(&member.key, Method::POST, SQL, body).await;
        assert_eq!(answer.refusal().0, 400, "{query}");
    }
    let body =
        json!({ "query": "SELECT count(*) FROM system.columns WHERE table_name = 'logs'" }).to_string();
    assert_eq!(server.request_as(&member.key, Method::POST, SQL, body).await.json()["rows"], json!([[19]]));
}

#[tokio::test]
async fn statements_that_run_are_listed_and_ended_by_whom_they_concern() {
    let server = filled().await;
    let reader = person(&server, "ann", Level::MEMBER).await;
    let body = json!({ "query": ENDLESS, "format": "ndjson" });
    let running = server::app(server.state.clone()).oneshot(streaming(server.key(), &body)).await.unwrap();
    assert_eq!(running.status(), 200);
    let id = running.headers()["x-timberline-query-id"].to_str().unwrap().to_owned();
    let mut reading = running.into_body();
    assert!(reading.frame().await.unwrap().unwrap().data_ref().is_some_and(|data| !data.is_empty()));

    let only_reads = server.limited_key(&["logs:read"], None, None).await;
    let listed = |key: String| {
        let server = &server;
        async move {
            let answer = server.request_as(&key, Method::GET, QUERIES, "").await.json();
            answer["results"].as_array().unwrap().clone()
        }
    };
    let own = listed(only_reads.clone()).await;
    assert_eq!(
        (&own[0]["id"], &own[0]["state"], &own[0]["query"]),
        (&json!(id), &json!("running"), &json!(ENDLESS))
    );
    assert_eq!(listed(reader.key.clone()).await.len(), 1, "who may change logs sees all");
    let narrow = json!({ "resource": "logs", "access_level": "viewer", "resource_id": null }).to_string();
    assert!(server.request(Method::PUT, "/api/projects/1/access_controls", narrow).await.status.is_success());
    assert!(listed(reader.key.clone()).await.is_empty(), "who may only read sees the own ones");
    let one = format!("{QUERIES}/{id}");
    assert_eq!(server.request_as(&reader.key, Method::DELETE, &one, "").await.refusal().0, 404);
    assert_eq!(server.request_as(&only_reads, Method::DELETE, &one, "").await.status, 204);

    let mut text = Vec::new();
    let error = loop {
        match reading.frame().await.expect("an end") {
            Ok(frame) => text.extend_from_slice(frame.data_ref().unwrap()),
            Err(error) => break error,
        }
    };
    let last = text.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap();
    let last: Value = serde_json::from_slice(last).unwrap();
    assert!(last["error"]["detail"].as_str().unwrap().contains("ended by a request"), "{last} {error}");
    assert_eq!(listed(only_reads).await[0]["state"], "killed");
    assert_eq!(server.request(Method::DELETE, &one, "").await.refusal().0, 404, "it has ended");
    // Who ended what somebody waited for is in the trail, once.
    let told = rows(&server, "SELECT activity, item_id FROM activity WHERE scope = 'SqlQuery'").await;
    assert_eq!(told, json!([["killed", id]]));
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_statement() {
    let server = filled().await;
    let body = json!({ "query": ENDLESS, "format": "csv" });
    let running = server::app(server.state.clone()).oneshot(streaming(server.key(), &body)).await.unwrap();
    drop(running);
    until("the statement is given up", async || {
        let answer = server.request(Method::GET, QUERIES, "").await.json();
        (answer["results"][0]["state"] == "given_up").then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_error_after_the_first_rows_breaks_the_answer_off() {
    let server = filled().await;
    let query = "SELECT 1 / (1000000 - value) AS q FROM generate_series(1, 2000000)";
    for format in ["json", "csv"] {
        let body = json!({ "query": query, "format": format });
        let answer = server::app(server.state.clone()).oneshot(streaming(server.key(), &body)).await.unwrap();
        assert_eq!(answer.status(), 200, "{format}: the first rows are whole");
        assert!(answer.into_body().collect().await.is_err(), "{format}: the body has no end");
    }
}

#[tokio::test]
async fn sql_beyond_its_places_waits_and_other_questions_are_answered() {
    let server = TestServer::start_with(|config| config.engine.max_sql_statements = 1).await;
    server.store("api", &[record(60, "ERROR", "failed")]).await;
    let body = json!({ "query": ENDLESS, "format": "csv" });
    let running = server::app(server.state.clone()).oneshot(streaming(server.key(), &body)).await.unwrap();
    let waiting = json!({ "query": "SELECT 1", "timeout_secs": 1 });
    let refused = sql(&server, waiting).await;
    assert_eq!((refused.refusal().0, refused.header("retry-after")), (503, "1"));
    let range = json!({ "date_from": "-1h" });
    assert_eq!(server.ask("count", json!({ "dateRange": range })).await.json()["count"], 1);
    server.store("api", &[record(50, "ERROR", "failed again")]).await;
    drop(running);
    assert_eq!(rows(&server, "SELECT count(*) FROM logs").await, json!([[2]]));
}
