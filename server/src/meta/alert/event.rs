//! The history of alerts.

use std::collections::HashMap;

use engine::schema::ProjectId;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use uuid::Uuid;

use super::{placeholders, state};
use crate::alerts::control::EventKind;
use crate::alerts::machine::AlertState;
use crate::alerts::timeline::{Step, TIMELINE_US};
use crate::meta::log_view::Window;
use crate::meta::{Meta, MetaError};

/// A row of history as it is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Why.
    pub kind: EventKind,
    /// The state before.
    pub state_before: AlertState,
    /// The state after.
    pub state_after: AlertState,
    /// Whether the newest window breached.
    pub threshold_breached: bool,
    /// How many rows it had; none when nothing was counted.
    pub result_count: Option<i64>,
    /// Why nothing was counted.
    pub error_message: Option<String>,
    /// The service that it is about; none when it is about the alert.
    pub service_name: Option<String>,
    /// How long counting took, milliseconds.
    pub query_duration_ms: Option<i64>,
}

impl NewEvent {
    /// A row that no check has written.
    pub fn of(kind: EventKind, state_before: AlertState, state_after: AlertState) -> Self {
        Self {
            kind,
            state_before,
            state_after,
            threshold_breached: false,
            result_count: None,
            error_message: None,
            service_name: None,
            query_duration_ms: None,
        }
    }
}

/// A row of history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertEvent {
    /// UUID text.
    pub id: String,
    /// When it was written, microseconds.
    pub created_us: i64,
    /// What it says.
    pub said: NewEvent,
}

/// What an alert's history says about it beside its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertHistory {
    /// The rows of the last day, oldest first.
    pub steps: Vec<Step>,
    /// Whether it was last switched on or off before that.
    pub enabled_before: Option<bool>,
    /// The newest error of a check.
    pub last_error: Option<String>,
}

/// Rows that are shown: a check that changed nothing and went well is not.
const SHOWN: &str = "(kind <> 'check' OR error_message IS NOT NULL OR state_before <> state_after)";

/// Writes a row of history.
pub(super) async fn insert(
    connection: &mut AnyConnection,
    (project, alert_id): (ProjectId, &str),
    event: &NewEvent,
    now_us: i64,
) -> Result<(), MetaError> {
    sqlx::query(
        "INSERT INTO log_alert_events (id, alert_id, project_id, created_at, kind, state_before, state_after,
           threshold_breached, result_count, error_message, query_duration_ms, service_name)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(alert_id.to_owned())
    .bind(project.0)
    .bind(now_us)
    .bind(event.kind.as_str())
    .bind(event.state_before.as_str())
    .bind(event.state_after.as_str())
    .bind(i64::from(event.threshold_breached))
    .bind(event.result_count)
    .bind(event.error_message.clone())
    .bind(event.query_duration_ms)
    .bind(event.service_name.clone())
    .execute(connection)
    .await?;
    Ok(())
}

fn kind(row: &AnyRow) -> Result<EventKind, MetaError> {
    let word: String = row.try_get("kind")?;
    EventKind::parse(&word)
        .ok_or_else(|| MetaError::Corrupt(format!("an event of an alert of kind {word:?}")))
}

fn from_row(row: &AnyRow) -> Result<AlertEvent, MetaError> {
    Ok(AlertEvent {
        id: row.try_get("id")?,
        created_us: row.try_get("created_at")?,
        said: NewEvent {
            kind: kind(row)?,
            state_before: state(row, "state_before")?,
            state_after: state(row, "state_after")?,
            threshold_breached: row.try_get::<i64, _>("threshold_breached")? != 0,
            result_count: row.try_get("result_count")?,
            error_message: row.try_get("error_message")?,
            service_name: row.try_get("service_name")?,
            query_duration_ms: row.try_get("query_duration_ms")?,
        },
    })
}

impl Meta {
    /// The shown history of an alert, newest first, of one kind if one is named, and how much there is.
    pub async fn alert_events(
        &self,
        alert_id: &str,
        kind: Option<EventKind>,
        window: Window,
    ) -> Result<(Vec<AlertEvent>, i64), MetaError> {
        let condition = format!("alert_id = $1 AND ($2 = '' OR kind = $2) AND {SHOWN}");
        let kind = kind.map_or("", EventKind::as_str);
        let count = format!("SELECT COUNT(*) FROM log_alert_events WHERE {condition}");
        let (count,): (i64,) = sqlx::query_as(AssertSqlSafe(count))
            .bind(alert_id.to_owned())
            .bind(kind)
            .fetch_one(&self.pool)
            .await?;
        let rows = format!(
            "SELECT * FROM log_alert_events WHERE {condition} ORDER BY created_at DESC, id DESC LIMIT $3 OFFSET $4"
        );
        let rows = sqlx::query(AssertSqlSafe(rows))
            .bind(alert_id.to_owned())
            .bind(kind)
            .bind(window.limit)
            .bind(window.offset)
            .fetch_all(&self.pool)
            .await?;
        Ok((rows.iter().map(from_row).collect::<Result<_, _>>()?, count))
    }

    /// The shown history of all alerts of a project, newest first, with the ids and names of the alerts; at most so much.
    pub async fn alert_events_of_project(
        &self,
        project: ProjectId,
        limit: i64,
    ) -> Result<Vec<(String, String, AlertEvent)>, MetaError> {
        // Columns of the history are named alone, which those of the alerts would make ambiguous.
        let text = format!(
            "SELECT h.*, a.name AS alert_name FROM (SELECT * FROM log_alert_events WHERE {SHOWN}) h
             JOIN log_alerts a ON a.id = h.alert_id
             WHERE h.project_id = $1 AND a.project_id = $1 ORDER BY h.created_at DESC, h.id DESC LIMIT $2"
        );
        let rows = sqlx::query(AssertSqlSafe(text)).bind(project.0).bind(limit).fetch_all(&self.pool).await?;
        let event = |row: &AnyRow| Ok((row.try_get("alert_id")?, row.try_get("alert_name")?, from_row(row)?));
        rows.iter().map(event).collect()
    }

    /// What the histories of alerts say about them; those without any are left out. At most some thousand alerts.
    pub async fn alert_histories(
        &self,
        ids: &[String],
        now_us: i64,
    ) -> Result<HashMap<String, AlertHistory>, MetaError> {
        let mut histories: HashMap<String, AlertHistory> = HashMap::new();
        if ids.is_empty() {
            return Ok(histories);
        }
        let since_us = now_us - TIMELINE_US;
        let of_alerts = format!("alert_id IN ({})", placeholders(2, ids.len()));
        let steps = format!(
            "SELECT alert_id, created_at, kind, state_before, state_after FROM log_alert_events
             WHERE created_at >= $1 AND service_name IS NULL AND {of_alerts} ORDER BY created_at, id"
        );
        for row in self.history_rows(steps, since_us, ids).await? {
            let step = Step {
                at_us: row.try_get("created_at")?,
                kind: kind(&row)?,
                before: state(&row, "state_before")?,
                after: state(&row, "state_after")?,
            };
            histories.entry(row.try_get("alert_id")?).or_default().steps.push(step);
        }
        let newest = |condition: &str| {
            format!(
                "SELECT alert_id, kind, error_message FROM (
                   SELECT alert_id, kind, error_message,
                     ROW_NUMBER() OVER (PARTITION BY alert_id ORDER BY created_at DESC, id DESC) AS place
                   FROM log_alert_events WHERE {condition} AND {of_alerts}) AS ranked
                 WHERE place = 1"
            )
        };
        let switches = newest("kind IN ('enable', 'disable') AND created_at < $1");
        for row in self.history_rows(switches, since_us, ids).await? {
            let is_on = kind(&row)? == EventKind::Enable;
            histories.entry(row.try_get("alert_id")?).or_default().enabled_before = Some(is_on);
        }
        // Whatever the time: the parameter stands for an instant after all.
        let errors = newest("kind = 'check' AND error_message IS NOT NULL AND created_at < $1");
        for row in self.history_rows(errors, i64::MAX, ids).await? {
            let error: Option<String> = row.try_get("error_message")?;
            histories.entry(row.try_get("alert_id")?).or_default().last_error = error;
        }
        Ok(histories)
    }

    async fn history_rows(&self, sql: String, us: i64, ids: &[String]) -> Result<Vec<AnyRow>, MetaError> {
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(us);
        for id in ids {
            query = query.bind(id.clone());
        }
        Ok(query.fetch_all(&self.pool).await?)
    }

    /// Removes history from before an instant. How much it was.
    pub async fn expire_alert_events(&self, before_us: i64) -> Result<u64, MetaError> {
        let expired = sqlx::query("DELETE FROM log_alert_events WHERE created_at < $1")
            .bind(before_us)
            .execute(&self.pool)
            .await?;
        Ok(expired.rows_affected())
    }
}
