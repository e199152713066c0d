//! Explanations of logs, by a model that the test plays.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use server::config::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use super::harness::{Answer, TestServer, last_day, record};

const EXPLAIN: &str = "/api/projects/1/logs/explainLogWithAI";

/// How the model answers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Good,
    Malformed,
    NoJson,
    Failing,
    Huge,
    Silent,
    Redirecting,
}

struct Model {
    mood: Mutex<Mood>,
    num_asked: AtomicUsize,
    last: Mutex<(String, Value)>,
}

fn explanation() -> Value {
    json!({
        "headline": "Payment gateway refused the connection for checkout", "severity_assessment": "error",
        "impact_summary": "some payments failed",
        "probable_causes": [{ "hypothesis": "h", "confidence": "high", "reasoning": "r" }],
        "immediate_actions": [{ "action": "a", "priority": "now", "why": "w" }],
        "technical_explanation": "t",
        "key_fields": [{ "field": "f", "value": "v", "significance": "s", "attribute_type": "resource" }],
    })
}

async fn complete(State(model): State<Arc<Model>>, headers: HeaderMap, body: String) -> Response {
    model.num_asked.fetch_add(1, Ordering::SeqCst);
    let key = headers.get(header::AUTHORIZATION).map_or("", |key| key.to_str().unwrap()).to_owned();
    *model.last.lock().await = (key, serde_json::from_str(&body).unwrap());
    let says = |text: String| {
        json!({ "choices": [{ "message": { "role": "assistant", "content": text } }] })
            .to_string()
            .into_response()
    };
    let mood = *model.mood.lock().await;
    match mood {
        Mood::Good => says(explanation().to_string()),
        Mood::Malformed => says("{\"headline\": \"x\"}".to_owned()),
        Mood::NoJson => "<html>".into_response(),
        Mood::Failing => (StatusCode::TOO_MANY_REQUESTS, "secret inner text").into_response(),
        Mood::Huge => {
            let piece = || Ok::<_, std::io::Error>("x".repeat(64 * 1024));
            Body::from_stream(futures::stream::repeat_with(piece)).into_response()
        }
        Mood::Silent => std::future::pending().await,
        Mood::Redirecting => {
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/v1/elsewhere")]).into_response()
        }
    }
}

async fn model() -> (Arc<Model>, String) {
    let model = Arc::new(Model {
        mood: Mutex::new(Mood::Good),
        num_asked: AtomicUsize::new(0),
        last: Mutex::new((String::new(), Value::Null)),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let routes = Router::new()
        .route("/v1/chat/completions", post(complete))
        .route("/v1/elsewhere", post(complete))
        .with_state(Arc::clone(&model));
    tokio::spawn(axum::serve(listener, routes).into_future());
    (model, url)
}

async fn server_with(url: &str, change: impl FnOnce(&mut ServerConfig)) -> TestServer {
    TestServer::start_with(|config| {
        config.ai.base_url = Some(url.to_owned());
        config.ai.model = Some("small".to_owned());
        config.ai.api_key = Some(server::secret::Secret::new("key-of-the-model".to_owned()));
        change(config);
    })
    .await
}

/// Stores a log among others, and what asks for its explanation.
async fn stored(server: &TestServer) -> Value {
    let mut sent = record(60, "ERROR", "login of jo@example.org failed, password=hunter2");
    sent["attributes"] = json!([
        { "key": "http.route", "value": { "stringValue": "/login" } },
        { "key": "user.api_key", "value": { "stringValue": "abc" } },
    ]);
    let around = |seconds: i64| record(seconds, "INFO", &format!("line {seconds}"));
    server.store("api", &[sent]).await;
    server.store("api", &[70, 65, 50, 40].map(around)).await;
    server.store("other", &[around(61)]).await;
    let query = json!({ "dateRange": last_day(), "severityLevels": ["error"] });
    let row = server.rows(query).await.remove(0);
    json!({ "uuid": row["uuid"], "timestamp": row["timestamp"] })
}

async fn explain(server: &TestServer, body: &Value) -> Answer {
    server.request(Method::POST, EXPLAIN, body.to_string()).await
}

#[tokio::test]
async fn a_log_is_explained_without_its_secrets_and_once() {
    let (model, url) = model().await;
    let server = server_with(&url, |_| {}).await;
    let body = stored(&server).await;
    let answer = explain(&server, &body).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, explanation()));

    let (key, asked) = model.last.lock().await.clone();
    assert_eq!((key.as_str(), &asked["model"]), ("Bearer key-of-the-model", &json!("small")));
    let format = &asked["response_format"];
    assert_eq!((&format["type"], &format["json_schema"]["strict"]), (&json!("json_schema"), &json!(true)));
    assert_eq!(asked["messages"][0]["role"], "system");
    let told: Value = serde_json::from_str(asked["messages"][1]["content"].as_str().unwrap()).unwrap();
    assert_eq!(told["log"]["body"], "login of {{REDACTED}} failed, password={{REDACTED}}");
    assert_eq!(told["log"]["attributes"], json!({ "http.route": "/login", "user.api_key": "{{REDACTED}}" }));
    assert_eq!(told["log"]["resource_attributes"], json!({ "service.name": "api" }));
    let bodies = |lines: &Value| -> Vec<String> {
        lines.as_array().unwrap().iter().map(|line| line["body"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(bodies(&told["before"]), ["line 70", "line 65"]);
    assert_eq!(bodies(&told["after"]), ["line 50", "line 40"]);

    assert_eq!(explain(&server, &body).await.json(), explanation());
    assert_eq!(model.num_asked.load(Ordering::SeqCst), 1, "the second answer is remembered");
    let mut again = body.clone();
    again["force_refresh"] = json!(true);
    assert_eq!(explain(&server, &again).await.status, 200);
    assert_eq!(model.num_asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_model_that_fails_is_an_error_and_nothing_is_made_up() {
    let (model, url) = model().await;
    let server = server_with(&url, |config| config.ai.timeout = Duration::from_millis(1_500)).await;
    let body = stored(&server).await;
    let moods = [Mood::Malformed, Mood::NoJson, Mood::Failing, Mood::Huge, Mood::Silent, Mood::Redirecting];
    for (index, mood) in moods.into_iter().enumerate() {
        *model.mood.lock().await = mood;
        let answer = explain(&server, &body).await;
        assert_eq!(answer.refusal(), (500, "error".into(), Value::Null), "{mood:?}");
        assert!(!answer.json().to_string().contains("secret"), "{mood:?}");
        assert_eq!(
            model.num_asked.load(Ordering::SeqCst),
            index + 1,
            "{mood:?}: failures are not remembered"
        );
    }
    *model.mood.lock().await = Mood::Good;
    assert_eq!(explain(&server, &body).await.status, 200);
}

#[tokio::test]
async fn checks_come_in_their_order() {
    let (model, url) = model().await;
    let server = server_with(&url, |_| {}).await;
    let body = stored(&server).await;
    let text = body.to_string();
    assert_eq!(server.request_as("phx_unknown", Method::POST, EXPLAIN, text.clone()).await.refusal().0, 401);
    let reader = server.limited_key(&["logs:read"], None, None).await;
    assert_eq!(server.request_as(&reader, Method::POST, EXPLAIN, text).await.refusal().0, 403);
    for (bad, field) in [
        (json!({ "timestamp": body["timestamp"] }), "uuid"),
        (json!({ "uuid": 5, "timestamp": body["timestamp"] }), "uuid"),
        (json!({ "uuid": "x", "timestamp": body["timestamp"] }), "uuid"),
        (json!({ "uuid": body["uuid"] }), "timestamp"),
        (json!({ "uuid": body["uuid"], "timestamp": "soon" }), "timestamp"),
        (
            json!({ "uuid": body["uuid"], "timestamp": body["timestamp"], "force_refresh": "no" }),
            "force_refresh",
        ),
    ] {
        let answer = explain(&server, &bad).await;
        assert_eq!(answer.status, 400, "{bad}");
        let told = answer.json();
        assert_eq!(told.as_object().unwrap().keys().collect::<Vec<_>>(), [field]);
        assert!(told[field][0].is_string(), "{told}");
    }
    for (seconds, found) in [("02", false), ("01", true), ("59", false)] {
        let mut near = body.clone();
        let minute = if seconds == "59" { "31" } else { "32" };
        near["timestamp"] = json!(format!("2025-12-16T10:{minute}:{seconds}.000000Z"));
        if seconds == "59" {
            near["timestamp"] = json!("2025-12-16T10:31:58.999999Z");
        }
        let answer = explain(&server, &near).await;
        if found {
            assert_eq!(answer.status, 200, "within a second");
        } else {
            assert_eq!(answer.simple_refusal(), (404, "log not found".into()));
        }
    }
    server.change_metadata("UPDATE organizations SET is_ai_data_processing_approved = 0").await;
    let asked = model.num_asked.load(Ordering::SeqCst);
    assert_eq!(explain(&server, &json!({})).await.refusal(), (403, "permission_denied".into(), Value::Null));
    assert_eq!(model.num_asked.load(Ordering::SeqCst), asked);
    server.change_metadata("UPDATE organizations SET is_ai_data_processing_approved = 1").await;
    assert_eq!(explain(&server, &body).await.status, 200);
}

#[tokio::test]
async fn without_a_model_the_server_says_so() {
    let server = TestServer::start().await;
    let body = stored(&server).await;
    assert_eq!(explain(&server, &body).await.refusal(), (503, "ai_not_configured".into(), Value::Null));
    assert_eq!(explain(&server, &json!({})).await.status, 400);
}

#[tokio::test]
async fn a_caller_may_ask_fifty_times_a_minute() {
    let (_model, url) = model().await;
    let server = server_with(&url, |_| {}).await;
    for _ in 0..50 {
        assert_eq!(explain(&server, &json!({})).await.status, 400);
    }
    let refused = explain(&server, &json!({})).await;
    assert_eq!(refused.refusal(), (429, "throttled".into(), Value::Null));
    assert_eq!((refused.header("retry-after"), &refused.json()["type"]), ("60", &json!("throttled_error")));
}
