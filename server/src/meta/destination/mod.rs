//! Destinations: where the notifications of something go, one for each kind of event, with their targets encrypted.

mod event;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use engine::schema::ProjectId;
use serde_json::{Map, Value};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use uuid::Uuid;

pub use self::event::{EventKind, Owner};
use super::{Meta, MetaError, outbox};
use crate::activity::change::Scope;
use crate::activity::entry::{Actor, Entry};
use crate::delivery::Target;
use crate::secret_key::{SecretKey, SecretKeyError};

/// A destination as the audit trail names it.
const SCOPE: Scope = Scope::plain("HogFunction");
/// Longest label, characters.
const MAX_LABEL_CHARS: usize = 400;
/// Owners that one statement looks for.
const MAX_OWNERS_AT_ONCE: usize = 500;

/// Destinations that are to be made together.
#[derive(Clone, Copy, Debug)]
pub struct NewGroup<'a> {
    /// What they belong to.
    pub owner: Owner,
    /// The project of the owner.
    pub project_id: ProjectId,
    /// What people call the owner; part of the labels.
    pub name: &'a str,
    /// What they are told of, one destination for each.
    pub kinds: &'a [EventKind],
    /// Where they lead.
    pub target: &'a Target,
}

/// A destination for one notification, which nobody has asked for and nobody sees.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OneShot<'a> {
    /// What it belongs to.
    pub(crate) owner: Owner,
    /// The project of the owner.
    pub(crate) project_id: ProjectId,
    /// What it is told of.
    pub(crate) event: EventKind,
    /// Where it leads.
    pub(crate) target: &'a Target,
}

/// A destination as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Its id.
    pub id: Uuid,
    /// What it belongs to.
    pub owner: Owner,
    /// The project of the owner.
    pub project_id: ProjectId,
    /// The same for all that were made together.
    pub group_id: Uuid,
    /// What it is told of.
    pub event: EventKind,
    /// The kind of its target: `slack`, `webhook`, ...
    pub kind: String,
    /// What people call it.
    pub label: String,
    /// Its target, encrypted.
    pub(crate) sealed: String,
    /// When it was made, microseconds.
    pub created_us: i64,
    /// When it was deleted, microseconds.
    pub deleted_us: Option<i64>,
    /// How sending there went.
    pub health: Health,
}

/// How sending to a destination went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// When something was taken last, microseconds.
    pub last_success_us: Option<i64>,
    /// When something was not taken last, microseconds.
    pub last_failure_us: Option<i64>,
    /// Why not, in words that everybody may read.
    pub last_failure: Option<String>,
    /// Tries since something was taken.
    pub consecutive_failures: i64,
}

impl Destination {
    /// Where it leads.
    ///
    /// # Errors
    /// [`SecretKeyError::Unsealing`] when it was stored with another secret key.
    pub fn target(&self, key: &SecretKey) -> Result<Target, SecretKeyError> {
        Target::open(key, self.id, &self.sealed)
    }
}

/// Why destinations are not changed.
#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    /// An id is of no destination of the owner.
    #[error("{0} is no destination of it")]
    NotOwned(Uuid),
    /// A target cannot be encrypted.
    #[error(transparent)]
    SecretKey(#[from] SecretKeyError),
    /// The metadata database fails.
    #[error(transparent)]
    Meta(#[from] MetaError),
}

impl From<sqlx::Error> for DestinationError {
    fn from(error: sqlx::Error) -> Self {
        Self::Meta(error.into())
    }
}

/// What [`from_row`] reads.
pub(super) const COLUMNS: &str = "d.id, d.owner_kind, d.owner_id, d.project_id, d.group_id, d.event, d.kind, \
    d.label, d.sealed, d.created_at, d.deleted_at, d.last_success_at, d.last_failure_at, d.last_failure, \
    d.consecutive_failures";

pub(super) fn from_row(row: &AnyRow) -> Result<Destination, MetaError> {
    let text = |index: usize| row.try_get::<String, _>(index);
    Ok(Destination {
        id: uuid_of(&text(0)?)?,
        owner: Owner::from_parts(&text(1)?, &text(2)?)?,
        project_id: ProjectId(row.try_get(3)?),
        group_id: uuid_of(&text(4)?)?,
        event: EventKind::from_name(&text(5)?)?,
        kind: text(6)?,
        label: text(7)?,
        sealed: text(8)?,
        created_us: row.try_get(9)?,
        deleted_us: row.try_get(10)?,
        health: Health {
            last_success_us: row.try_get(11)?,
            last_failure_us: row.try_get(12)?,
            last_failure: row.try_get(13)?,
            consecutive_failures: row.try_get(14)?,
        },
    })
}

pub(super) fn uuid_of(text: &str) -> Result<Uuid, MetaError> {
    Uuid::parse_str(text).map_err(|_| MetaError::Corrupt(format!("a destination with the id {text:?}")))
}

/// Makes destinations, with an entry of the audit trail for each; their ids, in the order of the kinds.
///
/// # Errors
/// When the target cannot be encrypted, or the metadata database fails.
pub(crate) async fn create_group(
    connection: &mut AnyConnection,
    key: &SecretKey,
    new: &NewGroup<'_>,
    actor: &Actor,
    now_us: i64,
) -> Result<Vec<Uuid>, DestinationError> {
    let group_id = Uuid::now_v7();
    let mut ids = Vec::with_capacity(new.kinds.len());
    for event in new.kinds {
        let id = Uuid::now_v7();
        let label = label(new, *event);
        sqlx::query(
            "INSERT INTO destinations
               (id, owner_kind, owner_id, project_id, group_id, event, kind, label, sealed, created_at,
                consecutive_failures)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0)",
        )
        .bind(id.to_string())
        .bind(new.owner.kind())
        .bind(new.owner.id().to_string())
        .bind(new.project_id.0)
        .bind(group_id.to_string())
        .bind(event.name())
        .bind(new.target.kind())
        .bind(label.clone())
        .bind(new.target.seal(key, id)?)
        .bind(now_us)
        .execute(&mut *connection)
        .await?;
        tell(connection, new.project_id, actor, "created", (id, &label), now_us).await?;
        ids.push(id);
    }
    Ok(ids)
}

/// Makes a destination for one notification. It counts as deleted from the beginning, so that it is in no list and is
/// forgotten in time; what is noted for it is sent all the same.
///
/// # Errors
/// When the target cannot be encrypted, or the metadata database fails.
pub(crate) async fn create_one_shot(
    connection: &mut AnyConnection,
    key: &SecretKey,
    new: &OneShot<'_>,
    now_us: i64,
) -> Result<Uuid, DestinationError> {
    let id = Uuid::now_v7();
    let label: String = new.target.shown().chars().take(MAX_LABEL_CHARS).collect();
    sqlx::query(
        "INSERT INTO destinations
           (id, owner_kind, owner_id, project_id, group_id, event, kind, label, sealed, created_at, deleted_at,
            consecutive_failures)
         VALUES ($1, $2, $3, $4, $1, $5, $6, $7, $8, $9, $9, 0)",
    )
    .bind(id.to_string())
    .bind(new.owner.kind())
    .bind(new.owner.id().to_string())
    .bind(new.project_id.0)
    .bind(new.event.name())
    .bind(new.target.kind())
    .bind(label)
    .bind(new.target.seal(key, id)?)
    .bind(now_us)
    .execute(connection)
    .await?;
    Ok(id)
}

fn label(new: &NewGroup<'_>, event: EventKind) -> String {
    let whole = format!("{} {:?} {}: {}", new.owner.product(), new.name, event.word(), new.target.shown());
    whole.chars().take(MAX_LABEL_CHARS).collect()
}

/// Deletes some destinations of an owner, with an entry of the audit trail for each. Those that were deleted before
/// and ids that stand twice mean nothing.
///
/// # Errors
/// [`DestinationError::NotOwned`], and nothing is deleted.
pub async fn delete(
    connection: &mut AnyConnection,
    owner: Owner,
    project: ProjectId,
    ids: &[Uuid],
    actor: &Actor,
    now_us: i64,
) -> Result<(), DestinationError> {
    let owned = with_deleted(connection, owner).await?;
    let find = |id: &Uuid| owned.iter().find(|owned| owned.id == *id && owned.project_id == project);
    let mut meant: Vec<&Destination> = Vec::with_capacity(ids.len());
    for id in ids {
        let found = find(id).ok_or(DestinationError::NotOwned(*id))?;
        if !meant.iter().any(|other| other.id == found.id) {
            meant.push(found);
        }
    }
    for destination in meant {
        soft_delete(connection, destination, actor, now_us).await?;
    }
    Ok(())
}

/// Deletes all destinations of an owner.
///
/// # Errors
/// When the metadata database fails.
pub(crate) async fn delete_all(
    connection: &mut AnyConnection,
    owner: Owner,
    actor: &Actor,
    now_us: i64,
) -> Result<(), MetaError> {
    for destination in with_deleted(connection, owner).await? {
        soft_delete(connection, &destination, actor, now_us).await?;
    }
    Ok(())
}

/// What waits for it is not sent any more.
async fn soft_delete(
    connection: &mut AnyConnection,
    destination: &Destination,
    actor: &Actor,
    now_us: i64,
) -> Result<(), MetaError> {
    if destination.deleted_us.is_some() {
        return Ok(());
    }
    let id = destination.id.to_string();
    sqlx::query("UPDATE destinations SET deleted_at = $1, due_at = NULL WHERE id = $2")
        .bind(now_us)
        .bind(id.clone())
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM notifications WHERE destination_id = $1")
        .bind(id)
        .execute(&mut *connection)
        .await?;
    let told = (destination.id, destination.label.as_str());
    tell(connection, destination.project_id, actor, "updated", told, now_us).await
}

async fn tell(
    connection: &mut AnyConnection,
    project: ProjectId,
    actor: &Actor,
    activity: &str,
    (id, label): (Uuid, &str),
    now_us: i64,
) -> Result<(), MetaError> {
    let fields = |is_deleted: bool| Map::from_iter([("deleted".to_owned(), Value::Bool(is_deleted))]);
    let changes = match activity {
        "updated" => SCOPE.changes(&fields(false), &fields(true)),
        _ => Vec::new(),
    };
    let entry = Entry::new(actor, SCOPE.name, activity, id, label, changes);
    outbox::push_for_project(connection, project, &entry, now_us).await
}

/// The destinations of an owner, oldest first, deleted ones too.
async fn with_deleted(connection: &mut AnyConnection, owner: Owner) -> Result<Vec<Destination>, MetaError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM destinations d WHERE d.owner_id = $1 AND d.owner_kind = $2 ORDER BY d.id"
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(owner.id().to_string())
        .bind(owner.kind())
        .fetch_all(connection)
        .await?;
    rows.iter().map(from_row).collect()
}

/// The destinations of an owner, oldest first.
///
/// # Errors
/// When the metadata database fails.
pub(crate) async fn list(
    connection: &mut AnyConnection,
    owner: Owner,
) -> Result<Vec<Destination>, MetaError> {
    let mut all = with_deleted(connection, owner).await?;
    all.retain(|destination| destination.deleted_us.is_none());
    Ok(all)
}

/// The kinds of targets of each owner, sorted; owners without destinations are left out.
///
/// # Errors
/// When the metadata database fails.
pub(crate) async fn types_of(
    connection: &mut AnyConnection,
    owners: &[Owner],
) -> Result<HashMap<Owner, Vec<String>>, MetaError> {
    let mut types: HashMap<Owner, Vec<String>> = HashMap::new();
    for owners in owners.chunks(MAX_OWNERS_AT_ONCE) {
        let places: Vec<String> = (1..=owners.len()).map(|place| format!("${place}")).collect();
        let sql = format!(
            "SELECT DISTINCT owner_kind, owner_id, kind FROM destinations
             WHERE deleted_at IS NULL AND owner_id IN ({}) ORDER BY kind",
            places.join(", ")
        );
        let mut query = sqlx::query_as::<_, (String, String, String)>(AssertSqlSafe(sql));
        for owner in owners {
            query = query.bind(owner.id().to_string());
        }
        for (owner_kind, owner_id, kind) in query.fetch_all(&mut *connection).await? {
            types.entry(Owner::from_parts(&owner_kind, &owner_id)?).or_default().push(kind);
        }
    }
    types.retain(|owner, _| owners.contains(owner));
    Ok(types)
}

impl Meta {
    /// The destinations of an owner, oldest first.
    pub async fn destinations(&self, owner: Owner) -> Result<Vec<Destination>, MetaError> {
        list(&mut *self.pool.acquire().await?, owner).await
    }

    /// The kinds of targets of each owner, sorted; owners without destinations are left out.
    pub async fn destination_types(
        &self,
        owners: &[Owner],
    ) -> Result<HashMap<Owner, Vec<String>>, MetaError> {
        types_of(&mut *self.pool.acquire().await?, owners).await
    }
}
