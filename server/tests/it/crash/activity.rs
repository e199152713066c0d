//! A change and its entry: whenever the process is killed, both are there or neither is.

use serde_json::{Value, json};

use super::process::{Folder, Running};

const NUM_ROUNDS: usize = 3;
/// Changes of a round that are answered before the kill: at least, and how many more at random.
const MIN_ANSWERED: u32 = 2;
const MORE_ANSWERED: u32 = 30;

struct Client {
    url: String,
    key: String,
}

impl Client {
    fn of(server: &Running, folder: &Folder) -> Self {
        let url = format!("{}/api/projects/{}/", server.url, folder.project_id);
        Self { url, key: folder.personal_api_key.clone() }
    }

    /// The answer, unless the process is gone.
    async fn call(&self, method: reqwest::Method, path: &str, body: Value) -> Option<Value> {
        let request = reqwest::Client::new().request(method, format!("{}{path}", self.url));
        let answer = request.bearer_auth(&self.key).json(&body).send().await.ok()?;
        assert!(answer.status().is_success(), "{answer:?}");
        answer.json().await.ok()
    }

    async fn name(&self) -> String {
        let project = self.call(reqwest::Method::GET, "", json!({})).await.unwrap();
        project["name"].as_str().unwrap().to_owned()
    }

    /// What the name was and what it became, change by change.
    async fn history(&self) -> Vec<(String, String)> {
        let path = "advanced_activity_logs/?ordering=created_at&page_size=1000&activities=updated";
        let list = self.call(reqwest::Method::GET, path, json!({})).await.unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let entries = list["results"].as_array().unwrap().iter();
        let changes = entries.map(|entry| {
            let change = &entry["detail"]["changes"][0];
            (text(&change["before"]), text(&change["after"]))
        });
        changes.collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_and_its_entry_survive_sigkill_together() {
    let folder = Folder::init();
    let mut server = Running::start(&folder);
    let first_name = Client::of(&server, &folder).name().await;
    let mut answered: Vec<String> = Vec::new();
    for round in 0..NUM_ROUNDS {
        let client = Client::of(&server, &folder);
        let (told, mut tellings) = tokio::sync::mpsc::unbounded_channel();
        let writing = tokio::spawn(async move {
            for number in 0.. {
                let name = format!("name {round}-{number}");
                if client.call(reqwest::Method::PATCH, "", json!({ "name": name })).await.is_none() {
                    return;
                }
                if told.send(name).is_err() {
                    return;
                }
            }
        });
        let num_answered = MIN_ANSWERED + getrandom::u32().expect("random bytes") % MORE_ANSWERED;
        for _ in 0..num_answered {
            answered.push(tellings.recv().await.expect("changes go on"));
        }
        server.kill();
        writing.await.unwrap();
        while let Ok(name) = tellings.try_recv() {
            answered.push(name);
        }

        server = Running::start(&folder);
        let client = Client::of(&server, &folder);
        let history = client.history().await;
        // Every change has its entry and every entry its change: each begins where the one before has ended, and the last
        // one ends with the name that there is.
        let mut name = first_name.clone();
        for (before, after) in &history {
            assert_eq!(*before, name, "{history:#?}");
            name.clone_from(after);
        }
        assert_eq!(client.name().await, name);
        for name in &answered {
            assert_eq!(history.iter().filter(|(_, after)| after == name).count(), 1, "{name}");
        }
    }
    server.terminate();
}
