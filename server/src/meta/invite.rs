//! Invitations: links with a secret by which somebody joins an organization, once.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use uuid::Uuid;

use super::membership::Level;
use super::{Meta, MetaError, user};
use crate::secret::{self, Secret};

/// An invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// UUID text.
    pub id: String,
    /// UUID text.
    pub organization_id: String,
    /// For whom it is.
    pub target_email: String,
    /// How to address the invited.
    pub first_name: String,
    /// What the invited will be.
    pub level: Level,
    /// What the inviter says.
    pub message: Option<String>,
    /// Who invites.
    pub created_by: i64,
    /// When it was made, microseconds.
    pub created_us: i64,
    /// When it was changed last, microseconds.
    pub updated_us: i64,
    /// When it ends, microseconds.
    pub expires_us: i64,
}

/// Adds an invitation that its secret opens. Its id is given.
pub(crate) async fn insert(
    connection: &mut AnyConnection,
    invite: &Invite,
    secret: &Secret,
) -> Result<(), MetaError> {
    sqlx::query(
        "INSERT INTO invites
           (id, organization_id, target_email, email_key, first_name, level, message, secret_hash, created_by,
            created_at, updated_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11)",
    )
    .bind(invite.id.clone())
    .bind(invite.organization_id.clone())
    .bind(invite.target_email.clone())
    .bind(user::email_key(&invite.target_email))
    .bind(invite.first_name.clone())
    .bind(invite.level.0)
    .bind(invite.message.clone())
    .bind(secret::hash(secret.reveal()))
    .bind(invite.created_by)
    .bind(invite.created_us)
    .bind(invite.expires_us)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes an invitation.
pub(crate) async fn delete(connection: &mut AnyConnection, id: &str) -> Result<(), MetaError> {
    sqlx::query("DELETE FROM invites WHERE id = $1").bind(id.to_owned()).execute(connection).await?;
    Ok(())
}

/// Removes every invitation of an address to an organization.
pub(crate) async fn delete_of_address(
    connection: &mut AnyConnection,
    organization_id: &str,
    email: &str,
) -> Result<(), MetaError> {
    sqlx::query("DELETE FROM invites WHERE organization_id = $1 AND email_key = $2")
        .bind(organization_id.to_owned())
        .bind(user::email_key(email))
        .execute(connection)
        .await?;
    Ok(())
}

const COLUMNS: &str = "id, organization_id, target_email, first_name, level, message, created_by, created_at,
    updated_at, expires_at";

fn from_row(row: &AnyRow) -> Result<Invite, MetaError> {
    Ok(Invite {
        id: row.try_get("id")?,
        organization_id: row.try_get("organization_id")?,
        target_email: row.try_get("target_email")?,
        first_name: row.try_get("first_name")?,
        level: Level(row.try_get("level")?),
        message: row.try_get("message")?,
        created_by: row.try_get("created_by")?,
        created_us: row.try_get("created_at")?,
        updated_us: row.try_get("updated_at")?,
        expires_us: row.try_get("expires_at")?,
    })
}

/// An invitation to an organization.
pub(crate) async fn get(
    connection: &mut AnyConnection,
    organization_id: &str,
    id: &str,
) -> Result<Option<Invite>, MetaError> {
    let sql = AssertSqlSafe(format!("SELECT {COLUMNS} FROM invites WHERE organization_id = $1 AND id = $2"));
    let row = sqlx::query(sql)
        .bind(organization_id.to_owned())
        .bind(id.to_owned())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// The invitation that a secret opens.
pub(crate) async fn by_secret(
    connection: &mut AnyConnection,
    secret: &str,
) -> Result<Option<Invite>, MetaError> {
    let sql = AssertSqlSafe(format!("SELECT {COLUMNS} FROM invites WHERE secret_hash = $1"));
    let row = sqlx::query(sql).bind(secret::hash(secret)).fetch_optional(connection).await?;
    row.as_ref().map(from_row).transpose()
}

/// How many invitations an organization has.
pub(crate) async fn count(connection: &mut AnyConnection, organization_id: &str) -> Result<i64, MetaError> {
    let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM invites WHERE organization_id = $1")
        .bind(organization_id.to_owned())
        .fetch_one(connection)
        .await?;
    Ok(count)
}

impl Meta {
    /// A part of the invitations to an organization, newest first, and how many there are.
    pub async fn invites(
        &self,
        organization_id: &str,
        limit: i64,
        offset: i64,
    ) -> Result<(Vec<Invite>, i64), MetaError> {
        let sql = AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM invites WHERE organization_id = $1
             ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3"
        ));
        let rows = sqlx::query(sql)
            .bind(organization_id.to_owned())
            .bind(limit)
            .bind(offset)
            .fetch_all(&self.pool)
            .await?;
        let invites = rows.iter().map(from_row).collect::<Result<_, _>>()?;
        Ok((invites, count(&mut *self.pool.acquire().await?, organization_id).await?))
    }

    /// The invitation that a secret opens, also when it has ended.
    pub async fn invite_of_secret(&self, secret: &str) -> Result<Option<Invite>, MetaError> {
        by_secret(&mut *self.pool.acquire().await?, secret).await
    }

    /// An invitation to an organization.
    pub async fn invite(&self, organization_id: &str, id: &str) -> Result<Option<Invite>, MetaError> {
        get(&mut *self.pool.acquire().await?, organization_id, id).await
    }
}

/// A new id of an invitation.
pub(crate) fn new_id() -> String {
    Uuid::now_v7().to_string()
}
