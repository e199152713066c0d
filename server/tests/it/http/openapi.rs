//! The API's description: complete, and nothing that it names is open to those who may not see it.

use std::collections::BTreeMap;
use std::path::Path;

use axum::http::Method;
use engine::schema::ProjectId;
use engine::sql::{SqlAnswer, SqlCaller, SqlQuery};
use serde_json::{Map, Value, json};
use server::accounts::{organizations, roles};
use server::activity::entry::Actor;
use server::meta::Level;
use server::meta::organization::OrganizationSettings;
use server::meta::personal_api_key::KeyAttributes;

use super::harness::{Answer, NOW_US, TestServer, last_day};
use super::people::{Person, person_in};

const SCHEMA: &str = "/api/schema/";

/// Every endpoint of the document: method, path, description.
async fn endpoints(server: &TestServer) -> Vec<(Method, String, Value)> {
    let document = server.request(Method::GET, SCHEMA, "").await.json();
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            if let Ok(method) = method.to_uppercase().parse::<Method>()
                && method != "PARAMETERS"
            {
                found.push((method, path.clone(), operation.clone()));
            }
        }
    }
    assert!(found.len() > 90, "{}", found.len());
    found
}

#[tokio::test]
async fn the_document_is_whole() {
    let server = TestServer::start().await;
    let document = server.request(Method::GET, SCHEMA, "").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for (method, path, operation) in endpoints(&server).await {
        let place = format!("{method} {path}");
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert_eq!(names.insert(id.clone(), place.clone()), None, "{id} stands twice");
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{place}");
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with(['2', '3'])), "{place}");
        assert!(!path.ends_with('/') && operation["security"].is_array(), "{place}");
        let parts = path.matches('{').count();
        let parameters = document["paths"][&path]["parameters"].as_array().map_or(0, Vec::len);
        assert_eq!(parts, parameters, "{place}");
        for (status, answer) in answers {
            let answer = match answer["$ref"].as_str() {
                Some(reference) => document.pointer(&reference[1..]).unwrap_or_else(|| panic!("{reference}")),
                None => answer,
            };
            assert!(answer["description"].is_string(), "{place} {status}");
        }
    }
    let text = document.to_string();
    let named = text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap());
    for reference in named {
        assert!(document.pointer(reference).is_some(), "{reference} is not there");
    }
}

/// `Routes` is the only way to a route, and has a description for each.
#[test]
fn there_is_no_route_without_a_description() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let is_own = path.ends_with("openapi/routes.rs") || path.ends_with("ingest/grpc.rs");
            assert!(is_own || !text.contains(".route("), "{} has a route of its own", path.display());
            files += 1;
        }
    }
    assert!(files > 50, "{files}");
}

#[tokio::test]
async fn every_endpoint_of_the_document_is_there() {
    let server = TestServer::start().await;
    for (method, path, operation) in endpoints(&server).await {
        let answer = server.call(request("", &method, &fill(&path, &Map::new()))).await;
        assert_ne!(answer.status, 405, "{method} {path}");
        let status = answer.status.as_u16().to_string();
        assert!(operation["responses"].get(&status).is_some(), "{method} {path} answers {status}");
        if answer.status == 404 {
            assert_ne!(answer.json()["detail"], "there is nothing at this path", "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let server = TestServer::start().await;
    let page = server.request(Method::GET, "/api/docs/", "").await;
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(!text.contains("http://") && !text.contains("https://"), "{text}");
    for (file, kind, least) in [
        ("swagger-ui-bundle.js", "text/javascript; charset=utf-8", 1_000_000),
        ("swagger-ui.css", "text/css; charset=utf-8", 100_000),
    ] {
        assert!(text.contains(&format!("/api/docs/{file}")));
        let answer = server.request(Method::GET, &format!("/api/docs/{file}"), "").await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, kind));
        assert!(answer.body.len() > least, "{file}: {}", answer.body.len());
    }
    assert_eq!(server.request(Method::GET, "/api/docs/x", "").await.status, 404);
}

fn request(key: &str, method: &Method, path: &str) -> axum::http::Request<axum::body::Body> {
    let request = axum::http::Request::builder().method(method.clone()).uri(path);
    let request = request.header("content-type", "application/json");
    let request = match key {
        "" => request,
        key => request.header("authorization", format!("Bearer {key}")),
    };
    let body = json!({
        "query": { "dateRange": last_day() }, "name": "Mine now", "label": "Mine now", "scopes": ["*"],
        "access_level": "admin", "level": 15, "target_email": "me@example.org", "kind": "slack",
        "config": { "access_token": "x" },
    });
    request.body(body.to_string().into()).unwrap()
}

/// A path with its parts filled in; what is not given is an id that nothing has.
fn fill(path: &str, parts: &Map<String, Value>) -> String {
    let part = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        Some(name) => match parts.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => "019b0000-0000-7000-8000-000000000000".to_owned(),
        },
        None => part.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// An organization of somebody else, with one of everything in its project.
struct Foreign {
    person: Person,
    organization_id: String,
    project: ProjectId,
    parts: Map<String, Value>,
    /// Is being answered.
    _statement: SqlAnswer,
}

const MARK: &str = "only-for-foreign-eyes";

async fn make(server: &TestServer, key: &str, path: &str, body: Value) -> Value {
    let made = server.request_as(key, Method::POST, path, body.to_string()).await;
    assert_eq!(made.status, 201, "{path}: {:?}", made.body);
    made.json()
}

async fn foreign(server: &TestServer) -> Foreign {
    let meta = server.state.meta();
    let (actor, settings) = (Actor::system(), OrganizationSettings::named(MARK));
    let made = organizations::create(meta, &actor, None, &settings, NOW_US).await.unwrap();
    let person = person_in(server, &made.id, MARK, Level::OWNER).await;
    let role = roles::create(meta, &actor, &made.id, MARK, NOW_US).await.unwrap();
    let in_role = roles::add_member(meta, &actor, &role, &person.uuid, NOW_US).await.unwrap();
    let project = made.project_id;
    let key = person.key.as_str();
    let of_project = format!("/api/projects/{project}");
    let view = make(server, key, &format!("{of_project}/logs/views"), json!({ "name": MARK })).await;
    let rule = json!({ "name": MARK, "rule_type": "rate_limit", "config": { "logs_per_second": 5 } });
    let rule = make(server, key, &format!("{of_project}/logs/sampling_rules"), rule).await;
    let export = json!({ "query": { "dateRange": last_day() } });
    let export = make(server, key, &format!("{of_project}/logs/export"), export).await;
    let integration = json!({ "kind": "slack", "name": MARK, "config": { "access_token": MARK } });
    let integration = make(server, key, &format!("{of_project}/integrations"), integration).await;
    let destination = json!({ "type": "webhook", "webhook_url": format!("https://{MARK}.example.org") });
    let subscription = json!({ "name": MARK, "destination": destination });
    let subscription =
        make(server, key, &format!("{of_project}/activity_log/subscriptions"), subscription).await;
    let of_organization = format!("/api/organizations/{}", made.id);
    let invite = json!({ "target_email": format!("guest-{MARK}@example.org") });
    let invite = make(server, key, &format!("{of_organization}/invites"), invite).await;
    let alert = json!({ "name": MARK, "filters": { "serviceNames": [MARK] } });
    let alert = make(server, key, &format!("{of_project}/logs/alerts"), alert).await;
    let policy = json!({ "action_key": "logs_alert.delete", "approver_config": { "quorum": 1 } });
    let policy = make(server, key, &format!("{of_project}/approval_policies"), policy).await;
    let gated = format!("{of_project}/logs/alerts/{}", alert["id"].as_str().unwrap());
    let gated = server.request_as(key, Method::DELETE, &gated, "").await;
    assert_eq!(gated.status, 409);
    let own_key =
        make(server, key, "/api/personal_api_keys", json!({ "label": MARK, "scopes": ["*"] })).await;
    let tokens = server.request_as(key, Method::GET, &format!("{of_project}/tokens"), "").await.json();
    let statement = format!("SELECT '{MARK}' FROM generate_series(1, 1000000000000)");
    let caller = SqlCaller { name: MARK.to_owned(), sees_all: false };
    let engine = server.state.engine();
    let statement = engine.run_sql(project, None, Vec::new(), caller, SqlQuery::of(statement)).await.unwrap();
    let parts = json!({
        "query_id": statement.id(), "organization_id": made.id, "project_id": project.0, "role_id": role.id,
        "role_membership_id": in_role.id, "user_uuid": person.uuid, "short_id": view["short_id"],
        "rule_id": rule["id"], "export_id": export["id"], "integration_id": integration["id"],
        "subscription_id": subscription["id"],
        "invite_id": invite["id"], "key_id": own_key["id"], "token_id": tokens["results"][0]["id"],
        "alert_id": alert["id"], "policy_id": policy["id"],
        "request_id": gated.json()["change_request_id"],
    });
    let parts = parts.as_object().unwrap().clone();
    Foreign { person, organization_id: made.id, project, parts, _statement: statement }
}

fn is_refused(answer: &Answer, allowed: &[u16], place: &str) {
    let status = answer.status.as_u16();
    assert!(allowed.contains(&status), "{place} answers {status}: {:?}", answer.body);
    assert!(!String::from_utf8_lossy(&answer.body).contains(MARK), "{place} shows what is not the caller's");
}

#[tokio::test]
async fn nothing_of_another_organization_can_be_reached() {
    let server = TestServer::start().await;
    let foreign = foreign(&server).await;
    let mut swept = 0;
    for (method, path, _) in endpoints(&server).await {
        let status = match path.as_str() {
            path if path.starts_with("/api/projects/{project_id}") => 403,
            // On these routes it is no secret that an organization exists.
            path if path.starts_with("/api/organizations/{organization_id}/activity_log") => 403,
            path if path.starts_with("/api/organizations/{organization_id}/advanced") => 403,
            path if path.starts_with("/api/organizations/{organization_id}") => 404,
            _ => continue,
        };
        let place = format!("{method} {path}");
        // The owner of one organization asks for what is of the other, whole.
        let of_other = fill(&path, &foreign.parts);
        is_refused(&server.call(request(server.key(), &method, &of_other)).await, &[status], &place);
        // A key of the other organization asks for what is of the first.
        let own = json!({ "project_id": 1, "organization_id": server.credentials.organization_id });
        let mut own = own.as_object().unwrap().clone();
        let of_first = fill(&path, &own);
        is_refused(&server.call(request(&foreign.person.key, &method, &of_first)).await, &[status], &place);
        // One's own project or organization, with the ids of things that are in the other.
        for (name, id) in &foreign.parts {
            own.entry(name.clone()).or_insert(id.clone());
        }
        if own.keys().any(|name| {
            path.contains(&format!("{{{name}}}"))
                && !["project_id", "organization_id"].contains(&name.as_str())
        }) {
            let mixed = fill(&path, &own);
            is_refused(
                &server.call(request(server.key(), &method, &mixed)).await,
                &[404],
                &format!("{place} mixed"),
            );
        }
        swept += 1;
    }
    assert!(swept > 70, "{swept}");
    let key = foreign.parts["key_id"].as_str().unwrap();
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        let path = format!("/api/personal_api_keys/{key}");
        is_refused(&server.call(request(server.key(), &method, &path)).await, &[404], &path);
    }
    let roll = format!("/api/personal_api_keys/{key}/roll");
    is_refused(&server.call(request(server.key(), &Method::POST, &roll)).await, &[404], &roll);
    // And nothing of it has changed.
    let project = server.state.meta().project(foreign.project).await.unwrap().unwrap();
    assert_eq!(project.settings.name, "Default project");
    let organization = server.state.meta().organization(&foreign.organization_id).await.unwrap().unwrap();
    assert_eq!(organization.settings.name, MARK);
}

#[tokio::test]
async fn restricted_keys_reach_nothing_else() {
    let server = TestServer::start().await;
    let foreign = foreign(&server).await;
    let elsewhere = |attributes: KeyAttributes| {
        let meta = server.state.meta().clone();
        async move {
            let attributes =
                KeyAttributes { label: "x".to_owned(), scopes: vec!["*".to_owned()], ..attributes };
            meta.create_personal_api_key(1, &attributes, NOW_US).await.unwrap().reveal().to_owned()
        }
    };
    let of_organization = KeyAttributes {
        scoped_organizations: Some(vec![foreign.organization_id.clone()]),
        ..KeyAttributes::default()
    };
    let of_project =
        KeyAttributes { scoped_projects: Some(vec![foreign.project.0]), ..KeyAttributes::default() };
    let keys = [elsewhere(of_organization).await, elsewhere(of_project).await];
    let own = json!({ "project_id": 1, "organization_id": server.credentials.organization_id });
    let own = own.as_object().unwrap();
    for (method, path, _) in endpoints(&server).await {
        if !path.starts_with("/api/projects/{project_id}")
            && !path.starts_with("/api/organizations/{organization_id}")
        {
            continue;
        }
        for key in &keys {
            let answer = server.call(request(key, &method, &fill(&path, own))).await;
            is_refused(&answer, &[403], &format!("{method} {path}"));
        }
    }
}
