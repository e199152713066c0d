//! Alerts on logs.

use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use super::{Action, By, Changed, Done, Gated, Resource, project_of};
use crate::alerts::control::SnoozeEdit;
use crate::alerts::machine::AlertState;
use crate::api::{Absent, AlertChange};
use crate::error::ApiError;
use crate::meta::alert::{self, Alert, AlertError, NewAlert};
use crate::meta::approval::Place;

const CREATE: usize = 0;
const UPDATE: usize = 1;
const DISABLE: usize = 2;
const DELETE: usize = 3;

pub(super) const ACTIONS: &[Action] = &[
    Action::new("logs_alert.create", "logs_alert", "Create an alert"),
    Action::new("logs_alert.update", "logs_alert", "Change an alert"),
    Action::new("logs_alert.disable", "logs_alert", "Switch an alert off"),
    Action::new("logs_alert.delete", "logs_alert", "Delete an alert"),
];

/// A write of an alert.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "write", rename_all = "snake_case")]
pub(crate) enum AlertWrite {
    /// Makes one.
    Create {
        /// What is not said has a default.
        alert: AlertChange,
    },
    /// Changes one.
    Change {
        /// UUID text.
        alert_id: String,
        /// What is to be.
        change: AlertChange,
        /// What becomes of what is not said.
        absent: Absent,
        /// Whether it is only for an alert that is snoozed.
        #[serde(default)]
        wakes: bool,
    },
    /// Removes one.
    Delete {
        /// UUID text.
        alert_id: String,
    },
}

impl Gated for AlertWrite {
    fn actions(&self) -> &'static [Action] {
        ACTIONS
    }

    fn resource_id(&self) -> Option<String> {
        match self {
            Self::Create { .. } => None,
            Self::Change { alert_id, .. } | Self::Delete { alert_id } => Some(alert_id.clone()),
        }
    }

    fn natural_key(&self, _user_id: i64) -> String {
        self.new_name()
    }

    fn new_name(&self) -> String {
        match self {
            Self::Create { alert } => alert.name().unwrap_or_default().to_owned(),
            Self::Change { .. } | Self::Delete { .. } => String::new(),
        }
    }

    /// One that goes off while something else of it changes is both switched off and changed.
    fn detect(&self, changed: &Changed) -> Vec<&'static Action> {
        match self {
            Self::Create { .. } => vec![&ACTIONS[CREATE]],
            Self::Delete { .. } => vec![&ACTIONS[DELETE]],
            Self::Change { .. } => {
                let goes_off = changed.goes("enabled", true, false);
                let others = changed.fields().iter().filter(|field| **field != "enabled").count();
                let is_update = others > 0 || (!goes_off && !changed.is_nothing());
                let found = [(is_update, UPDATE), (goes_off, DISABLE)];
                found.into_iter().filter(|(is_so, _)| *is_so).map(|(_, action)| &ACTIONS[action]).collect()
            }
        }
    }

    async fn load(
        &self,
        connection: &mut AnyConnection,
        place: &Place,
        id: &str,
    ) -> Result<Option<Resource>, ApiError> {
        let found = alert::get(connection, project_of(place)?, id).await?;
        Ok(found.map(|alert| Resource {
            id: alert.id,
            name: alert.settings.name.clone(),
            fields: alert::fields(&alert.settings, alert.standing.snooze_until_us),
            updated_us: alert.updated_us,
        }))
    }

    async fn carry_out(
        &self,
        connection: &mut AnyConnection,
        by: &By<'_>,
        now_us: i64,
    ) -> Result<Done, ApiError> {
        let project = project_of(by.place)?;
        match self {
            Self::Create { alert } => {
                require_future(alert.snooze(), now_us)?;
                let (settings, snooze_until_us) = alert.clone().or_default()?;
                let new = NewAlert { settings, snooze_until_us };
                let added = alert::add(connection, project, &new, by.actor, by.limits.max_alerts, now_us);
                Ok(Done::to(added.await?))
            }
            Self::Change { alert_id, change, absent, wakes } => {
                require_future(change.snooze(), now_us)?;
                let make = |stored: &Alert| {
                    if *wakes {
                        require_snoozed(stored)?;
                    }
                    Ok((change.clone().over(&stored.settings, *absent)?, change.snooze()))
                };
                alert::change(connection, (project, alert_id), by.actor, now_us, make).await?;
                Ok(Done::to(alert_id))
            }
            Self::Delete { alert_id } => {
                alert::remove(connection, (project, alert_id), by.actor, now_us).await?;
                Ok(Done::to(alert_id))
            }
        }
    }
}

fn require_snoozed(stored: &Alert) -> Result<(), AlertError> {
    match stored.standing.state {
        AlertState::Snoozed => Ok(()),
        other => {
            let detail = format!("only a snoozed alert can be woken, and this one is {}", other.as_str());
            Err(AlertError::Invalid { attr: "state", detail })
        }
    }
}

/// The time of a snooze may have passed while approval was waited for.
fn require_future(snooze: SnoozeEdit, now_us: i64) -> Result<(), AlertError> {
    match snooze {
        SnoozeEdit::Until(until_us) if until_us <= now_us => {
            let detail = "snooze_until: it must be in the future".to_owned();
            Err(AlertError::Invalid { attr: "snooze_until", detail })
        }
        SnoozeEdit::Until(_) | SnoozeEdit::Kept | SnoozeEdit::Cleared => Ok(()),
    }
}
