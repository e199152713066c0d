//! Alerts that are to be checked: how a scheduler takes them, and writes what it found.
//!
//! A scheduler takes a lease on each alert, so that others leave it alone for as long as it is renewed. The lease only
//! saves work: what is found is written when the alert is still what was checked, and its revision says so.

use sqlx::{AnyConnection, AssertSqlSafe};

use super::{Alert, NewEvent, ServiceStanding, event, from_row, placeholders, select, services};
use crate::alerts::MINUTE_US;
use crate::alerts::control::EventKind;
use crate::alerts::machine::{AlertState, Standing};
use crate::meta::{Meta, MetaError};

/// How long a lease lasts without being renewed, microseconds. What ends later was taken by a clock that ran ahead.
const LEASE_US: i64 = MINUTE_US;

/// Ids of one statement.
const MAX_IDS: usize = 500;

/// What a check found and decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    /// What was checked.
    pub(crate) before: Alert,
    /// Where it stands now.
    pub(crate) standing: Standing,
    /// When it is checked next, microseconds.
    pub(crate) next_check_us: i64,
    /// Those of its services that stand elsewhere now.
    pub(crate) services: Vec<ServiceStanding>,
    /// The rows of its history.
    pub(crate) events: Vec<NewEvent>,
}

/// Alerts that are due at `$1`: switched on, neither broken nor snoozed, and their time has come. One whose time is
/// further ahead than a check ever puts it was put there by a clock that ran ahead.
const DUE: &str =
    "a.enabled = 1 AND a.state <> 'broken' AND NOT (a.state = 'snoozed' AND a.snooze_until > $1)
    AND (a.next_check_at IS NULL OR a.next_check_at <= $1
      OR a.next_check_at > $1 + 120000000 * a.check_interval_minutes)";

/// Of these, those that nobody has a lease on; `$2` is how far ahead the end of a lease may be.
const FREE: &str = "(a.leased_until IS NULL OR a.leased_until <= $1 OR a.leased_until > $1 + $2)";

impl Meta {
    /// Takes up to `limit` alerts that are due at `now_us` and that nobody has taken, those that have waited longest
    /// first, for `owner` until a lease has passed.
    pub(crate) async fn take_due_alerts(
        &self,
        owner: &str,
        limit: i64,
        now_us: i64,
    ) -> Result<Vec<Alert>, MetaError> {
        let any = format!("SELECT COUNT(*) FROM log_alerts a WHERE {DUE} AND {FREE}");
        let (count,): (i64,) =
            sqlx::query_as(AssertSqlSafe(any)).bind(now_us).bind(LEASE_US).fetch_one(&self.pool).await?;
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut transaction = self.begin_write().await?;
        let connection = &mut *transaction;
        let condition = format!(
            "{DUE} AND {FREE} ORDER BY CASE WHEN a.next_check_at IS NULL THEN 0 ELSE 1 END, a.next_check_at, a.id
             LIMIT $3"
        );
        let rows = sqlx::query(select(&condition))
            .bind(now_us)
            .bind(LEASE_US)
            .bind(limit)
            .fetch_all(&mut *connection)
            .await?;
        let alerts: Vec<Alert> = rows.iter().map(from_row).collect::<Result<_, _>>()?;
        for part in alerts.chunks(MAX_IDS) {
            let sql = format!(
                "UPDATE log_alerts SET leased_by = $1, leased_until = $2 WHERE id IN ({})",
                placeholders(3, part.len())
            );
            let mut update = sqlx::query(AssertSqlSafe(sql)).bind(owner.to_owned()).bind(now_us + LEASE_US);
            for alert in part {
                update = update.bind(alert.id.clone());
            }
            update.execute(&mut *connection).await?;
        }
        transaction.commit().await?;
        Ok(alerts)
    }

    /// Renews every lease of `owner`.
    pub(crate) async fn renew_alert_leases(&self, owner: &str, now_us: i64) -> Result<(), MetaError> {
        sqlx::query("UPDATE log_alerts SET leased_until = $1 WHERE leased_by = $2")
            .bind(now_us + LEASE_US)
            .bind(owner.to_owned())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Gives back what `owner` has taken and not written.
    pub(crate) async fn free_alerts(&self, owner: &str, ids: &[String]) -> Result<(), MetaError> {
        for part in ids.chunks(MAX_IDS) {
            let sql = format!(
                "UPDATE log_alerts SET leased_by = NULL, leased_until = NULL WHERE leased_by = $1 AND id IN ({})",
                placeholders(2, part.len())
            );
            let mut update = sqlx::query(AssertSqlSafe(sql)).bind(owner.to_owned());
            for id in part {
                update = update.bind(id.clone());
            }
            update.execute(&self.pool).await?;
        }
        Ok(())
    }

    /// Since when the alert waits that has waited longest to be checked, microseconds; none when none waits. One that
    /// is due at once waits since it was changed.
    pub(crate) async fn oldest_due_alert(&self, now_us: i64) -> Result<Option<i64>, MetaError> {
        let sql = format!(
            "SELECT MIN(CASE WHEN a.next_check_at IS NULL OR a.next_check_at > $1 THEN a.updated_at
               ELSE a.next_check_at END) FROM log_alerts a WHERE {DUE}"
        );
        let (oldest,): (Option<i64>,) =
            sqlx::query_as(AssertSqlSafe(sql)).bind(now_us).fetch_one(&self.pool).await?;
        Ok(oldest)
    }

    /// How many alerts are switched on and not broken.
    pub(crate) async fn num_active_alerts(&self) -> Result<i64, MetaError> {
        let (count,): (i64,) =
            sqlx::query_as("SELECT COUNT(*) FROM log_alerts WHERE enabled = 1 AND state <> 'broken'")
                .fetch_one(&self.pool)
                .await?;
        Ok(count)
    }
}

/// Writes what a check found and gives the alert back. Whether it was still what was checked; otherwise nothing is
/// written, and it stays due.
pub(crate) async fn save_check(
    connection: &mut AnyConnection,
    checked: &Checked,
    now_us: i64,
) -> Result<bool, MetaError> {
    let Standing { state, consecutive_failures, snooze_until_us, last_notified_us } = checked.standing;
    let saved = sqlx::query(
        "UPDATE log_alerts SET state = $1, consecutive_failures = $2, snooze_until = $3, last_notified_at = $4,
           next_check_at = $5, last_checked_at = $6, updated_at = $6, revision = revision + 1, leased_by = NULL,
           leased_until = NULL
         WHERE id = $7 AND revision = $8 AND enabled = 1",
    )
    .bind(state.as_str())
    .bind(i64::from(consecutive_failures))
    .bind(snooze_until_us)
    .bind(last_notified_us)
    .bind(checked.next_check_us)
    .bind(now_us)
    .bind(checked.before.id.clone())
    .bind(checked.before.revision)
    .execute(&mut *connection)
    .await?;
    if saved.rows_affected() == 0 {
        return Ok(false);
    }
    let alert = (checked.before.project, checked.before.id.as_str());
    services::save(connection, alert, &checked.services).await?;
    for new in &checked.events {
        event::insert(connection, alert, new, now_us).await?;
    }
    Ok(true)
}

/// Breaks an alert whose filters cannot be read. Whether it was still as it was read.
pub(crate) async fn break_config(
    connection: &mut AnyConnection,
    alert: &Alert,
    reason: &str,
    now_us: i64,
) -> Result<bool, MetaError> {
    let saved = sqlx::query(
        "UPDATE log_alerts SET state = $1, updated_at = $2, revision = revision + 1, leased_by = NULL,
           leased_until = NULL WHERE id = $3 AND revision = $4",
    )
    .bind(AlertState::Broken.as_str())
    .bind(now_us)
    .bind(alert.id.clone())
    .bind(alert.revision)
    .execute(&mut *connection)
    .await?;
    if saved.rows_affected() == 0 {
        return Ok(false);
    }
    let broken = NewEvent::of(EventKind::BrokenConfig, alert.standing.state, AlertState::Broken);
    let broken = NewEvent { error_message: Some(reason.to_owned()), ..broken };
    event::insert(connection, (alert.project, &alert.id), &broken, now_us).await?;
    Ok(true)
}
