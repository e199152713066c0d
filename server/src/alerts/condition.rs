//! When the windows of an alert are a reason to fire.

use serde::{Deserialize, Serialize};

use super::machine::{Finding, ThresholdOperator};

/// What a window without rows means.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoData {
    /// A count of zero, compared with the threshold like any other.
    #[default]
    Zero,
    /// A breach, whatever the threshold.
    Fire,
    /// Nothing: when the newest window is empty, the alert stands where it stood.
    Keep,
}

impl NoData {
    /// Every choice there is.
    pub const ALL: [Self; 3] = [Self::Zero, Self::Fire, Self::Keep];

    /// The word of the API, and as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::Fire => "fire",
            Self::Keep => "keep",
        }
    }

    /// The choice that a word is.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.as_str() == word)
    }
}

/// What counts are held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What a count is compared with.
    pub threshold_count: u64,
    /// How.
    pub threshold_operator: ThresholdOperator,
    /// What a window without rows means.
    pub no_data: NoData,
}

impl Condition {
    /// Whether a window with so many rows is a breach.
    pub fn is_breach(&self, count: u64) -> bool {
        (count == 0 && self.no_data == NoData::Fire)
            || self.threshold_operator.is_breach(count, self.threshold_count)
    }

    /// How many windows are breaches.
    pub fn num_breached<'c>(&self, counts: impl IntoIterator<Item = &'c u64>) -> u32 {
        counts.into_iter().map(|count| u32::from(self.is_breach(*count))).sum()
    }

    /// What the windows of a check, the newest first, say.
    pub fn finding(&self, counts: &[u64]) -> Finding {
        match (self.no_data, counts.first()) {
            (NoData::Keep, Some(0)) => Finding::NoData,
            _ => Finding::Counted { num_breached: self.num_breached(counts) },
        }
    }

    /// Whether it matters to an alert for each service that one of them is silent.
    pub fn hears_silence(&self) -> bool {
        self.no_data == NoData::Keep || self.is_breach(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(no_data: NoData, threshold_operator: ThresholdOperator) -> Condition {
        Condition { threshold_count: 10, threshold_operator, no_data }
    }

    #[test]
    fn an_empty_window_is_zero_a_breach_or_nothing() {
        use NoData::{Fire, Keep, Zero};
        use ThresholdOperator::{Above, Below};
        let counted = |num_breached| Finding::Counted { num_breached };
        for (no_data, operator, counts, expected) in [
            (Zero, Above, [0, 11, 12], counted(2)),
            (Zero, Below, [0, 11, 0], counted(2)),
            (Fire, Above, [0, 11, 10], counted(2)),
            (Fire, Below, [0, 11, 9], counted(2)),
            (Keep, Above, [0, 11, 12], Finding::NoData),
            (Keep, Below, [0, 1, 2], Finding::NoData),
            (Keep, Above, [11, 0, 12], counted(2)),
            (Keep, Below, [11, 0, 12], counted(1)),
        ] {
            let found = condition(no_data, operator).finding(&counts);
            assert_eq!(found, expected, "{no_data:?} {operator:?} {counts:?}");
        }
    }

    #[test]
    fn silence_matters_where_it_is_not_just_a_small_count() {
        for (no_data, operator, expected) in [
            (NoData::Zero, ThresholdOperator::Above, false),
            (NoData::Zero, ThresholdOperator::Below, true),
            (NoData::Fire, ThresholdOperator::Above, true),
            (NoData::Keep, ThresholdOperator::Above, true),
        ] {
            assert_eq!(condition(no_data, operator).hears_silence(), expected, "{no_data:?} {operator:?}");
        }
    }

    #[test]
    fn words_are_read_back() {
        for choice in NoData::ALL {
            assert_eq!(NoData::parse(choice.as_str()), Some(choice));
        }
        assert_eq!(NoData::parse("ok"), None);
    }
}
