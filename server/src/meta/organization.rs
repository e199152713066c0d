//! Organizations: who owns projects.

use sqlx::AnyConnection;
use uuid::Uuid;

use super::MetaError;

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
