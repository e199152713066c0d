//! What was approved is done once, whenever the process is killed.

use serde_json::{Value, json};

use super::process::{Folder, Running};
use crate::waiting::until;

/// Requests of a round that are approved while the server is killed.
const NUM_REQUESTS: usize = 12;
const NUM_ROUNDS: usize = 3;

struct Client<'f> {
    folder: &'f Folder,
    url: String,
}

impl Client<'_> {
    async fn call(&self, method: reqwest::Method, path: &str, body: Value) -> Option<(u16, Value)> {
        let url = format!("{}/api/projects/{}/{path}", self.url, self.folder.project_id);
        let request = reqwest::Client::new().request(method, url).bearer_auth(&self.folder.personal_api_key);
        let answer = request.json(&body).send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.json().await.ok()?))
    }

    async fn get(&self, path: &str) -> Value {
        self.call(reqwest::Method::GET, path, json!({})).await.unwrap().1
    }

    /// The names of all alerts, each as often as there is one.
    async fn alerts(&self) -> Vec<String> {
        let alerts = self.get("logs/alerts/?limit=1000").await;
        let names = alerts["results"].as_array().unwrap().iter();
        names.map(|alert| alert["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until no request is between its quorum and its end.
    async fn settled(&self) -> Vec<Value> {
        until("every request has an end", async || {
            let mut listed = self.get("change_requests/?limit=1000").await;
            let Value::Array(requests) = listed["results"].take() else { panic!("{listed}") };
            requests.iter().all(|request| request["state"] != "approved").then_some(requests)
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approved_change_is_applied_exactly_once_whenever_the_server_is_killed() {
    let folder = Folder::init();
    let mut server = Running::start(&folder);
    let client = Client { folder: &folder, url: server.url.clone() };
    let policy = json!({
        "action_key": "logs_alert.create", "allow_self_approve": true,
        "approver_config": { "quorum": 1, "users": [1] },
    });
    assert_eq!(client.call(reqwest::Method::POST, "approval_policies/", policy).await.unwrap().0, 201);
    for round in 0..NUM_ROUNDS {
        let client = Client { folder: &folder, url: server.url.clone() };
        let mut ids = Vec::new();
        for index in 0..NUM_REQUESTS {
            let alert = json!({ "name": format!("{round}-{index}"), "filters": { "serviceNames": ["a"] } });
            let (status, gated) = client.call(reqwest::Method::POST, "logs/alerts/", alert).await.unwrap();
            assert_eq!(status, 409, "{gated}");
            ids.push(gated["change_request_id"].as_str().unwrap().to_owned());
        }
        // Some votes are answered, and then the process is gone in the middle of the others.
        let num_answered = getrandom::u32().expect("random bytes") as usize % NUM_REQUESTS;
        let approve = async |id: &str| {
            client.call(reqwest::Method::POST, &format!("change_requests/{id}/approve/"), json!({})).await
        };
        for id in &ids[..num_answered] {
            assert_eq!(approve(id).await.unwrap().1["status"], "applied");
        }
        let rest: Vec<_> = ids[num_answered..].iter().map(|id| approve(id)).collect();
        let (_, killed) =
            tokio::join!(futures::future::join_all(rest), tokio::task::spawn_blocking(move || server.kill()));
        killed.unwrap();
        server = Running::start(&folder);
        let client = Client { folder: &folder, url: server.url.clone() };
        let requests = client.settled().await;
        let alerts = client.alerts().await;
        for request in &requests {
            let name = request["intent"]["resource_name"].as_str().unwrap();
            let num_made = alerts.iter().filter(|alert| *alert == name).count();
            let is_applied = request["state"] == "applied";
            assert_eq!(num_made, usize::from(is_applied), "{request}");
            assert!(is_applied || request["state"] == "pending", "{request}");
            if !is_applied {
                let id = request["id"].as_str().unwrap();
                let path = format!("change_requests/{id}/approve/");
                let again = client.call(reqwest::Method::POST, &path, json!({})).await.unwrap();
                assert_eq!(again.1["status"], "applied", "{}", again.1);
            }
        }
        assert_eq!(client.alerts().await.len(), (round + 1) * NUM_REQUESTS);
    }
    server.terminate();
}
