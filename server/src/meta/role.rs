//! Roles: named groups of an organization's members.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use uuid::Uuid;

use super::user::{self, User};
use super::{Meta, MetaError, access_control};

/// A role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// UUID text.
    pub id: String,
    /// UUID text.
    pub organization_id: String,
    /// Unique in the organization, whatever its case.
    pub name: String,
    /// Who made it.
    pub created_by: Option<i64>,
    /// When it was made, microseconds.
    pub created_us: i64,
}

/// A member of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleMembership {
    /// UUID text.
    pub id: String,
    /// UUID text.
    pub role_id: String,
    /// Who.
    pub user: User,
    /// Since when, microseconds.
    pub joined_us: i64,
}

fn name_key(name: &str) -> String {
    name.to_lowercase()
}

/// Adds a role whose name is free, and returns its id.
pub(crate) async fn insert(
    connection: &mut AnyConnection,
    organization_id: &str,
    name: &str,
    created_by: Option<i64>,
    now_us: i64,
) -> Result<String, MetaError> {
    let id = Uuid::now_v7().to_string();
    sqlx::query(
        "INSERT INTO roles (id, organization_id, name, name_key, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id.clone())
    .bind(organization_id.to_owned())
    .bind(name.to_owned())
    .bind(name_key(name))
    .bind(created_by)
    .bind(now_us)
    .execute(connection)
    .await?;
    Ok(id)
}

/// Gives a role another name, which must be free.
pub(crate) async fn rename(connection: &mut AnyConnection, id: &str, name: &str) -> Result<(), MetaError> {
    sqlx::query("UPDATE roles SET name = $1, name_key = $2 WHERE id = $3")
        .bind(name.to_owned())
        .bind(name_key(name))
        .bind(id.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes a role, its memberships and access controls, and its mention as the role of new members.
pub(crate) async fn delete(connection: &mut AnyConnection, id: &str) -> Result<(), MetaError> {
    for sql in [
        "UPDATE organizations SET default_role_id = NULL WHERE default_role_id = $1",
        "DELETE FROM role_memberships WHERE role_id = $1",
        "DELETE FROM roles WHERE id = $1",
    ] {
        sqlx::query(sql).bind(id.to_owned()).execute(&mut *connection).await?;
    }
    access_control::delete_of_target(connection, id).await
}

/// Adds a user to a role that the user is not in yet, and returns the membership's id.
pub(crate) async fn add_member(
    connection: &mut AnyConnection,
    role_id: &str,
    user_id: i64,
    now_us: i64,
) -> Result<String, MetaError> {
    let id = Uuid::now_v7().to_string();
    sqlx::query("INSERT INTO role_memberships (id, role_id, user_id, joined_at) VALUES ($1, $2, $3, $4)")
        .bind(id.clone())
        .bind(role_id.to_owned())
        .bind(user_id)
        .bind(now_us)
        .execute(connection)
        .await?;
    Ok(id)
}

/// Takes a user out of a role.
pub(crate) async fn remove_member(
    connection: &mut AnyConnection,
    role_membership_id: &str,
) -> Result<(), MetaError> {
    sqlx::query("DELETE FROM role_memberships WHERE id = $1")
        .bind(role_membership_id.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}

const COLUMNS: &str = "id, organization_id, name, created_by, created_at";

fn from_row(row: &AnyRow) -> Result<Role, MetaError> {
    Ok(Role {
        id: row.try_get("id")?,
        organization_id: row.try_get("organization_id")?,
        name: row.try_get("name")?,
        created_by: row.try_get("created_by")?,
        created_us: row.try_get("created_at")?,
    })
}

/// A role of an organization.
pub(crate) async fn get(
    connection: &mut AnyConnection,
    organization_id: &str,
    id: &str,
) -> Result<Option<Role>, MetaError> {
    let sql = AssertSqlSafe(format!("SELECT {COLUMNS} FROM roles WHERE organization_id = $1 AND id = $2"));
    let row = sqlx::query(sql)
        .bind(organization_id.to_owned())
        .bind(id.to_owned())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// The role of an organization that has a name, whatever its case.
pub(crate) async fn by_name(
    connection: &mut AnyConnection,
    organization_id: &str,
    name: &str,
) -> Result<Option<Role>, MetaError> {
    let sql =
        AssertSqlSafe(format!("SELECT {COLUMNS} FROM roles WHERE organization_id = $1 AND name_key = $2"));
    let row = sqlx::query(sql)
        .bind(organization_id.to_owned())
        .bind(name_key(name))
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// The active members of a role, in the order in which they joined it.
pub(crate) async fn members(
    connection: &mut AnyConnection,
    role_id: &str,
) -> Result<Vec<RoleMembership>, MetaError> {
    let sql = AssertSqlSafe(format!(
        "SELECT r.id AS role_membership_id, r.role_id, r.joined_at, {}
         FROM role_memberships r JOIN users u ON u.id = r.user_id
         WHERE r.role_id = $1 AND u.is_active = 1 ORDER BY r.joined_at, r.id",
        user::COLUMNS
    ));
    let rows = sqlx::query(sql).bind(role_id.to_owned()).fetch_all(connection).await?;
    let membership = |row: &AnyRow| {
        Ok(RoleMembership {
            id: row.try_get("role_membership_id")?,
            role_id: row.try_get("role_id")?,
            user: user::from_row(row)?,
            joined_us: row.try_get("joined_at")?,
        })
    };
    rows.iter().map(membership).collect()
}

impl Meta {
    /// A role of an organization.
    pub async fn role(&self, organization_id: &str, id: &str) -> Result<Option<Role>, MetaError> {
        get(&mut *self.pool.acquire().await?, organization_id, id).await
    }

    /// A part of the roles of an organization by name, and how many there are.
    pub async fn roles(
        &self,
        organization_id: &str,
        limit: i64,
        offset: i64,
    ) -> Result<(Vec<Role>, i64), MetaError> {
        let sql = AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM roles WHERE organization_id = $1 ORDER BY name_key, id LIMIT $2 OFFSET $3"
        ));
        let rows = sqlx::query(sql)
            .bind(organization_id.to_owned())
            .bind(limit)
            .bind(offset)
            .fetch_all(&self.pool)
            .await?;
        let roles = rows.iter().map(from_row).collect::<Result<_, _>>()?;
        let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM roles WHERE organization_id = $1")
            .bind(organization_id.to_owned())
            .fetch_one(&self.pool)
            .await?;
        Ok((roles, count))
    }

    /// The active members of a role, in the order in which they joined it.
    pub async fn role_members(&self, role_id: &str) -> Result<Vec<RoleMembership>, MetaError> {
        members(&mut *self.pool.acquire().await?, role_id).await
    }

    /// The roles that a user has in an organization, by id.
    pub async fn roles_of_user(&self, organization_id: &str, user_id: i64) -> Result<Vec<String>, MetaError> {
        of_user(&mut *self.pool.acquire().await?, organization_id, user_id).await
    }
}

/// The roles that a member of an organization has in it, by id.
pub(crate) async fn of_user(
    connection: &mut AnyConnection,
    organization_id: &str,
    user_id: i64,
) -> Result<Vec<String>, MetaError> {
    let rows: Vec<(String,)> = sqlx::query_as(
        "SELECT r.id FROM roles r JOIN role_memberships m ON m.role_id = r.id
         JOIN memberships o ON o.organization_id = r.organization_id AND o.user_id = m.user_id
         WHERE r.organization_id = $1 AND m.user_id = $2 ORDER BY r.id",
    )
    .bind(organization_id.to_owned())
    .bind(user_id)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
