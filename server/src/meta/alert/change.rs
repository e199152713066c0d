//! What people do to alerts: each change with its row of history and its entry of the audit trail, in one transaction.

use engine::schema::ProjectId;
use serde_json::{Map, Value, json};
use sqlx::AnyConnection;
use uuid::Uuid;

use super::{Alert, NewEvent, event, get, services};
use crate::activity::change::{Change, Scope};
use crate::activity::entry::{Actor, Entry};
use crate::alerts::control::{self, Edited, EventKind, SnoozeEdit};
use crate::alerts::machine::{AlertState, Standing};
use crate::alerts::settings::AlertSettings;
use crate::api::iso_time;
use crate::meta::destination::{self, Owner};
use crate::meta::{Meta, MetaError, outbox};

const SCOPE: Scope = Scope::plain("LogsAlertConfiguration");

/// An alert that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAlert {
    /// What people decide about it.
    pub settings: AlertSettings,
    /// Until when it is not checked, microseconds.
    pub snooze_until_us: Option<i64>,
}

/// Why a change of an alert was refused.
#[derive(Debug, thiserror::Error)]
pub enum AlertError {
    /// The project has none with this id.
    #[error("alert not found")]
    NotFound,
    /// The project has as many as it may have.
    #[error("a project has at most {0} alerts")]
    TooMany(u32),
    /// What would be is not an alert that can be checked.
    #[error("{detail}")]
    Invalid {
        /// The setting.
        attr: &'static str,
        /// Why.
        detail: String,
    },
    /// Only a broken alert can be brought back.
    #[error("only a broken alert can be reset, and this one is {0}")]
    NotBroken(&'static str),
    /// The database.
    #[error(transparent)]
    Meta(#[from] MetaError),
}

impl From<sqlx::Error> for AlertError {
    fn from(error: sqlx::Error) -> Self {
        Self::Meta(error.into())
    }
}

/// What people see of an alert, by name.
pub(crate) fn fields(settings: &AlertSettings, snooze_until_us: Option<i64>) -> Map<String, Value> {
    let mut fields = settings.fields();
    fields.insert("snooze_until".to_owned(), json!(snooze_until_us.map(iso_time::format)));
    fields
}

async fn tell(
    connection: &mut AnyConnection,
    (project, actor): (ProjectId, &Actor),
    activity: &str,
    (id, name): (&str, &str),
    changes: Vec<Change>,
    now_us: i64,
) -> Result<(), MetaError> {
    let entry = Entry::new(actor, SCOPE.name, activity, id, name, changes);
    outbox::push_for_project(connection, project, &entry, now_us).await
}

/// Stores what a change made of an alert, with its row of history.
async fn store(
    connection: &mut AnyConnection,
    before: &Alert,
    settings: &AlertSettings,
    edited: &Edited,
    now_us: i64,
) -> Result<(), MetaError> {
    let Standing { state, consecutive_failures, snooze_until_us, .. } = edited.standing;
    let first_enabled_us = before.first_enabled_us.or(settings.enabled.then_some(now_us));
    sqlx::query(
        "UPDATE log_alerts SET name = $1, enabled = $2, filters = $3, threshold_count = $4, threshold_operator = $5,
           window_minutes = $6, evaluation_periods = $7, datapoints_to_alarm = $8, cooldown_minutes = $9, state = $10,
           consecutive_failures = $11, snooze_until = $12, next_check_at = $13, first_enabled_at = $14,
           updated_at = $15, revision = revision + $16, no_data = $17, group_by = $18 WHERE id = $19",
    )
    .bind(settings.name.clone())
    .bind(i64::from(settings.enabled))
    .bind(settings.filters.clone())
    .bind(i64::from(settings.threshold_count))
    .bind(settings.threshold_operator.as_str())
    .bind(i64::from(settings.window_minutes))
    .bind(i64::from(settings.evaluation_periods))
    .bind(i64::from(settings.datapoints_to_alarm))
    .bind(i64::from(settings.cooldown_minutes))
    .bind(state.as_str())
    .bind(i64::from(consecutive_failures))
    .bind(snooze_until_us)
    .bind(edited.next_check_us)
    .bind(first_enabled_us)
    .bind(now_us)
    .bind(i64::from(matters_to_checks(before, settings, edited)))
    .bind(settings.no_data.as_str())
    .bind(settings.group_by.as_str())
    .bind(before.id.clone())
    .execute(&mut *connection)
    .await?;
    if settings.group_by != before.settings.group_by {
        services::forget(connection, &before.id).await?;
    } else if state != AlertState::Firing {
        services::calm(connection, &before.id).await?;
    }
    if let Some(kind) = edited.event {
        let event = NewEvent::of(kind, before.standing.state, state);
        event::insert(connection, (before.project, &before.id), &event, now_us).await?;
    }
    Ok(())
}

/// Whether a check that is under way is to be discarded: all but a new name is a reason.
fn matters_to_checks(before: &Alert, settings: &AlertSettings, edited: &Edited) -> bool {
    let renamed = AlertSettings { name: settings.name.clone(), ..before.settings.clone() };
    renamed != *settings || before.standing != edited.standing || before.next_check_us != edited.next_check_us
}

impl Meta {
    /// `add` in a transaction of its own.
    ///
    /// # Errors
    /// As `add`.
    pub async fn add_alert(
        &self,
        project: ProjectId,
        new: &NewAlert,
        actor: &Actor,
        max_alerts: u32,
        now_us: i64,
    ) -> Result<String, AlertError> {
        let mut transaction = self.begin_write().await?;
        let id = add(&mut transaction, project, new, actor, max_alerts, now_us).await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// `change` in a transaction of its own.
    ///
    /// # Errors
    /// As `change`.
    pub async fn change_alert(
        &self,
        project: ProjectId,
        id: &str,
        actor: &Actor,
        now_us: i64,
        make: impl FnOnce(&Alert) -> Result<(AlertSettings, SnoozeEdit), AlertError> + Send,
    ) -> Result<(), AlertError> {
        let mut transaction = self.begin_write().await?;
        change(&mut transaction, (project, id), actor, now_us, make).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Brings a broken alert back.
    ///
    /// # Errors
    /// [`AlertError::NotFound`] and [`AlertError::NotBroken`].
    pub async fn reset_alert(
        &self,
        project: ProjectId,
        id: &str,
        actor: &Actor,
        now_us: i64,
    ) -> Result<(), AlertError> {
        let mut transaction = self.begin_write().await?;
        let connection = &mut *transaction;
        let before = get(connection, project, id).await?.ok_or(AlertError::NotFound)?;
        let standing = control::reset(&before.standing)
            .ok_or_else(|| AlertError::NotBroken(before.standing.state.as_str()))?;
        let edited = Edited { standing, next_check_us: None, event: Some(EventKind::Reset) };
        store(connection, &before, &before.settings, &edited, now_us).await?;
        let state = |standing: &Standing| {
            let fields = json!({
                "state": standing.state.as_str(),
                "consecutive_failures": standing.consecutive_failures,
            });
            fields.as_object().cloned().unwrap_or_default()
        };
        let changes = SCOPE.changes(&state(&before.standing), &state(&standing));
        let name = &before.settings.name;
        tell(connection, (project, actor), "reset", (id, name), changes, now_us).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// `remove` in a transaction of its own.
    ///
    /// # Errors
    /// As `remove`.
    pub async fn remove_alert(
        &self,
        project: ProjectId,
        id: &str,
        actor: &Actor,
        now_us: i64,
    ) -> Result<(), AlertError> {
        let mut transaction = self.begin_write().await?;
        remove(&mut transaction, (project, id), actor, now_us).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Adds an alert and gives back its id; a project has at most `max_alerts`, without end when that is 0.
///
/// # Errors
/// [`AlertError::TooMany`] and [`AlertError::Meta`].
pub(crate) async fn add(
    connection: &mut AnyConnection,
    project: ProjectId,
    new: &NewAlert,
    actor: &Actor,
    max_alerts: u32,
    now_us: i64,
) -> Result<String, AlertError> {
    if max_alerts > 0 {
        let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM log_alerts WHERE project_id = $1")
            .bind(project.0)
            .fetch_one(&mut *connection)
            .await?;
        if count >= i64::from(max_alerts) {
            return Err(AlertError::TooMany(max_alerts));
        }
    }
    let id = Uuid::now_v7().to_string();
    insert(connection, (project, &id), new, actor, now_us).await?;
    tell(connection, (project, actor), "created", (&id, &new.settings.name), vec![], now_us).await?;
    Ok(id)
}

/// Changes an alert: `make` is given what is stored and says what is to be, and what becomes of the snooze.
///
/// # Errors
/// [`AlertError`], that of `make` too.
pub(crate) async fn change(
    connection: &mut AnyConnection,
    (project, id): (ProjectId, &str),
    actor: &Actor,
    now_us: i64,
    make: impl FnOnce(&Alert) -> Result<(AlertSettings, SnoozeEdit), AlertError> + Send,
) -> Result<(), AlertError> {
    let before = get(connection, project, id).await?.ok_or(AlertError::NotFound)?;
    let (settings, snooze) = make(&before)?;
    let standing = (&before.standing, before.next_check_us);
    let edited = control::edit(standing, &before.settings, &settings, snooze);
    store(connection, &before, &settings, &edited, now_us).await?;
    let changes = SCOPE.changes(
        &fields(&before.settings, before.standing.snooze_until_us),
        &fields(&settings, edited.standing.snooze_until_us),
    );
    tell(connection, (project, actor), "updated", (id, &settings.name), changes, now_us).await?;
    Ok(())
}

/// Removes an alert with its history and its destinations.
///
/// # Errors
/// [`AlertError::NotFound`].
pub(crate) async fn remove(
    connection: &mut AnyConnection,
    (project, id): (ProjectId, &str),
    actor: &Actor,
    now_us: i64,
) -> Result<(), AlertError> {
    let before = get(connection, project, id).await?.ok_or(AlertError::NotFound)?;
    if let Ok(uuid) = Uuid::parse_str(id) {
        destination::delete_all(connection, Owner::LogAlert(uuid), actor, now_us).await?;
    }
    services::forget(connection, id).await?;
    for sql in ["DELETE FROM log_alert_events WHERE alert_id = $1", "DELETE FROM log_alerts WHERE id = $1"] {
        sqlx::query(sql).bind(id.to_owned()).execute(&mut *connection).await?;
    }
    tell(connection, (project, actor), "deleted", (id, &before.settings.name), vec![], now_us).await?;
    Ok(())
}

async fn insert(
    connection: &mut AnyConnection,
    (project, id): (ProjectId, &str),
    new: &NewAlert,
    actor: &Actor,
    now_us: i64,
) -> Result<(), MetaError> {
    let NewAlert { settings, snooze_until_us } = new;
    let state = if snooze_until_us.is_some() { AlertState::Snoozed } else { AlertState::NotFiring };
    sqlx::query(
        "INSERT INTO log_alerts (id, project_id, name, enabled, filters, threshold_count, threshold_operator,
           window_minutes, check_interval_minutes, evaluation_periods, datapoints_to_alarm, cooldown_minutes, state,
           consecutive_failures, snooze_until, first_enabled_at, created_by, created_at, updated_at, revision, no_data,
           group_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, $14, $15, $16, $17, $17, 1, $18, $19)",
    )
    .bind(id.to_owned())
    .bind(project.0)
    .bind(settings.name.clone())
    .bind(i64::from(settings.enabled))
    .bind(settings.filters.clone())
    .bind(i64::from(settings.threshold_count))
    .bind(settings.threshold_operator.as_str())
    .bind(i64::from(settings.window_minutes))
    .bind(i64::from(settings.check_interval_minutes))
    .bind(i64::from(settings.evaluation_periods))
    .bind(i64::from(settings.datapoints_to_alarm))
    .bind(i64::from(settings.cooldown_minutes))
    .bind(state.as_str())
    .bind(*snooze_until_us)
    .bind(settings.enabled.then_some(now_us))
    .bind(actor.user_id)
    .bind(now_us)
    .bind(settings.no_data.as_str())
    .bind(settings.group_by.as_str())
    .execute(connection)
    .await?;
    Ok(())
}
