//! Alerts on logs as they are stored.
//!
//! `change` is what people do to them, with an entry of the audit trail for each change; `event` is their history;
//! `due` is how a scheduler takes those that are to be checked, and writes what it found; `services` where the services
//! of an alert stand, when each has a state of its own.

mod change;
mod due;
mod event;
mod services;

use engine::schema::ProjectId;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::log_view::Window;
use super::user::{self, BasicUser};
use super::{Meta, MetaError};
use crate::alerts::condition::NoData;
use crate::alerts::machine::{AlertState, Standing, ThresholdOperator};
use crate::alerts::settings::{AlertSettings, GroupBy};

pub use change::{AlertError, NewAlert};
pub(crate) use change::{add, change, fields, remove};
pub(crate) use due::{Checked, break_config, save_check};
pub use event::{AlertEvent, AlertHistory, NewEvent};
pub(crate) use services::ServiceStanding;

/// A stored alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// UUID text.
    pub id: String,
    /// Whose rows it counts.
    pub project: ProjectId,
    /// What people decide about it.
    pub settings: AlertSettings,
    /// Where it stands.
    pub standing: Standing,
    /// When it is checked next, microseconds; none is at once.
    pub next_check_us: Option<i64>,
    /// When it was checked last, microseconds.
    pub last_checked_us: Option<i64>,
    /// When it was switched on first, microseconds; none is a draft.
    pub first_enabled_us: Option<i64>,
    /// Who made it.
    pub created_by: Option<BasicUser>,
    /// Microseconds.
    pub created_us: i64,
    /// Microseconds.
    pub updated_us: i64,
    /// Grows with every change that a check depends on.
    pub revision: i64,
}

const COLUMNS: &str = "a.id, a.project_id, a.name, a.enabled, a.filters, a.threshold_count, a.threshold_operator,
    a.window_minutes, a.check_interval_minutes, a.evaluation_periods, a.datapoints_to_alarm, a.cooldown_minutes,
    a.no_data, a.group_by, a.state, a.consecutive_failures, a.snooze_until, a.next_check_at, a.last_notified_at, a.last_checked_at,
    a.first_enabled_at, a.created_at, a.updated_at, a.revision";

/// A statement that reads alerts; `condition` is a text of ours.
fn select(condition: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!(
        "SELECT {COLUMNS}, {} FROM log_alerts a LEFT JOIN users u ON u.id = a.created_by WHERE {condition}",
        user::BASIC_COLUMNS
    ))
}

fn from_row(row: &AnyRow) -> Result<Alert, MetaError> {
    let number = |column: &str| -> Result<u32, MetaError> {
        let number: i64 = row.try_get(column)?;
        u32::try_from(number).map_err(|_| MetaError::Corrupt(format!("{number} as {column} of an alert")))
    };
    let operator: String = row.try_get("threshold_operator")?;
    let operator = ThresholdOperator::parse(&operator)
        .ok_or_else(|| MetaError::Corrupt(format!("an alert whose operator is {operator:?}")))?;
    let no_data: String = row.try_get("no_data")?;
    let no_data = NoData::parse(&no_data)
        .ok_or_else(|| MetaError::Corrupt(format!("an alert whose no_data is {no_data:?}")))?;
    let group_by: Option<String> = row.try_get("group_by")?;
    let group_by = GroupBy::parse(group_by.as_deref())
        .ok_or_else(|| MetaError::Corrupt(format!("an alert whose group_by is {group_by:?}")))?;
    let settings = AlertSettings {
        name: row.try_get("name")?,
        enabled: row.try_get::<i64, _>("enabled")? != 0,
        filters: row.try_get("filters")?,
        threshold_count: number("threshold_count")?,
        threshold_operator: operator,
        window_minutes: number("window_minutes")?,
        check_interval_minutes: number("check_interval_minutes")?,
        evaluation_periods: number("evaluation_periods")?,
        datapoints_to_alarm: number("datapoints_to_alarm")?,
        cooldown_minutes: number("cooldown_minutes")?,
        no_data,
        group_by,
    };
    let standing = Standing {
        state: state(row, "state")?,
        consecutive_failures: number("consecutive_failures")?,
        snooze_until_us: row.try_get("snooze_until")?,
        last_notified_us: row.try_get("last_notified_at")?,
    };
    Ok(Alert {
        id: row.try_get("id")?,
        project: ProjectId(row.try_get("project_id")?),
        settings,
        standing,
        next_check_us: row.try_get("next_check_at")?,
        last_checked_us: row.try_get("last_checked_at")?,
        first_enabled_us: row.try_get("first_enabled_at")?,
        created_by: user::basic_from_row(row)?,
        created_us: row.try_get("created_at")?,
        updated_us: row.try_get("updated_at")?,
        revision: row.try_get("revision")?,
    })
}

fn state(row: &AnyRow, column: &str) -> Result<AlertState, MetaError> {
    let word: String = row.try_get(column)?;
    AlertState::parse(&word).ok_or_else(|| MetaError::Corrupt(format!("an alert whose {column} is {word:?}")))
}

/// `$first, $second, ...` for so many values, the first of which has a number.
fn placeholders(first: usize, count: usize) -> String {
    let numbers: Vec<String> = (first..first + count).map(|number| format!("${number}")).collect();
    numbers.join(", ")
}

/// An alert of a project.
pub(crate) async fn get(
    connection: &mut AnyConnection,
    project: ProjectId,
    id: &str,
) -> Result<Option<Alert>, MetaError> {
    let row = sqlx::query(select("a.project_id = $1 AND a.id = $2"))
        .bind(project.0)
        .bind(id.to_owned())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(from_row).transpose()
}

impl Meta {
    /// An alert of a project.
    pub async fn alert(&self, project: ProjectId, id: &str) -> Result<Option<Alert>, MetaError> {
        get(&mut *self.pool.acquire().await?, project, id).await
    }

    /// The alerts of a project, newest first, those of one user if one is named by UUID, and how many there are.
    pub async fn alerts(
        &self,
        project: ProjectId,
        created_by: Option<&str>,
        window: Window,
    ) -> Result<(Vec<Alert>, i64), MetaError> {
        let of_user = "($2 = '' OR a.created_by IN (SELECT id FROM users WHERE uuid = $2))";
        let user = created_by.unwrap_or_default().to_owned();
        let count = format!("SELECT COUNT(*) FROM log_alerts a WHERE a.project_id = $1 AND {of_user}");
        let (count,): (i64,) = sqlx::query_as(AssertSqlSafe(count))
            .bind(project.0)
            .bind(user.clone())
            .fetch_one(&self.pool)
            .await?;
        let condition = format!(
            "a.project_id = $1 AND {of_user} ORDER BY a.created_at DESC, a.id DESC LIMIT $3 OFFSET $4"
        );
        let rows = sqlx::query(select(&condition))
            .bind(project.0)
            .bind(user)
            .bind(window.limit)
            .bind(window.offset)
            .fetch_all(&self.pool)
            .await?;
        Ok((rows.iter().map(from_row).collect::<Result<_, _>>()?, count))
    }
}

#[cfg(test)]
mod tests;
