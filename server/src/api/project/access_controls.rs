//! `access_controls/`: who may do how much with the resources of a project.

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};

use super::authorize_change;
use crate::accounts::access_controls;
use crate::api::api_call::ApiCall;
use crate::api::input::Input;
use crate::api::iso_time;
use crate::api::openapi::schema::{
    boolean, integer, list as list_of, map, moment, nullable, object, one_of, uuid, with_required,
};
use crate::api::openapi::{Routes, get, op};
use crate::auth::Scope;
use crate::error::ApiError;
use crate::meta::access_control::{AccessControl, AccessLevel, Resource, Target};
use crate::state::AppState;

pub(super) fn routes() -> Routes {
    let resource = || one_of(&Resource::ALL.map(|(name, _)| name));
    let level = || one_of(&AccessLevel::ALL.map(|(name, _)| name));
    let rule = || {
        object(&[
            ("id", uuid()),
            ("resource", resource()),
            ("access_level", level()),
            ("role", nullable(uuid())),
            ("organization_member", nullable(uuid())),
            ("created_by", nullable(integer())),
            ("created_at", moment()),
            ("updated_at", moment()),
        ])
    };
    let of_resource = object(&[
        ("available_access_levels", list_of(level())),
        ("default_access_level", level()),
        ("user_access_level", level()),
    ]);
    let list_op = op("Who may do how much in the project", &[Scope::PROJECT_READ]).answers(
        200,
        object(&[
            ("access_controls", list_of(rule())),
            ("resources", map(of_resource)),
            ("user_can_edit_access_levels", boolean()),
        ]),
    );
    let body = with_required(
        &[
            ("resource", resource()),
            ("access_level", nullable(level())),
            ("role", nullable(uuid())),
            ("organization_member", nullable(uuid())),
        ],
        &["access_level"],
    );
    let set_op = op("Set what everyone, a role or a member may do", &[Scope::PROJECT_WRITE])
        .body_or_form(body)
        .answers(200, nullable(rule()));
    Routes::new().at("/access_controls", get(list, list_op).put(set, set_op))
}

async fn list(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let (project, member, caller) = call.authorize_project(&state, Scope::PROJECT_READ).await?;
    let access = caller.access(state.meta(), &member, project.id).await?;
    let rules = state.meta().access_controls(project.id).await?;
    let resources = Resource::ALL.iter().map(|(name, resource)| {
        let levels: Vec<&str> = resource.levels().iter().map(|level| level.name()).collect();
        let described = json!({
            "available_access_levels": levels,
            "default_access_level": resource.default_level().name(),
            "user_access_level": access.level(*resource).name(),
        });
        ((*name).to_owned(), described)
    });
    Ok(Json(json!({
        "access_controls": rules.iter().map(written).collect::<Vec<_>>(),
        "resources": resources.collect::<Map<_, _>>(),
        "user_can_edit_access_levels": access.level(Resource::Project) == AccessLevel::Admin,
    })))
}

/// Sets one rule, or takes it away when the level is null. What everyone, a role or a member has is one rule each.
async fn set(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let (project, caller) = authorize_change(&state, &call).await?;
    let (actor, now_us) = (call.actor(&caller), state.clock().now_us());
    let body = call.into_json()?;
    let input = Input::of(&body)?;
    let resource = input.choice("resource", &Resource::ALL)?.unwrap_or(Resource::Project);
    let level = match input.value("access_level") {
        Some(Value::Null) => None,
        _ => Some(input.required("access_level", input.choice("access_level", &AccessLevel::ALL)?)?),
    };
    let role = input.nullable_uuid("role")?.flatten();
    let member = input.nullable_uuid("organization_member")?.flatten();
    let target = match (role, member) {
        (None, None) => Target::Everyone,
        (Some(role), None) => Target::Role(role.to_string()),
        (None, Some(member)) => Target::Member(member.to_string()),
        (Some(_), Some(_)) => {
            let detail = "an access control is for a role or for a member, not for both";
            return Err(ApiError::validation("invalid_input", None, detail));
        }
    };
    let rule =
        access_controls::set(state.meta(), &actor, &project, (resource, &target), level, now_us).await?;
    Ok(Json(rule.as_ref().map_or(Value::Null, written)))
}

fn written(rule: &AccessControl) -> Value {
    let (role, member) = match &rule.target {
        Target::Everyone => (None, None),
        Target::Role(id) => (Some(id), None),
        Target::Member(id) => (None, Some(id)),
    };
    json!({
        "id": rule.id,
        "resource": rule.resource.name(),
        "access_level": rule.level.name(),
        "role": role,
        "organization_member": member,
        "created_by": rule.created_by,
        "created_at": iso_time::format(rule.created_us),
        "updated_at": iso_time::format(rule.updated_us),
    })
}
