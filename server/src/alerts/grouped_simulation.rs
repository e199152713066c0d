//! A simulation of an alert for each service: every service by itself, and what that makes of the alert.

use std::collections::{BTreeMap, BTreeSet};

use super::machine::{AlertState, Notice};
use super::services::known_range;
use super::simulation::Simulation;

/// What is known of one service's history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceHistory {
    /// Rows that the alert counts, by the beginnings of cells as [`Simulation::run`] takes them.
    pub cells: Vec<(i64, u64)>,
    /// The hours in which the service had any row, by their beginnings, in order.
    pub hours: Vec<i64>,
}

/// One simulated check of all services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupedCheck {
    /// When, microseconds. Its windows end here.
    pub at_us: i64,
    /// Rows of the newest windows of all services.
    pub count: u64,
    /// Services whose newest window is a breach.
    pub num_breached: usize,
    /// Services that fire after it.
    pub num_firing: usize,
    /// Notices of services that fire now.
    pub num_fired: usize,
    /// Notices of services that fire no more.
    pub num_resolved: usize,
}

/// What one service did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSummary {
    /// Its name.
    pub service: String,
    /// Notices that it fires.
    pub num_fired: usize,
    /// Notices that it fires no more.
    pub num_resolved: usize,
}

impl GroupedCheck {
    /// Why, for people.
    pub fn reason(&self) -> String {
        let Self { count, num_breached, num_firing, num_fired, num_resolved, .. } = self;
        format!(
            "of {count} logs by service {num_breached} breach: {num_fired} fired, {num_resolved} resolved, \
             {num_firing} firing"
        )
    }
}

/// Runs the checks for every service with a history and for those that the filters name; the services are in the order
/// of their names, those that nobody was told of left out.
pub fn run(
    simulation: &Simulation,
    histories: &BTreeMap<String, ServiceHistory>,
    named: &[String],
) -> (Vec<GroupedCheck>, Vec<ServiceSummary>) {
    let mut checks: Vec<GroupedCheck> = Vec::new();
    let mut summaries = Vec::new();
    let nothing = ServiceHistory::default();
    let services: BTreeSet<&String> = histories.keys().chain(named).collect();
    for service in services {
        let history = histories.get(service).unwrap_or(&nothing);
        let is_named = named.contains(service);
        let is_known = |at_us: i64| is_named || (named.is_empty() && history.is_known(at_us));
        let own = simulation.run_service(&history.cells, is_known);
        checks.resize_with(own.len(), GroupedCheck::default);
        let (mut num_fired, mut num_resolved) = (0, 0);
        for (all, one) in checks.iter_mut().zip(&own) {
            let fired = usize::from(one.decision.notice == Some(Notice::Fire));
            let resolved = usize::from(one.decision.notice == Some(Notice::Resolve));
            all.at_us = one.at_us;
            all.count += one.count;
            all.num_breached += usize::from(one.is_breached);
            all.num_firing += usize::from(one.decision.standing.state == AlertState::Firing);
            all.num_fired += fired;
            all.num_resolved += resolved;
            num_fired += fired;
            num_resolved += resolved;
        }
        if num_fired + num_resolved > 0 {
            summaries.push(ServiceSummary { service: service.clone(), num_fired, num_resolved });
        }
    }
    if checks.is_empty() {
        // Nobody to check, at all the same times.
        let empty = simulation.run(&[]).into_iter();
        checks = empty.map(|check| GroupedCheck { at_us: check.at_us, ..GroupedCheck::default() }).collect();
    }
    (checks, summaries)
}

impl ServiceHistory {
    fn is_known(&self, at_us: i64) -> bool {
        let range = known_range(at_us);
        let first = self.hours.partition_point(|hour_us| *hour_us < range.start_us);
        self.hours.get(first).is_some_and(|hour_us| *hour_us < range.end_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::condition::{Condition, NoData};
    use crate::alerts::machine::{Sensitivity, ThresholdOperator};
    use crate::alerts::{HOUR_US, MINUTE_US};

    /// A midnight.
    const START: i64 = 1_765_843_200_000_000;

    fn simulation(no_data: NoData, last_minute: i64) -> Simulation {
        let threshold_operator = ThresholdOperator::Above;
        Simulation {
            condition: Condition { threshold_count: 10, threshold_operator, no_data },
            window_minutes: 5,
            check_interval_minutes: 5,
            evaluation_periods: 1,
            sensitivity: Sensitivity { datapoints_to_alarm: 1, cooldown_minutes: 0 },
            from_us: START,
            to_us: START + last_minute * MINUTE_US,
        }
    }

    fn cells(of: &[(i64, u64)]) -> ServiceHistory {
        let cells = of.iter().map(|(minute, count)| (START + minute * MINUTE_US, *count)).collect();
        ServiceHistory { cells, hours: Vec::new() }
    }

    fn summary(service: &str, num_fired: usize, num_resolved: usize) -> ServiceSummary {
        ServiceSummary { service: service.to_owned(), num_fired, num_resolved }
    }

    #[test]
    fn every_service_has_a_threshold_of_its_own() {
        let histories = BTreeMap::from([
            ("a".to_owned(), cells(&[(0, 11)])),
            ("b".to_owned(), cells(&[(0, 9), (5, 11)])),
            ("c".to_owned(), cells(&[(0, 9), (5, 9)])),
        ]);
        let (checks, services) = run(&simulation(NoData::Zero, 15), &histories, &[]);
        let seen: Vec<_> = checks
            .iter()
            .map(|check| (check.count, check.num_firing, check.num_fired, check.num_resolved))
            .collect();
        assert_eq!(seen, [(0, 0, 0, 0), (29, 1, 1, 0), (20, 1, 1, 1), (0, 0, 0, 1)]);
        assert_eq!(services, [summary("a", 1, 1), summary("b", 1, 1)]);
        assert_eq!(checks[1].reason(), "of 29 logs by service 1 breach: 1 fired, 0 resolved, 1 firing");
    }

    #[test]
    fn a_service_is_missed_for_a_day() {
        let hours = vec![START];
        let histories = BTreeMap::from([("a".to_owned(), ServiceHistory { cells: vec![], hours })]);
        let simulation = simulation(NoData::Fire, 26 * 60);
        let (checks, services) = run(&simulation, &histories, &[]);
        let firing: Vec<i64> =
            checks.iter().filter(|check| check.num_firing > 0).map(|check| check.at_us).collect();
        let (first, last) = (firing.first().copied(), firing.last().copied());
        assert_eq!((first, last), (Some(START + HOUR_US), Some(START + 25 * HOUR_US - 5 * MINUTE_US)));
        assert_eq!(services, [summary("a", 1, 1)]);
    }

    #[test]
    fn a_service_that_is_named_is_missed_although_it_never_was() {
        let (checks, services) = run(&simulation(NoData::Fire, 10), &BTreeMap::new(), &["never".to_owned()]);
        assert!(checks.iter().all(|check| check.num_firing == 1));
        assert_eq!(services, [summary("never", 1, 0)]);
    }

    #[test]
    fn without_services_there_are_checks_of_nothing() {
        let (checks, services) = run(&simulation(NoData::Fire, 10), &BTreeMap::new(), &[]);
        assert_eq!(checks.len(), 3);
        assert!(checks.iter().all(|check| check.num_firing == 0) && services.is_empty());
    }
}
