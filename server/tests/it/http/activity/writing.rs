//! Entries of other systems.

use axum::http::Method;
use serde_json::{Value, json};
use server::meta::Level;

use super::super::harness::TestServer;
use super::super::people::person;
use super::{INGEST, items, things};

#[tokio::test]
async fn one_entry_or_a_list_is_stored_as_it_was_sent() {
    let server = TestServer::start().await;
    let detail = json!({ "b": [1, { "x": null }], "a": "é, \"q\": 1" });
    let sent = json!({ "scope": "Thing", "activity": "exported for audit", "item_id": 7, "detail": detail,
        "client": "ci", "ip_address": "10.1.2.3", "created_at": "2020-02-03T04:05:06.000007Z" });
    let answer = server.request(Method::POST, INGEST, sent.to_string()).await;
    assert_eq!(answer.status, 201, "{}", answer.json());
    let entry = things(&server, &[]).await.remove(0);
    assert_eq!(entry["id"], answer.json()["id"]);
    for (name, expected) in [
        ("activity", json!("exported for audit")),
        ("item_id", json!("7")),
        ("detail", detail),
        ("client", json!("ci")),
        ("ip_address", json!("10.1.2.3")),
        ("created_at", json!("2020-02-03T04:05:06.000007Z")),
        ("is_system", json!(false)),
    ] {
        assert_eq!(entry[name], expected, "{name}");
    }
    assert_eq!(entry["user"]["id"], 1);
    let list = json!([{ "scope": "Thing", "activity": "created" }, { "scope": "Thing", "activity": "updated", "user": null }]);
    let answer = server.request(Method::POST, INGEST, list.to_string()).await.json();
    assert_eq!((&answer["count"], answer["ids"].as_array().unwrap().len()), (&json!(2), 2));
    let newest = things(&server, &[("is_system", "true")]).await.remove(0);
    assert_eq!(
        (&newest["user"], &newest["item_id"], &newest["detail"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn one_bad_entry_and_nothing_is_stored() {
    let server = TestServer::start().await;
    let good = json!({ "scope": "Thing", "activity": "created" });
    let long = "x".repeat(80);
    let cases = json!([
        [{ "activity": "created" }, "required", "scope"],
        [{ "scope": " ", "activity": "created" }, "blank", "scope"],
        [{ "scope": "Thing", "activity": long }, "max_length", "activity"],
        [{ "scope": "Thing", "activity": "a", "item_id": "x".repeat(73) }, "max_length", "item_id"],
        [{ "scope": "Thing", "activity": "a", "item_id": [] }, "invalid_input", "item_id"],
        [{ "scope": "Thing", "activity": "a", "detail": [] }, "not_a_dict", "detail"],
        [{ "scope": "Thing", "activity": "a", "detail": { "x": "y".repeat(300_000) } }, "max_length", "detail"],
        [{ "scope": "Thing", "activity": "a", "user": "x" }, "does_not_exist", "user"],
        [{ "scope": "Thing", "activity": "a", "user": 1 }, "invalid_input", "user"],
        [{ "scope": "Thing", "activity": "a", "created_at": "2999-01-01" }, "max_value", "created_at"],
        [{ "scope": "Thing", "activity": "a", "created_at": 5 }, "invalid_input", "created_at"],
        [{ "scope": "Thing", "activity": "a", "ip_address": "host" }, "invalid_input", "ip_address"],
        [{ "scope": "Thing", "activity": "a", "user": null, "was_impersonated": true }, "invalid_input", "was_impersonated"],
    ]);
    for case in cases.as_array().unwrap() {
        let (entry, code, attr) = (&case[0], case[1].as_str().unwrap(), case[2].as_str().unwrap());
        let alone = server.request(Method::POST, INGEST, entry.to_string()).await;
        assert_eq!(alone.refusal(), (400, code.to_owned(), json!(attr)), "{}", alone.json());
        let list = json!([good, entry, good, entry]).to_string();
        let among = server.request(Method::POST, INGEST, list).await;
        assert_eq!(among.refusal(), (400, code.to_owned(), json!(format!("1__{attr}"))));
        let errors = among.json()["extra"]["errors"].clone();
        let places: Vec<_> =
            errors.as_array().unwrap().iter().map(|error| error["index"].as_i64().unwrap()).collect();
        assert_eq!(places, [1, 3], "{errors}");
    }
    for body in [json!("x"), json!([1]), json!(vec![json!({}); 1_001])] {
        assert_eq!(server.request(Method::POST, INGEST, body.to_string()).await.refusal().0, 400);
    }
    assert_eq!(items(&things(&server, &[]).await), [""; 0]);
}

#[tokio::test]
async fn nobody_writes_in_anothers_name_who_does_not_manage_the_organization() {
    let server = TestServer::start().await;
    let member = person(&server, "member", Level::MEMBER).await;
    let admin = person(&server, "admin", Level::ADMIN).await;
    for (more, attr) in [
        (json!({ "user": admin.uuid }), "user"),
        (json!({ "user": null }), "user"),
        (json!({ "created_at": "2020-01-01" }), "created_at"),
    ] {
        let mut entry = json!({ "scope": "Thing", "activity": "created" });
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let refused = server.request_as(&member.key, Method::POST, INGEST, entry.to_string()).await;
        assert_eq!(refused.refusal(), (400, "permission_denied".to_owned(), json!(attr)));
        let taken = server.request_as(&admin.key, Method::POST, INGEST, entry.to_string()).await;
        assert_eq!(taken.status, 201, "{}", taken.json());
    }
    let own = json!({ "scope": "Thing", "activity": "created", "user": member.uuid }).to_string();
    assert_eq!(server.request_as(&member.key, Method::POST, INGEST, own.clone()).await.status, 201);
    let reader = server.limited_key(&["activity_log:read"], None, None).await;
    assert_eq!(server.request_as(&reader, Method::POST, INGEST, own).await.status, 403);
}
