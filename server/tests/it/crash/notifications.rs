//! What was noted is sent, whatever happens to the process.

use serde_json::{Value, json};

use super::process::{Folder, Running};
use crate::http::receiver::{Answers, Receiver};

const SETTINGS: [(&str, &str); 1] = [("TIMBERLINE_ALERTS__ALLOW_PRIVATE_TARGETS", "true")];

async fn call(server: &Running, folder: &Folder, method: reqwest::Method, path: &str, body: Value) -> Value {
    let url = format!("{}/api/projects/{}/{path}", server.url, folder.project_id);
    let request = reqwest::Client::new().request(method, url).bearer_auth(&folder.personal_api_key);
    let answer = request.json(&body).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    answer.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notification_under_way_is_sent_again_after_sigkill_with_the_same_id() {
    let folder = Folder::init();
    let (mut silent, mut good) =
        (Receiver::start(Answers::Never).await, Receiver::start(Answers::Always).await);
    let server = Running::start_with(&folder, &SETTINGS);
    let mut made = Vec::new();
    for url in [&silent.url, &good.url] {
        let destination = json!({ "type": "webhook", "webhook_url": url });
        let body = json!({ "name": "n", "scopes": ["Thing"], "destination": destination });
        made.push(call(&server, &folder, reqwest::Method::POST, "activity_log/subscriptions/", body).await);
    }
    let entry = json!({ "scope": "Thing", "activity": "created" });
    let id = call(&server, &folder, reqwest::Method::POST, "activity_log/", entry).await["id"].clone();
    assert_eq!(good.next().await.body["id"], id);
    assert_eq!(silent.next().await.body["id"], id);
    // It has the notification and has not said so.
    server.kill();

    let server = Running::start_with(&folder, &SETTINGS);
    assert_eq!(silent.next().await.body["id"], id, "sent again");
    let shown = format!("activity_log/subscriptions/{}/", made[1]["id"].as_str().unwrap());
    let shown = call(&server, &folder, reqwest::Method::GET, &shown, json!({})).await;
    assert_eq!(shown["destination"]["consecutive_failures"], 0);
    server.terminate();
}
