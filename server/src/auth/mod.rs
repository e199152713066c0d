//! Who calls, and whether they may: personal API keys with their scopes and restrictions, and sessions.
//!
//! The order of checks is fixed: a bad credential (401), none (401), scope and restrictions of the key (403),
//! existence of the project (404), membership (403). The body is looked at only after all of them.
//!
//! What the metadata say of a caller is as of [`Caller::find`], or later: nothing that was revoked before is let through.

pub(crate) mod access;
pub(crate) mod cookies;
mod credential;
mod presented;
mod scope;
pub(crate) mod throttle;

use std::time::Duration;

use engine::schema::ProjectId;
use uuid::Uuid;

pub use access::Access;
pub use presented::Presented;
pub use scope::{Scope, is_known_scope};

use crate::error::ApiError;
use crate::meta::Meta;
use crate::meta::membership::Level;
use crate::meta::organization::Organization;
use crate::meta::personal_api_key::{KeyAttributes, PersonalApiKey};
use crate::meta::project::Project;
use crate::meta::session::Session;
use crate::meta::user::User;

/// Somebody who has shown who they are.
#[derive(Debug)]
pub struct Caller {
    user: User,
    means: Means,
}

/// By what a caller has shown it.
#[derive(Debug)]
enum Means {
    /// May do what its scopes and restrictions allow.
    Key(Box<PersonalApiKey>),
    /// May do everything that its user may.
    Session(Session),
}

/// A caller's standing in an organization.
#[derive(Clone, Debug)]
pub struct Member {
    /// The organization.
    pub organization: Organization,
    /// How much the caller may do in it.
    pub level: Level,
}

/// What a path may say in place of an id.
const CURRENT: &str = "@current";

impl Caller {
    /// Who calls.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// The id of the key that the call was made with; none in a session.
    pub fn key_id(&self) -> Option<&str> {
        match &self.means {
            Means::Key(key) => Some(&key.id),
            Means::Session(_) => None,
        }
    }

    /// The caller's number.
    pub fn user_id(&self) -> i64 {
        self.user.id
    }

    /// The session, when it is not a key.
    pub fn session(&self) -> Option<&Session> {
        match &self.means {
            Means::Key(_) => None,
            Means::Session(session) => Some(session),
        }
    }

    /// What the key may be used for; none for a session.
    fn key(&self) -> Option<&KeyAttributes> {
        match &self.means {
            Means::Key(key) => Some(&key.attributes),
            Means::Session(_) => None,
        }
    }

    /// Whether the key has a scope; sessions need none.
    pub fn has_scope(&self, scope: Scope) -> bool {
        self.key().is_none_or(|key| scope.is_granted_by(&key.scopes))
    }

    /// Refuses a session whose user last gave a password too long ago for what changes who may do what. Keys have
    /// their scopes for that.
    ///
    /// # Errors
    /// 403 `sensitive_action_required_reauth`.
    pub fn require_recent_log_in(&self, max_age: Duration, now_us: i64) -> Result<(), ApiError> {
        let max_age_us = i64::try_from(max_age.as_micros()).unwrap_or(i64::MAX);
        match self.session() {
            Some(session) if now_us.saturating_sub(session.authenticated_us) > max_age_us => {
                Err(ApiError::reauthentication_required())
            }
            _ => Ok(()),
        }
    }

    /// Whether the key allows what an endpoint does, wherever it does it.
    ///
    /// # Errors
    /// 403 that names the missing scope.
    pub fn require_scope(&self, scope: Scope) -> Result<(), ApiError> {
        if self.has_scope(scope) {
            Ok(())
        } else {
            Err(ApiError::permission_denied(format!("the API key is missing the required scope '{scope}'")))
        }
    }

    /// The project that a path names, if the caller may use it, and the caller's standing in its organization.
    ///
    /// # Errors
    /// 404 when there is no such project; 403 when the key or its owner has no access to it.
    pub async fn require_project_member(&self, meta: &Meta, id: &str) -> Result<(Project, Member), ApiError> {
        let not_found = || ApiError::not_found("project not found");
        let id = if id == CURRENT { self.user.current_project_id } else { positive_integer(id) };
        let id = id.ok_or_else(not_found)?;
        let denied = |whom: &str| ApiError::permission_denied(format!("{whom} no access to project {id}"));
        if !self.may_reach_project(ProjectId(id)) {
            return Err(denied("the API key has"));
        }
        let project = meta.known_project(ProjectId(id)).await?.ok_or_else(not_found)?;
        if !self.may_reach(&project.organization_id) {
            return Err(denied("the API key has"));
        }
        let member =
            self.standing(meta, &project.organization_id).await?.ok_or_else(|| denied("you have"))?;
        self.require_active(&member)?;
        Ok((project, member))
    }

    /// The organization that a path names, if the caller is a member of it.
    ///
    /// # Errors
    /// 403 when the key is for projects or other organizations, or the organization is not active; 404 when there is
    /// no such organization or the caller is not in it, so that nobody learns which there are.
    pub async fn require_organization(&self, meta: &Meta, id: &str) -> Result<Member, ApiError> {
        let member = self.require_organization_at_all(meta, id).await?;
        self.require_active(&member)?;
        Ok(member)
    }

    /// The same, also when the organization is not active.
    ///
    /// # Errors
    /// As [`Self::require_organization`].
    pub async fn require_organization_at_all(&self, meta: &Meta, id: &str) -> Result<Member, ApiError> {
        let not_found = || ApiError::not_found("organization not found");
        self.require_no_projects()?;
        let id = match id {
            CURRENT => self.user.current_organization_id.clone().ok_or_else(not_found)?,
            id => Uuid::parse_str(id).map_err(|_| not_found())?.to_string(),
        };
        if !self.may_reach(&id) {
            return Err(ApiError::permission_denied("the API key has no access to this organization"));
        }
        self.standing(meta, &id).await?.ok_or_else(not_found)
    }

    /// Whether the key may be used on an organization, as far as it is restricted to some.
    pub fn may_reach(&self, organization_id: &str) -> bool {
        let allowed = self.key().and_then(|key| key.scoped_organizations.as_ref());
        allowed.is_none_or(|allowed| allowed.iter().any(|id| id == organization_id))
    }

    /// Whether the key may be used on a project, as far as it is restricted to some.
    pub fn may_reach_project(&self, project: ProjectId) -> bool {
        let allowed = self.key().and_then(|key| key.scoped_projects.as_ref());
        allowed.is_none_or(|allowed| allowed.contains(&project.0))
    }

    /// The project that the key is for, when it is for one only.
    pub fn only_project(&self) -> Option<ProjectId> {
        match self.key().and_then(|key| key.scoped_projects.as_deref()) {
            Some([project]) => Some(ProjectId(*project)),
            _ => None,
        }
    }

    /// Refuses a key that is for projects, where there is no project.
    ///
    /// # Errors
    /// 403.
    pub fn require_no_projects(&self) -> Result<(), ApiError> {
        match self.key().and_then(|key| key.scoped_projects.as_ref()) {
            Some(_) => Err(ApiError::permission_denied("the API key is for projects only")),
            None => Ok(()),
        }
    }

    /// Refuses a key that is for organizations, where there is none yet.
    ///
    /// # Errors
    /// 403.
    pub fn require_no_organizations(&self) -> Result<(), ApiError> {
        match self.key().and_then(|key| key.scoped_organizations.as_ref()) {
            Some(_) => Err(ApiError::permission_denied("the API key is for organizations that exist")),
            None => Ok(()),
        }
    }

    /// Refuses to make a key that may do more than the caller's own.
    ///
    /// # Errors
    /// 403 that names what it may not do.
    pub fn require_no_more_than(&self, wanted: &KeyAttributes) -> Result<(), ApiError> {
        let Some(own) = self.key() else { return Ok(()) };
        let lacking = wanted.scopes.iter().find(|scope| !scope::implies(&own.scopes, scope));
        if let Some(scope) = lacking {
            return Err(ApiError::permission_denied(format!(
                "your own API key does not have the scope '{scope}'"
            )));
        }
        if is_wider(wanted.scoped_projects.as_deref(), own.scoped_projects.as_deref()) {
            return Err(ApiError::permission_denied("your own API key is for fewer projects"));
        }
        if is_wider(wanted.scoped_organizations.as_deref(), own.scoped_organizations.as_deref()) {
            return Err(ApiError::permission_denied("your own API key is for fewer organizations"));
        }
        Ok(())
    }

    async fn standing(&self, meta: &Meta, organization_id: &str) -> Result<Option<Member>, ApiError> {
        let Some(level) = meta.known_level(organization_id, self.user.id).await? else {
            return Ok(None);
        };
        let organization = meta.known_organization(organization_id).await?;
        Ok(organization.map(|organization| Member { organization, level }))
    }

    /// Only members learn that an organization is not active.
    fn require_active(&self, Member { organization, level }: &Member) -> Result<(), ApiError> {
        if organization.is_pending_deletion {
            return Err(ApiError::permission_denied("the organization is being deleted"));
        }
        if !organization.is_active {
            let reason = organization.is_not_active_reason.as_deref();
            let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            return Err(ApiError::permission_denied(format!("the organization is deactivated{reason}")));
        }
        let is_key = self.key().is_some();
        if is_key && !organization.settings.members_can_use_personal_api_keys && *level < Level::ADMIN {
            return Err(ApiError::permission_denied("the organization does not let members use API keys"));
        }
        Ok(())
    }
}

impl Member {
    /// Whether the caller may manage the organization.
    ///
    /// # Errors
    /// 403 below the level.
    pub fn require_level(&self, level: Level) -> Result<(), ApiError> {
        if self.level >= level {
            return Ok(());
        }
        let name = level.name();
        Err(ApiError::permission_denied(format!("only an {name} of the organization or above may do this")))
    }
}

/// Whether a restriction lets through what another one does not; none lets everything through.
fn is_wider<T: PartialEq>(wanted: Option<&[T]>, own: Option<&[T]>) -> bool {
    match (wanted, own) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(wanted), Some(own)) => wanted.iter().any(|id| !own.contains(id)),
    }
}

fn positive_integer(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}
