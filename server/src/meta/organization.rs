//! Organizations: who owns projects.

use sqlx::AnyConnection;
use uuid::Uuid;

use engine::schema::ProjectId;

use super::{Meta, MetaError};

/// Adds an organization.
pub(super) async fn insert(
    connection: &mut AnyConnection,
    id: Uuid,
    name: &str,
    now_us: i64,
) -> Result<(), MetaError> {
    sqlx::query("INSERT INTO organizations (id, name, created_at, updated_at) VALUES ($1, $2, $3, $3)")
        .bind(id.to_string())
        .bind(name.to_owned())
        .bind(now_us)
        .execute(connection)
        .await?;
    Ok(())
}

/// How many organizations there are.
pub(super) async fn count(connection: &mut AnyConnection) -> Result<i64, MetaError> {
    let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM organizations").fetch_one(connection).await?;
    Ok(count)
}

impl Meta {
    /// Whether the organization of a project lets models see its data; it does until it has decided otherwise.
    pub async fn ai_is_approved(&self, project: ProjectId) -> Result<bool, MetaError> {
        let row: Option<(Option<i64>,)> = sqlx::query_as(
            "SELECT o.is_ai_data_processing_approved
             FROM projects p JOIN organizations o ON o.id = p.organization_id WHERE p.id = $1",
        )
        .bind(project.0)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.is_some_and(|(approved,)| approved != Some(0)))
    }
}
