//! Saved views: filters and columns under a name, seen by everybody in a project.

use engine::schema::ProjectId;
use serde_json::{Map, Value, json};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use uuid::Uuid;

use super::user::{self, BasicUser};
use super::{Meta, MetaError, outbox};
use crate::activity::change::{Change, Scope};
use crate::activity::entry::{Actor, Entry};

const SCOPE: Scope = Scope::plain("LogsView");

/// Letters and digits of a short id: about 10^14 ids.
const SHORT_ID_LENGTH: usize = 8;
/// Tries until a random short id is free; the second is already very unlikely.
const MAX_SHORT_ID_TRIES: usize = 5;

/// A saved view.
#[derive(Clone, Debug, PartialEq)]
pub struct LogView {
    /// UUID text.
    pub id: String,
    /// Unique in its project.
    pub short_id: String,
    /// What people call it.
    pub name: String,
    /// JSON text of an object.
    pub filters: String,
    /// JSON text of a list; none when the reader decides.
    pub columns: Option<String>,
    /// Whether it is shown first.
    pub pinned: bool,
    /// Microseconds.
    pub created_us: i64,
    /// Microseconds.
    pub updated_us: i64,
    /// Who made it.
    pub created_by: Option<BasicUser>,
}

/// What of a view can be written.
#[derive(Clone, Debug, PartialEq)]
pub struct LogViewContent {
    /// What people call it.
    pub name: String,
    /// JSON text of an object.
    pub filters: String,
    /// JSON text of a list.
    pub columns: Option<String>,
    /// Whether it is shown first.
    pub pinned: bool,
}

impl LogViewContent {
    /// What people see of a view, by name.
    pub(crate) fn fields(&self) -> Map<String, Value> {
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        let fields = json!({
            "name": self.name,
            "filters": read(&self.filters),
            "columns": self.columns.as_deref().map(read),
            "pinned": self.pinned,
        });
        fields.as_object().cloned().unwrap_or_default()
    }
}

impl LogView {
    /// What of it can be written.
    pub(crate) fn content(&self) -> LogViewContent {
        LogViewContent {
            name: self.name.clone(),
            filters: self.filters.clone(),
            columns: self.columns.clone(),
            pinned: self.pinned,
        }
    }
}

/// A part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Most entries.
    pub limit: i64,
    /// Entries before it.
    pub offset: i64,
}

const COLUMNS: &str = "v.id, v.short_id, v.name, v.filters, v.columns, v.pinned, v.created_at, v.updated_at";

/// A statement that reads views; `condition` is a text of ours.
fn select(condition: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!(
        "SELECT {COLUMNS}, {} FROM log_views v LEFT JOIN users u ON u.id = v.created_by WHERE {condition}",
        user::BASIC_COLUMNS
    ))
}

impl Meta {
    /// The views of a project, newest first, and how many there are in all.
    pub async fn log_views(
        &self,
        project: ProjectId,
        window: Window,
    ) -> Result<(Vec<LogView>, i64), MetaError> {
        let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM log_views WHERE project_id = $1")
            .bind(project.0)
            .fetch_one(&self.pool)
            .await?;
        let condition = "v.project_id = $1 ORDER BY v.created_at DESC, v.id DESC LIMIT $2 OFFSET $3";
        let rows = sqlx::query(select(condition))
            .bind(project.0)
            .bind(window.limit)
            .bind(window.offset)
            .fetch_all(&self.pool)
            .await?;
        let views = rows.iter().map(from_row).collect::<Result<_, _>>()?;
        Ok((views, count))
    }

    /// One view of a project.
    pub async fn log_view(&self, project: ProjectId, short_id: &str) -> Result<Option<LogView>, MetaError> {
        get(&mut *self.pool.acquire().await?, project, short_id).await
    }

    /// Adds a view under a random short id, which is returned. None when the project has `max_views` already.
    pub async fn create_log_view(
        &self,
        project: ProjectId,
        content: &LogViewContent,
        actor: &Actor,
        max_views: i64,
        now_us: i64,
    ) -> Result<Option<String>, MetaError> {
        let mut transaction = self.begin_write().await?;
        let connection = &mut *transaction;
        let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM log_views WHERE project_id = $1")
            .bind(project.0)
            .fetch_one(&mut *connection)
            .await?;
        if count >= max_views {
            return Ok(None);
        }
        let short_id = free_short_id(connection, project).await?;
        sqlx::query(
            "INSERT INTO log_views
               (id, project_id, short_id, name, filters, columns, pinned, created_at, updated_at, created_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)",
        )
        .bind(Uuid::now_v7().to_string())
        .bind(project.0)
        .bind(short_id.clone())
        .bind(content.name.clone())
        .bind(content.filters.clone())
        .bind(content.columns.clone())
        .bind(i64::from(content.pinned))
        .bind(now_us)
        .bind(actor.user_id)
        .execute(&mut *connection)
        .await?;
        tell(connection, project, actor, "created", (&short_id, &content.name), vec![], now_us).await?;
        transaction.commit().await?;
        Ok(Some(short_id))
    }

    /// Replaces what can be written of a view. Whether there is such a view.
    pub async fn update_log_view(
        &self,
        project: ProjectId,
        short_id: &str,
        content: &LogViewContent,
        actor: &Actor,
        now_us: i64,
    ) -> Result<bool, MetaError> {
        let mut transaction = self.begin_write().await?;
        let connection = &mut *transaction;
        let Some(before) = get(connection, project, short_id).await? else { return Ok(false) };
        sqlx::query(
            "UPDATE log_views SET name = $1, filters = $2, columns = $3, pinned = $4, updated_at = $5
             WHERE project_id = $6 AND short_id = $7",
        )
        .bind(content.name.clone())
        .bind(content.filters.clone())
        .bind(content.columns.clone())
        .bind(i64::from(content.pinned))
        .bind(now_us)
        .bind(project.0)
        .bind(short_id.to_owned())
        .execute(&mut *connection)
        .await?;
        let changes = SCOPE.changes(&before.content().fields(), &content.fields());
        tell(connection, project, actor, "updated", (short_id, &content.name), changes, now_us).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// `remove` in a transaction of its own.
    ///
    /// # Errors
    /// When the metadata database fails.
    pub async fn delete_log_view(
        &self,
        project: ProjectId,
        short_id: &str,
        actor: &Actor,
        now_us: i64,
    ) -> Result<bool, MetaError> {
        let mut transaction = self.begin_write().await?;
        let removed = remove(&mut transaction, project, short_id, actor, now_us).await?;
        transaction.commit().await?;
        Ok(removed)
    }
}

/// Removes a view. Whether there was one.
///
/// # Errors
/// When the metadata database fails.
pub(crate) async fn remove(
    connection: &mut AnyConnection,
    project: ProjectId,
    short_id: &str,
    actor: &Actor,
    now_us: i64,
) -> Result<bool, MetaError> {
    let Some(view) = get(connection, project, short_id).await? else { return Ok(false) };
    sqlx::query("DELETE FROM log_views WHERE project_id = $1 AND short_id = $2")
        .bind(project.0)
        .bind(short_id.to_owned())
        .execute(&mut *connection)
        .await?;
    tell(connection, project, actor, "deleted", (short_id, &view.name), vec![], now_us).await?;
    Ok(true)
}

/// One view of a project.
pub(crate) async fn get(
    connection: &mut AnyConnection,
    project: ProjectId,
    short_id: &str,
) -> Result<Option<LogView>, MetaError> {
    let row = sqlx::query(select("v.project_id = $1 AND v.short_id = $2"))
        .bind(project.0)
        .bind(short_id.to_owned())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(from_row).transpose()
}

async fn free_short_id(connection: &mut AnyConnection, project: ProjectId) -> Result<String, MetaError> {
    for _ in 0..MAX_SHORT_ID_TRIES {
        let short_id = random_short_id()?;
        if get(connection, project, &short_id).await?.is_none() {
            return Ok(short_id);
        }
    }
    Err(MetaError::Corrupt("no free short id for a view".to_owned()))
}

async fn tell(
    connection: &mut AnyConnection,
    project: ProjectId,
    actor: &Actor,
    activity: &str,
    (short_id, name): (&str, &str),
    changes: Vec<Change>,
    now_us: i64,
) -> Result<(), MetaError> {
    let mut entry = Entry::new(actor, SCOPE.name, activity, short_id, name, changes);
    entry.detail.short_id = Some(short_id.to_owned());
    outbox::push_for_project(connection, project, &entry, now_us).await
}

fn from_row(row: &AnyRow) -> Result<LogView, MetaError> {
    Ok(LogView {
        id: row.try_get("id")?,
        short_id: row.try_get("short_id")?,
        name: row.try_get("name")?,
        filters: row.try_get("filters")?,
        columns: row.try_get("columns")?,
        pinned: row.try_get::<i64, _>("pinned")? != 0,
        created_us: row.try_get("created_at")?,
        updated_us: row.try_get("updated_at")?,
        created_by: user::basic_from_row(row)?,
    })
}

fn random_short_id() -> Result<String, MetaError> {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut id = String::with_capacity(SHORT_ID_LENGTH);
    while id.len() < SHORT_ID_LENGTH {
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes)?;
        // Six bits of a byte; the two values beyond the alphabet are thrown away, so that all letters are as likely.
        let letters = bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 0x3F)));
        id.extend(letters.take(SHORT_ID_LENGTH - id.len()).map(|&letter| char::from(letter)));
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::super::bootstrap::{FIRST_PROJECT, FIRST_USER, bootstrap};
    use super::super::testing::on_every_backend;
    use super::*;

    fn ann() -> Actor {
        Actor::user(FIRST_USER, None, None)
    }

    fn content(name: &str) -> LogViewContent {
        LogViewContent { name: name.to_owned(), filters: "{}".to_owned(), columns: None, pinned: false }
    }

    #[test]
    fn short_ids_are_letters_and_digits_and_differ() {
        let ids: Vec<String> = (0..100).map(|_| random_short_id().unwrap()).collect();
        assert!(ids.iter().all(|id| id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())));
        let distinct: std::collections::HashSet<&String> = ids.iter().collect();
        assert_eq!(distinct.len(), 100);
    }

    #[tokio::test]
    async fn views_are_kept_listed_and_bounded() {
        on_every_backend(|meta| async move {
            bootstrap(&meta, 7).await.unwrap();
            let create = async |name: &str, max: i64, now_us: i64| {
                meta.create_log_view(FIRST_PROJECT, &content(name), &ann(), max, now_us).await.unwrap()
            };
            let first = create("a", 2, 10).await.unwrap();
            create("b", 2, 11).await.unwrap();
            assert_eq!(create("c", 2, 12).await, None, "a project has only so many");

            let all = Window { limit: 10, offset: 0 };
            let (views, count) = meta.log_views(FIRST_PROJECT, all).await.unwrap();
            let names: Vec<&str> = views.iter().map(|view| view.name.as_str()).collect();
            assert_eq!((names, count), (vec!["b", "a"], 2));
            assert_eq!(views[0].created_by.as_ref().unwrap().email, "admin@localhost");
            let (views, count) =
                meta.log_views(FIRST_PROJECT, Window { limit: 10, offset: 1 }).await.unwrap();
            assert_eq!((views.len(), count), (1, 2));

            let changed = LogViewContent { columns: Some("[]".into()), pinned: true, ..content("z") };
            assert!(meta.update_log_view(FIRST_PROJECT, &first, &changed, &ann(), 20).await.unwrap());
            let view = meta.log_view(FIRST_PROJECT, &first).await.unwrap().unwrap();
            assert_eq!(
                (view.name.as_str(), view.pinned, view.created_us, view.updated_us),
                ("z", true, 10, 20)
            );
            assert!(!meta.update_log_view(ProjectId(2), &first, &changed, &ann(), 20).await.unwrap());
            assert_eq!(meta.log_view(ProjectId(2), &first).await.unwrap(), None);
            assert!(!meta.delete_log_view(ProjectId(2), &first, &ann(), 30).await.unwrap());
            assert!(meta.delete_log_view(FIRST_PROJECT, &first, &ann(), 30).await.unwrap());
            assert!(!meta.delete_log_view(FIRST_PROJECT, &first, &ann(), 30).await.unwrap());
            let told = meta.waiting_entries(9).await.unwrap();
            let told: Vec<_> = told.iter().map(|told| told.entry.activity.as_str()).collect();
            assert_eq!(told, ["created", "created", "updated", "deleted"]);
        })
        .await;
    }
}
