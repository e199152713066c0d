//! Where an alert stood over the last day.

use super::MINUTE_US;
use super::control::EventKind;
use super::machine::AlertState;

/// How far back a timeline goes, microseconds.
pub const TIMELINE_US: i64 = 24 * 60 * MINUTE_US;

/// What a timeline takes from a row of history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it was written, microseconds.
    pub at_us: i64,
    /// Why.
    pub kind: EventKind,
    /// The state before.
    pub before: AlertState,
    /// The state after.
    pub after: AlertState,
}

/// A time in which nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Its first instant, microseconds.
    pub start_us: i64,
    /// The first instant after it.
    pub end_us: i64,
    /// Where the alert stood.
    pub state: AlertState,
    /// Whether it was switched on.
    pub enabled: bool,
}

/// What a timeline is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known<'s> {
    /// The rows since the timeline begins, oldest first.
    pub steps: &'s [Step],
    /// Whether the alert was last switched on or off before that; none when it was not.
    pub enabled_before: Option<bool>,
    /// Where it stands now.
    pub state: AlertState,
    /// Whether it is switched on now.
    pub enabled: bool,
}

/// The day before `now_us`, without a gap, oldest first; at least one interval. What was before the first row that is
/// known is taken from that row.
pub fn timeline(known: &Known<'_>, now_us: i64) -> Vec<Interval> {
    let switched = |step: &Step| match step.kind {
        EventKind::Enable => Some(true),
        EventKind::Disable => Some(false),
        _ => None,
    };
    let first_switch = known.steps.iter().find_map(switched);
    let mut enabled = known.enabled_before.or_else(|| first_switch.map(|on| !on)).unwrap_or(known.enabled);
    let mut state = known.steps.first().map_or(known.state, |step| step.before);
    let mut start_us = now_us - TIMELINE_US;
    let mut intervals = Vec::new();
    // A clock that was set back has rows in what is the future now.
    for step in known.steps.iter().filter(|step| step.at_us < now_us) {
        let then = (step.after, switched(step).unwrap_or(enabled));
        if then == (state, enabled) {
            continue;
        }
        if start_us < step.at_us {
            intervals.push(Interval { start_us, end_us: step.at_us, state, enabled });
            start_us = step.at_us;
        }
        (state, enabled) = then;
    }
    intervals.push(Interval { start_us, end_us: now_us, state, enabled });
    intervals
}

#[cfg(test)]
mod tests {
    use super::AlertState::{Firing, NotFiring, Snoozed};
    use super::*;

    const NOW: i64 = 1_765_881_180_000_000;

    fn step(minutes_ago: i64, kind: EventKind, before: AlertState, after: AlertState) -> Step {
        Step { at_us: NOW - minutes_ago * MINUTE_US, kind, before, after }
    }

    /// Intervals as minutes before now, state and whether it was on.
    fn seen(known: &Known<'_>) -> Vec<(i64, i64, AlertState, bool)> {
        let ago = |us: i64| (NOW - us) / MINUTE_US;
        let written = |interval: Interval| {
            (ago(interval.start_us), ago(interval.end_us), interval.state, interval.enabled)
        };
        timeline(known, NOW).into_iter().map(written).collect()
    }

    fn known(steps: &[Step]) -> Known<'_> {
        Known { steps, enabled_before: None, state: NotFiring, enabled: true }
    }

    #[test]
    fn without_history_it_is_one_interval() {
        assert_eq!(seen(&known(&[])), [(1440, 0, NotFiring, true)]);
        let off = Known { enabled: false, state: Snoozed, ..known(&[]) };
        assert_eq!(seen(&off), [(1440, 0, Snoozed, false)]);
    }

    #[test]
    fn it_begins_where_the_first_row_came_from_and_has_no_gap() {
        let steps = [
            step(60, EventKind::Check, NotFiring, Firing),
            step(50, EventKind::Check, Firing, Firing),
            step(40, EventKind::Disable, Firing, NotFiring),
            step(30, EventKind::Enable, NotFiring, NotFiring),
        ];
        let expected = [
            (1440, 60, NotFiring, true),
            (60, 40, Firing, true),
            (40, 30, NotFiring, false),
            (30, 0, NotFiring, true),
        ];
        assert_eq!(seen(&known(&steps)), expected);
    }

    #[test]
    fn whether_it_was_on_comes_from_the_switch_before_or_the_opposite_of_the_next_one() {
        let steps = [step(60, EventKind::Enable, NotFiring, NotFiring)];
        assert_eq!(seen(&known(&steps)), [(1440, 60, NotFiring, false), (60, 0, NotFiring, true)]);
        let before = Known { enabled_before: Some(true), ..known(&steps) };
        assert_eq!(seen(&before), [(1440, 0, NotFiring, true)], "equal neighbours are one");
    }

    #[test]
    fn changes_of_one_instant_leave_no_empty_interval() {
        let steps = [
            step(60, EventKind::Check, NotFiring, Firing),
            step(60, EventKind::Snooze, Firing, Snoozed),
            step(1440, EventKind::Check, Snoozed, NotFiring),
        ];
        assert!(
            timeline(&known(&steps[..2]), NOW).iter().all(|interval| interval.start_us < interval.end_us)
        );
        assert_eq!(seen(&known(&steps[2..])), [(1440, 0, NotFiring, true)]);
    }
}
