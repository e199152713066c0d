//! Saved views.

use axum::http::{Method, Request, header};
use serde_json::{Value, json};

use super::harness::{Answer, TestServer};

const VIEWS: &str = "/api/projects/1/logs/views";

async fn call(server: &TestServer, method: Method, path: &str, body: Value) -> Answer {
    server.request(method, path, body.to_string()).await
}

async fn create(server: &TestServer, body: Value) -> Value {
    let answer = call(server, Method::POST, VIEWS, body).await;
    assert_eq!(answer.status, 201, "{}", answer.json());
    answer.json()
}

fn path_of(view: &Value) -> String {
    format!("{VIEWS}/{}", view["short_id"].as_str().unwrap())
}

#[tokio::test]
async fn a_view_has_the_members_of_the_contract() {
    let server = TestServer::start().await;
    let mut view = create(&server, json!({ "name": " Errors ", "short_id": "mine" })).await;
    let id = view["id"].take();
    assert!(uuid::Uuid::parse_str(id.as_str().unwrap()).is_ok(), "{id}");
    let short_id = view["short_id"].take();
    assert_eq!(short_id.as_str().unwrap().len(), 8, "a sent short id is ignored: {short_id}");
    let user = view["created_by"].take();
    assert_eq!(user["email"], "admin@localhost");
    let mut members: Vec<&String> = user.as_object().unwrap().keys().collect();
    members.sort_unstable();
    assert_eq!(
        members,
        [
            "distinct_id",
            "email",
            "first_name",
            "hedgehog_config",
            "id",
            "is_email_verified",
            "last_name",
            "role_at_organization",
            "uuid",
        ]
    );
    assert_eq!(
        view,
        json!({ "id": null, "short_id": null, "name": "Errors", "filters": {}, "columns": null, "pinned": false,
                "created_at": "2025-12-16T10:33:00Z", "created_by": null, "updated_at": "2025-12-16T10:33:00Z" })
    );
}

#[tokio::test]
async fn a_view_is_changed_in_parts_and_deleted() {
    let server = TestServer::start().await;
    let filters = json!({ "severityLevels": ["error"], "own": { "deep": [1, null, 1.5] } });
    let columns = json!([{ "id": "a", "type": "custom", "expression": "attributes.x", "width": 200 }]);
    let view = create(&server, json!({ "name": "a", "filters": filters, "columns": columns })).await;
    let path = path_of(&view);
    assert_eq!(server.request(Method::GET, &path, "").await.json(), view);

    let renamed = call(&server, Method::PATCH, &path, json!({ "name": "b", "pinned": true })).await.json();
    assert_eq!((&renamed["name"], &renamed["pinned"]), (&json!("b"), &json!(true)));
    assert_eq!((&renamed["filters"], &renamed["columns"]), (&filters, &columns), "what is absent stays");
    let cleared = call(&server, Method::PATCH, &path, json!({ "columns": null })).await.json();
    assert_eq!((&cleared["columns"], &cleared["pinned"]), (&Value::Null, &json!(true)));
    let replaced = call(&server, Method::PUT, &path, json!({ "name": "c", "filters": {} })).await.json();
    assert_eq!((&replaced["name"], &replaced["filters"]), (&json!("c"), &json!({})));
    let refused = call(&server, Method::PUT, &path, json!({ "filters": {} })).await;
    assert_eq!(refused.refusal(), (400, "required".into(), json!("name")));

    let deleted = server.request(Method::DELETE, &path, "").await;
    assert_eq!((deleted.status.as_u16(), deleted.body.len()), (204, 0));
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(server.request(method, &path, "").await.refusal(), (404, "not_found".into(), Value::Null));
    }
    let gone = call(&server, Method::PATCH, &path, json!({ "name": "d" })).await;
    assert_eq!(gone.refusal().0, 404);
}

#[tokio::test]
async fn what_a_view_may_not_be_is_named() {
    let server = TestServer::start().await;
    for (body, code, attr) in [
        (json!({}), "required", json!("name")),
        (json!({ "name": "" }), "blank", json!("name")),
        (json!({ "name": " \t" }), "blank", json!("name")),
        (json!({ "name": "a", "filters": "x" }), "not_a_dict", json!("filters")),
        (
            json!({ "name": "a", "columns": [{ "id": "a", "type": "custom", "expression": "" }] }),
            "blank",
            json!("columns__0__expression"),
        ),
        (json!([]), "invalid_input", Value::Null),
    ] {
        let answer = call(&server, Method::POST, VIEWS, body.clone()).await;
        assert_eq!(answer.refusal(), (400, code.into(), attr), "{body}");
        assert_eq!(answer.json()["type"], "validation_error");
    }
    let answer = server.request(Method::POST, VIEWS, "{").await;
    assert_eq!(answer.refusal(), (400, "parse_error".into(), Value::Null));
    assert_eq!(server.request(Method::GET, VIEWS, "").await.json()["count"], 0);
}

#[tokio::test]
async fn views_are_listed_newest_first_in_pages() {
    let server = TestServer::start().await;
    for name in ["a", "b", "c"] {
        create(&server, json!({ "name": name })).await;
    }
    let names = |page: &Value| -> Vec<String> {
        page["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|view| view["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let get = async |path: &str| {
        let request = Request::get(path).header(header::HOST, "logs.test:80");
        let request = request.header(header::AUTHORIZATION, format!("Bearer {}", server.key()));
        server.call(request.body(axum::body::Body::empty()).unwrap()).await.json()
    };
    let all = get(VIEWS).await;
    assert_eq!(
        (names(&all), &all["count"], &all["next"]),
        (vec!["c".into(), "b".into(), "a".into()], &json!(3), &Value::Null)
    );
    let first = get("/api/environments/@current/logs/views/?limit=2").await;
    assert_eq!((names(&first), &first["previous"]), (vec!["c".into(), "b".into()], &Value::Null));
    let next = first["next"].as_str().unwrap();
    let next_path = next.strip_prefix("http://logs.test:80").unwrap();
    let second = get(next_path).await;
    assert_eq!((names(&second), &second["next"]), (vec!["a".to_owned()], &Value::Null));
    let back = second["previous"].as_str().unwrap().strip_prefix("http://logs.test:80").unwrap().to_owned();
    assert_eq!(names(&get(&back).await), names(&first));
    for odd in ["limit=0", "limit=-1", "limit=x", "offset=-3", "limit=99999999999999999999"] {
        assert_eq!(names(&get(&format!("{VIEWS}?{odd}")).await).len(), 3, "{odd}");
    }
    assert_eq!(names(&get(&format!("{VIEWS}?offset=7")).await).len(), 0);
}

#[tokio::test]
async fn views_belong_to_a_project_and_need_scopes() {
    let server = TestServer::start().await;
    let view = create(&server, json!({ "name": "a" })).await;
    let made = call(&server, Method::POST, "/api/organizations/@current/projects", json!({})).await;
    assert_eq!(made.json()["id"], 2);
    let foreign = path_of(&view).replace("projects/1", "projects/2");
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(server.request(method, &foreign, "").await.refusal().0, 404);
    }
    assert_eq!(call(&server, Method::PATCH, &foreign, json!({ "name": "b" })).await.refusal().0, 404);
    assert_eq!(server.request(Method::GET, "/api/projects/2/logs/views", "").await.json()["count"], 0);

    let reader = server.limited_key(&["logs:read"], None, None).await;
    assert_eq!(server.request_as(&reader, Method::GET, &path_of(&view), "").await.status, 200);
    for (method, path) in
        [(Method::POST, VIEWS.to_owned()), (Method::PATCH, path_of(&view)), (Method::DELETE, path_of(&view))]
    {
        let refused = server.request_as(&reader, method, &path, "{}").await;
        assert_eq!(refused.refusal().0, 403);
        assert!(refused.json()["detail"].as_str().unwrap().contains("logs:write"));
    }
    assert_eq!(server.request_as("phx_unknown", Method::GET, VIEWS, "").await.refusal().0, 401);
}
