//! What a check decides: where the alert stands and each of its services, what goes into its history, and who is told.

use super::count::{Counted, Planned};
use crate::alerts::control::EventKind;
use crate::alerts::failure::Failure;
use crate::alerts::machine::{Decision, Finding, Standing, check};
use crate::alerts::notice::{About, Told, notification};
use crate::alerts::schedule::Grid;
use crate::alerts::services::{self, ByService, ServiceDecision, is_remembered};
use crate::delivery::Notification;
use crate::meta::alert::{Checked, NewEvent, ServiceStanding};
use crate::meta::destination::EventKind as DestinationKind;

/// What is written of a check.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) checked: Checked,
    pub(super) notices: Vec<(DestinationKind, Notification)>,
}

/// One check.
#[derive(Clone, Copy)]
struct Check<'c> {
    planned: &'c Planned,
    now_us: i64,
    public_url: &'c str,
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
        let check = Check { planned, now_us, public_url };
        match found {
            Ok(counted) => match &counted.services {
                Some(services) => check.of_services(counted, services),
                None => check.of_all(counted),
            },
            Err(failure) => check.of_failure(failure),
        }
    }
}

impl Check<'_> {
    /// Counted for all rows together.
    fn of_all(&self, counted: &Counted) -> Outcome {
        let settings = &self.planned.alert.settings;
        let condition = settings.condition();
        let decision = self.check(&self.planned.alert.standing, condition.finding(&counted.counts));
        let newest = newest(counted);
        let event = self.moved(&decision.standing).map(|event| NewEvent {
            threshold_breached: condition.is_breach(newest),
            ..of_count(event, newest, counted)
        });
        let notice = decision.notice.map(|notice| self.notice(Told::of(notice, newest, 0, ""), None));
        self.outcome(decision.standing, Vec::new(), event.into_iter().collect(), notice.into_iter().collect())
    }

    /// Counted for each service.
    fn of_services(&self, counted: &Counted, found: &ByService) -> Outcome {
        let Planned { alert, services: standings, .. } = self.planned;
        let (condition, sensitivity) = (alert.settings.condition(), alert.settings.sensitivity());
        let windows = (found, counted.counts.len());
        let decided = services::decide(standings, windows, &condition, sensitivity, self.now_us);
        let standing = services::of_alert(&alert.standing, &decided);
        let event = self.moved(&standing).map(|event| NewEvent {
            threshold_breached: decided.values().any(|service| service.is_breached),
            ..of_count(event, newest(counted), counted)
        });
        let (mut events, mut notices, mut changed) = (Vec::from_iter(event), Vec::new(), Vec::new());
        for (service, ServiceDecision { before, decision, newest, is_breached }) in &decided {
            let after = decision.standing;
            if before.state != after.state {
                let event = NewEvent::of(EventKind::Check, before.state, after.state);
                events.push(NewEvent {
                    service_name: Some(service.clone()),
                    threshold_breached: *is_breached,
                    ..of_count(event, *newest, counted)
                });
            }
            if let Some(notice) = decision.notice {
                notices.push(self.notice(Told::of(notice, *newest, 0, ""), Some(service)));
            }
            let is_stored = standings.contains_key(service);
            let is_kept = is_remembered(&after, sensitivity, self.now_us);
            if is_stored != is_kept || (is_kept && *before != after) {
                changed
                    .push(ServiceStanding { service: service.clone(), standing: is_kept.then_some(after) });
            }
        }
        self.outcome(standing, changed, events, notices)
    }

    fn of_failure(&self, failure: &Failure) -> Outcome {
        let before = &self.planned.alert.standing;
        let decision = self.check(before, failure.finding());
        let event = NewEvent {
            error_message: Some(failure.text.clone()),
            ..NewEvent::of(EventKind::Check, before.state, decision.standing.state)
        };
        let failures = decision.standing.consecutive_failures;
        let notice =
            decision.notice.map(|notice| self.notice(Told::of(notice, 0, failures, &failure.text), None));
        self.outcome(decision.standing, Vec::new(), vec![event], notice.into_iter().collect())
    }

    fn check(&self, before: &Standing, finding: Finding) -> Decision {
        check(before, self.planned.alert.settings.sensitivity(), finding, self.now_us)
    }

    /// The row of history of an alert that stands elsewhere now.
    fn moved(&self, after: &Standing) -> Option<NewEvent> {
        let before = self.planned.alert.standing.state;
        (before != after.state).then(|| NewEvent::of(EventKind::Check, before, after.state))
    }

    fn notice(&self, told: Told<'_>, service: Option<&str>) -> (DestinationKind, Notification) {
        let about = About { alert: &self.planned.alert, service, public_url: self.public_url };
        (told.event(), notification(&about, told, (self.now_us, self.planned.date_to_us)))
    }

    fn outcome(
        &self,
        standing: Standing,
        services: Vec<ServiceStanding>,
        events: Vec<NewEvent>,
        notices: Vec<(DestinationKind, Notification)>,
    ) -> Outcome {
        let alert = &self.planned.alert;
        let grid = Grid::of_project(alert.project, alert.settings.check_interval_minutes);
        let next_check_us = grid.next(alert.next_check_us, self.now_us);
        let checked = Checked { before: alert.clone(), standing, next_check_us, services, events };
        Outcome { checked, notices }
    }
}

fn newest(counted: &Counted) -> u64 {
    counted.counts.first().copied().unwrap_or(0)
}

fn of_count(event: NewEvent, newest: u64, counted: &Counted) -> NewEvent {
    NewEvent {
        result_count: Some(i64::try_from(newest).unwrap_or(i64::MAX)),
        query_duration_ms: Some(i64::try_from(counted.duration.as_millis()).unwrap_or(i64::MAX)),
        ..event
    }
}
