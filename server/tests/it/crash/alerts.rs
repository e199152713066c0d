//! What an alert has decided is told, whatever happens to the process.

use serde_json::{Value, json};

use super::process::{Folder, Running};
use crate::http::receiver::{Answers, Receiver};

const SETTINGS: [(&str, &str); 1] = [("TIMBERLINE_ALERTS__ALLOW_PRIVATE_TARGETS", "true")];

async fn call(server: &Running, folder: &Folder, method: reqwest::Method, path: &str, body: Value) -> Value {
    let url = format!("{}/api/projects/{}/logs/alerts/{path}", server.url, folder.project_id);
    let request = reqwest::Client::new().request(method, url).bearer_auth(&folder.personal_api_key);
    let answer = request.json(&body).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    answer.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_is_told_after_sigkill_and_not_made_again() {
    let folder = Folder::init();
    let (mut silent, mut good) =
        (Receiver::start(Answers::Never).await, Receiver::start(Answers::Always).await);
    let server = Running::start_with(&folder, &SETTINGS);
    // It fires on silence, at the first check.
    let alert = json!({
        "filters": { "serviceNames": ["gone"] }, "threshold_operator": "below", "threshold_count": 1,
    });
    let alert = call(&server, &folder, reqwest::Method::POST, "", alert).await;
    let id = alert["id"].as_str().unwrap();
    for receiver in [&silent, &good] {
        let destination = json!({ "type": "webhook", "webhook_url": receiver.url });
        call(&server, &folder, reqwest::Method::POST, &format!("{id}/destinations/"), destination).await;
    }
    server.kill();

    // What was due is checked at the start.
    let server = Running::start_with(&folder, &SETTINGS);
    let told = good.next().await.body;
    assert_eq!((&told["type"], &told["data"]["alert_id"]), (&json!("logs_alert.firing"), &alert["id"]));
    assert_eq!(silent.next().await.body["id"], told["id"]);
    // One receiver has not said that it has it.
    server.kill();

    let server = Running::start_with(&folder, &SETTINGS);
    assert_eq!(silent.next().await.body, told, "told again, with the same id");
    let events = call(&server, &folder, reqwest::Method::GET, &format!("{id}/events/"), json!({})).await;
    assert_eq!((&events["count"], &events["results"][0]["state_after"]), (&json!(1), &json!("firing")));
    server.terminate();
}
