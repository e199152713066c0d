//! Traces of the server's own work, as a collector gets them.

use std::fs;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use parking_lot::Mutex;
use prost::Message;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::harness::document;
use super::process::{Running, text_of};

type Got = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// A collector of traces, played by the test.
struct Collector {
    url: String,
    got: Got,
    _serving: AbortOnDropHandle<()>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let got = Got::default();
        let take = async |State(got): State<Got>, headers: HeaderMap, body: Bytes| {
            got.lock().push((headers, body));
        };
        let routes = Router::new().fallback(take).with_state(Arc::clone(&got));
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, got, _serving: AbortOnDropHandle::new(serving) }
    }

    fn spans(&self) -> Vec<Span> {
        let decode =
            |(_, body): &(HeaderMap, Bytes)| ExportTraceServiceRequest::decode(body.clone()).unwrap();
        let requests: Vec<_> = self.got.lock().iter().map(decode).collect();
        let resources = requests.into_iter().flat_map(|request| request.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }
}

fn attribute(span: &Span, key: &str) -> Option<Value> {
    span.attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value
}

/// The span of a request.
fn of_request<'s>(spans: &'s [Span], path: &str) -> &'s Span {
    let found = spans.iter().find(|span| span.name.starts_with("POST ") && span.name.ends_with(path));
    found.unwrap_or_else(|| panic!("{path} in {spans:?}"))
}

/// The one span of a name below another one.
fn below<'s>(spans: &'s [Span], name: &str, parent: &Span) -> &'s Span {
    let is_below = |span: &&Span| span.name == name && span.parent_span_id == parent.span_id;
    let mut found = spans.iter().filter(is_below);
    let span = found.next().unwrap_or_else(|| panic!("{name} in {spans:?}"));
    assert!(found.next().is_none() && span.trace_id == parent.trace_id, "{spans:?}");
    span
}

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// Sends a record as a part of a trace, asks for it, asks wrongly, and stops the server.
async fn work_and_stop(server: Running) -> [String; 2] {
    let (token, key) = (server.secret("phc_"), server.secret("phx_"));
    let records = document("api", &[json!({ "body": { "stringValue": "a private body" } })]);
    let request = reqwest::Client::new().post(format!("{}/v1/logs", server.url)).bearer_auth(&token);
    let request = request.header("traceparent", format!("00-{TRACE_ID}-{CALLER}-01")).json(&records);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let query = json!({ "query": { "searchTerm": "private", "dateRange": { "date_from": "all" } } });
    assert_eq!(server.post("/api/projects/1/logs/count/", &key, query).await.0, 200);
    assert_eq!(server.post("/api/projects/1/logs/sparkline/", &key, json!({ "query": 1 })).await.0, 400);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    [token, key]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_the_requests_and_what_was_done_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start().await;
    let file = folder.path().join("timberline.toml");
    let settings = format!("[traces]\nendpoint = '{}'\nheaders = 'x-team=a%20b'\n", collector.url);
    fs::write(&file, settings).unwrap();
    let server = Running::start("serve", &folder.path().join("data"), &["--config", text_of(&file)]);
    let secrets = work_and_stop(server).await;

    let spans = collector.spans();
    let sent = of_request(&spans, "/v1/logs");
    assert_eq!((&sent.trace_id, &sent.parent_span_id), (&bytes_of(TRACE_ID), &bytes_of(CALLER)));
    assert_eq!(sent.kind, 2, "a span of a server");
    assert_eq!(attribute(sent, "http.response.status_code"), Some(Value::IntValue(200)));
    assert_eq!(attribute(below(&spans, "ingest", sent), "rows"), Some(Value::IntValue(1)));

    let counted = of_request(&spans, "/logs/count");
    assert!(counted.parent_span_id.is_empty() && counted.trace_id != sent.trace_id);
    below(&spans, "question", counted);
    let refused = of_request(&spans, "/logs/sparkline");
    assert_eq!(attribute(refused, "http.response.status_code"), Some(Value::IntValue(400)));
    assert!(refused.status.as_ref().is_none_or(|status| status.code == 0), "it is the caller's fault");

    let got = collector.got.lock();
    assert!(got.iter().all(|(headers, _)| headers["x-team"] == "a b"));
    for (_, body) in got.iter() {
        let text = String::from_utf8_lossy(body);
        assert!(text.contains("timberline") && !text.contains("private"), "{text}");
        assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("timberline.toml");
    // Nothing listens on a port whose listener is gone.
    let url = Collector::start().await.url;
    fs::write(&file, format!("[traces]\nendpoint = '{url}'\n")).unwrap();
    let server = Running::start("serve", &folder.path().join("data"), &["--config", text_of(&file)]);
    work_and_stop(server).await;
}
