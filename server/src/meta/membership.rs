//! Memberships: which user may do how much in which organization.

use sqlx::AnyConnection;
use uuid::Uuid;

use super::{Meta, MetaError};

/// How much a member may do; compared as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(pub i64);

impl Level {
    /// May do everything.
    pub const OWNER: Self = Self(15);
}

/// Adds a membership.
pub(super) async fn insert(
    connection: &mut AnyConnection,
    organization_id: Uuid,
    user_id: i64,
    level: Level,
    now_us: i64,
) -> Result<(), MetaError> {
    sqlx::query(
        "INSERT INTO memberships (id, organization_id, user_id, level, joined_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(organization_id.to_string())
    .bind(user_id)
    .bind(level.0)
    .bind(now_us)
    .execute(connection)
    .await?;
    Ok(())
}

impl Meta {
    /// A user's level in an organization; none when the user is not a member.
    pub async fn membership_level(
        &self,
        organization_id: &str,
        user_id: i64,
    ) -> Result<Option<Level>, MetaError> {
        let row: Option<(i64,)> =
            sqlx::query_as("SELECT level FROM memberships WHERE organization_id = $1 AND user_id = $2")
                .bind(organization_id.to_owned())
                .bind(user_id)
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|(level,)| Level(level)))
    }
}
