//! Integrations: secrets go in and never come out.

use axum::http::Method;
use serde_json::{Value, json};
use server::accounts::integrations::{Connection, open};
use server::meta::Level;
use server::secret::Secret;
use server::secret_key::SecretKey;

use super::harness::{Answer, TestServer};
use super::people::person;

const ALL: &str = "/api/projects/1/integrations/";
const TOKEN: &str = "xoxb-1234567890-never-shown";
const HOOK: &str = "https://hooks.example.org/services/never-shown-either";
const SIGNING: &str = "signed-with-this-never-shown";

async fn send(server: &TestServer, method: Method, path: &str, body: Value) -> Answer {
    server.request(method, path, body.to_string()).await
}

fn slack() -> Value {
    json!({ "kind": "slack", "name": "Acme", "config": { "access_token": TOKEN } })
}

fn webhook() -> Value {
    json!({ "kind": "webhook", "name": "Pager", "config": { "url": HOOK, "signing_secret": SIGNING } })
}

#[tokio::test]
async fn secrets_are_in_no_answer_and_not_in_the_database_in_clear() {
    let server = TestServer::start().await;
    let mut answers = Vec::new();
    for new in [slack(), webhook()] {
        let made = send(&server, Method::POST, ALL, new).await;
        assert_eq!(made.status, 201, "{}", made.json());
        let one = format!("{ALL}{}/", made.json()["id"]);
        answers.push(made);
        answers.push(send(&server, Method::GET, &one, json!({})).await);
        answers.push(send(&server, Method::PATCH, &one, json!({ "name": "Other" })).await);
    }
    assert_eq!(answers[0].json()["config"], json!({}));
    assert_eq!(
        answers[3].json()["config"],
        json!({ "origin": "https://hooks.example.org", "is_signed": true })
    );
    assert_eq!(answers[5].json()["name"], "Other");
    let list = send(&server, Method::GET, ALL, json!({})).await;
    assert_eq!(list.json()["count"], 2);
    answers.push(list);
    let no_secret = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        for secret in [TOKEN, "never-shown-either", SIGNING] {
            assert!(!text.contains(secret), "{secret}");
        }
    };
    answers.iter().for_each(|answer| no_secret(&answer.body));

    // What was stored opens with the key of the folder, and with no other.
    let project = server.state.meta().integrations(engine::schema::ProjectId(1)).await.unwrap();
    let key = SecretKey::open(None, &server.data_dir()).unwrap();
    let stored = Connection::Slack { access_token: Secret::new(TOKEN.to_owned()) };
    assert_eq!(open(&key, &project[0]).unwrap(), stored);
    assert!(open(&SecretKey::parse(&"0".repeat(64)).unwrap(), &project[0]).is_err());

    // Every file of the folder: the database, its write-ahead log, and whatever else there is.
    let mut folders = vec![server.data_dir()];
    let mut read = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                no_secret(&std::fs::read(&path).unwrap());
                read += 1;
            }
        }
    }
    assert!(read > 2, "{read}");
}

#[tokio::test]
async fn administrators_change_integrations_and_members_see_them() {
    let server = TestServer::start().await;
    let ann = person(&server, "ann", Level::MEMBER).await;
    let id = send(&server, Method::POST, ALL, slack()).await.json()["id"].clone();
    let one = format!("{ALL}{id}");
    assert_eq!(server.request_as(&ann.key, Method::GET, &one, "").await.status, 200);
    for (method, path) in [(Method::POST, ALL), (Method::PATCH, one.as_str()), (Method::DELETE, one.as_str())]
    {
        let refused = server.request_as(&ann.key, method, path, slack().to_string()).await;
        assert_eq!(refused.refusal(), (403, "permission_denied".to_owned(), Value::Null));
    }
    assert_eq!(send(&server, Method::DELETE, &one, json!({})).await.status, 204);
    for path in [one.as_str(), "/api/projects/1/integrations/x"] {
        let gone = send(&server, Method::GET, path, json!({})).await;
        assert_eq!(gone.refusal(), (404, "not_found".to_owned(), Value::Null));
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_integration_is_named_without_its_secrets() {
    let server = TestServer::start().await;
    let with_url = |url: &str| json!({ "kind": "webhook", "name": "n", "config": { "url": url } });
    for (body, code, attr) in [
        (json!({}), "required", "kind"),
        (json!({ "kind": "mail" }), "invalid_choice", "kind"),
        (json!({ "kind": "slack" }), "required", "name"),
        (json!({ "kind": "slack", "name": "n" }), "required", "config"),
        (json!({ "kind": "slack", "name": "n", "config": [] }), "not_a_dict", "config"),
        (json!({ "kind": "slack", "name": "n", "config": {} }), "required", "config__access_token"),
        (with_url("no address"), "invalid_input", "config__url"),
        (with_url("ftp://example.org"), "invalid_input", "config__url"),
        (with_url("https://u:p4ss@example.org"), "invalid_input", "config__url"),
    ] {
        let refused = send(&server, Method::POST, ALL, body.clone()).await;
        assert_eq!(refused.refusal(), (400, code.to_owned(), json!(attr)), "{body}");
        assert!(!String::from_utf8_lossy(&refused.body).contains("p4ss"));
    }
}
