//! Personal API keys: a user's right to call the API, whole or in part.

use sqlx::AnyConnection;
use uuid::Uuid;

use super::{Meta, MetaError};
use crate::secret::{self, Secret};

/// The use of a key is noted at most this often.
const LAST_USED_GRAIN_US: i64 = 3_600 * 1_000_000;

/// A key to add.
#[derive(Debug)]
pub struct NewPersonalApiKey<'a> {
    /// Whose rights it carries.
    pub user_id: i64,
    /// What its owner calls it.
    pub label: &'a str,
    /// What it may do: `object:action` or `*`.
    pub scopes: &'a [&'a str],
    /// The only projects it may be used on; none means any.
    pub scoped_projects: Option<&'a [i64]>,
    /// The only organizations it may be used on; none means any.
    pub scoped_organizations: Option<&'a [String]>,
}

/// A stored key together with what of its owner decides over a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonalApiKey {
    /// Its id, UUID text.
    pub id: String,
    /// Its owner.
    pub user_id: i64,
    /// False when the owner may not act any more.
    pub user_is_active: bool,
    /// What `@current` means for the owner.
    pub current_project_id: Option<i64>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The only projects it may be used on.
    pub scoped_projects: Option<Vec<i64>>,
    /// The only organizations it may be used on.
    pub scoped_organizations: Option<Vec<String>>,
    /// When its use was last noted, microseconds.
    pub last_used_us: Option<i64>,
}

/// Adds a key.
pub(super) async fn insert(
    connection: &mut AnyConnection,
    key: &Secret,
    attributes: &NewPersonalApiKey<'_>,
    now_us: i64,
) -> Result<(), MetaError> {
    sqlx::query(
        "INSERT INTO personal_api_keys
           (id, user_id, label, key_hash, mask_value, scopes, scoped_projects, scoped_organizations, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(attributes.user_id)
    .bind(attributes.label.to_owned())
    .bind(secret::hash(key.reveal()))
    .bind(secret::mask(key.reveal()))
    .bind(json_text(&attributes.scopes))
    .bind(attributes.scoped_projects.map(|projects| json_text(&projects)))
    .bind(attributes.scoped_organizations.map(|organizations| json_text(&organizations)))
    .bind(now_us)
    .execute(connection)
    .await?;
    Ok(())
}

type KeyRow = (String, i64, String, String, Option<String>, Option<String>, Option<i64>, i64, Option<i64>);

impl Meta {
    /// Makes a key and returns its clear text, which is not kept.
    pub async fn create_personal_api_key(
        &self,
        attributes: &NewPersonalApiKey<'_>,
        now_us: i64,
    ) -> Result<Secret, MetaError> {
        let key = Secret::generate(secret::PERSONAL_API_KEY_PREFIX)?;
        let mut connection = self.pool.acquire().await?;
        insert(&mut connection, &key, attributes, now_us).await?;
        Ok(key)
    }

    /// Makes a key that takes the place of its owner's keys with the same label.
    ///
    /// # Errors
    /// When the database does not answer; then the earlier keys are still valid.
    pub async fn replace_personal_api_key(
        &self,
        attributes: &NewPersonalApiKey<'_>,
        now_us: i64,
    ) -> Result<Secret, MetaError> {
        let key = Secret::generate(secret::PERSONAL_API_KEY_PREFIX)?;
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM personal_api_keys WHERE user_id = $1 AND label = $2")
            .bind(attributes.user_id)
            .bind(attributes.label.to_owned())
            .execute(&mut *transaction)
            .await?;
        insert(&mut transaction, &key, attributes, now_us).await?;
        transaction.commit().await?;
        Ok(key)
    }

    /// The stored key with a clear text.
    pub async fn personal_api_key(&self, key: &str) -> Result<Option<PersonalApiKey>, MetaError> {
        let hash = secret::hash(key);
        let row: Option<KeyRow> = sqlx::query_as(
            "SELECT k.id, k.user_id, k.key_hash, k.scopes, k.scoped_projects, k.scoped_organizations, k.last_used_at,
                    u.is_active, u.current_project_id
             FROM personal_api_keys k JOIN users u ON u.id = k.user_id WHERE k.key_hash = $1",
        )
        .bind(hash.clone())
        .fetch_optional(&self.pool)
        .await?;
        row.filter(|row| secret::hashes_are_equal(&row.2, &hash)).map(from_row).transpose()
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

fn from_row(row: KeyRow) -> Result<PersonalApiKey, MetaError> {
    let (id, user_id, _, scopes, projects, organizations, last_used_us, is_active, current_project_id) = row;
    Ok(PersonalApiKey {
        id,
        user_id,
        user_is_active: is_active != 0,
        current_project_id,
        scopes: from_json_text(&scopes)?,
        scoped_projects: projects.as_deref().map(from_json_text).transpose()?,
        scoped_organizations: organizations.as_deref().map(from_json_text).transpose()?,
        last_used_us,
    })
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
    use super::*;

    #[tokio::test]
    async fn a_key_is_found_by_its_text_and_not_stored_in_clear() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("meta.db");
        let meta = Meta::open(&path).await.unwrap();
        bootstrap(&meta, 1).await.unwrap();
        let attributes = NewPersonalApiKey {
            user_id: 1,
            label: "reader",
            scopes: &["logs:read"],
            scoped_projects: Some(&[1, 2]),
            scoped_organizations: None,
        };
        let key = meta.create_personal_api_key(&attributes, 5).await.unwrap();
        let stored = meta.personal_api_key(key.reveal()).await.unwrap().unwrap();
        assert_eq!(stored.scopes, ["logs:read"]);
        assert_eq!(stored.scoped_projects, Some(vec![1, 2]));
        assert_eq!(stored.scoped_organizations, None);
        assert_eq!(meta.personal_api_key("phx_another").await.unwrap(), None);
        meta.close().await;
        let file = std::fs::read(&path).unwrap();
        let random = key.reveal().strip_prefix("phx_").unwrap();
        assert!(!file.windows(random.len()).any(|window| window == random.as_bytes()));
    }

    #[tokio::test]
    async fn a_replaced_key_is_not_valid_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let meta = Meta::open(&folder.path().join("meta.db")).await.unwrap();
        let first_key = bootstrap(&meta, 0).await.unwrap().unwrap().personal_api_key;
        let attributes = NewPersonalApiKey {
            user_id: 1,
            label: "Demo",
            scopes: &["logs:read"],
            scoped_projects: None,
            scoped_organizations: None,
        };
        let one = meta.replace_personal_api_key(&attributes, 1).await.unwrap();
        let two = meta.replace_personal_api_key(&attributes, 2).await.unwrap();
        assert_eq!(meta.personal_api_key(one.reveal()).await.unwrap(), None);
        for valid in [two, first_key] {
            assert!(meta.personal_api_key(valid.reveal()).await.unwrap().is_some());
        }
    }

    #[tokio::test]
    async fn use_is_noted_at_most_once_an_hour() {
        let folder = tempfile::tempdir().unwrap();
        let meta = Meta::open(&folder.path().join("meta.db")).await.unwrap();
        let credentials = bootstrap(&meta, 0).await.unwrap().unwrap();
        let mut noted = Vec::new();
        for now_us in [0, LAST_USED_GRAIN_US, LAST_USED_GRAIN_US + 1, LAST_USED_GRAIN_US + 2] {
            let key = meta.personal_api_key(credentials.personal_api_key.reveal()).await.unwrap().unwrap();
            meta.note_use(&key, now_us).await.unwrap();
            let key = meta.personal_api_key(credentials.personal_api_key.reveal()).await.unwrap().unwrap();
            noted.push(key.last_used_us.unwrap());
        }
        assert_eq!(noted, [0, 0, LAST_USED_GRAIN_US + 1, LAST_USED_GRAIN_US + 1]);
    }
}
