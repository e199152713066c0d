//! Who may ask what: 401, 403 and 404, in the contract's order.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use super::harness::TestServer;

const COUNT: &str = "/api/projects/1/logs/count";

async fn refusal_of(server: &TestServer, key: &str, path: &str) -> (u16, String) {
    let answer = server.request_as(key, Method::POST, path, "{}").await;
    let (status, code, attr) = answer.refusal();
    assert_eq!(attr, Value::Null);
    (status, code)
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn a_call_without_a_key_is_not_authenticated() {
    let server = TestServer::start().await;
    for (method, path) in [
        (Method::POST, "/api/projects/1/logs/query"),
        (Method::POST, COUNT),
        (Method::POST, "/api/projects/1/logs/sparkline"),
        (Method::POST, "/api/projects/1/logs/count-ranges"),
        (Method::POST, "/api/projects/1/logs/services"),
        (Method::POST, "/api/projects/1/logs/group-by"),
        (Method::POST, "/api/projects/1/logs/impact"),
        (Method::GET, "/api/projects/1/logs/has_logs"),
        (Method::GET, "/api/projects/1/logs/attributes"),
        (Method::GET, "/api/projects/1/logs/values"),
        (Method::POST, "/api/projects/1/logs/facet_values"),
        (Method::GET, "/api/projects/@current/logs/has_logs"),
        (Method::GET, "/api/projects/99/logs/has_logs"),
    ] {
        let request = Request::builder().method(method).uri(path).body(Body::from("{}")).unwrap();
        let answer = server.call(request).await;
        assert_eq!(answer.refusal(), (401, "not_authenticated".into(), Value::Null), "{path}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
}

#[tokio::test]
async fn a_bad_key_is_refused_with_the_place_it_was_found_in() {
    let server = TestServer::start().await;
    let in_header = server.request_as("phx_wrong", Method::POST, COUNT, "{}").await;
    let in_body =
        Request::post(COUNT).body(Body::from(json!({ "personal_api_key": "phx_wrong" }).to_string()));
    let in_body = server.call(in_body.unwrap()).await;
    let in_query = Request::post(format!("{COUNT}?personal_api_key=phx_wrong")).body(Body::from("{}"));
    let in_query = server.call(in_query.unwrap()).await;
    for (answer, place) in
        [(in_header, "Authorization header"), (in_body, "request body"), (in_query, "query string")]
    {
        assert_eq!(answer.refusal(), (401, "authentication_failed".into(), Value::Null));
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert!(answer.json()["detail"].as_str().unwrap().contains(place), "{}", answer.json());
    }
}

#[tokio::test]
async fn a_key_is_accepted_in_every_place() {
    let server = TestServer::start().await;
    let key = server.key();
    let in_body =
        Request::post(COUNT).body(Body::from(json!({ "personal_api_key": key }).to_string())).unwrap();
    let in_query = Request::post(format!("{COUNT}?personal_api_key={key}")).body(Body::from("{}")).unwrap();
    for answer in [
        server.request(Method::POST, COUNT, "{}").await,
        server.call(in_body).await,
        server.call(in_query).await,
    ] {
        assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({ "count": 0 })));
    }
}

#[tokio::test]
async fn the_first_place_wins_even_with_a_bad_key() {
    let server = TestServer::start().await;
    let body = json!({ "personal_api_key": server.key() }).to_string();
    let answer = server.request_as("phx_wrong", Method::POST, COUNT, body).await;
    assert_eq!(answer.refusal().0, 401);
}

#[tokio::test]
async fn an_ingest_token_does_not_ask() {
    let server = TestServer::start().await;
    assert_eq!(refusal_of(&server, server.token(), COUNT).await, refused(401, "authentication_failed"));
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let server = TestServer::start().await;
    let key = server.limited_key(&["alert:write", "logs_other:read"], None, None).await;
    assert_eq!(refusal_of(&server, &key, COUNT).await, refused(403, "permission_denied"));
    let answer = server.request_as(&key, Method::POST, COUNT, "{}").await;
    assert!(answer.json()["detail"].as_str().unwrap().contains("'logs:read'"), "{}", answer.json());
}

#[tokio::test]
async fn reading_is_implied_by_writing() {
    let server = TestServer::start().await;
    for scope in ["logs:read", "logs:write", "*"] {
        let key = server.limited_key(&[scope], None, None).await;
        assert_eq!(server.request_as(&key, Method::POST, COUNT, "{}").await.status, 200, "{scope}");
    }
}

#[tokio::test]
async fn a_restricted_key_works_only_where_it_is_allowed() {
    let server = TestServer::start().await;
    let own = server.credentials.organization_id.to_string();
    let other = "0190f6a0-0000-7000-8000-000000000000".to_owned();
    for (projects, organizations, status) in [
        (Some(&[1_i64, 5][..]), None, 200),
        (Some(&[5][..]), None, 403),
        (Some(&[][..]), None, 403),
        (None, Some(vec![own.clone()]), 200),
        (None, Some(vec![other]), 403),
        (Some(&[1][..]), Some(vec![own]), 200),
    ] {
        let key = server.limited_key(&["*"], projects, organizations.as_deref()).await;
        let answer = server.request_as(&key, Method::POST, COUNT, "{}").await;
        assert_eq!(answer.status, status, "{projects:?} {organizations:?}");
    }
}

#[tokio::test]
async fn an_unknown_project_is_404_and_a_foreign_one_403() {
    let server = TestServer::start().await;
    server
        .change_metadata(
            "INSERT INTO organizations
               (id, slug, name, members_can_use_personal_api_keys, allow_publicly_shared_resources,
                default_anonymize_ips, is_active, is_pending_deletion, created_at, updated_at)
             VALUES ('0190f6a0-0000-7000-8000-000000000001', 'other', 'Other', 1, 1, 0, 1, 0, 1, 1);
             INSERT INTO projects
               (id, uuid, organization_id, name, timezone, receive_org_level_activity_logs, created_at, updated_at)
             VALUES (7, '0190f6a0-0000-7000-8000-000000000002', '0190f6a0-0000-7000-8000-000000000001', 'Other',
                     'UTC', 0, 1, 1);",
        )
        .await;
    for id in ["99", "abc", "-1", "+1", "1.0", "99999999999999999999", "@me", "%00"] {
        let path = format!("/api/projects/{id}/logs/count");
        assert_eq!(refusal_of(&server, server.key(), &path).await, refused(404, "not_found"), "{id}");
    }
    let foreign = refusal_of(&server, server.key(), "/api/projects/7/logs/count").await;
    assert_eq!(foreign, refused(403, "permission_denied"));
}

#[tokio::test]
async fn current_is_404_for_a_user_without_a_current_project() {
    let server = TestServer::start().await;
    server.change_metadata("UPDATE users SET current_project_id = NULL").await;
    let answer = refusal_of(&server, server.key(), "/api/projects/@current/logs/count").await;
    assert_eq!(answer, refused(404, "not_found"));
}

#[tokio::test]
async fn a_key_of_an_inactive_user_is_not_valid() {
    let server = TestServer::start().await;
    server.change_metadata("UPDATE users SET is_active = 0").await;
    assert_eq!(refusal_of(&server, server.key(), COUNT).await, refused(401, "authentication_failed"));
}

#[tokio::test]
async fn checks_come_in_the_contracts_order() {
    let server = TestServer::start().await;
    let scopeless = server.limited_key(&["alert:read"], None, None).await;
    let restricted = server.limited_key(&["*"], Some(&[5]), None).await;
    let unknown_project = "/api/projects/99/logs/count";
    let check = async |key: &str, path: &str, body: &'static str, status: u16| {
        assert_eq!(server.request_as(key, Method::POST, path, body).await.status, status, "{path} {body}");
    };
    check("phx_wrong", unknown_project, "not json", 401).await;
    check(&scopeless, unknown_project, "not json", 403).await;
    check(&restricted, unknown_project, "not json", 403).await;
    check(server.key(), unknown_project, "not json", 404).await;
    check(server.key(), COUNT, "not json", 400).await;
}
