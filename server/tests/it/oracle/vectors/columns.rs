//! Custom columns of the query endpoint.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::super::sent::hex;
use super::{day, group, record_with, server_with, text};

/// A column's name in the answer: the beginning of the hash of what was asked for.
fn alias(column: &str) -> String {
    format!("col_{}", &hex(&Sha256::digest(column))[..12])
}

#[tokio::test]
async fn custom_columns_are_answered_under_their_hash() {
    let mut sent = record_with(&[("http.status", text("500"))]);
    sent.body = Some(text(r#"{"a":{"b":"deep"},"n":5}"#));
    let server = server_with(&[group("web", vec![sent])]).await;
    let columns =
        ["attributes.http.status", " resource_attributes.service.name ", "body.a.b", "body.n", "body.x"];
    let (status, answer) = server.ask("query", &day(json!({ "customColumns": columns }))).await;
    assert_eq!(status, 200, "{answer}");
    let aliases: Vec<String> = columns.iter().map(|column| alias(column.trim())).collect();
    assert_eq!(answer["columns"], json!(aliases));
    let values: Vec<_> = aliases.iter().map(|alias| answer["results"][0][alias].clone()).collect();
    assert_eq!(values, ["500", "web", "deep", "5", ""]);
}

#[tokio::test]
async fn expressions_are_columns_too() {
    let mut sent = record_with(&[("http.status", text("500"))]);
    sent.body = Some(text("Payment FAILED"));
    let server = server_with(&[group("web", vec![sent])]).await;
    let expressions = [
        ("lower(body)", json!("payment failed")),
        ("attributes['http.status']::int / 100", json!(5)),
        ("service_name || '-1'", json!("web-1")),
        ("attributes['missing']", json!(null)),
        ("CASE WHEN body ILIKE '%failed%' THEN true ELSE false END", json!(true)),
    ];
    let columns: Vec<&str> = expressions.iter().map(|(text, _)| *text).collect();
    let query = json!({ "customColumns": columns, "excludeAttributes": true });
    let (status, answer) = server.ask("query", &day(query)).await;
    assert_eq!(status, 200, "{answer}");
    for (text, expected) in expressions {
        assert_eq!(answer["results"][0][alias(text)], expected, "{text}: {answer}");
    }
    assert_eq!(answer["results"][0]["attributes"], json!({}), "they were not asked for");
}

#[tokio::test]
async fn too_many_or_senseless_custom_columns_are_400() {
    let server = server_with(&[]).await;
    let fifty_one: Vec<String> = (0..51).map(|index| format!("attributes.k{index}")).collect();
    for columns in [json!(fifty_one), json!(["body.a..b"]), json!(["count()"]), json!(["(select 1)"])] {
        let (status, answer) = server.ask("query", &day(json!({ "customColumns": columns }))).await;
        assert_eq!(status, 400, "{columns}: {answer}");
        assert!(answer["error"].is_string(), "{columns}: {answer}");
    }
}
