//! Access controls: who may do how much with a resource of a project.

use engine::schema::ProjectId;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use uuid::Uuid;

use super::{Meta, MetaError};

/// What access can be controlled to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The project itself, and with it everything in it.
    Project,
    /// Logs, their views, rules and alerts, and questions in SQL.
    Logs,
    /// The audit trail.
    ActivityLog,
    /// Approval policies and change requests.
    Approvals,
    /// Exports.
    Export,
}

/// How much somebody may do. Levels are compared within one resource: [`Resource::levels`] has those that it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessLevel {
    /// Nothing.
    None,
    /// Of a project: use it.
    Member,
    /// Of a project: also its settings, tokens, integrations and access controls, and everything in it.
    Admin,
    /// Read.
    Viewer,
    /// Read and write.
    Editor,
    /// Everything.
    Manager,
}

impl Resource {
    /// Every resource with its name.
    pub const ALL: [(&'static str, Self); 5] = [
        ("project", Self::Project),
        ("logs", Self::Logs),
        ("activity_log", Self::ActivityLog),
        ("approvals", Self::Approvals),
        ("export", Self::Export),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, resource)| *resource == self).map_or("", |(name, _)| name)
    }

    /// The levels that it knows, lowest first.
    pub fn levels(self) -> &'static [AccessLevel] {
        use AccessLevel::{Admin, Editor, Manager, Member, None, Viewer};
        match self {
            Self::Project => &[None, Member, Admin],
            Self::ActivityLog => &[None, Viewer],
            Self::Logs | Self::Approvals | Self::Export => &[None, Viewer, Editor, Manager],
        }
    }

    /// The level of a member of the organization for whom no rule says another one.
    pub fn default_level(self) -> AccessLevel {
        match self {
            Self::Project => AccessLevel::Member,
            Self::ActivityLog => AccessLevel::Viewer,
            Self::Logs | Self::Approvals | Self::Export => AccessLevel::Editor,
        }
    }

    /// The level of those who may do everything.
    pub fn highest_level(self) -> AccessLevel {
        self.levels().last().copied().unwrap_or(AccessLevel::None)
    }
}

impl AccessLevel {
    /// Every level with its name.
    pub const ALL: [(&'static str, Self); 6] = [
        ("none", Self::None),
        ("member", Self::Member),
        ("admin", Self::Admin),
        ("viewer", Self::Viewer),
        ("editor", Self::Editor),
        ("manager", Self::Manager),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, level)| *level == self).map_or("", |(name, _)| name)
    }
}

/// Whom a rule is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Every member of the organization.
    Everyone,
    /// The members of a role, UUID text.
    Role(String),
    /// The holder of a membership, UUID text.
    Member(String),
}

impl Target {
    fn columns(&self) -> (&'static str, &str) {
        match self {
            Self::Everyone => ("everyone", ""),
            Self::Role(id) => ("role", id),
            Self::Member(id) => ("member", id),
        }
    }

    fn of_columns(target: &str, id: String) -> Result<Self, MetaError> {
        match target {
            "everyone" => Ok(Self::Everyone),
            "role" => Ok(Self::Role(id)),
            "member" => Ok(Self::Member(id)),
            other => Err(MetaError::Corrupt(format!("the target {other} of an access control"))),
        }
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessControl {
    /// UUID text.
    pub id: String,
    /// Where it holds.
    pub project: ProjectId,
    /// For what.
    pub resource: Resource,
    /// For whom.
    pub target: Target,
    /// What they may do.
    pub level: AccessLevel,
    /// Who made it.
    pub created_by: Option<i64>,
    /// When it was made, microseconds.
    pub created_us: i64,
    /// When it was changed last, microseconds.
    pub updated_us: i64,
}

impl AccessControl {
    /// Whether the project is not there for everyone.
    pub fn is_hiding(&self) -> bool {
        self.resource == Resource::Project
            && self.target == Target::Everyone
            && self.level == AccessLevel::None
    }
}

fn word<T: Copy>(words: &[(&'static str, T)], text: &str) -> Result<T, MetaError> {
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
    found.ok_or_else(|| MetaError::Corrupt(format!("the word {text} in an access control")))
}

fn from_row(row: &AnyRow) -> Result<AccessControl, MetaError> {
    let target: String = row.try_get("target")?;
    let (resource, level): (String, String) = (row.try_get("resource")?, row.try_get("access_level")?);
    Ok(AccessControl {
        id: row.try_get("id")?,
        project: ProjectId(row.try_get("project_id")?),
        resource: word(&Resource::ALL, &resource)?,
        target: Target::of_columns(&target, row.try_get("target_id")?)?,
        level: word(&AccessLevel::ALL, &level)?,
        created_by: row.try_get("created_by")?,
        created_us: row.try_get("created_at")?,
        updated_us: row.try_get("updated_at")?,
    })
}

/// The rules of a project, oldest first.
pub(crate) async fn of_project(
    connection: &mut AnyConnection,
    project: ProjectId,
) -> Result<Vec<AccessControl>, MetaError> {
    let rows = sqlx::query("SELECT * FROM access_controls WHERE project_id = $1 ORDER BY created_at, id")
        .bind(project.0)
        .fetch_all(connection)
        .await?;
    rows.iter().map(from_row).collect()
}

/// Sets what a target may do with a resource, whether there is a rule or not.
pub(crate) async fn set(
    connection: &mut AnyConnection,
    project: ProjectId,
    (resource, target): (Resource, &Target),
    level: AccessLevel,
    created_by: Option<i64>,
    now_us: i64,
) -> Result<(), MetaError> {
    let (target, target_id) = target.columns();
    sqlx::query(
        "INSERT INTO access_controls
           (id, project_id, resource, target, target_id, access_level, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
         ON CONFLICT (project_id, resource, target, target_id)
         DO UPDATE SET access_level = excluded.access_level, updated_at = excluded.updated_at",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(project.0)
    .bind(resource.name())
    .bind(target)
    .bind(target_id.to_owned())
    .bind(level.name())
    .bind(created_by)
    .bind(now_us)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes a rule away.
pub(crate) async fn delete(connection: &mut AnyConnection, id: &str) -> Result<(), MetaError> {
    sqlx::query("DELETE FROM access_controls WHERE id = $1").bind(id.to_owned()).execute(connection).await?;
    Ok(())
}

/// Takes away every rule for a role or a membership that is no more.
pub(super) async fn delete_of_target(
    connection: &mut AnyConnection,
    target_id: &str,
) -> Result<(), MetaError> {
    sqlx::query("DELETE FROM access_controls WHERE target_id = $1")
        .bind(target_id.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}

impl Meta {
    /// The rules of a project, oldest first.
    pub async fn access_controls(&self, project: ProjectId) -> Result<Vec<AccessControl>, MetaError> {
        of_project(&mut *self.pool.acquire().await?, project).await
    }

    /// The rules that hold for a user in the projects of an organization, or in one of them.
    pub async fn access_controls_of_user(
        &self,
        organization_id: &str,
        user_id: i64,
        project: Option<ProjectId>,
    ) -> Result<Vec<AccessControl>, MetaError> {
        let rows = sqlx::query(
            "SELECT a.* FROM access_controls a JOIN projects p ON p.id = a.project_id
             WHERE p.organization_id = $1 AND (a.project_id = $3 OR $3 = 0) AND (
               a.target = 'everyone'
               OR (a.target = 'member' AND a.target_id IN
                 (SELECT m.id FROM memberships m WHERE m.organization_id = $1 AND m.user_id = $2))
               OR (a.target = 'role' AND a.target_id IN
                 (SELECT rm.role_id FROM role_memberships rm JOIN roles r ON r.id = rm.role_id
                  WHERE r.organization_id = $1 AND rm.user_id = $2)))",
        )
        .bind(organization_id.to_owned())
        .bind(user_id)
        .bind(project.map_or(0, |project| project.0))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(from_row).collect()
    }
}
