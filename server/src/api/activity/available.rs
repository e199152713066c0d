//! `available_filters`: what can be filtered by.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use engine::query::DetailFields;
use serde_json::{Map, Value, json};

use super::access::{Reader, organization_reader, project_reader};
use crate::api::api_call::ApiCall;
use crate::error::ApiError;
use crate::meta::user::BasicUser;
use crate::state::AppState;

/// Fields that details of every scope have.
const GENERAL: [(&str, &str); 5] = [
    ("changes[].type", "string"),
    ("changes[].action", "string"),
    ("changes[].field", "string"),
    ("changes[].before", "any"),
    ("changes[].after", "any"),
];

pub(super) async fn of_project(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Json<Value>, ApiError> {
    let (reader, _, _) = project_reader(&state, &call).await?;
    answer(&state, &reader).await
}

pub(super) async fn of_organization(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Json<Value>, ApiError> {
    let (reader, _, _) = organization_reader(&state, &call).await?;
    answer(&state, &reader).await
}

/// The values of the entries that the caller may read, and the fields of the details of all the organization's.
async fn answer(state: &AppState, reader: &Reader) -> Result<Json<Value>, ApiError> {
    let engine = state.engine();
    let (values, fields) =
        engine.activity_overview(reader.organization, reader.tenant, &reader.hidden).await?;
    let ids: Vec<i64> = values.users.iter().copied().collect();
    let users = state.meta().users_by_id(&ids).await?;
    let users: Vec<Value> = ids
        .iter()
        .filter_map(|id| users.get(id))
        .map(|user| json!({ "value": user.uuid, "label": label(user) }))
        .collect();
    let words = |words: &BTreeSet<String>| -> Vec<Value> {
        words.iter().map(|word| json!({ "value": word })).collect()
    };
    Ok(Json(json!({
        "static_filters": {
            "users": users,
            "scopes": words(&values.scopes),
            "activities": words(&values.activities),
            "clients": words(&values.clients),
        },
        "detail_fields": detail_fields(&fields),
    })))
}

fn label(user: &BasicUser) -> String {
    let name = format!("{} {}", user.first_name, user.last_name).trim().to_owned();
    if name.is_empty() { user.email.clone() } else { name }
}

fn detail_fields(fields: &DetailFields) -> Map<String, Value> {
    let mut written: Map<String, Value> = fields
        .iter()
        .map(|(scope, fields)| {
            let fields: Vec<Value> = fields
                .iter()
                .map(|(path, types)| {
                    let types: Vec<&str> = types.iter().map(|field_type| field_type.as_str()).collect();
                    json!({ "name": path, "types": types })
                })
                .collect();
            (scope.clone(), json!({ "fields": fields }))
        })
        .collect();
    let general: Vec<Value> =
        GENERAL.iter().map(|(path, of_type)| json!({ "name": path, "types": [of_type] })).collect();
    written.insert("General".to_owned(), json!({ "fields": general }));
    written
}
