//! Project tokens: the right to send records into one project, and nothing else.

use engine::schema::ProjectId;
use sqlx::AnyConnection;

use super::{Meta, MetaError};
use crate::secret::{self, Secret};

/// Adds a token.
pub(super) async fn insert(
    connection: &mut AnyConnection,
    token: &Secret,
    project: ProjectId,
    now_us: i64,
) -> Result<(), MetaError> {
    sqlx::query(
        "INSERT INTO project_tokens (token_hash, token, project_id, created_at) VALUES ($1, $2, $3, $4)",
    )
    .bind(secret::hash(token.reveal()))
    .bind(token.reveal().to_owned())
    .bind(project.0)
    .bind(now_us)
    .execute(connection)
    .await?;
    Ok(())
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

    /// A token that sends to a project, in clear: tokens are public.
    pub async fn token_of_project(&self, project: ProjectId) -> Result<Option<String>, MetaError> {
        let row: Option<(String,)> = sqlx::query_as(
            "SELECT token FROM project_tokens WHERE project_id = $1 ORDER BY created_at, token_hash LIMIT 1",
        )
        .bind(project.0)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(token,)| token))
    }
}
