//! `/api/users/@me/`: who the caller is.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::project_call::ProjectCall;
use super::{basic_user, iso_time};
use crate::auth::Scope;
use crate::error::ApiError;
use crate::meta::organization::Organization;
use crate::meta::user::BasicUser;
use crate::state::AppState;

/// What a path may say in place of the caller's UUID.
const ME: &str = "@me";

/// The routes.
pub(super) fn router() -> Router<AppState> {
    Router::new().route("/api/users/{user_uuid}", get(retrieve))
}

/// Nobody sees another user here; members of an organization see each other among its members.
async fn retrieve(State(state): State<AppState>, call: ProjectCall) -> Result<Json<Value>, ApiError> {
    let caller = call.authorize_user(&state, Scope::USER_READ).await?;
    let user = caller.user();
    if ![ME, user.uuid.as_str()].contains(&call.path_parameter("user_uuid")) {
        return Err(ApiError::not_found("user not found"));
    }
    let organizations = state.meta().organizations_of_user(user.id).await?;
    let short = |organization: &Organization| json!({ "id": organization.id, "name": organization.settings.name, "slug": organization.slug });
    let current =
        |organization: &&Organization| Some(&organization.id) == user.current_organization_id.as_ref();
    let mut object = basic_user::written(Some(&BasicUser::from(user)));
    object["is_staff"] = user.is_staff.into();
    object["date_joined"] = iso_time::format(user.created_us).into();
    object["organization"] = organizations.iter().find(current).map(short).into();
    object["organizations"] = organizations.iter().map(short).collect();
    object["team"] = user.current_project_id.map(|id| json!({ "id": id })).into();
    Ok(Json(object))
}
