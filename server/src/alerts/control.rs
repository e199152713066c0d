//! What people do to an alert: the transitions that no check makes.

use serde::{Deserialize, Serialize};

use super::machine::{AlertState, Standing};
use super::settings::AlertSettings;

/// Why there is a row in the history of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A check changed its state, or failed.
    Check,
    /// A broken alert was brought back.
    Reset,
    /// It was switched on.
    Enable,
    /// It was switched off.
    Disable,
    /// It is not to be checked until a time.
    Snooze,
    /// It is to be checked again.
    Unsnooze,
    /// What makes it fire was changed.
    ThresholdChange,
    /// What it counts could not be read.
    BrokenConfig,
}

impl EventKind {
    /// Every kind there is.
    pub const ALL: [Self; 8] = [
        Self::Check,
        Self::Reset,
        Self::Enable,
        Self::Disable,
        Self::Snooze,
        Self::Unsnooze,
        Self::ThresholdChange,
        Self::BrokenConfig,
    ];

    /// The word of the API, and as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Reset => "reset",
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::Snooze => "snooze",
            Self::Unsnooze => "unsnooze",
            Self::ThresholdChange => "threshold_change",
            Self::BrokenConfig => "broken_config",
        }
    }

    /// The kind that a word is.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// What a change says about the snooze.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SnoozeEdit {
    /// Nothing.
    #[default]
    Kept,
    /// It is over.
    Cleared,
    /// It lasts until then, microseconds.
    Until(i64),
}

/// An alert after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edited {
    /// Where it stands.
    pub standing: Standing,
    /// When it is checked next, microseconds; none is at once.
    pub next_check_us: Option<i64>,
    /// The row of its history.
    pub event: Option<EventKind>,
}

/// What a change of settings makes of an alert.
///
/// One transition happens, the first that there is a reason for: switched on, switched off, snooze over, snoozed,
/// another threshold. Nobody is told. The snooze is stored whichever it was. Another threshold or window, and whatever
/// ends a time without checks, has the alert checked at once.
pub fn edit(
    (standing, next_check_us): (&Standing, Option<i64>),
    before: &AlertSettings,
    after: &AlertSettings,
    snooze: SnoozeEdit,
) -> Edited {
    let has_other_threshold = before.has_other_threshold(after);
    let event = match (before.enabled, after.enabled, snooze) {
        (false, true, _) => Some(EventKind::Enable),
        (true, false, _) => Some(EventKind::Disable),
        (_, _, SnoozeEdit::Cleared) => Some(EventKind::Unsnooze),
        (_, _, SnoozeEdit::Until(_)) => Some(EventKind::Snooze),
        (_, _, SnoozeEdit::Kept) => has_other_threshold.then_some(EventKind::ThresholdChange),
    };
    let is_snoozed = standing.state == AlertState::Snoozed;
    let state = match event {
        Some(EventKind::Snooze) => AlertState::Snoozed,
        Some(EventKind::ThresholdChange) if is_snoozed => AlertState::Snoozed,
        Some(_) => AlertState::NotFiring,
        None => standing.state,
    };
    let forgets_failures = match event {
        Some(EventKind::Enable | EventKind::Unsnooze) => true,
        Some(EventKind::ThresholdChange) => !is_snoozed,
        _ => false,
    };
    let snooze_until_us = match snooze {
        SnoozeEdit::Kept => standing.snooze_until_us,
        SnoozeEdit::Cleared => None,
        SnoozeEdit::Until(until_us) => Some(until_us),
    };
    let is_due = has_other_threshold
        || before.window_minutes != after.window_minutes
        || matches!(event, Some(EventKind::Enable | EventKind::Unsnooze));
    Edited {
        standing: Standing {
            state,
            consecutive_failures: if forgets_failures { 0 } else { standing.consecutive_failures },
            snooze_until_us,
            last_notified_us: standing.last_notified_us,
        },
        next_check_us: next_check_us.filter(|_| !is_due),
        event,
    }
}

/// A broken alert that is brought back; none when it is not broken.
pub fn reset(standing: &Standing) -> Option<Standing> {
    let is_broken = standing.state == AlertState::Broken;
    is_broken.then_some(Standing { state: AlertState::NotFiring, consecutive_failures: 0, ..*standing })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: i64 = 9_000_000;

    fn at(state: AlertState) -> Standing {
        Standing { state, consecutive_failures: 3, snooze_until_us: Some(7), last_notified_us: Some(1) }
    }

    /// What a change of the settings makes of an alert with three failures that is due at 5.
    fn change(state: AlertState, change: impl Fn(&mut AlertSettings), snooze: SnoozeEdit) -> Edited {
        let before = AlertSettings::default();
        let mut after = before.clone();
        change(&mut after);
        edit((&at(state), Some(5)), &before, &after, snooze)
    }

    #[test]
    fn every_state_meets_every_change() {
        use AlertState::{NotFiring, Snoozed};
        for state in AlertState::ALL {
            let of = |edited: Edited| {
                (
                    edited.standing.state,
                    edited.standing.consecutive_failures,
                    edited.next_check_us,
                    edited.event,
                )
            };
            let off = AlertSettings { enabled: false, ..AlertSettings::default() };
            let on = edit((&at(state), Some(5)), &off, &AlertSettings::default(), SnoozeEdit::Kept);
            assert_eq!(of(on), (NotFiring, 0, None, Some(EventKind::Enable)), "{state:?}");
            let off = change(state, |settings| settings.enabled = false, SnoozeEdit::Kept);
            assert_eq!(of(off), (NotFiring, 3, Some(5), Some(EventKind::Disable)), "{state:?}");
            let snoozed = change(state, |_| {}, SnoozeEdit::Until(LATER));
            assert_eq!(of(snoozed), (Snoozed, 3, Some(5), Some(EventKind::Snooze)), "{state:?}");
            assert_eq!(snoozed.standing.snooze_until_us, Some(LATER));
            let woken = change(state, |_| {}, SnoozeEdit::Cleared);
            assert_eq!(of(woken), (NotFiring, 0, None, Some(EventKind::Unsnooze)), "{state:?}");
            assert_eq!(woken.standing.snooze_until_us, None);
            let threshold = change(state, |settings| settings.threshold_count = 7, SnoozeEdit::Kept);
            let (expected, failures) = if state == Snoozed { (Snoozed, 3) } else { (NotFiring, 0) };
            let expected = (expected, failures, None, Some(EventKind::ThresholdChange));
            assert_eq!(of(threshold), expected, "{state:?}");
            let window = change(state, |settings| settings.window_minutes = 60, SnoozeEdit::Kept);
            assert_eq!(of(window), (state, 3, None, None), "{state:?}");
            let renamed = change(
                state,
                |settings| {
                    settings.name = "other".into();
                    settings.cooldown_minutes = 9;
                },
                SnoozeEdit::Kept,
            );
            assert_eq!(of(renamed), (state, 3, Some(5), None), "{state:?}");
            let expected = (state == AlertState::Broken).then_some((NotFiring, 0, Some(7), Some(1)));
            let reset = reset(&at(state)).map(|standing| {
                (
                    standing.state,
                    standing.consecutive_failures,
                    standing.snooze_until_us,
                    standing.last_notified_us,
                )
            });
            assert_eq!(reset, expected, "{state:?}");
        }
    }

    #[test]
    fn everything_that_makes_it_fire_is_its_threshold() {
        let changes: [fn(&mut AlertSettings); 5] = [
            |settings| settings.threshold_count = 1,
            |settings| settings.threshold_operator = crate::alerts::machine::ThresholdOperator::Below,
            |settings| settings.filters = "{\"serviceNames\":[\"a\"]}".into(),
            |settings| settings.datapoints_to_alarm = 2,
            |settings| settings.evaluation_periods = 2,
        ];
        for with in changes {
            let edited = change(AlertState::Firing, with, SnoozeEdit::Kept);
            assert_eq!(edited.event, Some(EventKind::ThresholdChange));
        }
    }

    #[test]
    fn the_first_reason_decides_and_the_snooze_is_stored_all_the_same() {
        let edited = change(
            AlertState::Firing,
            |settings| {
                settings.enabled = false;
                settings.threshold_count = 1;
            },
            SnoozeEdit::Until(LATER),
        );
        assert_eq!((edited.event, edited.standing.state), (Some(EventKind::Disable), AlertState::NotFiring));
        assert_eq!((edited.standing.snooze_until_us, edited.next_check_us), (Some(LATER), None));
        let both =
            change(AlertState::Firing, |settings| settings.threshold_count = 1, SnoozeEdit::Until(LATER));
        assert_eq!((both.event, both.standing.state), (Some(EventKind::Snooze), AlertState::Snoozed));
        assert_eq!(both.next_check_us, None, "another threshold is due at once");
    }
}
