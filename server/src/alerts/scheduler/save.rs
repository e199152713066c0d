//! What a check decides, and how it is written: the state, the row of history and what is to be sent, all or none.

use super::count::{Counted, Planned};
use crate::alerts::control::EventKind;
use crate::alerts::failure::Failure;
use crate::alerts::machine::{Finding, check};
use crate::alerts::notice::{Told, notification};
use crate::alerts::schedule::Grid;
use crate::delivery::{Notification, outbox};
use crate::meta::alert::{Checked, NewEvent, save_check};
use crate::meta::destination::{self, Owner};
use crate::meta::{Meta, MetaError};
use uuid::Uuid;

/// What is written of a check.
#[derive(Debug)]
pub(super) struct Outcome {
    checked: Checked,
    notice: Option<(destination::EventKind, Notification)>,
}

impl Outcome {
    /// The alert's id.
    pub(super) fn alert_id(&self) -> &str {
        &self.checked.before.id
    }

    /// What a check at `now_us` decides that found this.
    pub(super) fn decide(
        planned: &Planned,
        found: &Result<Counted, Failure>,
        now_us: i64,
        public_url: &str,
    ) -> Self {
        let Planned { alert, date_to_us, .. } = planned;
        let settings = &alert.settings;
        let is_breach =
            |count: u64| settings.threshold_operator.is_breach(count, u64::from(settings.threshold_count));
        let finding = match found {
            Ok(counted) => {
                let breached = counted.counts.iter().filter(|count| is_breach(**count)).count();
                Finding::Counted { num_breached: u32::try_from(breached).unwrap_or(u32::MAX) }
            }
            Err(failure) => failure.finding(),
        };
        let decision = check(&alert.standing, settings.sensitivity(), finding, now_us);
        let newest = found.as_ref().ok().and_then(|counted| counted.counts.first().copied()).unwrap_or(0);
        let has_moved = alert.standing.state != decision.standing.state;
        let event = (has_moved || found.is_err()).then(|| NewEvent {
            kind: EventKind::Check,
            state_before: alert.standing.state,
            state_after: decision.standing.state,
            threshold_breached: found.is_ok() && is_breach(newest),
            result_count: found.is_ok().then(|| i64::try_from(newest).unwrap_or(i64::MAX)),
            error_message: found.as_ref().err().map(|failure| failure.text.clone()),
            query_duration_ms: found
                .as_ref()
                .ok()
                .map(|counted| i64::try_from(counted.duration.as_millis()).unwrap_or(i64::MAX)),
        });
        let error = found.as_ref().err().map_or("", |failure| failure.text.as_str());
        let notice = decision.notice.map(|notice| {
            let told = Told::of(notice, newest, decision.standing.consecutive_failures, error);
            (told.event(), notification(alert, told, (now_us, *date_to_us), public_url))
        });
        let grid = Grid::of_project(alert.project, settings.check_interval_minutes);
        let checked = Checked {
            before: alert.clone(),
            standing: decision.standing,
            next_check_us: grid.next(alert.next_check_us, now_us),
            event,
        };
        Self { checked, notice }
    }
}

/// How outcomes were written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Saved {
    /// Checks that were written.
    pub(super) num_saved: u64,
    /// Notifications that go with them.
    pub(super) num_notices: u64,
    /// Alerts that were changed since they were taken, or could not be written: they are due still.
    pub(super) unsaved: Vec<String>,
}

/// Writes outcomes in one transaction; when that fails, each in its own.
pub(super) async fn save(meta: &Meta, outcomes: &[Outcome], now_us: i64) -> Saved {
    if let Ok(saved) = save_together(meta, outcomes, now_us).await {
        return saved;
    }
    let mut all = Saved::default();
    for outcome in outcomes {
        match save_together(meta, std::slice::from_ref(outcome), now_us).await {
            Ok(saved) => {
                all.num_saved += saved.num_saved;
                all.num_notices += saved.num_notices;
                all.unsaved.extend(saved.unsaved);
            }
            Err(error) => {
                tracing::error!(%error, alert = outcome.alert_id(), "cannot write the check of an alert");
                all.unsaved.push(outcome.alert_id().to_owned());
            }
        }
    }
    all
}

async fn save_together(meta: &Meta, outcomes: &[Outcome], now_us: i64) -> Result<Saved, MetaError> {
    let mut transaction = meta.begin_write().await?;
    let connection = &mut *transaction;
    let mut saved = Saved::default();
    for outcome in outcomes {
        if !save_check(connection, &outcome.checked, now_us).await? {
            saved.unsaved.push(outcome.alert_id().to_owned());
            continue;
        }
        saved.num_saved += 1;
        if let Some((event, told)) = &outcome.notice {
            let id = Uuid::parse_str(outcome.alert_id())
                .map_err(|_| MetaError::Corrupt(format!("an alert with the id {:?}", outcome.alert_id())))?;
            outbox::enqueue(connection, Owner::LogAlert(id), *event, told, now_us).await?;
            saved.num_notices += 1;
        }
    }
    transaction.commit().await?;
    Ok(saved)
}
