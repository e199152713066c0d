//! Users: who acts.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use uuid::Uuid;

use super::{Meta, MetaError, counter};

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub id: i64,
    /// UUID text.
    pub uuid: String,
    /// Unique in the installation, whatever its case.
    pub email: String,
    /// How to address the user.
    pub first_name: String,
    /// The rest of the name.
    pub last_name: String,
    /// What the user says to be in the organization.
    pub role_at_organization: Option<String>,
    /// False when the user may not act any more.
    pub is_active: bool,
    /// Whether the user runs the installation.
    pub is_staff: bool,
    /// What `@current` means for the user, UUID text.
    pub current_organization_id: Option<String>,
    /// What `@current` means for the user.
    pub current_project_id: Option<i64>,
    /// When the user logged in last, microseconds.
    pub last_login_us: Option<i64>,
    /// When the user was made, microseconds.
    pub created_us: i64,
}

/// What of a user is shown beside what the user has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasicUser {
    /// Its number.
    pub id: i64,
    /// UUID text.
    pub uuid: String,
    /// As it was given.
    pub email: String,
    /// How to address the user.
    pub first_name: String,
    /// The rest of the name.
    pub last_name: String,
    /// What the user says to be in the organization.
    pub role_at_organization: Option<String>,
}

impl From<&User> for BasicUser {
    fn from(user: &User) -> Self {
        Self {
            id: user.id,
            uuid: user.uuid.clone(),
            email: user.email.clone(),
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            role_at_organization: user.role_at_organization.clone(),
        }
    }
}

/// A user to add.
#[derive(Clone, Copy, Debug)]
pub struct NewUser<'a> {
    /// Unique in the installation, whatever its case.
    pub email: &'a str,
    /// How to address the user.
    pub first_name: &'a str,
    /// The rest of the name.
    pub last_name: &'a str,
    /// Of the password; none for a user who has none.
    pub password_hash: Option<&'a str>,
}

/// What a user is found by: an address as everybody writes it.
pub(super) fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Adds an active user whose e-mail address is free, and returns its number.
pub(crate) async fn insert(
    connection: &mut AnyConnection,
    user: &NewUser<'_>,
    now_us: i64,
) -> Result<i64, MetaError> {
    let id = counter::next(connection, "users").await?;
    sqlx::query(
        "INSERT INTO users
           (id, uuid, email, email_key, first_name, last_name, password_hash, is_active, is_staff, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 1, 0, $8)",
    )
    .bind(id)
    .bind(Uuid::now_v7().to_string())
    .bind(user.email.trim().to_owned())
    .bind(email_key(user.email))
    .bind(user.first_name.to_owned())
    .bind(user.last_name.to_owned())
    .bind(user.password_hash.map(str::to_owned))
    .bind(now_us)
    .execute(connection)
    .await?;
    Ok(id)
}

/// Sets what `@current` means for a user.
pub(crate) async fn set_current(
    connection: &mut AnyConnection,
    user_id: i64,
    organization_id: Option<&str>,
    project_id: Option<i64>,
) -> Result<(), MetaError> {
    sqlx::query("UPDATE users SET current_organization_id = $1, current_project_id = $2 WHERE id = $3")
        .bind(organization_id.map(str::to_owned))
        .bind(project_id)
        .bind(user_id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Sets what a user says of themselves.
pub(crate) async fn set_profile(connection: &mut AnyConnection, user: &User) -> Result<(), MetaError> {
    sqlx::query("UPDATE users SET first_name = $1, last_name = $2, role_at_organization = $3 WHERE id = $4")
        .bind(user.first_name.clone())
        .bind(user.last_name.clone())
        .bind(user.role_at_organization.clone())
        .bind(user.id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Sets the hash of a user's password.
pub(crate) async fn set_password_hash(
    connection: &mut AnyConnection,
    user_id: i64,
    hash: &str,
) -> Result<(), MetaError> {
    sqlx::query("UPDATE users SET password_hash = $1 WHERE id = $2")
        .bind(hash.to_owned())
        .bind(user_id)
        .execute(connection)
        .await?;
    Ok(())
}

/// The hash of a user's password; none for a user who has none.
pub(crate) async fn password_hash(
    connection: &mut AnyConnection,
    user_id: i64,
) -> Result<Option<String>, MetaError> {
    let found: Option<(Option<String>,)> = sqlx::query_as("SELECT password_hash FROM users WHERE id = $1")
        .bind(user_id)
        .fetch_optional(connection)
        .await?;
    Ok(found.and_then(|(hash,)| hash))
}

/// Notes when a user logged in.
pub(crate) async fn note_log_in(
    connection: &mut AnyConnection,
    user_id: i64,
    now_us: i64,
) -> Result<(), MetaError> {
    sqlx::query("UPDATE users SET last_login_at = $1 WHERE id = $2")
        .bind(now_us)
        .bind(user_id)
        .execute(connection)
        .await?;
    Ok(())
}

/// The columns of [`from_row`], of a table that the statement calls `u`. No other column may have one of their names.
pub(super) const COLUMNS: &str =
    "u.id AS user_id, u.uuid AS user_uuid, u.email, u.first_name, u.last_name, u.role_at_organization,
    u.is_active AS user_is_active, u.is_staff, u.current_organization_id, u.current_project_id, u.last_login_at,
    u.created_at AS user_created_at";

pub(super) fn from_row(row: &AnyRow) -> Result<User, MetaError> {
    Ok(User {
        id: row.try_get("user_id")?,
        uuid: row.try_get("user_uuid")?,
        email: row.try_get("email")?,
        first_name: row.try_get("first_name")?,
        last_name: row.try_get("last_name")?,
        role_at_organization: row.try_get("role_at_organization")?,
        is_active: row.try_get::<i64, _>("user_is_active")? != 0,
        is_staff: row.try_get::<i64, _>("is_staff")? != 0,
        current_organization_id: row.try_get("current_organization_id")?,
        current_project_id: row.try_get("current_project_id")?,
        last_login_us: row.try_get("last_login_at")?,
        created_us: row.try_get("user_created_at")?,
    })
}

/// The columns of [`basic_from_row`], of a table that the statement calls `u`.
pub(super) const BASIC_COLUMNS: &str =
    "u.id AS user_id, u.uuid AS user_uuid, u.email, u.first_name, u.last_name,
    u.role_at_organization";

/// The user beside what the user has made; none when that user is not known.
pub(super) fn basic_from_row(row: &AnyRow) -> Result<Option<BasicUser>, MetaError> {
    let Some(id) = row.try_get("user_id")? else { return Ok(None) };
    Ok(Some(BasicUser {
        id,
        uuid: row.try_get("user_uuid")?,
        email: row.try_get("email")?,
        first_name: row.try_get("first_name")?,
        last_name: row.try_get("last_name")?,
        role_at_organization: row.try_get("role_at_organization")?,
    }))
}

/// The user with a number.
pub(crate) async fn get(connection: &mut AnyConnection, id: i64) -> Result<Option<User>, MetaError> {
    let sql = AssertSqlSafe(format!("SELECT {COLUMNS} FROM users u WHERE u.id = $1"));
    let row = sqlx::query(sql).bind(id).fetch_optional(connection).await?;
    row.as_ref().map(from_row).transpose()
}

/// The user with an e-mail address.
pub(crate) async fn by_email(connection: &mut AnyConnection, email: &str) -> Result<Option<User>, MetaError> {
    let sql = AssertSqlSafe(format!("SELECT {COLUMNS} FROM users u WHERE u.email_key = $1"));
    let row = sqlx::query(sql).bind(email_key(email)).fetch_optional(connection).await?;
    row.as_ref().map(from_row).transpose()
}

/// How many users there are.
pub(super) async fn count(connection: &mut AnyConnection) -> Result<i64, MetaError> {
    let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM users").fetch_one(connection).await?;
    Ok(count)
}

impl Meta {
    /// The user with a number.
    pub async fn user(&self, id: i64) -> Result<Option<User>, MetaError> {
        get(&mut *self.pool.acquire().await?, id).await
    }

    /// The user with a UUID.
    pub async fn user_by_uuid(&self, uuid: &str) -> Result<Option<User>, MetaError> {
        let sql = AssertSqlSafe(format!("SELECT {COLUMNS} FROM users u WHERE u.uuid = $1"));
        let row = sqlx::query(sql).bind(uuid.to_owned()).fetch_optional(&self.pool).await?;
        row.as_ref().map(from_row).transpose()
    }

    /// The hash of a user's password; none for a user who has none.
    pub async fn password_hash(&self, user_id: i64) -> Result<Option<String>, MetaError> {
        password_hash(&mut *self.pool.acquire().await?, user_id).await
    }

    /// The user with an e-mail address, whatever its case.
    pub async fn user_by_email(&self, email: &str) -> Result<Option<User>, MetaError> {
        by_email(&mut *self.pool.acquire().await?, email).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::on_every_backend;
    use super::*;

    #[tokio::test]
    async fn a_user_is_found_by_an_address_in_any_case() {
        on_every_backend(|meta| async move {
            let new =
                NewUser { email: " Ann@Example.org ", first_name: "Ann", last_name: "", password_hash: None };
            let mut transaction = meta.begin_write().await.unwrap();
            let id = insert(&mut transaction, &new, 3).await.unwrap();
            set_current(&mut transaction, id, Some("o"), Some(4)).await.unwrap();
            transaction.commit().await.unwrap();
            let user = meta.user_by_email("ann@example.ORG").await.unwrap().unwrap();
            assert_eq!((user.id, user.email.as_str(), user.is_active), (id, "Ann@Example.org", true));
            assert_eq!(
                (user.current_organization_id.as_deref(), user.current_project_id),
                (Some("o"), Some(4))
            );
            assert_eq!(meta.user(id).await.unwrap(), Some(user));
            assert_eq!(meta.user_by_email("bob@example.org").await.unwrap(), None);
            let mut transaction = meta.begin_write().await.unwrap();
            let again = NewUser { email: "ANN@example.org", ..new };
            assert!(insert(&mut transaction, &again, 4).await.is_err(), "an address is unique");
        })
        .await;
    }
}
