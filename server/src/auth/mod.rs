//! Who calls, and whether they may: personal API keys, their scopes and restrictions.
//!
//! The order of checks is fixed: a bad credential (401), none (401), scope and restrictions of the key (403),
//! existence of the project (404), membership (403). The body is looked at only after all of them.

mod credential;
mod scope;

use axum::http::HeaderMap;
use engine::schema::ProjectId;
use serde_json::Value;

pub use scope::Scope;

use crate::error::ApiError;
use crate::meta::{Meta, PersonalApiKey};

/// Somebody whose key is valid.
#[derive(Debug)]
pub struct Caller {
    key: PersonalApiKey,
}

/// What a project path may say in place of a number.
const CURRENT: &str = "@current";

impl Caller {
    /// Finds out who calls.
    ///
    /// # Errors
    /// 401 when no key is given, it is unknown, or its owner is not active.
    pub async fn authenticate(
        meta: &Meta,
        headers: &HeaderMap,
        body: Option<&Value>,
        query: &[(String, String)],
        now_us: i64,
    ) -> Result<Self, ApiError> {
        let credential = credential::find(headers, body, query).ok_or_else(ApiError::not_authenticated)?;
        let key = meta.personal_api_key(&credential.key).await?.filter(|key| key.user_is_active).ok_or_else(
            || {
                ApiError::authentication_failed(format!(
                    "the personal API key found in {} is invalid",
                    credential.place
                ))
            },
        )?;
        if let Err(error) = meta.note_use(&key, now_us).await {
            // The stamp is for people; a call does not fail for it.
            tracing::warn!(%error, "cannot note the use of a key");
        }
        Ok(Self { key })
    }

    /// Whether the key allows what an endpoint does, wherever it does it.
    ///
    /// # Errors
    /// 403 that names the missing scope.
    pub fn require_scope(&self, scope: Scope) -> Result<(), ApiError> {
        if scope.is_granted_by(&self.key.scopes) {
            Ok(())
        } else {
            Err(ApiError::permission_denied(format!("the API key is missing the required scope '{scope}'")))
        }
    }

    /// Whether the key has a scope.
    pub fn has_scope(&self, scope: Scope) -> bool {
        scope.is_granted_by(&self.key.scopes)
    }

    /// Whose rights the key carries.
    pub fn user_id(&self) -> i64 {
        self.key.user_id
    }

    /// The project that a path names, if the caller may use it.
    ///
    /// # Errors
    /// 404 when there is no such project; 403 when the key or its owner has no access to it.
    pub async fn require_project(&self, meta: &Meta, id: &str) -> Result<ProjectId, ApiError> {
        let not_found = || ApiError::not_found("project not found");
        let id = if id == CURRENT { self.key.current_project_id } else { positive_integer(id) };
        let id = id.ok_or_else(not_found)?;
        if self.key.scoped_projects.as_ref().is_some_and(|allowed| !allowed.contains(&id)) {
            return Err(ApiError::permission_denied(format!("the API key has no access to project {id}")));
        }
        let project = meta.project(ProjectId(id)).await?.ok_or_else(not_found)?;
        let organization = &project.organization_id;
        if self.key.scoped_organizations.as_ref().is_some_and(|allowed| !allowed.contains(organization)) {
            return Err(ApiError::permission_denied(format!("the API key has no access to project {id}")));
        }
        match meta.membership_level(organization, self.key.user_id).await? {
            Some(_) => Ok(project.id),
            None => Err(ApiError::permission_denied(format!("you have no access to project {id}"))),
        }
    }
}

fn positive_integer(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}
