//! Subscriptions to the audit trail: who is told of new entries.

use engine::schema::ProjectId;
use serde_json::{Map, Value, json};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use uuid::Uuid;

use super::destination::{self, DestinationError, EventKind, NewGroup, Owner};
use super::log_view::Window;
use super::user::{self, BasicUser};
use super::{Meta, MetaError, outbox};
use crate::activity::change::{Change, Scope};
use crate::activity::entry::{Actor, Entry};
use crate::delivery::Target;
use crate::secret_key::SecretKey;

const SCOPE: Scope = Scope::plain("ActivitySubscription");
/// What subscriptions tell of.
const TOLD: [EventKind; 1] = [EventKind::ActivityEntry];

/// A subscription.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivitySubscription {
    /// Its id.
    pub id: Uuid,
    /// Whose trail it is about.
    pub project: ProjectId,
    /// What can be written.
    pub content: SubscriptionContent,
    /// Who made it.
    pub created_by: Option<BasicUser>,
    /// Microseconds.
    pub created_us: i64,
    /// Microseconds.
    pub updated_us: i64,
}

/// What of a subscription can be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionContent {
    /// What people call it.
    pub name: String,
    /// Whether somebody is told.
    pub enabled: bool,
    /// Only of entries with one of these scopes; of all if there are none.
    pub scopes: Vec<String>,
    /// Only of entries with one of these activities; of all if there are none.
    pub activities: Vec<String>,
    /// Only of entries about one of these items; of all if there are none.
    pub item_ids: Vec<String>,
}

impl SubscriptionContent {
    fn fields(&self) -> Map<String, Value> {
        let fields = json!({
            "name": self.name, "enabled": self.enabled, "scopes": self.scopes, "activities": self.activities,
            "item_ids": self.item_ids,
        });
        fields.as_object().cloned().unwrap_or_default()
    }
}

/// A subscription to what is new, as the trail is compared with it.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    pub(crate) id: Uuid,
    pub(crate) project: ProjectId,
    /// Whether the project's trail has what is done to the organization.
    pub(crate) with_organization: bool,
    pub(crate) content: SubscriptionContent,
    /// Ids of entries that it is told of are beyond this.
    pub(crate) since_id: String,
}

const COLUMNS: &str =
    "s.id, s.project_id, s.name, s.enabled, s.scopes, s.activities, s.item_ids, s.created_at, s.updated_at";

fn from_row(row: &AnyRow) -> Result<ActivitySubscription, MetaError> {
    Ok(ActivitySubscription {
        id: destination::uuid_of(&row.try_get::<String, _>("id")?)?,
        project: ProjectId(row.try_get("project_id")?),
        content: content_of(row)?,
        created_by: user::basic_from_row(row)?,
        created_us: row.try_get("created_at")?,
        updated_us: row.try_get("updated_at")?,
    })
}

fn content_of(row: &AnyRow) -> Result<SubscriptionContent, MetaError> {
    let list = |name: &str| {
        let text: String = row.try_get(name)?;
        serde_json::from_str(&text)
            .map_err(|_| MetaError::Corrupt(format!("{name} of a subscription that are no list")))
    };
    Ok(SubscriptionContent {
        name: row.try_get("name")?,
        enabled: row.try_get::<i64, _>("enabled")? != 0,
        scopes: list("scopes")?,
        activities: list("activities")?,
        item_ids: list("item_ids")?,
    })
}

fn written(list: &[String]) -> String {
    json!(list).to_string()
}

/// A statement that reads subscriptions; `condition` is a text of ours.
fn select(condition: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!(
        "SELECT {COLUMNS}, {} FROM activity_subscriptions s LEFT JOIN users u ON u.id = s.created_by WHERE {condition}",
        user::BASIC_COLUMNS
    ))
}

async fn get(
    connection: &mut AnyConnection,
    project: ProjectId,
    id: Uuid,
) -> Result<Option<ActivitySubscription>, MetaError> {
    let row = sqlx::query(select("s.project_id = $1 AND s.id = $2"))
        .bind(project.0)
        .bind(id.to_string())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(from_row).transpose()
}

/// The subscriptions of an organization's projects that are told of what is new.
pub(crate) async fn listeners(
    connection: &mut AnyConnection,
    organization_id: &str,
) -> Result<Vec<Listener>, MetaError> {
    let rows = sqlx::query(
        "SELECT s.id, s.project_id, s.name, s.enabled, s.scopes, s.activities, s.item_ids, s.since_id,
           p.receive_org_level_activity_logs AS with_organization
         FROM activity_subscriptions s JOIN projects p ON p.id = s.project_id
         WHERE p.organization_id = $1 AND s.enabled = 1 ORDER BY s.id",
    )
    .bind(organization_id.to_owned())
    .fetch_all(connection)
    .await?;
    let listener = |row: &AnyRow| {
        Ok(Listener {
            id: destination::uuid_of(&row.try_get::<String, _>("id")?)?,
            project: ProjectId(row.try_get("project_id")?),
            with_organization: row.try_get::<i64, _>("with_organization")? != 0,
            content: content_of(row)?,
            since_id: row.try_get("since_id")?,
        })
    };
    rows.iter().map(listener).collect()
}

impl Meta {
    /// The subscriptions of a project, newest first, and how many there are in all.
    pub async fn activity_subscriptions(
        &self,
        project: ProjectId,
        window: Window,
    ) -> Result<(Vec<ActivitySubscription>, i64), MetaError> {
        let mut connection = self.pool.acquire().await?;
        let count = count(&mut connection, project).await?;
        let condition = "s.project_id = $1 ORDER BY s.created_at DESC, s.id DESC LIMIT $2 OFFSET $3";
        let rows = sqlx::query(select(condition))
            .bind(project.0)
            .bind(window.limit)
            .bind(window.offset)
            .fetch_all(&mut *connection)
            .await?;
        let subscriptions = rows.iter().map(from_row).collect::<Result<_, _>>()?;
        Ok((subscriptions, count))
    }

    /// One subscription of a project.
    pub async fn activity_subscription(
        &self,
        project: ProjectId,
        id: Uuid,
    ) -> Result<Option<ActivitySubscription>, MetaError> {
        get(&mut *self.pool.acquire().await?, project, id).await
    }

    /// Adds a subscription with its destination; its id. None when the project has `max` already.
    ///
    /// # Errors
    /// When the target cannot be encrypted, or the metadata database fails.
    pub async fn create_activity_subscription(
        &self,
        (key, actor): (&SecretKey, &Actor),
        project: ProjectId,
        (content, target): (&SubscriptionContent, &Target),
        max: i64,
        now_us: i64,
    ) -> Result<Option<Uuid>, DestinationError> {
        let mut transaction = self.begin_write().await?;
        let connection = &mut *transaction;
        if count(connection, project).await? >= max {
            return Ok(None);
        }
        let id = Uuid::now_v7();
        tell(connection, project, actor, ("created", id, &content.name), vec![], now_us).await?;
        set_target(connection, (key, actor), project, (id, &content.name), target, now_us).await?;
        sqlx::query(
            "INSERT INTO activity_subscriptions
               (id, project_id, name, enabled, scopes, activities, item_ids, since_id, created_by, created_at,
                updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)",
        )
        .bind(id.to_string())
        .bind(project.0)
        .bind(content.name.clone())
        .bind(i64::from(content.enabled))
        .bind(written(&content.scopes))
        .bind(written(&content.activities))
        .bind(written(&content.item_ids))
        .bind(now())
        .bind(actor.user_id)
        .bind(now_us)
        .execute(&mut *connection)
        .await?;
        transaction.commit().await?;
        Ok(Some(id))
    }

    /// Replaces what can be written of a subscription, and its destination if there is another one. Whether there is
    /// such a subscription. One that is enabled again is told of what is new from then on.
    ///
    /// # Errors
    /// As [`Meta::create_activity_subscription`].
    pub async fn update_activity_subscription(
        &self,
        (key, actor): (&SecretKey, &Actor),
        (project, id): (ProjectId, Uuid),
        (content, target): (&SubscriptionContent, Option<&Target>),
        now_us: i64,
    ) -> Result<bool, DestinationError> {
        let mut transaction = self.begin_write().await?;
        let connection = &mut *transaction;
        let Some(before) = get(connection, project, id).await? else { return Ok(false) };
        let changes = SCOPE.changes(&before.content.fields(), &content.fields());
        tell(connection, project, actor, ("updated", id, &content.name), changes, now_us).await?;
        if let Some(target) = target {
            let owner = Owner::ActivitySubscription(id);
            destination::delete_all(connection, owner, actor, now_us).await?;
            set_target(connection, (key, actor), project, (id, &content.name), target, now_us).await?;
        }
        sqlx::query(
            "UPDATE activity_subscriptions SET name = $1, enabled = $2, scopes = $3, activities = $4, item_ids = $5,
               updated_at = $6 WHERE id = $7",
        )
        .bind(content.name.clone())
        .bind(i64::from(content.enabled))
        .bind(written(&content.scopes))
        .bind(written(&content.activities))
        .bind(written(&content.item_ids))
        .bind(now_us)
        .bind(id.to_string())
        .execute(&mut *connection)
        .await?;
        if content.enabled && !before.content.enabled {
            sqlx::query("UPDATE activity_subscriptions SET since_id = $1 WHERE id = $2")
                .bind(now())
                .bind(id.to_string())
                .execute(&mut *connection)
                .await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Removes a subscription with its destination. Whether there was one.
    ///
    /// # Errors
    /// When the metadata database fails.
    pub async fn delete_activity_subscription(
        &self,
        project: ProjectId,
        id: Uuid,
        actor: &Actor,
        now_us: i64,
    ) -> Result<bool, MetaError> {
        let mut transaction = self.begin_write().await?;
        let connection = &mut *transaction;
        let Some(before) = get(connection, project, id).await? else { return Ok(false) };
        destination::delete_all(connection, Owner::ActivitySubscription(id), actor, now_us).await?;
        sqlx::query("DELETE FROM activity_subscriptions WHERE id = $1")
            .bind(id.to_string())
            .execute(&mut *connection)
            .await?;
        tell(connection, project, actor, ("deleted", id, &before.content.name), vec![], now_us).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

/// An id that entries which are noted from now on are beyond.
fn now() -> String {
    Uuid::now_v7().to_string()
}

async fn count(connection: &mut AnyConnection, project: ProjectId) -> Result<i64, MetaError> {
    let (count,): (i64,) =
        sqlx::query_as("SELECT COUNT(*) FROM activity_subscriptions WHERE project_id = $1")
            .bind(project.0)
            .fetch_one(connection)
            .await?;
    Ok(count)
}

async fn set_target(
    connection: &mut AnyConnection,
    (key, actor): (&SecretKey, &Actor),
    project_id: ProjectId,
    (id, name): (Uuid, &str),
    target: &Target,
    now_us: i64,
) -> Result<(), DestinationError> {
    let owner = Owner::ActivitySubscription(id);
    let new = NewGroup { owner, project_id, name, kinds: &TOLD, target };
    destination::create_group(connection, key, &new, actor, now_us).await.map(drop)
}

async fn tell(
    connection: &mut AnyConnection,
    project: ProjectId,
    actor: &Actor,
    (activity, id, name): (&str, Uuid, &str),
    changes: Vec<Change>,
    now_us: i64,
) -> Result<(), MetaError> {
    let entry = Entry::new(actor, SCOPE.name, activity, id, name, changes);
    outbox::push_for_project(connection, project, &entry, now_us).await
}
