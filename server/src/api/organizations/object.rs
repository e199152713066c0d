//! An organization as the API shows it.

use serde_json::{Value, json};

use crate::api::iso_time;
use crate::api::project::visible;
use crate::error::ApiError;
use crate::meta::Level;
use crate::meta::access_control::AccessControl;
use crate::meta::organization::Organization;
use crate::meta::project::Project;
use crate::state::AppState;

/// The access that everybody has to plugins of the reference API; the highest, and without meaning here.
const PLUGINS_ACCESS_LEVEL: u8 = 9;

/// The organization's members; what is not kept is what it would be for an organization that never had it.
pub(super) async fn written(
    state: &AppState,
    organization: &Organization,
    level: Option<Level>,
    user_id: i64,
) -> Result<Value, ApiError> {
    let meta = state.meta();
    let projects = visible(state, &organization.id, level, user_id).await?;
    let mut teams = Vec::with_capacity(projects.len());
    for project in &projects {
        let token = meta.token_of_project(project.id).await?;
        let is_private = meta.access_controls(project.id).await?.iter().any(AccessControl::is_hiding);
        teams.push(team(project, token.as_deref(), is_private));
    }
    let mut object = organization.settings.fields();
    let more = json!({
        "id": organization.id,
        "slug": organization.slug,
        "logo_media_id": null,
        "created_at": iso_time::format(organization.created_us),
        "updated_at": iso_time::format(organization.updated_us),
        "membership_level": level.map(|level| level.0),
        "plugins_access_level": PLUGINS_ACCESS_LEVEL,
        "teams": teams,
        "projects": projects.iter().map(in_organization).collect::<Vec<_>>(),
        "available_product_features": [],
        "is_member_join_email_enabled": true,
        "metadata": { "instance_tag": "none" },
        "customer_id": null,
        "member_count": meta.count_members(&organization.id).await?,
        "is_ai_training_locked": false,
        "is_ai_training_cta_shown": true,
        "is_hipaa": false,
        "is_active": organization.is_active,
        "is_not_active_reason": organization.is_not_active_reason,
        "is_pending_deletion": organization.is_pending_deletion,
    });
    object.extend(more.as_object().cloned().unwrap_or_default());
    Ok(Value::Object(object))
}

/// A project in the short form.
pub(super) fn in_organization(project: &Project) -> Value {
    json!({ "id": project.id.0, "organization_id": project.organization_id, "name": project.settings.name })
}

/// A project as the environment that it also is.
fn team(project: &Project, token: Option<&str>, is_private: bool) -> Value {
    json!({
        "id": project.id.0,
        "uuid": project.uuid,
        "organization": project.organization_id,
        "project_id": project.id.0,
        "api_token": token,
        "name": project.settings.name,
        "completed_snippet_onboarding": true,
        "has_completed_onboarding_for": {},
        "ingested_event": true,
        "is_demo": false,
        "timezone": project.settings.timezone,
        "access_control": is_private,
    })
}
