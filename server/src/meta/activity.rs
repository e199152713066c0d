//! What the audit trail keeps in the metadata: who signs its checkpoints, the checkpoints, and how long entries are
//! kept; and who the users are that its entries name by number.

use std::collections::HashMap;

use serde_json::Map;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::retention::valid_days;
use super::user::BasicUser;
use super::{Meta, MetaError, outbox};
use crate::activity::change::Scope;
use crate::activity::entry::{Actor, Entry};

/// Users that one statement looks for.
const MAX_USERS_AT_ONCE: usize = 500;

/// A signed end of the chain of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// UUID text.
    pub organization_id: String,
    /// Of the last entry.
    pub sequence: i64,
    /// Its hash, hexadecimal.
    pub hash: String,
    /// Set when everything up to the end has expired: the ingest time that entries are kept from, microseconds.
    pub kept_from_us: Option<i64>,
    /// When it was made, microseconds.
    pub created_us: i64,
    /// Who signed, base64.
    pub public_key: String,
    /// Base64.
    pub signature: String,
}

/// A key that signs checkpoints, base64.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredSigningKey {
    /// What checks signatures.
    pub public_key: String,
    /// What makes them.
    pub private_key: String,
}

impl std::fmt::Debug for StoredSigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredSigningKey").field("public_key", &self.public_key).finish_non_exhaustive()
    }
}

const CHECKPOINT: &str = "SELECT organization_id, sequence, hash, kept_from, created_at, public_key, signature FROM activity_checkpoints";

fn checkpoint_of(row: &AnyRow) -> Result<StoredCheckpoint, MetaError> {
    Ok(StoredCheckpoint {
        organization_id: row.try_get(0)?,
        sequence: row.try_get(1)?,
        hash: row.try_get(2)?,
        kept_from_us: row.try_get(3)?,
        created_us: row.try_get(4)?,
        public_key: row.try_get(5)?,
        signature: row.try_get(6)?,
    })
}

impl Meta {
    /// The ids of all organizations, in order.
    pub async fn organization_ids(&self) -> Result<Vec<String>, MetaError> {
        let rows: Vec<(String,)> =
            sqlx::query_as("SELECT id FROM organizations ORDER BY id").fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// For how many days organizations keep their trails, those that do not keep them for ever.
    pub async fn activity_retention(&self) -> Result<Vec<(String, u32)>, MetaError> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT id, activity_retention_days FROM organizations WHERE activity_retention_days IS NOT NULL ORDER BY id",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(|(id, days)| Ok((id, valid_days(days)?))).collect()
    }

    /// For how many days an organization keeps its trail; none is for ever.
    pub async fn activity_retention_of(&self, organization_id: &str) -> Result<Option<u32>, MetaError> {
        let row: Option<(Option<i64>,)> =
            sqlx::query_as("SELECT activity_retention_days FROM organizations WHERE id = $1")
                .bind(organization_id.to_owned())
                .fetch_optional(&self.pool)
                .await?;
        row.and_then(|(days,)| days).map(valid_days).transpose()
    }

    /// Sets for how many days an organization keeps its trail, with an entry of it.
    pub async fn set_activity_retention(
        &self,
        organization_id: &str,
        days: Option<u32>,
        actor: &Actor,
        now_us: i64,
    ) -> Result<(), MetaError> {
        let fields =
            |days: Option<i64>| Map::from_iter([("activity_retention_days".to_owned(), days.into())]);
        let mut transaction = self.begin_write().await?;
        let row: Option<(String, Option<i64>)> =
            sqlx::query_as("SELECT name, activity_retention_days FROM organizations WHERE id = $1")
                .bind(organization_id.to_owned())
                .fetch_optional(&mut *transaction)
                .await?;
        let Some((name, before)) = row else { return Ok(()) };
        let after = days.map(i64::from);
        sqlx::query("UPDATE organizations SET activity_retention_days = $1, updated_at = $2 WHERE id = $3")
            .bind(after)
            .bind(now_us)
            .bind(organization_id.to_owned())
            .execute(&mut *transaction)
            .await?;
        let changes = Scope::plain("Organization").changes(&fields(before), &fields(after));
        let entry = Entry::new(actor, "Organization", "updated", organization_id, name, changes);
        outbox::push(&mut transaction, organization_id, None, &entry, now_us).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The newest key that signs, if there is one.
    pub async fn signing_key(&self) -> Result<Option<StoredSigningKey>, MetaError> {
        let row: Option<(String, String)> = sqlx::query_as(
            "SELECT public_key, private_key FROM activity_signing_keys ORDER BY created_at DESC, public_key LIMIT 1",
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(public_key, private_key)| StoredSigningKey { public_key, private_key }))
    }

    /// Keeps a key, unless there is one already; the one that is kept.
    pub async fn keep_signing_key(
        &self,
        key: &StoredSigningKey,
        now_us: i64,
    ) -> Result<StoredSigningKey, MetaError> {
        let mut transaction = self.begin_write().await?;
        let found: Option<(String, String)> = sqlx::query_as(
            "SELECT public_key, private_key FROM activity_signing_keys ORDER BY created_at DESC, public_key LIMIT 1",
        )
        .fetch_optional(&mut *transaction)
        .await?;
        if let Some((public_key, private_key)) = found {
            return Ok(StoredSigningKey { public_key, private_key });
        }
        sqlx::query(
            "INSERT INTO activity_signing_keys (public_key, private_key, created_at) VALUES ($1, $2, $3)",
        )
        .bind(key.public_key.clone())
        .bind(key.private_key.clone())
        .bind(now_us)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(key.clone())
    }

    /// Keeps a checkpoint.
    pub async fn add_checkpoint(&self, checkpoint: &StoredCheckpoint) -> Result<(), MetaError> {
        let StoredCheckpoint { organization_id, sequence, hash, .. } = checkpoint.clone();
        sqlx::query(
            "INSERT INTO activity_checkpoints
               (organization_id, sequence, hash, kept_from, created_at, public_key, signature)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(organization_id)
        .bind(sequence)
        .bind(hash)
        .bind(checkpoint.kept_from_us)
        .bind(checkpoint.created_us)
        .bind(checkpoint.public_key.clone())
        .bind(checkpoint.signature.clone())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The checkpoints of an organization, in the order of its chain.
    pub async fn checkpoints(&self, organization_id: &str) -> Result<Vec<StoredCheckpoint>, MetaError> {
        let text = format!("{CHECKPOINT} WHERE organization_id = $1 ORDER BY sequence, created_at");
        let rows =
            sqlx::query(AssertSqlSafe(text)).bind(organization_id.to_owned()).fetch_all(&self.pool).await?;
        rows.iter().map(checkpoint_of).collect()
    }

    /// The checkpoint of an organization that ends last.
    pub async fn last_checkpoint(
        &self,
        organization_id: &str,
    ) -> Result<Option<StoredCheckpoint>, MetaError> {
        let text = format!(
            "{CHECKPOINT} WHERE organization_id = $1 ORDER BY sequence DESC, created_at DESC LIMIT 1"
        );
        let row = sqlx::query(AssertSqlSafe(text))
            .bind(organization_id.to_owned())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(checkpoint_of).transpose()
    }

    /// From which ingest time on organizations keep entries, microseconds, those that have let any expire.
    pub async fn kept_from(&self) -> Result<HashMap<String, i64>, MetaError> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT organization_id, MAX(kept_from) FROM activity_checkpoints
             WHERE kept_from IS NOT NULL GROUP BY organization_id",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().collect())
    }

    /// The users with these numbers, those that there are.
    pub async fn users_by_id(&self, ids: &[i64]) -> Result<HashMap<i64, BasicUser>, MetaError> {
        let mut users = HashMap::new();
        for ids in ids.chunks(MAX_USERS_AT_ONCE) {
            let text = format!(
                "SELECT id, uuid, email, first_name, last_name, role_at_organization FROM users WHERE id IN ({})",
                placeholders(ids.len())
            );
            let mut query = sqlx::query(AssertSqlSafe(text));
            for id in ids {
                query = query.bind(*id);
            }
            for row in query.fetch_all(&self.pool).await? {
                let user = BasicUser {
                    id: row.try_get(0)?,
                    uuid: row.try_get(1)?,
                    email: row.try_get(2)?,
                    first_name: row.try_get(3)?,
                    last_name: row.try_get(4)?,
                    role_at_organization: row.try_get(5)?,
                };
                users.insert(user.id, user);
            }
        }
        Ok(users)
    }

    /// The numbers of the users with these UUIDs, those that there are.
    pub async fn user_ids_of(&self, uuids: &[String]) -> Result<Vec<i64>, MetaError> {
        let mut ids = Vec::new();
        for uuids in uuids.chunks(MAX_USERS_AT_ONCE) {
            let text = format!("SELECT id FROM users WHERE uuid IN ({})", placeholders(uuids.len()));
            let mut query = sqlx::query(AssertSqlSafe(text));
            for uuid in uuids {
                query = query.bind(uuid.clone());
            }
            for row in query.fetch_all(&self.pool).await? {
                ids.push(row.try_get(0)?);
            }
        }
        Ok(ids)
    }
}

fn placeholders(count: usize) -> String {
    (1..=count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::testing::on_every_backend;
    use super::super::user::{NewUser, insert};
    use super::*;

    #[tokio::test]
    async fn checkpoints_are_kept_in_the_order_of_the_chain() {
        on_every_backend(|meta| async move {
            let checkpoint = |sequence: i64, kept_from_us: Option<i64>| StoredCheckpoint {
                organization_id: "o".into(),
                sequence,
                hash: "00".into(),
                kept_from_us,
                created_us: sequence + 1,
                public_key: "k".into(),
                signature: "s".into(),
            };
            for (sequence, kept_from) in [(5, Some(50)), (3, None), (9, None), (4, Some(40))] {
                meta.add_checkpoint(&checkpoint(sequence, kept_from)).await.unwrap();
            }
            let stored = meta.checkpoints("o").await.unwrap();
            assert_eq!(stored.iter().map(|stored| stored.sequence).collect::<Vec<_>>(), [3, 4, 5, 9]);
            assert_eq!(meta.last_checkpoint("o").await.unwrap(), Some(checkpoint(9, None)));
            assert_eq!(meta.last_checkpoint("p").await.unwrap(), None);
            assert_eq!(meta.kept_from().await.unwrap(), HashMap::from([("o".to_owned(), 50)]));
        })
        .await;
    }

    #[tokio::test]
    async fn the_first_key_stays() {
        on_every_backend(|meta| async move {
            assert_eq!(meta.signing_key().await.unwrap(), None);
            let key = |name: &str| StoredSigningKey { public_key: name.into(), private_key: name.into() };
            assert_eq!(meta.keep_signing_key(&key("a"), 1).await.unwrap(), key("a"));
            assert_eq!(meta.keep_signing_key(&key("b"), 2).await.unwrap(), key("a"));
            assert_eq!(meta.signing_key().await.unwrap(), Some(key("a")));
        })
        .await;
    }

    #[tokio::test]
    async fn users_are_found_by_number_and_by_uuid() {
        on_every_backend(|meta| async move {
            let mut transaction = meta.begin_write().await.unwrap();
            let new = NewUser { email: "a@x.io", first_name: "A", last_name: "B", password_hash: None };
            let id = insert(&mut transaction, &new, 1).await.unwrap();
            transaction.commit().await.unwrap();
            let users = meta.users_by_id(&[id, 999]).await.unwrap();
            assert_eq!(users.len(), 1);
            let uuid = users[&id].uuid.clone();
            assert_eq!(meta.user_ids_of(&[uuid, "x".into()]).await.unwrap(), [id]);
            assert_eq!(meta.user_ids_of(&[]).await.unwrap(), [0; 0]);
        })
        .await;
    }
}
