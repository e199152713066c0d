//! The state machine of an alert: one check, from what was before and what was found to what is now and who is told.

use serde::{Deserialize, Serialize};

use super::MINUTE_US;

/// Failures in a row of the permanent kind after which an alert is broken.
pub const MAX_CONSECUTIVE_FAILURES: u32 = 5;

/// Where an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertState {
    /// Its condition does not hold.
    NotFiring,
    /// Its condition holds.
    Firing,
    /// As [`Self::Firing`]. Only read, from what others wrote.
    PendingResolve,
    /// As [`Self::NotFiring`]. Only read, from what others wrote.
    Errored,
    /// Not to be checked until a time.
    Snoozed,
    /// Not to be checked until somebody mends it.
    Broken,
}

impl AlertState {
    /// Every state there is.
    pub const ALL: [Self; 6] =
        [Self::NotFiring, Self::Firing, Self::PendingResolve, Self::Errored, Self::Snoozed, Self::Broken];

    /// The word of the API, and as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFiring => "not_firing",
            Self::Firing => "firing",
            Self::PendingResolve => "pending_resolve",
            Self::Errored => "errored",
            Self::Snoozed => "snoozed",
            Self::Broken => "broken",
        }
    }

    /// The state that a word is.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// When a count is a breach. Never when both are equal.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdOperator {
    /// More than the threshold.
    Above,
    /// Fewer.
    Below,
}

impl ThresholdOperator {
    /// Whether a count breaches a threshold.
    pub fn is_breach(self, count: u64, threshold: u64) -> bool {
        match self {
            Self::Above => count > threshold,
            Self::Below => count < threshold,
        }
    }

    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Above => "above",
            Self::Below => "below",
        }
    }

    /// The operator that a word is.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Above, Self::Below].into_iter().find(|operator| operator.as_str() == word)
    }
}

/// What an alert remembers between checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where it stands.
    pub state: AlertState,
    /// Permanent failures since the last check that counted.
    pub consecutive_failures: u32,
    /// Until when it is snoozed, microseconds.
    pub snooze_until_us: Option<i64>,
    /// When a [`Notice::Fire`] or [`Notice::Resolve`] was last sent, microseconds.
    pub last_notified_us: Option<i64>,
}

impl Standing {
    /// That of a new alert.
    pub const NEW: Self = Self {
        state: AlertState::NotFiring,
        consecutive_failures: 0,
        snooze_until_us: None,
        last_notified_us: None,
    };
}

/// What of an alert's settings a decision depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sensitivity {
    /// Breached windows that make it fire.
    pub datapoints_to_alarm: u32,
    /// Minutes after a notice in which no other one is sent; 0 is none.
    pub cooldown_minutes: u32,
}

/// What a check has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The windows were counted; so many of them breach.
    Counted {
        /// Breached windows among those that are looked at.
        num_breached: u32,
    },
    /// The windows were counted, and say neither that the condition holds nor that it does not.
    NoData,
    /// Counting failed in a way that passes by itself.
    TransientFailure,
    /// Counting failed and will again, until somebody changes the alert.
    PermanentFailure,
}

/// What people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The condition has begun to hold.
    Fire,
    /// It holds no longer.
    Resolve,
    /// The alert cannot be checked.
    Error,
    /// The alert is not checked any more.
    Broken,
}

impl Notice {
    /// Whether the cooldown may swallow it, and whether it begins one.
    fn is_about_the_condition(self) -> bool {
        matches!(self, Self::Fire | Self::Resolve)
    }
}

/// What a check has decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Where the alert stands now. The time of a sent notice is in it.
    pub standing: Standing,
    /// What is sent.
    pub notice: Option<Notice>,
    /// What would have been sent without the cooldown. It is not sent later.
    pub swallowed: Option<Notice>,
}

impl Decision {
    fn unchanged(standing: Standing) -> Self {
        Self { standing, notice: None, swallowed: None }
    }
}

/// Decides one check at `now_us`.
///
/// A broken alert and one that is snoozed stay as they are. Any check that counts ends a row of failures; a failure
/// that passes changes nothing. An alert that fires does not tell so again, and resolves when fewer windows breach than
/// make it fire.
pub fn check(standing: &Standing, sensitivity: Sensitivity, finding: Finding, now_us: i64) -> Decision {
    let is_snoozed =
        standing.state == AlertState::Snoozed && standing.snooze_until_us.is_some_and(|until| until > now_us);
    if standing.state == AlertState::Broken || is_snoozed {
        return Decision::unchanged(*standing);
    }
    match finding {
        Finding::TransientFailure => Decision::unchanged(*standing),
        Finding::PermanentFailure => failed(standing),
        Finding::Counted { num_breached } => {
            counted(standing, sensitivity, num_breached >= sensitivity.datapoints_to_alarm, now_us)
        }
        Finding::NoData => counted(standing, sensitivity, is_firing(standing.state), now_us),
    }
}

fn is_firing(state: AlertState) -> bool {
    matches!(state, AlertState::Firing | AlertState::PendingResolve)
}

fn failed(standing: &Standing) -> Decision {
    let consecutive_failures = standing.consecutive_failures.saturating_add(1);
    let is_broken = consecutive_failures >= MAX_CONSECUTIVE_FAILURES;
    let state = if is_broken { AlertState::Broken } else { standing.state };
    let notice = match (is_broken, standing.consecutive_failures) {
        (true, _) => Some(Notice::Broken),
        (false, 0) => Some(Notice::Error),
        (false, _) => None,
    };
    Decision { standing: Standing { state, consecutive_failures, ..*standing }, notice, swallowed: None }
}

fn counted(standing: &Standing, sensitivity: Sensitivity, holds: bool, now_us: i64) -> Decision {
    let (state, notice) = match (is_firing(standing.state), holds) {
        (false, true) => (AlertState::Firing, Some(Notice::Fire)),
        (true, false) => (AlertState::NotFiring, Some(Notice::Resolve)),
        (true, true) => (AlertState::Firing, None),
        (false, false) => (AlertState::NotFiring, None),
    };
    // A snooze that is over is not kept; one of another state never held.
    let snooze_until_us = standing.snooze_until_us.filter(|_| standing.state != AlertState::Snoozed);
    let standing = Standing { state, consecutive_failures: 0, snooze_until_us, ..*standing };
    match notice {
        Some(notice) if notice.is_about_the_condition() && is_cooling(&standing, sensitivity, now_us) => {
            Decision { standing, notice: None, swallowed: Some(notice) }
        }
        Some(notice) => {
            let standing = Standing { last_notified_us: Some(now_us), ..standing };
            Decision { standing, notice: Some(notice), swallowed: None }
        }
        None => Decision::unchanged(standing),
    }
}

fn is_cooling(standing: &Standing, sensitivity: Sensitivity, now_us: i64) -> bool {
    let cooldown_us = i64::from(sensitivity.cooldown_minutes).saturating_mul(MINUTE_US);
    standing.last_notified_us.is_some_and(|notified_us| now_us < notified_us.saturating_add(cooldown_us))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_765_881_180_000_000;
    const STATES: [AlertState; 6] = AlertState::ALL;

    fn standing(state: AlertState, consecutive_failures: u32) -> Standing {
        Standing { state, consecutive_failures, ..Standing::NEW }
    }

    fn of(datapoints_to_alarm: u32) -> Sensitivity {
        Sensitivity { datapoints_to_alarm, cooldown_minutes: 0 }
    }

    fn hits(num_breached: u32) -> Finding {
        Finding::Counted { num_breached }
    }

    /// State, failures and notice after a check.
    fn after(
        before: Standing,
        sensitivity: Sensitivity,
        finding: Finding,
    ) -> (AlertState, u32, Option<Notice>) {
        let Decision { standing, notice, .. } = check(&before, sensitivity, finding, NOW);
        (standing.state, standing.consecutive_failures, notice)
    }

    #[test]
    fn every_state_meets_every_finding() {
        use AlertState::{Broken, Errored, Firing, NotFiring, PendingResolve, Snoozed};
        let (miss, hit) = (hits(0), hits(1));
        // A snooze without an end is over.
        for quiet in [NotFiring, Errored, Snoozed] {
            assert_eq!(after(standing(quiet, 3), of(1), hit), (Firing, 0, Some(Notice::Fire)), "{quiet:?}");
            assert_eq!(after(standing(quiet, 3), of(1), miss), (NotFiring, 0, None), "{quiet:?}");
            let kept = (NotFiring, 0, None);
            assert_eq!(after(standing(quiet, 3), of(1), Finding::NoData), kept, "{quiet:?}");
        }
        for firing in [Firing, PendingResolve] {
            assert_eq!(after(standing(firing, 3), of(1), hit), (Firing, 0, None), "{firing:?}");
            let resolved = (NotFiring, 0, Some(Notice::Resolve));
            assert_eq!(after(standing(firing, 3), of(1), miss), resolved, "{firing:?}");
            let kept = (Firing, 0, None);
            assert_eq!(after(standing(firing, 3), of(1), Finding::NoData), kept, "{firing:?}");
        }
        for state in [NotFiring, Errored, Snoozed, Firing, PendingResolve] {
            let before = |failures| standing(state, failures);
            assert_eq!(after(before(4), of(1), Finding::TransientFailure), (state, 4, None));
            assert_eq!(after(before(0), of(1), Finding::PermanentFailure), (state, 1, Some(Notice::Error)));
            for failures in 1..4 {
                let found = after(before(failures), of(1), Finding::PermanentFailure);
                assert_eq!(found, (state, failures + 1, None));
            }
            let broken = (Broken, 5, Some(Notice::Broken));
            assert_eq!(after(before(4), of(1), Finding::PermanentFailure), broken);
        }
        for finding in [hit, miss, Finding::NoData, Finding::TransientFailure, Finding::PermanentFailure] {
            assert_eq!(after(standing(Broken, 5), of(1), finding), (Broken, 5, None));
            let snoozed = Standing { snooze_until_us: Some(NOW + 1), ..standing(Snoozed, 2) };
            assert_eq!(after(snoozed, of(1), finding), (Snoozed, 2, None));
        }
    }

    #[test]
    fn as_many_windows_as_are_set_make_it_fire_and_fewer_resolve_it() {
        use AlertState::{Firing, NotFiring};
        for (before, num_breached, expected) in [
            (NotFiring, 2, (Firing, 0, Some(Notice::Fire))),
            (NotFiring, 1, (NotFiring, 0, None)),
            (Firing, 2, (Firing, 0, None)),
            (Firing, 3, (Firing, 0, None)),
            (Firing, 1, (NotFiring, 0, Some(Notice::Resolve))),
        ] {
            assert_eq!(after(standing(before, 0), of(2), hits(num_breached)), expected);
        }
    }

    #[test]
    fn a_snooze_ends_with_its_time_and_is_ignored_in_other_states() {
        let over = Standing { snooze_until_us: Some(NOW), ..standing(AlertState::Snoozed, 0) };
        assert_eq!(after(over, of(1), hits(1)), (AlertState::Firing, 0, Some(Notice::Fire)));
        assert_eq!(check(&over, of(1), hits(0), NOW).standing.snooze_until_us, None, "it is not kept");
        let other = Standing { snooze_until_us: Some(NOW + 1), ..Standing::NEW };
        assert_eq!(after(other, of(1), hits(1)), (AlertState::Firing, 0, Some(Notice::Fire)));
    }

    #[test]
    fn a_cooldown_swallows_notices_and_not_what_they_are_about() {
        let sensitivity = Sensitivity { datapoints_to_alarm: 1, cooldown_minutes: 10 };
        let notified = |minutes_ago: i64, state| {
            let last_notified_us = Some(NOW - minutes_ago * MINUTE_US);
            Standing { last_notified_us, ..standing(state, 0) }
        };
        let before = notified(5, AlertState::NotFiring);
        let decision = check(&before, sensitivity, hits(1), NOW);
        assert_eq!((decision.notice, decision.swallowed), (None, Some(Notice::Fire)));
        assert_eq!(decision.standing.state, AlertState::Firing);
        assert_eq!(decision.standing.last_notified_us, before.last_notified_us);

        let decision = check(&notified(10, AlertState::NotFiring), sensitivity, hits(1), NOW);
        assert_eq!((decision.notice, decision.swallowed), (Some(Notice::Fire), None), "its end is allowed");
        assert_eq!(decision.standing.last_notified_us, Some(NOW));

        let decision = check(&notified(5, AlertState::Firing), sensitivity, hits(0), NOW);
        assert_eq!((decision.notice, decision.swallowed), (None, Some(Notice::Resolve)));
        assert_eq!(decision.standing.state, AlertState::NotFiring);

        let failed = check(&notified(5, AlertState::Firing), sensitivity, Finding::PermanentFailure, NOW);
        assert_eq!(failed.notice, Some(Notice::Error), "failures are told in any case");
        assert_eq!(failed.standing.last_notified_us, Some(NOW - 5 * MINUTE_US), "and begin no cooldown");
    }

    #[test]
    fn equal_to_the_threshold_is_no_breach() {
        use ThresholdOperator::{Above, Below};
        for (operator, count, is_breach) in
            [(Above, 9, false), (Above, 10, false), (Above, 11, true), (Below, 9, true), (Below, 10, false)]
        {
            assert_eq!(operator.is_breach(count, 10), is_breach, "{operator:?} {count}");
        }
        assert!(!Below.is_breach(0, 0));
    }

    fn any_finding() -> impl Strategy<Value = Finding> {
        prop_oneof![
            4 => (0_u32..4).prop_map(|num_breached| Finding::Counted { num_breached }),
            1 => Just(Finding::NoData),
            1 => Just(Finding::TransientFailure),
            1 => Just(Finding::PermanentFailure),
        ]
    }

    proptest! {
        #[test]
        fn notices_follow_transitions_and_keep_their_distance(
            first in 0_usize..STATES.len(),
            datapoints_to_alarm in 1_u32..4,
            cooldown_minutes in 0_u32..30,
            findings in prop::collection::vec(any_finding(), 1..60),
        ) {
            let sensitivity = Sensitivity { datapoints_to_alarm, cooldown_minutes };
            let mut before = standing(STATES[first], 0);
            let mut last_sent: Option<i64> = None;
            for (index, finding) in findings.into_iter().enumerate() {
                let now_us = NOW + index as i64 * 5 * MINUTE_US;
                let Decision { standing: after, notice, swallowed } = check(&before, sensitivity, finding, now_us);
                let is_firing = |state| matches!(state, AlertState::Firing | AlertState::PendingResolve);
                let about = notice.or(swallowed);
                prop_assert!(notice.is_none() || swallowed.is_none());
                prop_assert_eq!(about == Some(Notice::Fire), !is_firing(before.state) && is_firing(after.state));
                let has_resolved = is_firing(before.state) && after.state == AlertState::NotFiring;
                prop_assert_eq!(about == Some(Notice::Resolve), has_resolved);
                let has_broken = before.state != AlertState::Broken && after.state == AlertState::Broken;
                prop_assert_eq!(notice == Some(Notice::Broken), has_broken);
                if let Some(Notice::Fire | Notice::Resolve) = notice {
                    let cooldown_us = i64::from(cooldown_minutes) * MINUTE_US;
                    prop_assert!(last_sent.is_none_or(|sent_us| now_us >= sent_us + cooldown_us));
                    last_sent = Some(now_us);
                }
                prop_assert_eq!(after.last_notified_us, last_sent);
                prop_assert!(after.consecutive_failures <= MAX_CONSECUTIVE_FAILURES);
                before = after;
            }
        }
    }
}
