//! Projects: what log rows belong to.

use engine::schema::ProjectId;
use sqlx::AnyConnection;
use uuid::Uuid;

use super::{Meta, MetaError};

/// A project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its number.
    pub id: ProjectId,
    /// The organization that owns it, UUID text.
    pub organization_id: String,
}

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
}
