//! Bodies that are forms.

use axum::http::{Method, Request};
use serde_json::{Value, json};

use super::harness::{Answer, TestServer};

async fn send(server: &TestServer, method: Method, path: &str, kind: &str, form: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header("content-type", kind);
    let request = request.header("authorization", format!("Bearer {}", server.key()));
    server.call(request.body(form.to_owned().into()).unwrap()).await
}

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

#[tokio::test]
async fn a_form_does_what_json_does() {
    let server = TestServer::start().await;
    let one = "/api/organizations/@current/";
    let form =
        "name=Acme+%26+S%C3%B6hne&members_can_invite=no&enforce_2fa=&default_anonymize_ips=on&unknown=1";
    let changed = send(&server, Method::PATCH, one, FORM, form).await;
    assert_eq!(changed.status, 200, "{:?}", changed.body);
    let changed = changed.json();
    assert_eq!(
        (&changed["name"], &changed["members_can_invite"], &changed["enforce_2fa"]),
        (&json!("Acme & Söhne"), &json!(false), &Value::Null)
    );
    assert_eq!(changed["default_anonymize_ips"], true);
    let project = send(&server, Method::PATCH, "/api/projects/1/", FORM, "retention_days=30").await.json();
    assert_eq!(project["retention_days"], 30);
    let key = "label=of+a+form&scopes=logs%3Aread&scopes=user:read";
    let key = send(&server, Method::POST, "/api/personal_api_keys/", FORM, key).await;
    assert_eq!((key.status.as_u16(), &key.json()["scopes"]), (201, &json!(["logs:read", "user:read"])));
}

#[tokio::test]
async fn what_is_wrong_with_a_form_is_named() {
    let server = TestServer::start().await;
    for (path, form, status, code, attr) in [
        ("/api/organizations/@current/", "name=", 400, "blank", json!("name")),
        (
            "/api/organizations/@current/",
            "members_can_invite=maybe",
            400,
            "invalid_input",
            json!("members_can_invite"),
        ),
        ("/api/projects/1/", "retention_days=0", 400, "min_value", json!("retention_days")),
        ("/api/projects/1/", "retention_days=many", 400, "invalid_input", json!("retention_days")),
    ] {
        let refused = send(&server, Method::PATCH, path, FORM, form).await;
        assert_eq!(refused.refusal(), (status, code.to_owned(), attr), "{form}");
    }
    let multipart = |form: &'static str| {
        send(&server, Method::PATCH, "/api/projects/1/", "multipart/form-data; boundary=x", form)
    };
    assert_eq!(multipart("").await.refusal(), (400, "parse_error".to_owned(), Value::Null));
    let days = "--x\r\nContent-Disposition: form-data; name=\"retention_days\"\r\n\r\nmany\r\n--x--\r\n";
    let refused = (400, "invalid_input".to_owned(), json!("retention_days"));
    assert_eq!(multipart(days).await.refusal(), refused);
}

#[tokio::test]
async fn a_form_of_parts_does_the_same() {
    let server = TestServer::start().await;
    let form = "--x\r\nContent-Disposition: form-data; name=\"retention_days\"\r\n\r\n30\r\n\
                --x\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nSöhne\r\n--x--\r\n";
    let kind = "multipart/form-data; boundary=x";
    let project = send(&server, Method::PATCH, "/api/projects/1/", kind, form).await.json();
    assert_eq!((&project["retention_days"], &project["name"]), (&json!(30), &json!("Söhne")));
}

#[tokio::test]
async fn a_form_may_carry_the_key() {
    let server = TestServer::start().await;
    let form = format!("personal_api_key={}&name=By+form", server.key());
    let request = Request::patch("/api/projects/1/").header("content-type", FORM);
    let changed = server.call(request.body(form.into()).unwrap()).await;
    assert_eq!(changed.json()["name"], "By form");
}
