//! Who may read what of the trail.

use engine::query::{ActivityFilter, ActivityTenant, HiddenEntries};
use engine::schema::OrganizationId;

use crate::activity::trail::organization_id;
use crate::activity::visibility::staff_only;
use crate::api::api_call::ApiCall;
use crate::auth::{Caller, Member, Scope};
use crate::error::ApiError;
use crate::meta::Level;
use crate::meta::project::Project;
use crate::state::AppState;

/// What a caller may read.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(crate) organization: OrganizationId,
    pub(super) tenant: ActivityTenant,
    pub(super) hidden: Vec<HiddenEntries>,
}

impl Reader {
    /// What somebody may read on the routes of a project.
    pub(crate) fn of_project(project: &Project, is_staff: bool) -> Result<Self, ApiError> {
        let with_organization = project.settings.receive_org_level_activity_logs;
        Ok(Self {
            organization: organization_id(&project.organization_id)?,
            tenant: ActivityTenant::Project { project: project.id, with_organization },
            hidden: hidden_from(is_staff),
        })
    }

    /// What somebody may read on the routes of an organization.
    pub(super) fn of_organization(id: &str, is_staff: bool) -> Result<Self, ApiError> {
        Ok(Self {
            organization: organization_id(id)?,
            tenant: ActivityTenant::Organization,
            hidden: hidden_from(is_staff),
        })
    }

    /// A filter that lets through all that the caller may read.
    pub(crate) fn everything(&self) -> ActivityFilter {
        ActivityFilter { hidden: self.hidden.clone(), ..ActivityFilter::all(self.tenant) }
    }
}

/// Finds out who calls about which project and what they may read. What was done before the call is in the trail when
/// this returns.
///
/// # Errors
/// 401, 403 or 404; 503 when entries cannot be stored.
pub(super) async fn project_reader(
    state: &AppState,
    call: &ApiCall,
) -> Result<(Reader, Project, Caller), ApiError> {
    let (project, _, caller) = call.authorize_project(state, Scope::ACTIVITY_READ).await?;
    let reader = Reader::of_project(&project, caller.user().is_staff)?;
    state.question_slots().enter(&project.organization_id)?;
    state.activity().deliver().await?;
    Ok((reader, project, caller))
}

/// The same about an organization: for those who manage it.
///
/// # Errors
/// As [`project_reader`].
pub(super) async fn organization_reader(
    state: &AppState,
    call: &ApiCall,
) -> Result<(Reader, Member, Caller), ApiError> {
    let (member, caller) = organization_manager(state, call, Scope::ACTIVITY_READ).await?;
    let reader = Reader::of_organization(&member.organization.id, caller.user().is_staff)?;
    state.question_slots().enter(&member.organization.id)?;
    state.activity().deliver().await?;
    Ok((reader, member, caller))
}

/// Somebody who manages an organization. Who is no member is told so by a 403: the organization's existence is no
/// secret on these routes.
///
/// # Errors
/// 401, 403 or 404.
pub(super) async fn organization_manager(
    state: &AppState,
    call: &ApiCall,
    scope: Scope,
) -> Result<(Member, Caller), ApiError> {
    let (member, caller) = match call.authorize_organization(state, scope).await {
        Err(error) if error.status() == 404 => return Err(not_a_member(state, call, error).await?),
        authorized => authorized?,
    };
    if member.level < Level::ADMIN {
        return Err(ApiError::permission_denied(
            "only administrators and owners may read the activity of the whole organization",
        ));
    }
    Ok((member, caller))
}

/// 403 in place of 404 for an organization that there is.
async fn not_a_member(state: &AppState, call: &ApiCall, missing: ApiError) -> Result<ApiError, ApiError> {
    let id = uuid::Uuid::parse_str(call.path_parameter("organization_id"));
    let Ok(id) = id else { return Ok(missing) };
    let found = state.meta().organization(&id.to_string()).await?;
    Ok(found.map_or(missing, |_| ApiError::permission_denied("you are not a member of this organization")))
}

/// Entries about the running of the installation, for those who run it.
fn hidden_from(is_staff: bool) -> Vec<HiddenEntries> {
    if is_staff { Vec::new() } else { staff_only() }
}
