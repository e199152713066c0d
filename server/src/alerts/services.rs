//! Alerts for each service: one state machine a service, and what it makes of the alert.
//!
//! A check looks at the services that its windows have rows of, at those that are *known*, and at those that fire.
//! Known are the services that the filters name or, when they name none, those of which the project has any row in the
//! [`KNOWN_HOURS`] whole hours before the hour of the check: so a service that falls silent is noticed, and one that
//! was taken away is forgotten within a day. What is not known any more, and has no rows, breaches nothing.

use std::collections::{BTreeMap, BTreeSet};

use engine::query::TimeRange;

use super::condition::Condition;
use super::machine::{AlertState, Decision, Finding, Notice, Sensitivity, Standing, check};
use super::{HOUR_US, MINUTE_US};

/// For how many hours a service is known after it has logged.
pub const KNOWN_HOURS: i64 = 24;
/// Most services of one alert.
pub const MAX_SERVICES: usize = 500;

/// When a service must have logged to be known to a check that counts up to an instant.
pub fn known_range(date_to_us: i64) -> TimeRange {
    let end_us = date_to_us - date_to_us.rem_euclid(HOUR_US);
    TimeRange { start_us: end_us - KNOWN_HOURS * HOUR_US, end_us }
}

/// What was counted for each service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByService {
    /// The windows of services that have rows in one of them, the newest first.
    pub counts: BTreeMap<String, Vec<u64>>,
    /// The services that are known. Of an alert that does not hear silence these need not be all.
    pub known: BTreeSet<String>,
}

/// One service in a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceDecision {
    /// Where it stood.
    pub before: Standing,
    /// What the state machine made of it.
    pub decision: Decision,
    /// Rows of its newest window.
    pub newest: u64,
    /// Whether they are a breach.
    pub is_breached: bool,
}

impl ByService {
    /// Rows of the windows of all services together, so many windows.
    pub fn totals(&self, num_windows: usize) -> Vec<u64> {
        let total = |window: usize| self.counts.values().filter_map(|counts| counts.get(window)).sum();
        (0..num_windows).map(total).collect()
    }
}

/// What the windows of one service say, the newest first; `is_known` is whether its silence means something.
pub fn finding(condition: &Condition, counts: &[u64], is_known: bool) -> Finding {
    if is_looked_at(counts, is_known) {
        condition.finding(counts)
    } else {
        Finding::Counted { num_breached: 0 }
    }
}

/// Whether the newest window of a service is a breach.
pub fn is_breach(condition: &Condition, counts: &[u64], is_known: bool) -> bool {
    let newest = counts.first().copied().unwrap_or(0);
    is_looked_at(counts, is_known) && condition.is_breach(newest)
}

fn is_looked_at(counts: &[u64], is_known: bool) -> bool {
    is_known || counts.iter().any(|count| *count > 0)
}

/// Decides a check at `now_us` of so many windows for each service, by name. `standings` are those of the services that
/// are not as new.
pub fn decide(
    standings: &BTreeMap<String, Standing>,
    (found, num_windows): (&ByService, usize),
    condition: &Condition,
    sensitivity: Sensitivity,
    now_us: i64,
) -> BTreeMap<String, ServiceDecision> {
    let nothing = vec![0; num_windows];
    let services: BTreeSet<&String> =
        found.counts.keys().chain(&found.known).chain(standings.keys()).collect();
    services
        .into_iter()
        .map(|service| {
            let counts = found.counts.get(service).unwrap_or(&nothing);
            let is_known = found.known.contains(service);
            let before = standings.get(service).copied().unwrap_or(Standing::NEW);
            let decided = ServiceDecision {
                before,
                decision: check(&before, sensitivity, finding(condition, counts, is_known), now_us),
                newest: counts.first().copied().unwrap_or(0),
                is_breached: is_breach(condition, counts, is_known),
            };
            (service.clone(), decided)
        })
        .collect()
}

/// What the decisions for its services make of an alert: it fires while one of them does, and has told when one did.
pub fn of_alert(before: &Standing, services: &BTreeMap<String, ServiceDecision>) -> Standing {
    let mut standing = Standing { state: AlertState::NotFiring, consecutive_failures: 0, ..*before };
    if before.state == AlertState::Snoozed {
        standing.snooze_until_us = None;
    }
    for decided in services.values() {
        let after = &decided.decision.standing;
        if after.state == AlertState::Firing {
            standing.state = AlertState::Firing;
        }
        if matches!(decided.decision.notice, Some(Notice::Fire | Notice::Resolve)) {
            standing.last_notified_us = standing.last_notified_us.max(after.last_notified_us);
        }
    }
    standing
}

/// Whether a service stands otherwise than a new one, to a check at `now_us` or later.
pub fn is_remembered(standing: &Standing, sensitivity: Sensitivity, now_us: i64) -> bool {
    let cooldown_us = i64::from(sensitivity.cooldown_minutes).saturating_mul(MINUTE_US);
    let is_cooling =
        standing.last_notified_us.is_some_and(|notified_us| now_us < notified_us.saturating_add(cooldown_us));
    standing.state == AlertState::Firing || is_cooling
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::condition::NoData;
    use crate::alerts::machine::ThresholdOperator;

    /// 2025-12-16T10:33:00Z.
    const NOW: i64 = 1_765_881_180_000_000;
    const ONE: Sensitivity = Sensitivity { datapoints_to_alarm: 1, cooldown_minutes: 10 };

    fn condition(threshold_operator: ThresholdOperator, no_data: NoData) -> Condition {
        Condition { threshold_count: 10, threshold_operator, no_data }
    }

    fn found(counts: &[(&str, u64)], known: &[&str]) -> ByService {
        ByService {
            counts: counts.iter().map(|(service, count)| ((*service).to_owned(), vec![*count])).collect(),
            known: known.iter().map(|service| (*service).to_owned()).collect(),
        }
    }

    fn firing(services: &[&str]) -> BTreeMap<String, Standing> {
        let standing = Standing { state: AlertState::Firing, ..Standing::NEW };
        services.iter().map(|service| ((*service).to_owned(), standing)).collect()
    }

    /// Who is told of what.
    fn notices(decided: &BTreeMap<String, ServiceDecision>) -> Vec<(&str, Notice)> {
        let mut all: Vec<(&str, Notice)> = Vec::new();
        for (service, decided) in decided {
            all.extend(decided.decision.notice.map(|notice| (service.as_str(), notice)));
        }
        all
    }

    #[test]
    fn each_service_fires_and_resolves_by_itself() {
        let above = condition(ThresholdOperator::Above, NoData::Zero);
        let found = found(&[("a", 11), ("b", 10), ("c", 11), ("d", 3)], &[]);
        let decided = decide(&firing(&["c", "d", "e"]), (&found, 1), &above, ONE, NOW);
        let expected = [("a", Notice::Fire), ("d", Notice::Resolve), ("e", Notice::Resolve)];
        assert_eq!(notices(&decided), expected);
        let alert = of_alert(&Standing::NEW, &decided);
        assert_eq!((alert.state, alert.last_notified_us), (AlertState::Firing, Some(NOW)));
    }

    #[test]
    fn a_known_service_that_is_silent_fires_and_one_that_is_forgotten_resolves() {
        for (operator, no_data) in
            [(ThresholdOperator::Below, NoData::Zero), (ThresholdOperator::Above, NoData::Fire)]
        {
            let condition = condition(operator, no_data);
            let found = found(&[], &["here"]);
            let decided = decide(&firing(&["gone"]), (&found, 3), &condition, ONE, NOW);
            let expected = [("gone", Notice::Resolve), ("here", Notice::Fire)];
            assert_eq!(notices(&decided), expected, "{operator:?} {no_data:?}");
        }
    }

    #[test]
    fn a_known_service_may_keep_its_state_in_silence() {
        let keep = condition(ThresholdOperator::Above, NoData::Keep);
        let decided = decide(&firing(&["known", "gone"]), (&found(&[], &["known"]), 1), &keep, ONE, NOW);
        assert_eq!(notices(&decided), [("gone", Notice::Resolve)]);
        assert_eq!(decided["known"].decision.standing.state, AlertState::Firing);
    }

    #[test]
    fn the_alert_has_no_failures_after_a_check_and_its_snooze_is_over() {
        let before = Standing {
            state: AlertState::Snoozed,
            consecutive_failures: 3,
            snooze_until_us: Some(NOW),
            last_notified_us: Some(5),
        };
        let expected = Standing { last_notified_us: Some(5), ..Standing::NEW };
        assert_eq!(of_alert(&before, &BTreeMap::new()), expected);
    }

    #[test]
    fn what_fires_or_rests_is_remembered() {
        let told = |minutes: i64, state| Standing {
            state,
            last_notified_us: Some(NOW - minutes * MINUTE_US),
            ..Standing::NEW
        };
        for (standing, expected) in [
            (Standing::NEW, false),
            (told(9, AlertState::NotFiring), true),
            (told(10, AlertState::NotFiring), false),
            (told(90, AlertState::Firing), true),
        ] {
            assert_eq!(is_remembered(&standing, ONE, NOW), expected, "{standing:?}");
        }
    }

    #[test]
    fn whole_hours_make_a_service_known() {
        let range = known_range(NOW);
        assert_eq!((range.end_us, range.end_us - range.start_us), (NOW - 33 * MINUTE_US, 24 * HOUR_US));
        assert_eq!(known_range(range.end_us).end_us, range.end_us);
    }
}
