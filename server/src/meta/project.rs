//! Projects: what log rows belong to.

use engine::schema::ProjectId;
use serde_json::{Map, Value, json};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use uuid::Uuid;

use super::{Meta, MetaError, counter};

/// A project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its number.
    pub id: ProjectId,
    /// UUID text.
    pub uuid: String,
    /// The organization that owns it, UUID text.
    pub organization_id: String,
    /// What may be set.
    pub settings: ProjectSettings,
    /// When it was made, microseconds.
    pub created_us: i64,
    /// When it was changed last, microseconds.
    pub updated_us: i64,
}

/// What may be set of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectSettings {
    /// Its name.
    pub name: String,
    /// Where its people are; questions are always about UTC.
    pub timezone: String,
    /// Whether its trail shows what is done to the organization.
    pub receive_org_level_activity_logs: bool,
    /// For how many days rows are kept; none is for ever.
    pub retention_days: Option<u32>,
    /// Whether the members of JSON bodies become attributes of records that come in.
    pub json_parse_logs: bool,
    /// Whether personal data and secrets are taken out of records that come in.
    pub pii_scrub_logs: bool,
}

impl ProjectSettings {
    /// The defaults.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            timezone: "UTC".to_owned(),
            receive_org_level_activity_logs: false,
            retention_days: None,
            json_parse_logs: false,
            pii_scrub_logs: false,
        }
    }

    /// The settings by name, as the audit trail compares them.
    pub fn fields(&self) -> Map<String, Value> {
        let fields = json!({
            "name": self.name,
            "timezone": self.timezone,
            "receive_org_level_activity_logs": self.receive_org_level_activity_logs,
            "retention_days": self.retention_days,
            "json_parse_logs": self.json_parse_logs,
            "pii_scrub_logs": self.pii_scrub_logs,
        });
        fields.as_object().cloned().unwrap_or_default()
    }
}

/// Adds a project and returns its number, which no project has had before.
pub(crate) async fn insert(
    connection: &mut AnyConnection,
    organization_id: &str,
    settings: &ProjectSettings,
    now_us: i64,
) -> Result<ProjectId, MetaError> {
    let id = ProjectId(counter::next(connection, "projects").await?);
    sqlx::query(
        "INSERT INTO projects
           (id, uuid, organization_id, name, timezone, receive_org_level_activity_logs, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, 0, $6, $6)",
    )
    .bind(id.0)
    .bind(Uuid::now_v7().to_string())
    .bind(organization_id.to_owned())
    .bind(settings.name.clone())
    .bind(settings.timezone.clone())
    .bind(now_us)
    .execute(&mut *connection)
    .await?;
    update(connection, id, settings, now_us).await?;
    Ok(id)
}

/// Sets what may be set.
pub(crate) async fn update(
    connection: &mut AnyConnection,
    id: ProjectId,
    settings: &ProjectSettings,
    now_us: i64,
) -> Result<(), MetaError> {
    sqlx::query(
        "UPDATE projects SET name = $1, timezone = $2, receive_org_level_activity_logs = $3, retention_days = $4,
           json_parse_logs = $5, pii_scrub_logs = $6, rules_version = rules_version + 1, updated_at = $7
         WHERE id = $8",
    )
    .bind(settings.name.clone())
    .bind(settings.timezone.clone())
    .bind(i64::from(settings.receive_org_level_activity_logs))
    .bind(settings.retention_days.map(i64::from))
    .bind(i64::from(settings.json_parse_logs))
    .bind(i64::from(settings.pii_scrub_logs))
    .bind(now_us)
    .bind(id.0)
    .execute(connection)
    .await?;
    Ok(())
}

const COLUMNS: &str =
    "id, uuid, organization_id, name, timezone, receive_org_level_activity_logs, retention_days,
    json_parse_logs, pii_scrub_logs, created_at, updated_at";

fn from_row(row: &AnyRow) -> Result<Project, MetaError> {
    let days: Option<i64> = row.try_get("retention_days")?;
    Ok(Project {
        id: ProjectId(row.try_get("id")?),
        uuid: row.try_get("uuid")?,
        organization_id: row.try_get("organization_id")?,
        settings: ProjectSettings {
            name: row.try_get("name")?,
            timezone: row.try_get("timezone")?,
            receive_org_level_activity_logs: row.try_get::<i64, _>("receive_org_level_activity_logs")? != 0,
            retention_days: days.map(super::retention::valid_days).transpose()?,
            json_parse_logs: row.try_get::<i64, _>("json_parse_logs")? != 0,
            pii_scrub_logs: row.try_get::<i64, _>("pii_scrub_logs")? != 0,
        },
        created_us: row.try_get("created_at")?,
        updated_us: row.try_get("updated_at")?,
    })
}

/// The project with a number.
pub(crate) async fn get(connection: &mut AnyConnection, id: ProjectId) -> Result<Option<Project>, MetaError> {
    let sql = AssertSqlSafe(format!("SELECT {COLUMNS} FROM projects WHERE id = $1"));
    let row = sqlx::query(sql).bind(id.0).fetch_optional(connection).await?;
    row.as_ref().map(from_row).transpose()
}

/// The projects of an organization, oldest first.
pub(crate) async fn of_organization(
    connection: &mut AnyConnection,
    organization_id: &str,
) -> Result<Vec<Project>, MetaError> {
    let sql = AssertSqlSafe(format!("SELECT {COLUMNS} FROM projects WHERE organization_id = $1 ORDER BY id"));
    let rows = sqlx::query(sql).bind(organization_id.to_owned()).fetch_all(connection).await?;
    rows.iter().map(from_row).collect()
}

impl Meta {
    /// The project with an id.
    pub async fn project(&self, id: ProjectId) -> Result<Option<Project>, MetaError> {
        get(&mut *self.pool.acquire().await?, id).await
    }

    /// The projects of an organization, oldest first.
    pub async fn projects_of_organization(&self, organization_id: &str) -> Result<Vec<Project>, MetaError> {
        of_organization(&mut *self.pool.acquire().await?, organization_id).await
    }
}
