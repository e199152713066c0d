//! Which level a caller has for the resources of a project.

use engine::schema::ProjectId;

use super::{Caller, Member, Scope};
use crate::error::ApiError;
use crate::meta::access_control::{AccessControl, AccessLevel, Resource, Target};
use crate::meta::{Level, Meta, MetaError};

/// What a caller may do in one project.
#[derive(Clone, Debug)]
pub struct Access {
    /// Whether access controls do not bind the caller.
    is_free: bool,
    /// Those that hold for the caller.
    rules: Vec<AccessControl>,
}

impl Access {
    /// What a member of an organization may do in a project of it. Administrators and owners may do everything.
    ///
    /// # Errors
    /// When the metadata database fails.
    pub async fn of(
        meta: &Meta,
        member: &Member,
        user_id: i64,
        project: ProjectId,
    ) -> Result<Self, MetaError> {
        let is_free = member.level >= Level::ADMIN;
        let organization_id = &member.organization.id;
        let rules = match is_free {
            true => Vec::new(),
            false => meta.known_access_controls(organization_id, user_id, project).await?,
        };
        Ok(Self { is_free, rules })
    }

    /// The caller's level for a resource: what the rule for the caller alone says, else the highest that a role of the
    /// caller has, else what everyone has, else the resource's default. Who may do nothing with the project may do
    /// nothing in it, and its administrators may do everything in it.
    pub fn level(&self, resource: Resource) -> AccessLevel {
        let project = self.own_level(Resource::Project);
        match (resource, project) {
            (Resource::Project, level) => level,
            (_, AccessLevel::None) => AccessLevel::None,
            (resource, AccessLevel::Admin) => resource.highest_level(),
            (resource, _) => self.own_level(resource),
        }
    }

    fn own_level(&self, resource: Resource) -> AccessLevel {
        if self.is_free {
            return resource.highest_level();
        }
        let said = |is_meant: fn(&Target) -> bool| {
            let rules = self.rules.iter().filter(|rule| rule.resource == resource && is_meant(&rule.target));
            rules.map(|rule| rule.level).max()
        };
        said(|target| matches!(target, Target::Member(_)))
            .or_else(|| said(|target| matches!(target, Target::Role(_))))
            .or_else(|| said(|target| matches!(target, Target::Everyone)))
            .unwrap_or_else(|| resource.default_level())
    }

    /// Refuses who is below a level.
    ///
    /// # Errors
    /// 403 that names the level.
    pub fn require(&self, resource: Resource, needed: AccessLevel) -> Result<(), ApiError> {
        if self.level(resource) >= needed {
            return Ok(());
        }
        let (resource, needed) = (resource.name(), needed.name());
        Err(ApiError::permission_denied(format!("this needs the access level '{needed}' for '{resource}'")))
    }

    /// Refuses who may not do what a scope stands for.
    ///
    /// # Errors
    /// 403 that names the level.
    pub fn require_scope(&self, scope: Scope) -> Result<(), ApiError> {
        self.require(Resource::Project, AccessLevel::Member)?;
        match scope.resource() {
            Some((resource, needed)) => self.require(resource, needed),
            None => Ok(()),
        }
    }
}

impl Caller {
    /// What the caller may do in a project of an organization that the caller is in.
    ///
    /// # Errors
    /// When the metadata database fails.
    pub async fn access(
        &self,
        meta: &Meta,
        member: &Member,
        project: ProjectId,
    ) -> Result<Access, MetaError> {
        Access::of(meta, member, self.user_id(), project).await
    }
}

/// The projects of an organization that are hidden from a member.
///
/// # Errors
/// When the metadata database fails.
pub(crate) async fn hidden_projects(
    meta: &Meta,
    organization_id: &str,
    level: Option<Level>,
    user_id: i64,
) -> Result<Vec<ProjectId>, MetaError> {
    if level.is_some_and(|level| level >= Level::ADMIN) {
        return Ok(Vec::new());
    }
    let mut of_project: Vec<(ProjectId, Vec<AccessControl>)> = Vec::new();
    let rules = meta.access_controls_of_user(organization_id, user_id, None).await?;
    for rule in rules.into_iter().filter(|rule| rule.resource == Resource::Project) {
        match of_project.iter_mut().find(|(project, _)| *project == rule.project) {
            Some((_, rules)) => rules.push(rule),
            None => of_project.push((rule.project, vec![rule])),
        }
    }
    let hidden = |(project, rules): (ProjectId, Vec<AccessControl>)| {
        let access = Access { is_free: false, rules };
        (access.level(Resource::Project) == AccessLevel::None).then_some(project)
    };
    Ok(of_project.into_iter().filter_map(hidden).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(rules: &[(Resource, Target, AccessLevel)]) -> Access {
        let rule = |(resource, target, level): &(Resource, Target, AccessLevel)| AccessControl {
            id: String::new(),
            project: ProjectId(1),
            resource: *resource,
            target: target.clone(),
            level: *level,
            created_by: None,
            created_us: 0,
            updated_us: 0,
        };
        Access { is_free: false, rules: rules.iter().map(rule).collect() }
    }

    #[test]
    fn who_is_meant_more_closely_decides() {
        use AccessLevel::{Admin, Editor, Manager, Member, None, Viewer};
        use Resource::{ActivityLog, Logs, Project};
        let role = |id: &str| Target::Role(id.into());
        let me = || Target::Member("m".into());
        for (rules, resource, expected) in [
            (vec![], Logs, Editor),
            (vec![], Project, Member),
            (vec![], ActivityLog, Viewer),
            (vec![(Logs, Target::Everyone, Viewer)], Logs, Viewer),
            (vec![(Logs, Target::Everyone, Viewer)], ActivityLog, Viewer),
            (vec![(Logs, Target::Everyone, None), (Logs, role("a"), Editor)], Logs, Editor),
            (vec![(Logs, role("a"), Viewer), (Logs, role("b"), Manager)], Logs, Manager),
            (vec![(Logs, role("a"), Manager), (Logs, me(), None)], Logs, None),
            (vec![(Project, Target::Everyone, None), (Logs, me(), Manager)], Logs, None),
            (vec![(Project, me(), Admin), (Logs, me(), None)], Logs, Manager),
            (vec![(Project, me(), Admin), (ActivityLog, Target::Everyone, None)], ActivityLog, Viewer),
        ] {
            assert_eq!(access(&rules).level(resource), expected, "{rules:?}");
        }
        let free = Access { is_free: true, rules: vec![] };
        assert_eq!(free.level(Resource::Project), AccessLevel::Admin);
        assert_eq!(free.level(Resource::Logs), AccessLevel::Manager);
    }

    #[test]
    fn what_a_scope_stands_for_needs_a_level() {
        let viewer = access(&[(Resource::Logs, Target::Everyone, AccessLevel::Viewer)]);
        assert!(viewer.require_scope(Scope::LOGS_READ).is_ok());
        let refused = viewer.require_scope(Scope::LOGS_WRITE).unwrap_err().to_string();
        assert!(refused.contains("'editor' for 'logs'"), "{refused}");
        assert!(viewer.require_scope(Scope::PROJECT_READ).is_ok());
        assert!(viewer.require_scope(Scope::PROJECT_WRITE).is_err());
    }
}
