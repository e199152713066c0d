//! Project tokens: the right to send records into one project, and nothing else.

use engine::schema::ProjectId;
use sqlx::AnyConnection;
use uuid::Uuid;

use super::{Meta, MetaError};
use crate::secret::{self, Secret};

/// A token, in clear: tokens are public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectToken {
    /// UUID text.
    pub id: String,
    /// The token itself.
    pub token: String,
    /// What its owner calls it.
    pub label: String,
    /// Who made it.
    pub created_by: Option<i64>,
    /// When it was made, microseconds.
    pub created_us: i64,
}

/// Adds a token and returns its id.
pub(crate) async fn insert(
    connection: &mut AnyConnection,
    token: &Secret,
    label: &str,
    project: ProjectId,
    created_by: Option<i64>,
    now_us: i64,
) -> Result<String, MetaError> {
    let id = Uuid::now_v7().to_string();
    sqlx::query(
        "INSERT INTO project_tokens (id, token_hash, token, label, project_id, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id.clone())
    .bind(secret::hash(token.reveal()))
    .bind(token.reveal().to_owned())
    .bind(label.to_owned())
    .bind(project.0)
    .bind(created_by)
    .bind(now_us)
    .execute(connection)
    .await?;
    Ok(id)
}

/// Takes a token away: what is sent with it is refused from now on. Whether there was one.
pub(crate) async fn delete(
    connection: &mut AnyConnection,
    project: ProjectId,
    id: &str,
) -> Result<bool, MetaError> {
    let deleted = sqlx::query("DELETE FROM project_tokens WHERE project_id = $1 AND id = $2")
        .bind(project.0)
        .bind(id.to_owned())
        .execute(connection)
        .await?;
    Ok(deleted.rows_affected() > 0)
}

/// The tokens of a project, oldest first.
pub(crate) async fn of_project(
    connection: &mut AnyConnection,
    project: ProjectId,
) -> Result<Vec<ProjectToken>, MetaError> {
    let rows: Vec<(String, String, String, Option<i64>, i64)> = sqlx::query_as(
        "SELECT id, token, label, created_by, created_at FROM project_tokens WHERE project_id = $1
         ORDER BY created_at, id",
    )
    .bind(project.0)
    .fetch_all(connection)
    .await?;
    let token = |(id, token, label, created_by, created_us)| ProjectToken {
        id,
        token,
        label,
        created_by,
        created_us,
    };
    Ok(rows.into_iter().map(token).collect())
}

impl Meta {
    /// The project that a token sends to.
    pub async fn project_of_token(&self, token: &str) -> Result<Option<ProjectId>, MetaError> {
        let hash = secret::hash(token);
        let row: Option<(String, i64)> =
            sqlx::query_as("SELECT token_hash, project_id FROM project_tokens WHERE token_hash = $1")
                .bind(hash.clone())
                .fetch_optional(&self.pool)
                .await?;
        Ok(row
            .filter(|(stored, _)| secret::hashes_are_equal(stored, &hash))
            .map(|(_, project)| ProjectId(project)))
    }

    /// The tokens of a project, oldest first.
    pub async fn tokens_of_project(&self, project: ProjectId) -> Result<Vec<ProjectToken>, MetaError> {
        of_project(&mut *self.pool.acquire().await?, project).await
    }

    /// The oldest token that sends to a project, in clear: tokens are public.
    pub async fn token_of_project(&self, project: ProjectId) -> Result<Option<String>, MetaError> {
        Ok(self.tokens_of_project(project).await?.into_iter().next().map(|token| token.token))
    }
}
