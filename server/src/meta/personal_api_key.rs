//! Personal API keys: a user's right to call the API, whole or in part.

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use uuid::Uuid;

use super::user::{self, User};
use super::{Meta, MetaError};
use crate::secret::{self, Secret};

/// The use of a key is noted at most this often.
const LAST_USED_GRAIN_US: i64 = 3_600 * 1_000_000;

/// What a key may be used for.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct KeyAttributes {
    /// What its owner calls it.
    pub label: String,
    /// What it may do: `object:action` or `*`.
    pub scopes: Vec<String>,
    /// The only projects it may be used on; none means any.
    pub scoped_projects: Option<Vec<i64>>,
    /// The only organizations it may be used on; none means any.
    pub scoped_organizations: Option<Vec<String>>,
    /// When it ends, microseconds; none means never.
    pub expires_us: Option<i64>,
}

/// A key; what it is in clear is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonalApiKey {
    /// Its id, UUID text.
    pub id: String,
    /// Its owner.
    pub user_id: i64,
    /// What it may be used for.
    pub attributes: KeyAttributes,
    /// What of it may be shown.
    pub mask_value: String,
    /// When it was made, microseconds.
    pub created_us: i64,
    /// When its use was last noted, microseconds.
    pub last_used_us: Option<i64>,
    /// When it was last replaced by another text, microseconds.
    pub last_rolled_us: Option<i64>,
}

/// Adds a key and returns its id.
pub(crate) async fn insert(
    connection: &mut AnyConnection,
    key: &Secret,
    user_id: i64,
    attributes: &KeyAttributes,
    now_us: i64,
) -> Result<String, MetaError> {
    let id = Uuid::now_v7().to_string();
    sqlx::query(
        "INSERT INTO personal_api_keys
           (id, user_id, label, key_hash, mask_value, scopes, scoped_projects, scoped_organizations, expires_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(id.clone())
    .bind(user_id)
    .bind(attributes.label.clone())
    .bind(secret::hash(key.reveal()))
    .bind(secret::mask(key.reveal()))
    .bind(json_text(&attributes.scopes))
    .bind(attributes.scoped_projects.as_ref().map(|projects| json_text(&projects)))
    .bind(attributes.scoped_organizations.as_ref().map(|organizations| json_text(&organizations)))
    .bind(attributes.expires_us)
    .bind(now_us)
    .execute(connection)
    .await?;
    Ok(id)
}

/// Sets what a key may be used for.
pub(crate) async fn update(
    connection: &mut AnyConnection,
    id: &str,
    attributes: &KeyAttributes,
) -> Result<(), MetaError> {
    sqlx::query(
        "UPDATE personal_api_keys SET label = $1, scopes = $2, scoped_projects = $3, scoped_organizations = $4,
           expires_at = $5 WHERE id = $6",
    )
    .bind(attributes.label.clone())
    .bind(json_text(&attributes.scopes))
    .bind(attributes.scoped_projects.as_ref().map(|projects| json_text(&projects)))
    .bind(attributes.scoped_organizations.as_ref().map(|organizations| json_text(&organizations)))
    .bind(attributes.expires_us)
    .bind(id.to_owned())
    .execute(connection)
    .await?;
    Ok(())
}

/// Gives a key another text; the earlier one is not valid any more.
pub(crate) async fn roll(
    connection: &mut AnyConnection,
    id: &str,
    key: &Secret,
    now_us: i64,
) -> Result<(), MetaError> {
    sqlx::query(
        "UPDATE personal_api_keys SET key_hash = $1, mask_value = $2, last_rolled_at = $3 WHERE id = $4",
    )
    .bind(secret::hash(key.reveal()))
    .bind(secret::mask(key.reveal()))
    .bind(now_us)
    .bind(id.to_owned())
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes a key away.
pub(crate) async fn delete(connection: &mut AnyConnection, id: &str) -> Result<(), MetaError> {
    sqlx::query("DELETE FROM personal_api_keys WHERE id = $1")
        .bind(id.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}

const COLUMNS: &str = "k.id AS key_id, k.user_id AS key_user_id, k.label, k.key_hash, k.mask_value, k.scopes,
    k.scoped_projects, k.scoped_organizations, k.expires_at, k.created_at, k.last_used_at, k.last_rolled_at";

fn from_row(row: &AnyRow) -> Result<PersonalApiKey, MetaError> {
    let list = |column: &str| Ok::<_, MetaError>(row.try_get::<Option<String>, _>(column)?);
    Ok(PersonalApiKey {
        id: row.try_get("key_id")?,
        user_id: row.try_get("key_user_id")?,
        attributes: KeyAttributes {
            label: row.try_get("label")?,
            scopes: from_json_text(&row.try_get::<String, _>("scopes")?)?,
            scoped_projects: list("scoped_projects")?.as_deref().map(from_json_text).transpose()?,
            scoped_organizations: list("scoped_organizations")?.as_deref().map(from_json_text).transpose()?,
            expires_us: row.try_get("expires_at")?,
        },
        mask_value: row.try_get("mask_value")?,
        created_us: row.try_get("created_at")?,
        last_used_us: row.try_get("last_used_at")?,
        last_rolled_us: row.try_get("last_rolled_at")?,
    })
}

/// The keys of a user, newest first.
pub(crate) async fn of_user(
    connection: &mut AnyConnection,
    user_id: i64,
) -> Result<Vec<PersonalApiKey>, MetaError> {
    let sql = AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM personal_api_keys k WHERE k.user_id = $1 ORDER BY k.created_at DESC, k.id DESC"
    ));
    let rows = sqlx::query(sql).bind(user_id).fetch_all(connection).await?;
    rows.iter().map(from_row).collect()
}

impl Meta {
    /// Makes a key and returns its clear text, which is not kept.
    pub async fn create_personal_api_key(
        &self,
        user_id: i64,
        attributes: &KeyAttributes,
        now_us: i64,
    ) -> Result<Secret, MetaError> {
        let key = Secret::generate(secret::PERSONAL_API_KEY_PREFIX)?;
        let mut connection = self.pool.acquire().await?;
        insert(&mut connection, &key, user_id, attributes, now_us).await?;
        Ok(key)
    }

    /// Makes a key that takes the place of its owner's keys with the same label.
    ///
    /// # Errors
    /// When the database does not answer; then the earlier keys are still valid.
    pub async fn replace_personal_api_key(
        &self,
        user_id: i64,
        attributes: &KeyAttributes,
        now_us: i64,
    ) -> Result<Secret, MetaError> {
        let key = Secret::generate(secret::PERSONAL_API_KEY_PREFIX)?;
        let mut transaction = self.begin_write().await?;
        sqlx::query("DELETE FROM personal_api_keys WHERE user_id = $1 AND label = $2")
            .bind(user_id)
            .bind(attributes.label.clone())
            .execute(&mut *transaction)
            .await?;
        insert(&mut transaction, &key, user_id, attributes, now_us).await?;
        transaction.commit().await?;
        Ok(key)
    }

    /// The key with a clear text, and its owner.
    pub async fn personal_api_key(&self, key: &str) -> Result<Option<(PersonalApiKey, User)>, MetaError> {
        let hash = secret::hash(key);
        let sql = AssertSqlSafe(format!(
            "SELECT {COLUMNS}, {} FROM personal_api_keys k JOIN users u ON u.id = k.user_id WHERE k.key_hash = $1",
            user::COLUMNS
        ));
        let row = sqlx::query(sql).bind(hash.clone()).fetch_optional(&self.pool).await?;
        let Some(row) = row else { return Ok(None) };
        if !secret::hashes_are_equal(&row.try_get::<String, _>("key_hash")?, &hash) {
            return Ok(None);
        }
        Ok(Some((from_row(&row)?, user::from_row(&row)?)))
    }

    /// The keys of a user, newest first.
    pub async fn personal_api_keys_of_user(&self, user_id: i64) -> Result<Vec<PersonalApiKey>, MetaError> {
        of_user(&mut *self.pool.acquire().await?, user_id).await
    }

    /// Notes that a key was used, unless that was noted within the last hour.
    pub async fn note_use(&self, key: &PersonalApiKey, now_us: i64) -> Result<(), MetaError> {
        let stale_before = now_us.saturating_sub(LAST_USED_GRAIN_US);
        if key.last_used_us.is_some_and(|last_used| last_used >= stale_before) {
            return Ok(());
        }
        sqlx::query("UPDATE personal_api_keys SET last_used_at = $1 WHERE id = $2")
            .bind(now_us)
            .bind(key.id.clone())
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

fn json_text(list: &impl serde::Serialize) -> String {
    serde_json::to_string(list).expect("BUG: lists of text and numbers are always JSON")
}

fn from_json_text<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, MetaError> {
    serde_json::from_str(text).map_err(|_| MetaError::Corrupt(format!("the list {text:?}")))
}

#[cfg(test)]
mod tests {
    use super::super::bootstrap::bootstrap;
    use super::super::testing::on_every_backend;
    use super::*;

    #[tokio::test]
    async fn a_key_is_found_by_its_text_and_not_stored_in_clear() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("meta.db");
        let meta = Meta::open(&path).await.unwrap();
        bootstrap(&meta, 1).await.unwrap();
        let attributes = KeyAttributes {
            label: "reader".into(),
            scopes: vec!["logs:read".into()],
            scoped_projects: Some(vec![1, 2]),
            ..KeyAttributes::default()
        };
        let key = meta.create_personal_api_key(1, &attributes, 5).await.unwrap();
        let (stored, user) = meta.personal_api_key(key.reveal()).await.unwrap().unwrap();
        assert_eq!((stored.attributes, user.id), (attributes, 1));
        assert_eq!(meta.personal_api_key("phx_another").await.unwrap(), None);
        meta.close().await;
        let file = std::fs::read(&path).unwrap();
        let random = key.reveal().strip_prefix("phx_").unwrap();
        assert!(!file.windows(random.len()).any(|window| window == random.as_bytes()));
    }

    #[tokio::test]
    async fn a_replaced_key_is_not_valid_any_more() {
        on_every_backend(|meta| async move {
            let first_key = bootstrap(&meta, 0).await.unwrap().unwrap().personal_api_key;
            let attributes = KeyAttributes {
                label: "Demo".into(),
                scopes: vec!["logs:read".into()],
                scoped_projects: None,
                ..KeyAttributes::default()
            };
            let one = meta.replace_personal_api_key(1, &attributes, 1).await.unwrap();
            let two = meta.replace_personal_api_key(1, &attributes, 2).await.unwrap();
            assert_eq!(meta.personal_api_key(one.reveal()).await.unwrap(), None);
            for valid in [two, first_key] {
                assert!(meta.personal_api_key(valid.reveal()).await.unwrap().is_some());
            }
        })
        .await;
    }

    #[tokio::test]
    async fn use_is_noted_at_most_once_an_hour() {
        on_every_backend(|meta| async move {
            let credentials = bootstrap(&meta, 0).await.unwrap().unwrap();
            let mut noted = Vec::new();
            for now_us in [0, LAST_USED_GRAIN_US, LAST_USED_GRAIN_US + 1, LAST_USED_GRAIN_US + 2] {
                let (key, _) =
                    meta.personal_api_key(credentials.personal_api_key.reveal()).await.unwrap().unwrap();
                meta.note_use(&key, now_us).await.unwrap();
                let (key, _) =
                    meta.personal_api_key(credentials.personal_api_key.reveal()).await.unwrap().unwrap();
                noted.push(key.last_used_us.unwrap());
            }
            assert_eq!(noted, [0, 0, LAST_USED_GRAIN_US + 1, LAST_USED_GRAIN_US + 1]);
        })
        .await;
    }
}
