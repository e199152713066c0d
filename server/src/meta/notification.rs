//! Notifications that wait to be sent, and who sends them.
//!
//! Who sends to a destination holds its lease: no other worker of any process sends there until the lease is given back
//! or has run out. What was claimed and not finished is claimed again then.

use engine::schema::ProjectId;
use sqlx::{AnyConnection, AssertSqlSafe};
use uuid::Uuid;

use super::destination::{self, Destination, EventKind, Owner};
use super::{Meta, MetaError};

/// A notification that this worker alone may send now.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Where it is to go.
    pub destination: Destination,
    /// The notification as JSON.
    pub content: String,
    /// Tries with this one.
    pub num_tries: i64,
    /// When it was noted, microseconds.
    pub created_us: i64,
    row_id: String,
    lease: String,
}

/// How a try ended that was no success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is tried again at this time, microseconds, and nothing else is sent there before.
    TryAt(i64),
    /// It is not tried again.
    GiveUp,
}

/// What waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Notifications, once for each destination.
    pub num_notifications: i64,
    /// When the oldest was noted, microseconds.
    pub oldest_us: Option<i64>,
}

/// The ids of the destinations that an owner has for a kind of event, with their projects.
pub(crate) async fn destinations_of(
    connection: &mut AnyConnection,
    owner: Owner,
    event: EventKind,
) -> Result<Vec<(String, ProjectId)>, MetaError> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT id, owner_kind, project_id FROM destinations
         WHERE owner_id = $1 AND event = $2 AND deleted_at IS NULL ORDER BY id",
    )
    .bind(owner.id().to_string())
    .bind(event.name())
    .fetch_all(connection)
    .await?;
    let owned = rows.into_iter().filter(|(_, kind, _)| kind == owner.kind());
    Ok(owned.map(|(id, _, project)| (id, ProjectId(project))).collect())
}

/// Whether at least so many notifications wait for a destination.
pub(crate) async fn has_waiting(
    connection: &mut AnyConnection,
    destination_id: &str,
    num_notifications: i64,
) -> Result<bool, MetaError> {
    let row: Option<(String,)> =
        sqlx::query_as("SELECT id FROM notifications WHERE destination_id = $1 LIMIT 1 OFFSET $2")
            .bind(destination_id.to_owned())
            .bind(num_notifications - 1)
            .fetch_optional(connection)
            .await?;
    Ok(row.is_some())
}

/// Notes a notification, its id and its JSON, for a destination.
pub(crate) async fn insert(
    connection: &mut AnyConnection,
    destination_id: &str,
    project: ProjectId,
    (notification_id, content): (Uuid, &str),
    now_us: i64,
) -> Result<(), MetaError> {
    sqlx::query(
        "INSERT INTO notifications
           (id, destination_id, project_id, notification_id, content, num_tries, due_at, created_at)
         VALUES ($1, $2, $3, $4, $5, 0, $6, $6)",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(destination_id.to_owned())
    .bind(project.0)
    .bind(notification_id.to_string())
    .bind(content.to_owned())
    .bind(now_us)
    .execute(&mut *connection)
    .await?;
    // Where sending fails, the next try is waited for.
    sqlx::query("UPDATE destinations SET due_at = $1 WHERE id = $2 AND due_at IS NULL")
        .bind(now_us)
        .bind(destination_id.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}

/// Notes that something was not sent to a destination.
pub(crate) async fn note_failure(
    connection: &mut AnyConnection,
    destination_id: &str,
    reason: &str,
    now_us: i64,
) -> Result<(), MetaError> {
    sqlx::query(
        "UPDATE destinations SET last_failure_at = $1, last_failure = $2,
           consecutive_failures = consecutive_failures + 1 WHERE id = $3",
    )
    .bind(now_us)
    .bind(reason.to_owned())
    .bind(destination_id.to_owned())
    .execute(connection)
    .await?;
    Ok(())
}

/// When something is to be sent to a destination next.
async fn next_due(connection: &mut AnyConnection, destination_id: &str) -> Result<Option<i64>, MetaError> {
    let (due_us,): (Option<i64>,) =
        sqlx::query_as("SELECT MIN(due_at) FROM notifications WHERE destination_id = $1")
            .bind(destination_id.to_owned())
            .fetch_one(connection)
            .await?;
    Ok(due_us)
}

async fn set_due(
    connection: &mut AnyConnection,
    destination_id: &str,
    due_us: Option<i64>,
) -> Result<(), MetaError> {
    sqlx::query("UPDATE destinations SET due_at = $1 WHERE id = $2")
        .bind(due_us)
        .bind(destination_id.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}

/// Takes the first notification of a destination that nobody else sends to.
async fn claim(
    connection: &mut AnyConnection,
    destination: Destination,
    now_us: i64,
    lease_until_us: i64,
) -> Result<Option<Claim>, MetaError> {
    let id = destination.id.to_string();
    let row: Option<(String, String, i64, i64, i64)> = sqlx::query_as(
        "SELECT id, content, num_tries, created_at, due_at FROM notifications
         WHERE destination_id = $1 ORDER BY due_at, id LIMIT 1",
    )
    .bind(id.clone())
    .fetch_optional(&mut *connection)
    .await?;
    let (row_id, content, num_tries, created_us) = match row {
        Some((row_id, content, num_tries, created_us, due_us)) if due_us <= now_us => {
            (row_id, content, num_tries + 1, created_us)
        }
        // Something was removed since it was looked at last.
        other => {
            set_due(connection, &id, other.map(|(.., due_us)| due_us)).await?;
            return Ok(None);
        }
    };
    let lease = Uuid::now_v7().to_string();
    sqlx::query("UPDATE notifications SET num_tries = $1 WHERE id = $2")
        .bind(num_tries)
        .bind(row_id.clone())
        .execute(&mut *connection)
        .await?;
    sqlx::query("UPDATE destinations SET lease_owner = $1, lease_until = $2 WHERE id = $3")
        .bind(lease.clone())
        .bind(lease_until_us)
        .bind(id)
        .execute(connection)
        .await?;
    Ok(Some(Claim { destination, content, num_tries, created_us, row_id, lease }))
}

/// Where something is to be sent and nobody has a lease, up to so many.
async fn due_destinations(
    connection: &mut AnyConnection,
    limit: usize,
    now_us: i64,
) -> Result<Vec<Destination>, MetaError> {
    let sql = format!(
        "SELECT {} FROM destinations d WHERE d.due_at <= $1 AND (d.lease_until IS NULL OR d.lease_until <= $1)
         ORDER BY d.due_at, d.id LIMIT $2",
        destination::COLUMNS
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(now_us).bind(limit).fetch_all(connection).await?;
    rows.iter().map(destination::from_row).collect()
}

impl Meta {
    /// Takes notifications that are due, at most one for each destination and those first that have waited longest;
    /// none for `busy` destinations, a few of them, whatever became of their leases.
    ///
    /// # Errors
    /// When the metadata database fails.
    pub async fn claim_notifications(
        &self,
        limit: usize,
        busy: &[Uuid],
        now_us: i64,
        lease_until_us: i64,
    ) -> Result<Vec<Claim>, MetaError> {
        let num_looked_at = limit.saturating_add(busy.len());
        let is_free = |destination: &Destination| !busy.contains(&destination.id);
        // Most looks find nothing, and need not wait for whoever writes.
        let mut connection = self.pool.acquire().await?;
        if !due_destinations(&mut connection, num_looked_at, now_us).await?.iter().any(is_free) {
            return Ok(Vec::new());
        }
        drop(connection);
        let mut transaction = self.begin_write().await?;
        let destinations = due_destinations(&mut transaction, num_looked_at, now_us).await?;
        let mut claims = Vec::with_capacity(destinations.len());
        for destination in destinations.into_iter().filter(is_free).take(limit) {
            claims.extend(claim(&mut transaction, destination, now_us, lease_until_us).await?);
        }
        transaction.commit().await?;
        Ok(claims)
    }

    /// Notes that the receiver has taken a notification.
    ///
    /// # Errors
    /// When the metadata database fails; then it is sent again.
    pub async fn notification_sent(&self, claim: &Claim, now_us: i64) -> Result<(), MetaError> {
        let id = claim.destination.id.to_string();
        let mut transaction = self.begin_write().await?;
        forget(&mut transaction, &claim.row_id).await?;
        sqlx::query("UPDATE destinations SET last_success_at = $1, consecutive_failures = 0 WHERE id = $2")
            .bind(now_us)
            .bind(id.clone())
            .execute(&mut *transaction)
            .await?;
        let due_us = next_due(&mut transaction, &id).await?;
        release(&mut transaction, claim, due_us).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Notes that a try has failed, and why, in words that everybody in the project may read.
    ///
    /// # Errors
    /// When the metadata database fails; then it is tried again.
    pub async fn notification_failed(
        &self,
        claim: &Claim,
        reason: &str,
        next: Next,
        now_us: i64,
    ) -> Result<(), MetaError> {
        let id = claim.destination.id.to_string();
        let mut transaction = self.begin_write().await?;
        note_failure(&mut transaction, &id, reason, now_us).await?;
        let not_before_us = match next {
            Next::TryAt(due_us) => {
                sqlx::query("UPDATE notifications SET due_at = $1 WHERE id = $2")
                    .bind(due_us)
                    .bind(claim.row_id.clone())
                    .execute(&mut *transaction)
                    .await?;
                due_us
            }
            Next::GiveUp => {
                forget(&mut transaction, &claim.row_id).await?;
                i64::MIN
            }
        };
        let due_us = next_due(&mut transaction, &id).await?;
        release(&mut transaction, claim, due_us.map(|due_us| due_us.max(not_before_us))).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Ends all leases: for a process that is the only one with these metadata, when it starts.
    ///
    /// # Errors
    /// When the metadata database fails.
    pub async fn end_leases(&self) -> Result<(), MetaError> {
        sqlx::query(
            "UPDATE destinations SET lease_owner = NULL, lease_until = NULL WHERE lease_owner IS NOT NULL",
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Removes notifications that were noted before a time, and returns how many these were; and destinations that were
    /// deleted before another.
    ///
    /// # Errors
    /// When the metadata database fails.
    pub async fn forget_old_notifications(
        &self,
        noted_before_us: i64,
        deleted_before_us: i64,
    ) -> Result<u64, MetaError> {
        let mut transaction = self.begin_write().await?;
        let removed = sqlx::query("DELETE FROM notifications WHERE created_at < $1")
            .bind(noted_before_us)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM destinations WHERE deleted_at < $1")
            .bind(deleted_before_us)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(removed.rows_affected())
    }

    /// What waits.
    ///
    /// # Errors
    /// When the metadata database fails.
    pub async fn waiting_notifications(&self) -> Result<Waiting, MetaError> {
        let (num_notifications, oldest_us) =
            sqlx::query_as("SELECT COUNT(*), MIN(created_at) FROM notifications")
                .fetch_one(&self.pool)
                .await?;
        Ok(Waiting { num_notifications, oldest_us })
    }
}

async fn forget(connection: &mut AnyConnection, row_id: &str) -> Result<(), MetaError> {
    sqlx::query("DELETE FROM notifications WHERE id = $1")
        .bind(row_id.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}

/// Gives a lease back and says when something is to be sent next; a lease that ran out is somebody else's by now.
async fn release(
    connection: &mut AnyConnection,
    claim: &Claim,
    due_us: Option<i64>,
) -> Result<(), MetaError> {
    sqlx::query(
        "UPDATE destinations SET lease_owner = NULL, lease_until = NULL, due_at = $1
         WHERE id = $2 AND lease_owner = $3",
    )
    .bind(due_us)
    .bind(claim.destination.id.to_string())
    .bind(claim.lease.clone())
    .execute(connection)
    .await?;
    Ok(())
}
