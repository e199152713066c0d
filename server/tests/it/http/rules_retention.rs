//! Retention rules: stored ones hold for rows that are there, in their order, as soon as they are answered.

use axum::http::Method;
use serde_json::{Value, json};

use super::harness::{TestServer, record};

const RULES: &str = "/api/projects/1/logs/retention_rules";
const DAY_SECS: i64 = 86_400;

fn rule(name: &str, days: Value, service: &str) -> Value {
    let leaf = json!({ "key": "service_name", "type": "log", "operator": "exact", "value": service });
    json!({ "name": name, "enabled": true, "config": { "retention_days": days, "filter_group": [leaf] } })
}

async fn create(server: &TestServer, rule: Value) -> Value {
    let answer = server.request(Method::POST, RULES, rule.to_string()).await;
    assert_eq!(answer.status, 201, "{}", answer.json());
    answer.json()
}

fn path(rule: &Value) -> String {
    format!("{RULES}/{}", rule["id"].as_str().unwrap())
}

async fn count(server: &TestServer) -> u64 {
    let answer = server.ask("count", json!({ "dateRange": { "date_from": "all" } })).await;
    answer.json()["count"].as_u64().unwrap()
}

#[tokio::test]
async fn rules_hold_for_rows_that_are_there() {
    let server = TestServer::start().await;
    for service in ["api", "web"] {
        server
            .store(
                service,
                &[
                    record(60, "INFO", "new"),
                    record(5 * DAY_SECS, "INFO", "old"),
                    record(50 * DAY_SECS, "INFO", "older"),
                ],
            )
            .await;
    }
    server.state.engine().flush().await.unwrap();
    let short = create(&server, rule("short", json!(2), "api")).await;
    assert_eq!(count(&server).await, 4);
    let long = create(&server, rule("long", json!(10), "api")).await;
    assert_eq!(count(&server).await, 4, "the first one decides");
    let order = json!({ "ordered_ids": [long["id"], short["id"]] });
    assert_eq!(
        server.request(Method::POST, &format!("{RULES}/reorder"), order.to_string()).await.status,
        200
    );
    assert_eq!(count(&server).await, 5);
    // What no rule is for follows the project.
    let days = json!({ "retention_days": 20 }).to_string();
    assert_eq!(server.request(Method::PATCH, "/api/projects/1/", days).await.status, 200);
    assert_eq!(count(&server).await, 4);
    let change =
        json!({ "config": { "retention_days": 36_500, "filter_group": long["config"]["filter_group"] } });
    let changed = server.request(Method::PATCH, &path(&long), change.to_string()).await;
    assert_eq!((&changed.json()["version"], count(&server).await), (&json!(3), 5));
    assert_eq!(
        server.request(Method::PATCH, &path(&long), json!({ "enabled": false }).to_string()).await.status,
        200
    );
    assert_eq!(count(&server).await, 3);
    assert_eq!(server.request(Method::DELETE, &path(&short), "").await.status, 204);
    assert_eq!(count(&server).await, 4);
}

#[tokio::test]
async fn what_a_rule_cannot_say_is_refused_by_name() {
    let server = TestServer::start().await;
    for days in [json!(0), json!(36_501), json!(1.5), json!(null), json!("30")] {
        let answer = server.request(Method::POST, RULES, rule("r", days.clone(), "api").to_string()).await;
        assert_eq!(
            answer.refusal(),
            (400, "invalid_input".into(), json!("config__retention_days")),
            "{days}"
        );
    }
    let mut ruined = rule("r", json!(5), "api");
    ruined["config"]["filter_group"] = json!(null);
    let answer = server.request(Method::POST, RULES, ruined.to_string()).await;
    assert_eq!(answer.refusal().2, json!("config__filter_group"));
    ruined["config"]["filter_group"] =
        json!([{ "key": "message", "type": "log", "operator": "regex", "value": "(" }]);
    assert_eq!(server.request(Method::POST, RULES, ruined.to_string()).await.status, 400);
    // Together they may have what one filter may have.
    let many =
        json!([{ "key": "k", "type": "log_attribute", "operator": "icontains", "value": vec!["x"; 60] }]);
    ruined["config"]["filter_group"] = many;
    create(&server, ruined.clone()).await;
    let answer = server.request(Method::POST, RULES, ruined.to_string()).await;
    assert_eq!(answer.status, 400);
    assert!(answer.json()["detail"].as_str().unwrap().contains("100 texts"), "{}", answer.json());
    let reader = server.limited_key(&["logs:read"], None, None).await;
    assert_eq!(
        server.request_as(&reader, Method::POST, RULES, rule("r", json!(5), "api").to_string()).await.status,
        403
    );
}

#[tokio::test]
async fn a_name_is_suggested() {
    let server = TestServer::start().await;
    let suggest = async |body: Value| {
        server.request(Method::POST, &format!("{RULES}/suggest_name"), body.to_string()).await
    };
    let answer = suggest(rule("", json!(30), "api")).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()),
        (200, json!({ "name": "Keep service_name api for 30 days" }))
    );
    assert_eq!(suggest(json!({})).await.refusal(), (400, "required".into(), json!("config")));
}
