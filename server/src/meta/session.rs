//! Sessions of the web page: a secret in a cookie stands for a user, for a time.

use sqlx::{AnyConnection, AssertSqlSafe, Row};
use uuid::Uuid;

use super::user::{self, User};
use super::{Meta, MetaError};
use crate::secret::{self, Secret};

/// Most sessions of a user; beyond, the oldest end.
const MAX_SESSIONS_PER_USER: i64 = 50;

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// UUID text.
    pub id: String,
    /// Whose it is.
    pub user_id: i64,
    /// When the user last gave a password or signed on, microseconds.
    pub authenticated_us: i64,
    /// When it ends, microseconds.
    pub expires_us: i64,
}

/// Adds a session that its secret opens, and ends the oldest ones of a user who has too many.
pub(crate) async fn insert(
    connection: &mut AnyConnection,
    secret: &Secret,
    user_id: i64,
    expires_us: i64,
    now_us: i64,
) -> Result<Session, MetaError> {
    let session = Session { id: Uuid::now_v7().to_string(), user_id, authenticated_us: now_us, expires_us };
    sqlx::query(
        "INSERT INTO sessions (id, user_id, secret_hash, authenticated_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(session.id.clone())
    .bind(user_id)
    .bind(secret::hash(secret.reveal()))
    .bind(now_us)
    .bind(expires_us)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "DELETE FROM sessions WHERE user_id = $1 AND id NOT IN
           (SELECT id FROM sessions WHERE user_id = $1 ORDER BY authenticated_at DESC, id DESC LIMIT $2)",
    )
    .bind(user_id)
    .bind(MAX_SESSIONS_PER_USER)
    .execute(connection)
    .await?;
    Ok(session)
}

/// Ends a session.
pub(crate) async fn delete(connection: &mut AnyConnection, id: &str) -> Result<(), MetaError> {
    sqlx::query("DELETE FROM sessions WHERE id = $1").bind(id.to_owned()).execute(connection).await?;
    Ok(())
}

/// Ends the sessions of a user, but for one that is to go on.
pub(crate) async fn delete_of_user(
    connection: &mut AnyConnection,
    user_id: i64,
    kept: Option<&str>,
) -> Result<(), MetaError> {
    sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND id <> $2")
        .bind(user_id)
        .bind(kept.unwrap_or_default().to_owned())
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes what has ended.
pub(crate) async fn delete_ended(connection: &mut AnyConnection, now_us: i64) -> Result<(), MetaError> {
    sqlx::query("DELETE FROM sessions WHERE expires_at <= $1").bind(now_us).execute(connection).await?;
    Ok(())
}

impl Meta {
    /// The session that a secret opens, and its user; also when it has ended.
    pub async fn session(&self, secret: &str) -> Result<Option<(Session, User)>, MetaError> {
        let hash = secret::hash(secret);
        let sql = AssertSqlSafe(format!(
            "SELECT s.id AS session_id, s.secret_hash, s.authenticated_at, s.expires_at, {}
             FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.secret_hash = $1",
            user::COLUMNS
        ));
        let row = sqlx::query(sql).bind(hash.clone()).fetch_optional(&self.pool).await?;
        let Some(row) = row else { return Ok(None) };
        if !secret::hashes_are_equal(&row.try_get::<String, _>("secret_hash")?, &hash) {
            return Ok(None);
        }
        let user = user::from_row(&row)?;
        let session = Session {
            id: row.try_get("session_id")?,
            user_id: user.id,
            authenticated_us: row.try_get("authenticated_at")?,
            expires_us: row.try_get("expires_at")?,
        };
        Ok(Some((session, user)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::bootstrap::{FIRST_USER, bootstrap};
    use super::super::testing::on_every_backend;
    use super::*;
    use crate::secret::SESSION_PREFIX;

    async fn begin(meta: &Meta, now_us: i64) -> (Session, Secret) {
        let secret = Secret::generate(SESSION_PREFIX).unwrap();
        let mut transaction = meta.begin_write().await.unwrap();
        let session = insert(&mut transaction, &secret, FIRST_USER, now_us + 10, now_us).await.unwrap();
        transaction.commit().await.unwrap();
        (session, secret)
    }

    #[tokio::test]
    async fn a_secret_opens_its_session_until_that_is_ended() {
        on_every_backend(|meta| async move {
            bootstrap(&meta, 1).await.unwrap();
            let (one, one_secret) = begin(&meta, 5).await;
            let (two, two_secret) = begin(&meta, 6).await;
            let (found, user) = meta.session(one_secret.reveal()).await.unwrap().unwrap();
            assert_eq!((found, user.id), (one.clone(), FIRST_USER));
            assert_eq!(meta.session("tls_another").await.unwrap(), None);

            let mut transaction = meta.begin_write().await.unwrap();
            delete_of_user(&mut transaction, FIRST_USER, Some(&two.id)).await.unwrap();
            transaction.commit().await.unwrap();
            assert_eq!(meta.session(one_secret.reveal()).await.unwrap(), None);
            assert!(meta.session(two_secret.reveal()).await.unwrap().is_some());

            let mut transaction = meta.begin_write().await.unwrap();
            delete_ended(&mut transaction, two.expires_us - 1).await.unwrap();
            transaction.commit().await.unwrap();
            assert!(meta.session(two_secret.reveal()).await.unwrap().is_some());
            let mut transaction = meta.begin_write().await.unwrap();
            delete_ended(&mut transaction, two.expires_us).await.unwrap();
            transaction.commit().await.unwrap();
            assert_eq!(meta.session(two_secret.reveal()).await.unwrap(), None);
        })
        .await;
    }

    #[tokio::test]
    async fn the_oldest_sessions_of_a_user_make_room() {
        on_every_backend(|meta| async move {
            bootstrap(&meta, 1).await.unwrap();
            let (_, oldest) = begin(&meta, 0).await;
            let (_, second) = begin(&meta, 1).await;
            for now_us in 2..=MAX_SESSIONS_PER_USER {
                begin(&meta, now_us).await;
            }
            assert_eq!(meta.session(oldest.reveal()).await.unwrap(), None);
            assert!(meta.session(second.reveal()).await.unwrap().is_some());
        })
        .await;
    }
}
