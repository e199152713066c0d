//! Memberships: which user may do how much in which organization.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use uuid::Uuid;

use super::user::{self, User};
use super::{Meta, MetaError, access_control};

/// How much a member may do; compared as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(pub i64);

impl Level {
    /// May read, and write what belongs to projects.
    pub const MEMBER: Self = Self(1);
    /// May also manage the organization and its members.
    pub const ADMIN: Self = Self(8);
    /// May do everything.
    pub const OWNER: Self = Self(15);

    /// Every level with its name.
    pub const ALL: [(&'static str, Self); 3] =
        [("member", Self::MEMBER), ("administrator", Self::ADMIN), ("owner", Self::OWNER)];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, level)| *level == self).map_or("unknown", |(name, _)| name)
    }

    /// The level with a number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.iter().map(|(_, level)| *level).find(|level| level.0 == number)
    }
}

/// A user in an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// UUID text.
    pub id: String,
    /// UUID text.
    pub organization_id: String,
    /// Who.
    pub user: User,
    /// How much the user may do.
    pub level: Level,
    /// Since when, microseconds.
    pub joined_us: i64,
    /// When the level was changed last, microseconds.
    pub updated_us: i64,
}

/// Adds a membership; the user must not be a member yet.
pub(crate) async fn insert(
    connection: &mut AnyConnection,
    organization_id: &str,
    user_id: i64,
    level: Level,
    now_us: i64,
) -> Result<(), MetaError> {
    sqlx::query(
        "INSERT INTO memberships (id, organization_id, user_id, level, joined_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(organization_id.to_owned())
    .bind(user_id)
    .bind(level.0)
    .bind(now_us)
    .execute(connection)
    .await?;
    Ok(())
}

/// Sets the level of a member.
pub(crate) async fn set_level(
    connection: &mut AnyConnection,
    id: &str,
    level: Level,
    now_us: i64,
) -> Result<(), MetaError> {
    sqlx::query("UPDATE memberships SET level = $1, updated_at = $2 WHERE id = $3")
        .bind(level.0)
        .bind(now_us)
        .bind(id.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}

/// Takes a member out of an organization, out of its roles and access controls.
pub(crate) async fn delete(connection: &mut AnyConnection, membership: &Membership) -> Result<(), MetaError> {
    sqlx::query(
        "DELETE FROM role_memberships WHERE user_id = $1
           AND role_id IN (SELECT id FROM roles WHERE organization_id = $2)",
    )
    .bind(membership.user.id)
    .bind(membership.organization_id.clone())
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM memberships WHERE id = $1")
        .bind(membership.id.clone())
        .execute(&mut *connection)
        .await?;
    access_control::delete_of_target(connection, &membership.id).await
}

/// Whether an organization has a membership with an id.
pub(crate) async fn exists(
    connection: &mut AnyConnection,
    organization_id: &str,
    id: &str,
) -> Result<bool, MetaError> {
    let sql = "SELECT COUNT(*) FROM memberships WHERE organization_id = $1 AND id = $2";
    let (count,): (i64,) = sqlx::query_as(sql)
        .bind(organization_id.to_owned())
        .bind(id.to_owned())
        .fetch_one(connection)
        .await?;
    Ok(count > 0)
}

fn from_row(row: &AnyRow) -> Result<Membership, MetaError> {
    Ok(Membership {
        id: row.try_get("membership_id")?,
        organization_id: row.try_get("organization_id")?,
        user: user::from_row(row)?,
        level: Level(row.try_get("level")?),
        joined_us: row.try_get("joined_at")?,
        updated_us: row.try_get("updated_at")?,
    })
}

/// The start of a statement that reads memberships; `condition` is a text of ours.
fn select(condition: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!(
        "SELECT m.id AS membership_id, m.organization_id, m.level, m.joined_at, m.updated_at, {}
         FROM memberships m JOIN users u ON u.id = m.user_id WHERE {condition}",
        user::COLUMNS
    ))
}

/// The membership of a user, addressed by number, in an organization.
pub(crate) async fn of_user(
    connection: &mut AnyConnection,
    organization_id: &str,
    user_id: i64,
) -> Result<Option<Membership>, MetaError> {
    let row = sqlx::query(select("m.organization_id = $1 AND m.user_id = $2"))
        .bind(organization_id.to_owned())
        .bind(user_id)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// The membership of a user, addressed by UUID, in an organization.
pub(crate) async fn of_user_uuid(
    connection: &mut AnyConnection,
    organization_id: &str,
    user_uuid: &str,
) -> Result<Option<Membership>, MetaError> {
    let row = sqlx::query(select("m.organization_id = $1 AND u.uuid = $2"))
        .bind(organization_id.to_owned())
        .bind(user_uuid.to_owned())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// How many active owners an organization has.
pub(crate) async fn count_owners(
    connection: &mut AnyConnection,
    organization_id: &str,
) -> Result<i64, MetaError> {
    let (count,): (i64,) = sqlx::query_as(
        "SELECT COUNT(*) FROM memberships m JOIN users u ON u.id = m.user_id
         WHERE m.organization_id = $1 AND m.level >= $2 AND u.is_active = 1",
    )
    .bind(organization_id.to_owned())
    .bind(Level::OWNER.0)
    .fetch_one(connection)
    .await?;
    Ok(count)
}

/// The ids of the organizations that a user is a member of.
pub(crate) async fn organizations_of_user(
    connection: &mut AnyConnection,
    user_id: i64,
) -> Result<Vec<String>, MetaError> {
    let rows: Vec<(String,)> =
        sqlx::query_as("SELECT organization_id FROM memberships WHERE user_id = $1 ORDER BY organization_id")
            .bind(user_id)
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
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

    /// The membership of a user in an organization.
    pub async fn membership(
        &self,
        organization_id: &str,
        user_id: i64,
    ) -> Result<Option<Membership>, MetaError> {
        of_user(&mut *self.pool.acquire().await?, organization_id, user_id).await
    }

    /// The membership of a user, addressed by UUID, in an organization.
    pub async fn membership_of_uuid(
        &self,
        organization_id: &str,
        user_uuid: &str,
    ) -> Result<Option<Membership>, MetaError> {
        of_user_uuid(&mut *self.pool.acquire().await?, organization_id, user_uuid).await
    }

    /// The active members of an organization, in the order in which they joined, a part of them, and how many there
    /// are.
    pub async fn members(
        &self,
        organization_id: &str,
        limit: i64,
        offset: i64,
    ) -> Result<(Vec<Membership>, i64), MetaError> {
        let condition =
            "m.organization_id = $1 AND u.is_active = 1 ORDER BY m.joined_at, m.id LIMIT $2 OFFSET $3";
        let rows = sqlx::query(select(condition))
            .bind(organization_id.to_owned())
            .bind(limit)
            .bind(offset)
            .fetch_all(&self.pool)
            .await?;
        let members = rows.iter().map(from_row).collect::<Result<_, _>>()?;
        Ok((members, self.count_members(organization_id).await?))
    }

    /// How many active members an organization has.
    pub async fn count_members(&self, organization_id: &str) -> Result<i64, MetaError> {
        let (count,): (i64,) = sqlx::query_as(
            "SELECT COUNT(*) FROM memberships m JOIN users u ON u.id = m.user_id
             WHERE m.organization_id = $1 AND u.is_active = 1",
        )
        .bind(organization_id.to_owned())
        .fetch_one(&self.pool)
        .await?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_numbers_with_names() {
        assert!(Level::MEMBER < Level::ADMIN && Level::ADMIN < Level::OWNER);
        assert_eq!(Level::from_number(8), Some(Level::ADMIN));
        assert_eq!(Level::from_number(9), None);
        assert_eq!((Level::OWNER.name(), Level(3).name()), ("owner", "unknown"));
    }
}
