//! The document: every endpoint by path and method, and what they share.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::operation::{Content, Operation, Who};
use super::routes::Described;
use super::shared;

/// What the shared refusals mean.
const REFUSALS: [(u16, &str, &str); 12] = [
    (400, "BadRequest", "the request says something that cannot be; `attr` names the member"),
    (401, "NotAuthenticated", "no key or session, or a bad one"),
    (403, "Forbidden", "the scope, the access level or the membership is missing"),
    (404, "NotFound", "there is no such thing for this caller"),
    (408, "TooSlow", "the body did not arrive in time"),
    (409, "Conflict", "not in this state"),
    (413, "TooLarge", "the body is over a limit"),
    (415, "UnsupportedMediaType", "the body's encoding is not understood"),
    (429, "Throttled", "too often; `Retry-After` says when to try again"),
    (500, "ServerError", "a fault of the server"),
    (503, "Unavailable", "not now; `Retry-After` says when to try again"),
    (504, "TooLong", "the question needed more time or memory than it may have"),
];

/// Endpoints as an OpenAPI 3.1 document.
pub(in crate::api) fn document(described: &[Described]) -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for Described { path, method, operation } in described {
        let method = method.as_str().to_ascii_lowercase();
        let written = written(path, &method, operation);
        paths.entry(path).or_default().insert(method, written);
    }
    for (path, methods) in &mut paths {
        let parameters = path_parameters(path);
        if !parameters.is_empty() {
            methods.insert("parameters".to_owned(), parameters.into());
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Timberline",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Log analytics over HTTP. `/api/environments/` is another name of `/api/projects/`, a trailing slash means nothing, and `@current` stands for the caller's current project or organization.",
        },
        "paths": paths,
        "components": {
            "schemas": shared::schemas(),
            "responses": responses(),
            "securitySchemes": {
                "key": { "type": "http", "scheme": "bearer", "description": "a personal API key (`phx_...`)" },
                "keyParameter": { "type": "apiKey", "in": "query", "name": "personal_api_key" },
                "session": { "type": "apiKey", "in": "cookie", "name": "timberline_session" },
                "projectToken": { "type": "http", "scheme": "bearer", "description": "a project's token (`phc_...`)" },
            },
        },
    })
}

fn responses() -> Map<String, Value> {
    let response = |(status, name, says): &(u16, &str, &str)| {
        let mut response = json!({
            "description": says,
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
        });
        let header = match status {
            401 => Some(("WWW-Authenticate", json!({ "schema": { "type": "string" } }))),
            429 | 503 => {
                Some(("Retry-After", json!({ "schema": { "type": "integer" }, "description": "seconds" })))
            }
            _ => None,
        };
        if let Some((header, schema)) = header {
            response["headers"] = json!({ header: schema });
        }
        ((*name).to_owned(), response)
    };
    REFUSALS.iter().map(response).collect()
}

fn written(path: &str, method: &str, operation: &Operation) -> Value {
    let mut written = json!({
        "operationId": operation_id(path, method),
        "tags": [tag(path)],
        "summary": operation.summary,
        "responses": answers(operation),
        "security": security(&operation.caller),
    });
    let scopes = match &operation.caller {
        Who::Scopes(scopes) if !scopes.is_empty() => {
            let scopes: Vec<String> = scopes.iter().map(|scope| format!("`{scope}`")).collect();
            Some(format!("A key needs the scope {}.", scopes.join(" or ")))
        }
        _ => None,
    };
    if let Some(description) = scopes {
        written["description"] = description.into();
    }
    if !operation.parameters.is_empty() {
        written["parameters"] = operation.parameters.clone().into();
    }
    if let Some(body) = &operation.body {
        written["requestBody"] = json!({ "required": true, "content": content(body) });
    }
    written
}

fn answers(operation: &Operation) -> Map<String, Value> {
    let mut answers = Map::new();
    for (status, answer) in &operation.answers {
        let mut response = json!({ "description": answer.says });
        if !answer.forms.is_empty() {
            response["content"] = content(answer).into();
        }
        answers.insert(status.to_string(), response);
    }
    for status in &operation.refusals {
        if let Some((_, name, _)) = REFUSALS.iter().find(|(known, _, _)| known == status) {
            let shared = json!({ "$ref": format!("#/components/responses/{name}") });
            answers.entry(status.to_string()).or_insert(shared);
        }
    }
    answers
}

fn content(content: &Content) -> Map<String, Value> {
    let form = |(media_type, schema): &(&str, Value)| ((*media_type).to_owned(), json!({ "schema": schema }));
    content.forms.iter().map(form).collect()
}

fn security(caller: &Who) -> Value {
    match caller {
        Who::Scopes(_) => json!([{ "key": [] }, { "keyParameter": [] }, { "session": [] }]),
        Who::Key => json!([{}, { "key": [] }]),
        Who::Sender => json!([{ "projectToken": [] }]),
        Who::Everyone => json!([]),
    }
}

/// `GET /api/projects/{project_id}/logs/views` is `get_projects_logs_views`.
fn operation_id(path: &str, method: &str) -> String {
    let parts = path.trim_start_matches("/api").split('/').filter(|part| !part.is_empty());
    let words = parts.map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        Some(parameter) if parameter.ends_with("project_id") || parameter == "organization_id" => {
            String::new()
        }
        Some(parameter) => format!("by_{parameter}"),
        None => part.replace('-', "_"),
    });
    let words: Vec<String> =
        [method.to_owned()].into_iter().chain(words).filter(|word| !word.is_empty()).collect();
    match path.ends_with("{project_id}") || path.ends_with("{organization_id}") {
        true => format!("{}_by_id", words.join("_")),
        false => words.join("_"),
    }
}

/// Endpoints stand together by the first part of the path that says what they are about.
fn tag(path: &str) -> &str {
    let mut parts =
        path.split('/').filter(|part| !part.is_empty() && !part.starts_with('{') && *part != "api");
    match (parts.next(), parts.next()) {
        (Some("projects" | "organizations"), Some(about)) => about,
        (Some(about), _) => about,
        (None, _) => "api",
    }
}

fn path_parameters(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |name: &str| {
        let says = match name {
            "project_id" => "a project's number, or `@current`",
            "organization_id" => "an organization's UUID, or `@current`",
            "user_uuid" => "a user's UUID, or `@me`",
            _ => "which one",
        };
        json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 },
            "description": says })
    };
    names.map(parameter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_have_names_and_places() {
        for (path, id, place) in [
            ("/api/projects", "get_projects", "projects"),
            ("/api/projects/{project_id}", "get_projects_by_id", "projects"),
            ("/api/projects/{project_id}/logs/count-ranges", "get_projects_logs_count_ranges", "logs"),
            ("/api/projects/{project_id}/tokens/{token_id}", "get_projects_tokens_by_token_id", "tokens"),
            ("/v1/logs", "get_v1_logs", "v1"),
        ] {
            assert_eq!((operation_id(path, "get").as_str(), tag(path)), (id, place), "{path}");
        }
    }

    #[test]
    fn parts_of_a_path_are_parameters() {
        let parameters = path_parameters("/api/projects/{project_id}/tokens/{token_id}");
        let names: Vec<_> = parameters.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["project_id", "token_id"]);
    }
}
