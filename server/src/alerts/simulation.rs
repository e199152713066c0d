//! An alert that was not there, run over what was.

use std::collections::VecDeque;

use super::condition::{Condition, NoData};
use super::machine::{AlertState, Decision, Notice, Sensitivity, Standing, ThresholdOperator, check};
use super::{MINUTE_US, services};

/// Most checks of one simulation.
pub const MAX_CHECKS: i64 = 15_000;

/// What is simulated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// What counts are held against.
    pub condition: Condition,
    /// Minutes that each check counts.
    pub window_minutes: u32,
    /// Minutes from one check to the next.
    pub check_interval_minutes: u32,
    /// Windows that a check looks at.
    pub evaluation_periods: u32,
    /// How many of them must breach, and how long notices rest.
    pub sensitivity: Sensitivity,
    /// The first instant of history, microseconds.
    pub from_us: i64,
    /// The last one.
    pub to_us: i64,
}

/// One simulated check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedCheck {
    /// When, microseconds. Its window ends here.
    pub at_us: i64,
    /// Rows of the window.
    pub count: u64,
    /// Whether that is a breach.
    pub is_breached: bool,
    /// Windows that breach, of those before it in this simulation and itself.
    pub num_breached: u32,
    /// What the state machine made of it.
    pub decision: Decision,
}

impl SimulatedCheck {
    /// Why, for people.
    pub fn reason(&self, simulation: &Simulation) -> String {
        let operator = match simulation.condition.threshold_operator {
            ThresholdOperator::Above => '>',
            ThresholdOperator::Below => '<',
        };
        let (holds, needed) =
            (if self.is_breached { "" } else { "not " }, simulation.condition.threshold_count);
        let is_firing = self.decision.standing.state == AlertState::Firing;
        let outcome = match (self.decision.notice, self.decision.swallowed) {
            (Some(Notice::Fire), _) => "fired",
            (Some(Notice::Resolve), _) => "resolved",
            (_, Some(Notice::Fire)) => "fired, and its notice was dropped in the cooldown",
            (_, Some(Notice::Resolve)) => "resolved, and its notice was dropped in the cooldown",
            _ if is_firing => "still firing",
            _ if self.num_breached > 0 => "waiting for more",
            _ => "OK",
        };
        let mut reason = match (self.count, simulation.condition.no_data) {
            (0, NoData::Fire) => format!("there is no data: {outcome}"),
            (0, NoData::Keep) => format!("there is no data, which says nothing: {outcome}"),
            (count, _) => format!("{count} is {holds}{operator} {needed}: {outcome}"),
        };
        let periods = simulation.evaluation_periods;
        if periods > 1 {
            let datapoints = simulation.sensitivity.datapoints_to_alarm;
            reason.push_str(&format!(
                "; {} of the last {periods} checks breach, {datapoints} are needed",
                self.num_breached
            ));
        }
        reason
    }
}

impl Simulation {
    /// How many checks it has.
    pub fn num_checks(&self) -> i64 {
        let interval_us = self.interval_us();
        let first = self.first_check_us();
        if first > self.to_us { 0 } else { (self.to_us - first) / interval_us + 1 }
    }

    /// The width, in minutes, of the cells that windows are made of: the windows of all checks begin and end where
    /// cells do.
    pub fn cell_minutes(&self) -> u32 {
        greatest_common_divisor(self.window_minutes, self.check_interval_minutes)
    }

    /// The first instant of the first window, and the end of the last one.
    pub fn counted_range(&self) -> (i64, i64) {
        let last = self.first_check_us() + (self.num_checks() - 1).max(0) * self.interval_us();
        (self.first_check_us() - self.window_us(), last)
    }

    /// Runs the checks. `cells` are the rows of cells of [`Self::cell_minutes`], by their beginnings, in order;
    /// what is missing has none.
    pub fn run(&self, cells: &[(i64, u64)]) -> Vec<SimulatedCheck> {
        self.run_service(cells, |_| true)
    }

    /// Runs the checks of one service. `is_known` is whether its silence means something to a check at an instant.
    pub fn run_service(&self, cells: &[(i64, u64)], is_known: impl Fn(i64) -> bool) -> Vec<SimulatedCheck> {
        let mut standing = Standing::NEW;
        let mut counts: VecDeque<u64> = VecDeque::new();
        let mut window = Window::new(cells);
        (0..self.num_checks())
            .map(|index| {
                let at_us = self.first_check_us() + index * self.interval_us();
                let count = window.count(at_us - self.window_us(), at_us);
                counts.push_front(count);
                counts.truncate(self.evaluation_periods as usize);
                let (counts, is_known) = (&*counts.make_contiguous(), is_known(at_us));
                let finding = services::finding(&self.condition, counts, is_known);
                let decision = check(&standing, self.sensitivity, finding, at_us);
                standing = decision.standing;
                SimulatedCheck {
                    at_us,
                    count,
                    is_breached: services::is_breach(&self.condition, counts, is_known),
                    num_breached: self.condition.num_breached(counts),
                    decision,
                }
            })
            .collect()
    }

    /// Checks are at multiples of their interval since the epoch, which are those since midnight when the interval
    /// divides a day.
    fn first_check_us(&self) -> i64 {
        let interval_us = self.interval_us();
        let missing = self.from_us.rem_euclid(interval_us);
        if missing == 0 { self.from_us } else { self.from_us - missing + interval_us }
    }

    fn interval_us(&self) -> i64 {
        i64::from(self.check_interval_minutes) * MINUTE_US
    }

    fn window_us(&self) -> i64 {
        i64::from(self.window_minutes) * MINUTE_US
    }
}

/// The sum of the cells of a window that only moves on.
struct Window<'c> {
    cells: &'c [(i64, u64)],
    first: usize,
    end: usize,
    sum: u64,
}

impl<'c> Window<'c> {
    fn new(cells: &'c [(i64, u64)]) -> Self {
        Self { cells, first: 0, end: 0, sum: 0 }
    }

    fn count(&mut self, from_us: i64, to_us: i64) -> u64 {
        while let Some((_, count)) = self.cells.get(self.end).filter(|(start_us, _)| *start_us < to_us) {
            self.sum += count;
            self.end += 1;
        }
        while let Some((_, count)) = self.cells[..self.end].get(self.first).filter(|(us, _)| *us < from_us) {
            self.sum -= count;
            self.first += 1;
        }
        self.sum
    }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A midnight.
    const START: i64 = 1_765_843_200_000_000;

    fn minutes(minutes: i64) -> i64 {
        minutes * MINUTE_US
    }

    fn simulation(threshold_count: u64, window_minutes: u32, last_minute: i64) -> Simulation {
        let threshold_operator = ThresholdOperator::Above;
        Simulation {
            condition: Condition { threshold_count, threshold_operator, no_data: NoData::Zero },
            window_minutes,
            check_interval_minutes: 5,
            evaluation_periods: 1,
            sensitivity: Sensitivity { datapoints_to_alarm: 1, cooldown_minutes: 0 },
            from_us: START,
            to_us: START + minutes(last_minute),
        }
    }

    fn counts(checks: &[SimulatedCheck]) -> Vec<u64> {
        checks.iter().map(|check| check.count).collect()
    }

    #[test]
    fn a_window_rolls_over_the_cells_before_each_check() {
        let simulation = simulation(50, 10, 20);
        let checks = simulation.run(&[(START + minutes(5), 100)]);
        assert_eq!(counts(&checks), [0, 0, 100, 100, 0]);
        let firing: Vec<bool> =
            checks.iter().map(|check| check.decision.standing.state == AlertState::Firing).collect();
        assert_eq!(firing, [false, false, true, true, false]);
        let notices: Vec<_> = checks.iter().map(|check| check.decision.notice).collect();
        assert_eq!(notices, [None, None, Some(Notice::Fire), None, Some(Notice::Resolve)]);
    }

    #[test]
    fn a_cooldown_counts_in_simulated_time() {
        let mut simulation = simulation(100, 5, 20);
        simulation.sensitivity.cooldown_minutes = 15;
        let checks = simulation.run(&[(START, 200), (START + minutes(10), 200)]);
        let sent: Vec<_> =
            checks.iter().map(|check| (check.decision.notice, check.decision.swallowed)).collect();
        assert_eq!(
            sent,
            [
                (None, None),
                (Some(Notice::Fire), None),
                (None, Some(Notice::Resolve)),
                (None, Some(Notice::Fire)),
                (Some(Notice::Resolve), None),
            ]
        );
        assert!(checks[2].reason(&simulation).contains("cooldown"), "{}", checks[2].reason(&simulation));
    }

    #[test]
    fn the_history_of_breaches_starts_empty() {
        let mut simulation = simulation(1, 5, 15);
        (simulation.evaluation_periods, simulation.sensitivity.datapoints_to_alarm) = (3, 2);
        let cells: Vec<(i64, u64)> = (-2..4).map(|cell| (START + minutes(5 * cell), 2)).collect();
        let checks = simulation.run(&cells);
        assert!(checks.iter().all(|check| check.is_breached));
        assert_eq!(checks[0].decision.notice, None);
        assert_eq!(checks[1].decision.notice, Some(Notice::Fire));
        assert!(checks[0].reason(&simulation).contains("1 of the last 3 checks breach, 2 are needed"));
    }

    #[test]
    fn empty_windows_mean_what_was_chosen() {
        let cells = [(START - minutes(5), 200), (START + minutes(10), 50)];
        let notices = |no_data: NoData, is_known: bool| -> Vec<_> {
            let mut simulation = simulation(100, 5, 20);
            simulation.condition.no_data = no_data;
            let checks = simulation.run_service(&cells, |_| is_known);
            checks.iter().map(|check| check.decision.notice).collect()
        };
        let (fire, resolve) = (Some(Notice::Fire), Some(Notice::Resolve));
        assert_eq!(notices(NoData::Zero, true), [fire, resolve, None, None, None]);
        assert_eq!(notices(NoData::Fire, true), [fire, None, None, resolve, fire]);
        assert_eq!(notices(NoData::Keep, true), [fire, None, None, resolve, None]);
        for no_data in NoData::ALL {
            assert_eq!(notices(no_data, false), [fire, resolve, None, None, None], "silence is not heard");
        }
    }

    #[test]
    fn checks_are_on_the_grid() {
        let mut simulation = simulation(1, 5, 12);
        simulation.from_us = START + 1;
        let times: Vec<i64> = simulation.run(&[]).iter().map(|check| check.at_us).collect();
        assert_eq!(times, [START + minutes(5), START + minutes(10)]);
        assert_eq!(simulation.counted_range(), (START, START + minutes(10)));
        simulation.to_us = START;
        assert_eq!(simulation.num_checks(), 0);
        assert!(simulation.run(&[]).is_empty());
    }

    proptest! {
        /// Whatever the window and the interval, a check counts the rows of exactly its window.
        #[test]
        fn windows_are_exact(
            rows in prop::collection::vec(-120_i64..600, 0..80),
            window_minutes in prop::sample::select(vec![5_u32, 10, 15, 30, 60]),
            check_interval_minutes in 1_u32..=60,
            from in 0_i64..100,
        ) {
            let simulation = Simulation {
                check_interval_minutes,
                from_us: START + minutes(from),
                ..simulation(3, window_minutes, 500)
            };
            let width = i64::from(simulation.cell_minutes());
            let mut cells = std::collections::BTreeMap::<i64, u64>::new();
            for row in &rows {
                let at = START + minutes(*row);
                *cells.entry(at - at.rem_euclid(minutes(width))).or_default() += 1;
            }
            let cells: Vec<(i64, u64)> = cells.into_iter().collect();
            for check in simulation.run(&cells) {
                let window = check.at_us - minutes(window_minutes.into())..check.at_us;
                let expected = rows.iter().filter(|row| window.contains(&(START + minutes(**row)))).count();
                prop_assert_eq!(check.count, expected as u64);
                prop_assert_eq!(check.at_us.rem_euclid(minutes(check_interval_minutes.into())), 0);
            }
        }
    }
}
