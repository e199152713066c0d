//! Integrations: what a project is connected to, with its secrets encrypted.

use engine::schema::ProjectId;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::{Meta, MetaError, counter};

/// An integration as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Integration {
    /// Its number, unique on the server.
    pub id: i64,
    /// Whose it is.
    pub project: ProjectId,
    /// `slack` or `webhook`.
    pub kind: String,
    /// What people call it.
    pub name: String,
    /// What may be shown, as JSON text.
    pub shown: String,
    /// The rest, encrypted.
    pub sealed: String,
    /// Who made it.
    pub created_by: Option<i64>,
    /// When it was made, microseconds.
    pub created_us: i64,
    /// When it was changed last, microseconds.
    pub updated_us: i64,
}

fn from_row(row: &AnyRow) -> Result<Integration, MetaError> {
    Ok(Integration {
        id: row.try_get("id")?,
        project: ProjectId(row.try_get("project_id")?),
        kind: row.try_get("kind")?,
        name: row.try_get("name")?,
        shown: row.try_get("shown")?,
        sealed: row.try_get("sealed")?,
        created_by: row.try_get("created_by")?,
        created_us: row.try_get("created_at")?,
        updated_us: row.try_get("updated_at")?,
    })
}

/// A number for a new integration, which its secrets are bound to.
pub(crate) async fn next_id(connection: &mut AnyConnection) -> Result<i64, MetaError> {
    counter::next(connection, "integrations").await
}

/// Adds an integration.
pub(crate) async fn insert(connection: &mut AnyConnection, new: &Integration) -> Result<(), MetaError> {
    sqlx::query(
        "INSERT INTO integrations
           (id, project_id, kind, name, shown, sealed, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(new.id)
    .bind(new.project.0)
    .bind(new.kind.clone())
    .bind(new.name.clone())
    .bind(new.shown.clone())
    .bind(new.sealed.clone())
    .bind(new.created_by)
    .bind(new.created_us)
    .bind(new.updated_us)
    .execute(connection)
    .await?;
    Ok(())
}

/// Sets the name, the secrets and what is shown of them.
pub(crate) async fn update(connection: &mut AnyConnection, changed: &Integration) -> Result<(), MetaError> {
    sqlx::query("UPDATE integrations SET name = $1, shown = $2, sealed = $3, updated_at = $4 WHERE id = $5")
        .bind(changed.name.clone())
        .bind(changed.shown.clone())
        .bind(changed.sealed.clone())
        .bind(changed.updated_us)
        .bind(changed.id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Takes an integration away.
pub(crate) async fn delete(connection: &mut AnyConnection, id: i64) -> Result<(), MetaError> {
    sqlx::query("DELETE FROM integrations WHERE id = $1").bind(id).execute(connection).await?;
    Ok(())
}

/// An integration of a project.
pub(crate) async fn get(
    connection: &mut AnyConnection,
    project: ProjectId,
    id: i64,
) -> Result<Option<Integration>, MetaError> {
    let row = sqlx::query("SELECT * FROM integrations WHERE project_id = $1 AND id = $2")
        .bind(project.0)
        .bind(id)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// The integrations of a project, oldest first.
pub(crate) async fn of_project(
    connection: &mut AnyConnection,
    project: ProjectId,
) -> Result<Vec<Integration>, MetaError> {
    let rows = sqlx::query("SELECT * FROM integrations WHERE project_id = $1 ORDER BY id")
        .bind(project.0)
        .fetch_all(connection)
        .await?;
    rows.iter().map(from_row).collect()
}

impl Meta {
    /// An integration of a project.
    pub async fn integration(&self, project: ProjectId, id: i64) -> Result<Option<Integration>, MetaError> {
        get(&mut *self.pool.acquire().await?, project, id).await
    }

    /// The integrations of a project, oldest first.
    pub async fn integrations(&self, project: ProjectId) -> Result<Vec<Integration>, MetaError> {
        of_project(&mut *self.pool.acquire().await?, project).await
    }
}
