//! Where a call is about, and how its caller stands there.

use crate::api::api_call::ApiCall;
use crate::approvals::lifecycle::Viewer;
use crate::auth::{Caller, Member, Scope};
use crate::error::ApiError;
use crate::meta::approval::Place;
use crate::state::AppState;

/// A call that may be made.
#[derive(Debug)]
pub(super) struct Here {
    pub(super) place: Place,
    pub(super) member: Member,
    pub(super) caller: Caller,
}

/// Finds out who calls about which project or organization.
///
/// # Errors
/// 401, 403 or 404.
pub(super) async fn authorize(state: &AppState, call: &ApiCall, scope: Scope) -> Result<Here, ApiError> {
    if call.path_parameter("project_id").is_empty() {
        let (member, caller) = call.authorize_organization(state, scope).await?;
        let place = Place::organization(&member.organization.id);
        return Ok(Here { place, member, caller });
    }
    let (project, member, caller) = call.authorize_project(state, scope).await?;
    let place = Place::project(&project.organization_id, project.id);
    Ok(Here { place, member, caller })
}

impl Here {
    /// The caller as policies know them.
    pub(super) async fn viewer(&self, state: &AppState) -> Result<Viewer, ApiError> {
        let user_id = self.caller.user_id();
        let roles = state.meta().roles_of_user(&self.place.organization_id, user_id).await?;
        Ok(Viewer { user_id: Some(user_id), roles })
    }
}
