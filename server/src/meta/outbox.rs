//! What the audit trail is yet to be told: entries that commit with the change that they describe.

use engine::schema::ProjectId;
use sqlx::AnyConnection;
use uuid::Uuid;

use super::{Meta, MetaError, project};
use crate::activity::entry::Entry;

/// An entry that waits.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitingEntry {
    /// Its id in the trail, UUID text that rises with time.
    pub id: String,
    /// Where it belongs, UUID text.
    pub organization_id: String,
    /// The project it is about; none when it is about the organization.
    pub project_id: Option<ProjectId>,
    /// What it says.
    pub entry: Entry,
    /// When the change was made, microseconds.
    pub created_us: i64,
}

/// Puts an entry into the outbox, unless it says nothing.
pub(crate) async fn push(
    connection: &mut AnyConnection,
    organization_id: &str,
    project_id: Option<ProjectId>,
    entry: &Entry,
    now_us: i64,
) -> Result<(), MetaError> {
    if entry.says_something() {
        insert(connection, organization_id, project_id, entry, now_us).await?;
    }
    Ok(())
}

/// Puts an entry into the outbox, whatever it says; its id.
async fn insert(
    connection: &mut AnyConnection,
    organization_id: &str,
    project_id: Option<ProjectId>,
    entry: &Entry,
    now_us: i64,
) -> Result<String, MetaError> {
    let id = Uuid::now_v7().to_string();
    let text = serde_json::to_string(entry).expect("BUG: an entry is always JSON");
    sqlx::query(
        "INSERT INTO outbox (id, organization_id, project_id, entry, created_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(id.clone())
    .bind(organization_id.to_owned())
    .bind(project_id.map(|project| project.0))
    .bind(text)
    .bind(now_us)
    .execute(connection)
    .await?;
    Ok(id)
}

/// Puts an entry about something of a project into the outbox, unless it says nothing or there is no such project.
pub(crate) async fn push_for_project(
    connection: &mut AnyConnection,
    project: ProjectId,
    entry: &Entry,
    now_us: i64,
) -> Result<(), MetaError> {
    match project::get(connection, project).await? {
        Some(found) => push(connection, &found.organization_id, Some(project), entry, now_us).await,
        None => Ok(()),
    }
}

/// Takes an entry out of the outbox; whether it was there.
pub(crate) async fn forget(connection: &mut AnyConnection, id: &str) -> Result<bool, MetaError> {
    let deleted =
        sqlx::query("DELETE FROM outbox WHERE id = $1").bind(id.to_owned()).execute(connection).await?;
    Ok(deleted.rows_affected() > 0)
}

impl Meta {
    /// Puts entries into the outbox that no change of this product goes with, all or none; `entries` are with the times
    /// when they were done, microseconds. Returns their ids.
    pub async fn push_entries(
        &self,
        organization_id: &str,
        project_id: Option<ProjectId>,
        entries: &[(Entry, i64)],
    ) -> Result<Vec<String>, MetaError> {
        let mut transaction = self.begin_write().await?;
        let mut ids = Vec::with_capacity(entries.len());
        for (entry, created_us) in entries {
            ids.push(insert(&mut transaction, organization_id, project_id, entry, *created_us).await?);
        }
        transaction.commit().await?;
        Ok(ids)
    }

    /// The entries that have waited longest, at most `limit`.
    pub async fn waiting_entries(&self, limit: i64) -> Result<Vec<WaitingEntry>, MetaError> {
        let rows: Vec<(String, String, Option<i64>, String, i64)> = sqlx::query_as(
            "SELECT id, organization_id, project_id, entry, created_at FROM outbox ORDER BY id LIMIT $1",
        )
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let waiting = rows.into_iter().map(|(id, organization_id, project_id, entry, created_us)| {
            let entry = serde_json::from_str(&entry)
                .map_err(|_| MetaError::Corrupt(format!("the entry {id} of the outbox")))?;
            let project_id = project_id.map(ProjectId);
            Ok(WaitingEntry { id, organization_id, project_id, entry, created_us })
        });
        waiting.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::on_every_backend;
    use super::*;
    use crate::activity::entry::Actor;

    #[tokio::test]
    async fn entries_wait_in_order_and_only_if_their_change_is_kept() {
        on_every_backend(|meta| async move {
            let entry = |name: &str| Entry::new(&Actor::system(), "Role", "created", 1, name, vec![]);
            let mut kept = meta.begin_write().await.unwrap();
            push(&mut kept, "o", None, &entry("one"), 5).await.unwrap();
            push(&mut kept, "o", Some(ProjectId(3)), &entry("two"), 6).await.unwrap();
            let nothing = Entry::new(&Actor::system(), "Role", "updated", 1, "same", vec![]);
            push(&mut kept, "o", None, &nothing, 7).await.unwrap();
            kept.commit().await.unwrap();
            let mut lost = meta.begin_write().await.unwrap();
            push(&mut lost, "o", None, &entry("lost"), 8).await.unwrap();
            lost.rollback().await.unwrap();

            let waiting = meta.waiting_entries(10).await.unwrap();
            let names: Vec<_> = waiting.iter().map(|waiting| waiting.entry.detail.name.as_deref()).collect();
            assert_eq!(names, [Some("one"), Some("two")]);
            assert_eq!((waiting[1].project_id, waiting[1].created_us), (Some(ProjectId(3)), 6));
            assert_eq!(meta.waiting_entries(1).await.unwrap().len(), 1);

            let ids =
                meta.push_entries("o", None, &[(entry("three"), 1), (nothing.clone(), 2)]).await.unwrap();
            let all = meta.waiting_entries(10).await.unwrap();
            assert_eq!(all.iter().map(|waiting| waiting.id.clone()).skip(2).collect::<Vec<_>>(), ids);
            let mut transaction = meta.begin_write().await.unwrap();
            for (id, was_there) in [(&waiting[0].id, true), (&ids[0], true), (&ids[0], false)] {
                assert_eq!(forget(&mut transaction, id).await.unwrap(), was_there, "an entry leaves once");
            }
            transaction.commit().await.unwrap();
            assert_eq!(meta.waiting_entries(10).await.unwrap().len(), 2);
        })
        .await;
    }
}
