//! What people decide about an alert.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::condition::{Condition, NoData};
use super::machine::{Sensitivity, ThresholdOperator};

/// Minutes that an alert may count.
pub const WINDOWS: [u32; 5] = [5, 10, 15, 30, 60];
/// Minutes from one check to the next.
pub const CHECK_INTERVAL_MINUTES: u32 = 5;
/// Most windows that a check looks at.
pub const MAX_PERIODS: u32 = 10;
/// Largest threshold, and longest cooldown.
pub const MAX_NUMBER: u32 = i32::MAX as u32;
/// What an alert without a name is called.
pub const DEFAULT_NAME: &str = "Untitled alert";

/// The settings of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertSettings {
    /// What people call it.
    pub name: String,
    /// Whether it is checked.
    pub enabled: bool,
    /// Which rows it counts, as they were sent: JSON text of an object.
    pub filters: String,
    /// What a count is compared with.
    pub threshold_count: u32,
    /// How.
    pub threshold_operator: ThresholdOperator,
    /// Minutes that each window has.
    pub window_minutes: u32,
    /// Minutes from one check to the next, and from one window to the next.
    pub check_interval_minutes: u32,
    /// Windows that a check looks at.
    pub evaluation_periods: u32,
    /// How many of them must breach.
    pub datapoints_to_alarm: u32,
    /// Minutes after a notice in which no other one is sent.
    pub cooldown_minutes: u32,
    /// What a window without rows means.
    pub no_data: NoData,
    /// What has a state of its own.
    pub group_by: GroupBy,
}

/// What of an alert fires and resolves by itself.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    /// All rows together.
    #[default]
    Nothing,
    /// The rows of each service.
    Service,
}

impl GroupBy {
    /// The word of the API, and as it is stored; none is no word.
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Service => Some("service_name"),
        }
    }

    /// What a word groups by.
    pub fn parse(word: Option<&str>) -> Option<Self> {
        [Self::Nothing, Self::Service].into_iter().find(|group| group.as_str() == word)
    }
}

impl Default for AlertSettings {
    fn default() -> Self {
        Self {
            name: DEFAULT_NAME.to_owned(),
            enabled: true,
            filters: "{}".to_owned(),
            threshold_count: 100,
            threshold_operator: ThresholdOperator::Above,
            window_minutes: 5,
            check_interval_minutes: CHECK_INTERVAL_MINUTES,
            evaluation_periods: 1,
            datapoints_to_alarm: 1,
            cooldown_minutes: 0,
            no_data: NoData::Zero,
            group_by: GroupBy::Nothing,
        }
    }
}

impl AlertSettings {
    /// What a decision depends on.
    pub fn sensitivity(&self) -> Sensitivity {
        Sensitivity { datapoints_to_alarm: self.datapoints_to_alarm, cooldown_minutes: self.cooldown_minutes }
    }

    /// What counts are held against.
    pub fn condition(&self) -> Condition {
        Condition {
            threshold_count: u64::from(self.threshold_count),
            threshold_operator: self.threshold_operator,
            no_data: self.no_data,
        }
    }

    /// The filters as JSON; null when they cannot be read.
    pub fn filters_json(&self) -> Value {
        serde_json::from_str(&self.filters).unwrap_or_default()
    }

    /// Whether another threshold, other rows, or other windows of them make an alert fire.
    pub fn has_other_threshold(&self, other: &Self) -> bool {
        self.condition() != other.condition()
            || self.group_by != other.group_by
            || self.filters != other.filters
            || self.datapoints_to_alarm != other.datapoints_to_alarm
            || self.evaluation_periods != other.evaluation_periods
    }

    /// The settings by name, as the audit trail compares them.
    pub fn fields(&self) -> Map<String, Value> {
        let fields = json!({
            "name": self.name,
            "enabled": self.enabled,
            "filters": self.filters_json(),
            "threshold_count": self.threshold_count,
            "threshold_operator": self.threshold_operator.as_str(),
            "window_minutes": self.window_minutes,
            "evaluation_periods": self.evaluation_periods,
            "datapoints_to_alarm": self.datapoints_to_alarm,
            "cooldown_minutes": self.cooldown_minutes,
            "no_data": self.no_data.as_str(),
            "group_by": self.group_by.as_str(),
        });
        fields.as_object().cloned().unwrap_or_default()
    }
}
