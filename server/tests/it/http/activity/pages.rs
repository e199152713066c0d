//! Both ways through a list.

use serde_json::{Value, json};

use super::super::harness::TestServer;
use super::{LIST, address, get, items, write};
use axum::http::Method;

/// Entries of which many have the same time.
async fn crowded() -> TestServer {
    let server = TestServer::start().await;
    let entries: Vec<Value> =
        (0..25).map(|index| json!({ "created_at": format!("2025-12-16T10:00:0{}Z", index / 9) })).collect();
    write(&server, &entries).await;
    server
}

async fn follow(server: &TestServer, link: &Value) -> Value {
    let answer = server.request(Method::GET, link.as_str().unwrap(), "").await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()
}

fn ids(page: &Value) -> Vec<String> {
    page["results"].as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_walk_by_cursors_meets_every_entry_once_either_way() {
    let server = crowded().await;
    for (ordering, is_rising) in [("-created_at", false), ("created_at", true)] {
        let parameters = [("scopes", "Thing"), ("page_size", "4"), ("ordering", ordering)];
        let first = get(&server, LIST, &parameters).await.json();
        assert!(first.get("count").is_none());
        assert_eq!(first["previous"], Value::Null);
        let (mut walked, mut page) = (ids(&first), first.clone());
        let mut pages = vec![ids(&first)];
        while !page["next"].is_null() {
            page = follow(&server, &page["next"]).await;
            walked.extend(ids(&page));
            pages.push(ids(&page));
        }
        let keys = |page: &Value| -> Vec<(String, String)> {
            let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
            let entries = page["results"].as_array().unwrap().iter();
            entries.map(|entry| (text(entry, "created_at"), text(entry, "id"))).collect()
        };
        let all = get(&server, LIST, &[("scopes", "Thing"), ("ordering", ordering)]).await.json();
        assert_eq!((walked.len(), &walked), (25, &ids(&all)));
        let mut keys = keys(&all);
        if !is_rising {
            keys.reverse();
        }
        assert!(keys.is_sorted());
        for expected in pages.iter().rev().skip(1) {
            page = follow(&server, &page["previous"]).await;
            assert_eq!(&ids(&page), expected);
        }
        assert_eq!(page["previous"], Value::Null);
        assert!(page["next"].is_string());
    }
}

#[tokio::test]
async fn numbered_pages_have_a_count_and_links() {
    let server = crowded().await;
    let parameters = [("scopes", "Thing"), ("page_size", "10"), ("page", "2"), ("search_text", "")];
    let page = get(&server, LIST, &parameters).await.json();
    assert_eq!((&page["count"], page["results"].as_array().unwrap().len()), (&json!(25), 10));
    let last = follow(&server, &page["next"]).await;
    assert_eq!((&last["next"], last["results"].as_array().unwrap().len()), (&Value::Null, 5));
    let first = follow(&server, &page["previous"]).await;
    assert_eq!(first["previous"], Value::Null);
    assert_eq!(first["count"], 25, "the link to the first page keeps the mode");
    let mut together = ids(&first);
    together.extend(ids(&page));
    together.extend(ids(&last));
    let all = get(&server, LIST, &[("scopes", "Thing")]).await.json();
    assert_eq!(together, ids(&all));
    let empty = get(&server, LIST, &[("scopes", "Nothing"), ("page", "1")]).await.json();
    assert_eq!(empty, json!({ "count": 0, "next": null, "previous": null, "results": [] }));
}

#[tokio::test]
async fn parts_that_there_are_not_are_refused() {
    let server = crowded().await;
    for (name, value, expected) in [
        ("page", "4", (404, "not_found")),
        ("page", "99999999999999999", (404, "not_found")),
        ("page", "0", (400, "min_value")),
        ("page", "x", (400, "invalid_input")),
        ("page_size", "0", (400, "min_value")),
        ("page_size", "1001", (400, "max_value")),
        ("cursor", "nothing", (404, "not_found")),
        ("ordering", "id", (400, "invalid_choice")),
    ] {
        let answer = get(&server, LIST, &[("scopes", "Thing"), ("page_size", "10"), (name, value)]).await;
        let (status, code, _) = answer.refusal();
        assert_eq!((status, code.as_str()), expected, "{name}={value}");
    }
}

#[tokio::test]
async fn the_basic_list_takes_what_it_is_given() {
    let server = crowded().await;
    let basic = "/api/projects/1/activity_log/";
    for parameters in [
        &[("page_size", "0"), ("scope", "Thing")][..],
        &[("page_size", "5000"), ("scopes", "Thing,Nothing")],
        &[("ordering", "id"), ("scope", "Thing"), ("scopes", "Other,Thing")],
        &[("user", "1"), ("scope", "Thing")],
    ] {
        let page = get(&server, basic, parameters).await.json();
        assert_eq!(page["results"].as_array().unwrap().len(), 25, "{parameters:?}");
    }
    for parameters in [
        &[("scope", "Thing"), ("scopes", "Other")][..],
        &[("scope", "Unknown")],
        &[("user", "x"), ("scope", "Thing")],
        &[("scopes", "Nothing"), ("scopes", "Other")],
    ] {
        let page = get(&server, basic, parameters).await.json();
        assert_eq!(page["results"], json!([]), "{parameters:?}");
    }
    let one = get(&server, basic, &[("scope", "Thing"), ("item_id", "7")]).await.json();
    assert_eq!(items(one["results"].as_array().unwrap()), ["7"]);
    let wrong = server.request(Method::POST, &address(LIST, &[]), "{}").await;
    assert_eq!(wrong.refusal(), (405, "method_not_allowed".to_owned(), Value::Null));
    let by_id = get(&server, &format!("{LIST}{}", one["results"][0]["id"].as_str().unwrap()), &[]).await;
    assert_eq!(by_id.status, 404);
}
