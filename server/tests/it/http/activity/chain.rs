//! The chain: delivered once, proved, signed, and shortened only from its beginning.

use std::fs;

use axum::http::Method;
use serde_json::{Value, json};

use super::super::harness::TestServer;
use super::{items, things, write};
use crate::waiting::until;

const CHECKPOINTS: &str = "/api/organizations/@current/activity_log/checkpoints/";
const VERIFY: &str = "/api/organizations/@current/activity_log/verify/";
const RETENTION: &str = "/api/organizations/@current/activity_log/retention/";

async fn verify(server: &TestServer) -> Value {
    let answer = server.request(Method::POST, VERIFY, "{}").await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()
}

#[tokio::test]
async fn what_the_engine_has_already_is_not_stored_again() {
    let server = TestServer::start().await;
    write(&server, &[json!({}), json!({})]).await;
    let stored = things(&server, &[]).await;
    assert_eq!(items(&stored), ["1", "0"]);
    // As after a stop between the engine's commit and that of the outbox, with one more entry in between.
    let again = |entry: &Value| {
        let text = json!({ "user_id": 1, "client": null, "ip_address": null, "scope": "Thing", "activity": "updated",
            "item_id": entry["item_id"], "detail": {}, "foreign_detail": "null" });
        let id = entry["id"].as_str().unwrap();
        let organization = server.credentials.organization_id;
        let second = entry["item_id"].as_str().unwrap();
        let created_us = 1_765_879_200_000_000_i64 + second.parse::<i64>().unwrap() * 1_000_000;
        format!(
            "INSERT INTO outbox (id, organization_id, project_id, entry, created_at)
                 VALUES ('{id}', '{organization}', 1, '{text}', {created_us});"
        )
    };
    let lost = json!({ "id": "ffffffff-0000-7000-8000-000000000000", "item_id": "7" });
    let statements = format!("{}{}{}", again(&stored[0]), again(&lost), again(&stored[1]));
    server.change_metadata(&statements).await;
    let server = server.restart_after(1).await;
    assert_eq!(items(&things(&server, &[]).await), ["7", "1", "0"]);
    let proof = verify(&server).await;
    assert_eq!((&proof["is_intact"], &proof["fault"]), (&json!(true), &Value::Null), "{proof}");
}

#[tokio::test]
async fn a_checkpoint_tells_whether_the_chain_is_what_it_was() {
    let server = TestServer::start().await;
    write(&server, &[json!({}), json!({})]).await;
    let signed = server.request(Method::POST, CHECKPOINTS, "{}").await;
    assert_eq!(signed.status, 201, "{}", signed.json());
    let signed = signed.json();
    let listed = server.request(Method::GET, CHECKPOINTS, "").await.json();
    assert_eq!((&listed["count"], &listed["results"][0]), (&json!(1), &signed));
    let proof = verify(&server).await;
    assert_eq!((&proof["is_intact"], &proof["num_checkpoints"]), (&json!(true), &json!(1)));
    assert_eq!((&proof["last_sequence"], &proof["hash"]), (&signed["sequence"], &signed["hash"]));

    // Somebody makes another chain of the same length and forgets the signed checkpoint.
    let hash = "0".repeat(64);
    server.change_metadata(&format!("UPDATE activity_checkpoints SET hash = '{hash}'")).await;
    let proof = verify(&server).await;
    assert_eq!(proof["is_intact"], false);
    assert!(proof["fault"]["reason"].as_str().unwrap().contains("signature"), "{proof}");
}

#[tokio::test]
async fn a_flipped_byte_is_found() {
    let server = TestServer::start().await;
    write(&server, &vec![json!({ "detail": { "name": "some text to damage" } }); 50]).await;
    let folder = server.data_dir().join("activity");
    // A stop makes a data file of what is in memory.
    let server = server.restart_after(1).await;
    let file = find(&folder);
    let mut bytes = fs::read(&file).unwrap();
    bytes[300] ^= 4;
    fs::write(&file, bytes).unwrap();
    let server = server.restart_after(2).await;
    let proof = verify(&server).await;
    let name = file.file_name().unwrap().to_str().unwrap();
    assert_eq!(proof["is_intact"], false);
    assert!(proof["fault"]["reason"].as_str().unwrap().contains(name), "{proof}");
    assert_eq!(proof["fault"]["sequence"], 1);
}

fn find(folder: &std::path::Path) -> std::path::PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "parquet") {
                return path;
            }
        }
    }
    panic!("no data file")
}

#[tokio::test]
async fn the_oldest_entries_expire_and_leave_a_checkpoint() {
    let server = TestServer::start().await;
    let set = |days: Value| json!({ "retention_days": days }).to_string();
    for (body, code) in
        [(set(json!(0)), "min_value"), (set(json!("x")), "invalid_input"), ("{}".to_owned(), "required")]
    {
        let answer = server.request(Method::PUT, RETENTION, body).await;
        assert_eq!(answer.refusal(), (400, code.to_owned(), json!("retention_days")));
    }
    assert_eq!(server.request(Method::GET, RETENTION, "").await.json(), json!({ "retention_days": null }));
    let answer = server.request(Method::PUT, RETENTION, set(json!(3))).await;
    assert_eq!(answer.json(), json!({ "retention_days": 3 }));
    write(&server, &[json!({ "item_id": "old", "created_at": null })]).await;
    // A day is as far as the removal believes a clock that stood still.
    let mut server = server;
    for day in 1..=4_i64 {
        server = server.restart_after(day * 86_400).await;
        write(&server, &[json!({ "item_id": format!("day {day}"), "created_at": null })]).await;
    }
    let server = server.restart_after(5 * 86_400).await;
    let proof = until("the old entry is removed", async || {
        let proof = verify(&server).await;
        (proof["first_sequence"].as_i64() > Some(1)).then_some(proof)
    })
    .await;
    assert_eq!(proof["is_intact"], true, "{proof}");
    let left = things(&server, &[("ordering", "created_at")]).await;
    assert!(!items(&left).contains(&"old") && items(&left).contains(&"day 4"), "{left:?}");
    let checkpoints = server.request(Method::GET, CHECKPOINTS, "").await.json();
    assert!(checkpoints["results"][0]["kept_from"].is_string(), "{checkpoints}");
    // Without the checkpoint it looks as if somebody had removed them.
    server.change_metadata("DELETE FROM activity_checkpoints").await;
    let proof = verify(&server).await;
    assert_eq!((&proof["is_intact"], &proof["fault"]["sequence"]), (&json!(false), &json!(1)), "{proof}");
}
