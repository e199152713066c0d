//! Projects: what log rows belong to.

use engine::schema::ProjectId;
use sqlx::AnyConnection;
use uuid::Uuid;

use super::retention::valid_days;
use super::{Meta, MetaError};

/// A project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its number.
    pub id: ProjectId,
    /// The organization that owns it, UUID text.
    pub organization_id: String,
}

/// Everything about a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectDetails {
    /// Its number.
    pub id: ProjectId,
    /// Its UUID, text.
    pub uuid: String,
    /// The organization that owns it, UUID text.
    pub organization_id: String,
    /// What people call it.
    pub name: String,
    /// For how many days its rows are kept; `None` is for ever.
    pub retention_days: Option<u32>,
    /// Whether the members of JSON bodies become attributes.
    pub json_parse_logs: bool,
    /// Whether personal data and secrets are taken out of records.
    pub pii_scrub_logs: bool,
    /// Microseconds since the epoch.
    pub created_at_us: i64,
    /// Microseconds since the epoch.
    pub updated_at_us: i64,
}

/// What is to become of a project; `None` leaves a member as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectChange {
    /// Its name.
    pub name: Option<String>,
    /// Days of retention; the inner `None` is for ever.
    pub retention_days: Option<Option<u32>>,
    /// See [`ProjectDetails::json_parse_logs`].
    pub json_parse_logs: Option<bool>,
    /// See [`ProjectDetails::pii_scrub_logs`].
    pub pii_scrub_logs: Option<bool>,
}

type DetailsRow = (String, String, String, Option<i64>, i64, i64, i64, i64);

/// Adds a project.
pub(super) async fn insert(
    connection: &mut AnyConnection,
    id: ProjectId,
    organization_id: Uuid,
    name: &str,
    now_us: i64,
) -> Result<(), MetaError> {
    sqlx::query(
        "INSERT INTO projects (id, uuid, organization_id, name, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)",
    )
    .bind(id.0)
    .bind(Uuid::now_v7().to_string())
    .bind(organization_id.to_string())
    .bind(name.to_owned())
    .bind(now_us)
    .execute(connection)
    .await?;
    Ok(())
}

impl Meta {
    /// The project with an id.
    pub async fn project(&self, id: ProjectId) -> Result<Option<Project>, MetaError> {
        let row: Option<(String,)> = sqlx::query_as("SELECT organization_id FROM projects WHERE id = $1")
            .bind(id.0)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|(organization_id,)| Project { id, organization_id }))
    }

    /// Everything about the project with an id.
    ///
    /// # Errors
    /// [`MetaError::Corrupt`] when its retention is out of bounds.
    pub async fn project_details(&self, id: ProjectId) -> Result<Option<ProjectDetails>, MetaError> {
        let row: Option<DetailsRow> = sqlx::query_as(
            "SELECT uuid, organization_id, name, retention_days, json_parse_logs, pii_scrub_logs, created_at, updated_at
             FROM projects WHERE id = $1",
        )
        .bind(id.0)
        .fetch_optional(&self.pool)
        .await?;
        let Some((uuid, organization_id, name, days, json_parse_logs, pii_scrub_logs, created, updated)) =
            row
        else {
            return Ok(None);
        };
        Ok(Some(ProjectDetails {
            id,
            uuid,
            organization_id,
            name,
            retention_days: days.map(valid_days).transpose()?,
            json_parse_logs: json_parse_logs != 0,
            pii_scrub_logs: pii_scrub_logs != 0,
            created_at_us: created,
            updated_at_us: updated,
        }))
    }

    /// Changes a project. Whether there is one.
    pub async fn change_project(
        &self,
        id: ProjectId,
        change: &ProjectChange,
        now_us: i64,
    ) -> Result<bool, MetaError> {
        let changes_retention = i64::from(change.retention_days.is_some());
        let changed = sqlx::query(
            "UPDATE projects SET name = COALESCE($1, name),
             retention_days = CASE WHEN $2 = 1 THEN $3 ELSE retention_days END,
             json_parse_logs = COALESCE($4, json_parse_logs), pii_scrub_logs = COALESCE($5, pii_scrub_logs),
             rules_version = rules_version + 1, updated_at = $6 WHERE id = $7",
        )
        .bind(change.name.clone())
        .bind(changes_retention)
        .bind(change.retention_days.flatten().map(i64::from))
        .bind(change.json_parse_logs.map(i64::from))
        .bind(change.pii_scrub_logs.map(i64::from))
        .bind(now_us)
        .bind(id.0)
        .execute(&self.pool)
        .await?;
        Ok(changed.rows_affected() > 0)
    }
}
