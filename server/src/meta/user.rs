//! Users: who acts.

use sqlx::AnyConnection;
use uuid::Uuid;

use super::MetaError;

/// What of a user is shown beside what the user has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasicUser {
    /// Its number.
    pub id: i64,
    /// UUID text.
    pub uuid: String,
    /// Unique in the database.
    pub email: String,
    /// How to address the user.
    pub first_name: String,
}

/// A user to add.
#[derive(Debug)]
pub(super) struct NewUser<'a> {
    /// Its number.
    pub(super) id: i64,
    /// Unique in the database.
    pub(super) email: &'a str,
    /// How to address the user.
    pub(super) first_name: &'a str,
    /// What `@current` means for the user.
    pub(super) organization_id: Uuid,
    /// What `@current` means for the user.
    pub(super) project_id: i64,
}

/// Adds an active user.
pub(super) async fn insert(
    connection: &mut AnyConnection,
    user: &NewUser<'_>,
    now_us: i64,
) -> Result<(), MetaError> {
    sqlx::query(
        "INSERT INTO users (id, uuid, email, first_name, is_active, current_organization_id, current_project_id, created_at)
         VALUES ($1, $2, $3, $4, 1, $5, $6, $7)",
    )
    .bind(user.id)
    .bind(Uuid::now_v7().to_string())
    .bind(user.email.to_owned())
    .bind(user.first_name.to_owned())
    .bind(user.organization_id.to_string())
    .bind(user.project_id)
    .bind(now_us)
    .execute(connection)
    .await?;
    Ok(())
}
