//! What a body says about an alert, and whether it may.

use std::ops::RangeInclusive;

use engine::query::model::LogFilter;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::filters;
use crate::alerts::condition::NoData;
use crate::alerts::control::SnoozeEdit;
use crate::alerts::machine::ThresholdOperator;
use crate::alerts::settings::{AlertSettings, DEFAULT_NAME, GroupBy, MAX_NUMBER, MAX_PERIODS, WINDOWS};
use crate::api::input::Input;
use crate::api::iso_time;
use crate::error::ApiError;
use crate::meta::alert::AlertError;

pub(super) const MAX_NAME_CHARS: usize = 255;
/// Most bytes of filters, as JSON text.
const MAX_FILTERS_BYTES: usize = 256 * 1024;

/// What is absent in a body that changes an alert.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Absent {
    /// Stays as it is.
    Kept,
    /// Becomes its default, but for the name, the filters and the snooze.
    Reset,
}

/// The members that a body has, validated.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub(crate) struct AlertChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    /// As they were sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    filters: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold_operator: Option<ThresholdOperator>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_minutes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evaluation_periods: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    datapoints_to_alarm: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cooldown_minutes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_data: Option<NoData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_by: Option<GroupBy>,
    /// What becomes of the snooze, a time in microseconds.
    snooze: SnoozeEdit,
    /// What the filters mean.
    #[serde(skip)]
    pub(super) filter: Option<LogFilter>,
}

/// Reads a body; members that are not of an alert, or that nobody may set, are ignored.
///
/// # Errors
/// 400 that names the first member that is wrong.
pub(super) fn parse(body: &Value, now_us: i64) -> Result<AlertChange, ApiError> {
    let input = Input::of(body)?;
    let name = input.text_or_blank("name", MAX_NAME_CHARS)?;
    let name = name.map(|name| if name.is_empty() { DEFAULT_NAME.to_owned() } else { name });
    let enabled = input.boolean("enabled")?;
    let filters = input.value("filters").cloned();
    let filter = filters.as_ref().map(filters::parse_shape).transpose()?;
    if filters.as_ref().is_some_and(|filters| filters.to_string().len() > MAX_FILTERS_BYTES) {
        return Err(filters::invalid(format!("larger than {MAX_FILTERS_BYTES} bytes")));
    }
    let words =
        [ThresholdOperator::Above, ThresholdOperator::Below].map(|operator| (operator.as_str(), operator));
    Ok(AlertChange {
        name,
        enabled,
        filters,
        threshold_count: number(&input, "threshold_count", 1..=MAX_NUMBER)?,
        threshold_operator: input.choice("threshold_operator", &words)?,
        window_minutes: parse_window(&input)?,
        evaluation_periods: number(&input, "evaluation_periods", 1..=MAX_PERIODS)?,
        datapoints_to_alarm: number(&input, "datapoints_to_alarm", 1..=MAX_PERIODS)?,
        cooldown_minutes: number(&input, "cooldown_minutes", 0..=MAX_NUMBER)?,
        no_data: parse_no_data(&input)?,
        group_by: parse_group_by(&input)?,
        snooze: parse_snooze(&input, "snooze_until", now_us)?,
        filter,
    })
}

/// A whole number, also as text.
pub(super) fn number(
    input: &Input<'_>,
    member: &str,
    bounds: RangeInclusive<u32>,
) -> Result<Option<u32>, ApiError> {
    let bounds = i64::from(*bounds.start())..=i64::from(*bounds.end());
    let text = input.value(member).and_then(Value::as_str).and_then(|text| text.trim().parse::<i64>().ok());
    let number = match text {
        Some(number) if bounds.contains(&number) => Some(number),
        Some(number) => {
            let code = if number < *bounds.start() { "min_value" } else { "max_value" };
            let reason = format!("{number} is not between {} and {}", bounds.start(), bounds.end());
            return Err(input.refuse(code, member, reason));
        }
        None => input.integer(member, bounds)?,
    };
    Ok(number.and_then(|number| u32::try_from(number).ok()))
}

/// A window of one of a few lengths.
pub(super) fn parse_window(input: &Input<'_>) -> Result<Option<u32>, ApiError> {
    const MEMBER: &str = "window_minutes";
    let text = input.value(MEMBER).and_then(Value::as_str).and_then(|text| text.trim().parse().ok());
    let minutes = match text {
        Some(minutes) => Some(minutes),
        None => input.integer(MEMBER, i64::MIN..=i64::MAX)?,
    };
    let Some(minutes) = minutes else { return Ok(None) };
    match WINDOWS.into_iter().find(|window| i64::from(*window) == minutes) {
        Some(window) => Ok(Some(window)),
        None => {
            let words = WINDOWS.map(|window| window.to_string()).join(", ");
            Err(input.refuse("invalid_choice", MEMBER, format!("{minutes} is not one of {words}")))
        }
    }
}

/// What a window without rows means.
pub(super) fn parse_no_data(input: &Input<'_>) -> Result<Option<NoData>, ApiError> {
    input.choice("no_data", &NoData::ALL.map(|choice| (choice.as_str(), choice)))
}

/// What has a state of its own; null is all rows together.
pub(super) fn parse_group_by(input: &Input<'_>) -> Result<Option<GroupBy>, ApiError> {
    const MEMBER: &str = "group_by";
    if input.value(MEMBER) == Some(&Value::Null) {
        return Ok(Some(GroupBy::Nothing));
    }
    let words = [GroupBy::Service].map(|group| (group.as_str().unwrap_or_default(), group));
    input.choice(MEMBER, &words)
}

/// Until when an alert is not to be checked.
pub(super) fn parse_snooze(input: &Input<'_>, member: &str, now_us: i64) -> Result<SnoozeEdit, ApiError> {
    let text = match input.value(member) {
        None => return Ok(SnoozeEdit::Kept),
        Some(Value::Null) => return Ok(SnoozeEdit::Cleared),
        Some(value) => value.as_str(),
    };
    let Some(until_us) = text.and_then(iso_time::parse) else {
        return Err(input.refuse("invalid_input", member, "expected a date and time, or null"));
    };
    if until_us <= now_us {
        return Err(input.refuse("invalid_input", member, "it must be in the future"));
    }
    Ok(SnoozeEdit::Until(until_us))
}

impl AlertChange {
    /// An alert is switched on or off.
    pub(super) fn switched(enabled: bool) -> Self {
        Self { enabled: Some(enabled), ..Self::default() }
    }

    /// An alert is snoozed, or woken.
    pub(super) fn snoozed(snooze: SnoozeEdit) -> Self {
        Self { snooze, ..Self::default() }
    }

    /// What it is to be called, if that is said.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What becomes of the snooze.
    pub(crate) fn snooze(&self) -> SnoozeEdit {
        self.snooze
    }

    /// A new alert, and until when it is not checked.
    ///
    /// # Errors
    /// As [`Self::over`].
    pub(crate) fn or_default(self) -> Result<(AlertSettings, Option<i64>), AlertError> {
        let snooze_until_us = match self.snooze {
            SnoozeEdit::Until(until_us) => Some(until_us),
            SnoozeEdit::Kept | SnoozeEdit::Cleared => None,
        };
        Ok((self.over(&AlertSettings::default(), Absent::Kept)?, snooze_until_us))
    }

    /// The settings of an alert after a change.
    ///
    /// # Errors
    /// [`AlertError::Invalid`] when it could not be checked.
    pub(crate) fn over(self, stored: &AlertSettings, absent: Absent) -> Result<AlertSettings, AlertError> {
        let base = match absent {
            Absent::Kept => stored.clone(),
            Absent::Reset => AlertSettings {
                name: stored.name.clone(),
                filters: stored.filters.clone(),
                check_interval_minutes: stored.check_interval_minutes,
                ..AlertSettings::default()
            },
        };
        let settings = AlertSettings {
            name: self.name.unwrap_or(base.name),
            enabled: self.enabled.unwrap_or(base.enabled),
            filters: self.filters.map_or(base.filters, |filters| filters.to_string()),
            threshold_count: self.threshold_count.unwrap_or(base.threshold_count),
            threshold_operator: self.threshold_operator.unwrap_or(base.threshold_operator),
            window_minutes: self.window_minutes.unwrap_or(base.window_minutes),
            check_interval_minutes: base.check_interval_minutes,
            evaluation_periods: self.evaluation_periods.unwrap_or(base.evaluation_periods),
            datapoints_to_alarm: self.datapoints_to_alarm.unwrap_or(base.datapoints_to_alarm),
            cooldown_minutes: self.cooldown_minutes.unwrap_or(base.cooldown_minutes),
            no_data: self.no_data.unwrap_or(base.no_data),
            group_by: self.group_by.unwrap_or(base.group_by),
        };
        check_whole(&settings)?;
        Ok(settings)
    }
}

/// What is to be checked must say which rows it counts, and must be able to fire.
fn check_whole(settings: &AlertSettings) -> Result<(), AlertError> {
    let AlertSettings { datapoints_to_alarm, evaluation_periods, .. } = settings;
    if datapoints_to_alarm > evaluation_periods {
        let detail = format!(
            "datapoints_to_alarm: {datapoints_to_alarm} is more than evaluation_periods, {evaluation_periods}"
        );
        return Err(AlertError::Invalid { attr: "datapoints_to_alarm", detail });
    }
    let filters = settings.filters_json();
    let is_draft = !settings.enabled && filters.as_object().is_some_and(serde_json::Map::is_empty);
    if !is_draft && !filters::is_filled(&filters) {
        let detail = format!("filters: {}", filters::nothing_in_them());
        return Err(AlertError::Invalid { attr: "filters", detail });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_765_881_180_000_000;

    fn settings(body: Value) -> Result<AlertSettings, String> {
        let given = parse(&body, NOW).map_err(|error| error.attr().unwrap_or("body").to_owned())?;
        given.over(&AlertSettings::default(), Absent::Kept).map_err(|error| match error {
            AlertError::Invalid { attr, .. } => attr.to_owned(),
            other => other.to_string(),
        })
    }

    fn errors() -> Value {
        json!({ "severityLevels": ["error"] })
    }

    #[test]
    fn a_body_says_what_it_says_and_the_rest_has_defaults() {
        let draft = settings(json!({ "enabled": false })).unwrap();
        assert_eq!(draft, AlertSettings { enabled: false, ..AlertSettings::default() });
        let named =
            settings(json!({ "name": "  ", "filters": errors(), "state": "firing", "x": 1 })).unwrap();
        assert_eq!((named.name.as_str(), named.filters), (DEFAULT_NAME, errors().to_string()));
        let texts = json!({ "filters": errors(), "threshold_count": "7", "window_minutes": "15" });
        let texts = settings(texts).unwrap();
        assert_eq!((texts.threshold_count, texts.window_minutes), (7, 15));
        let by_service = json!({ "filters": errors(), "group_by": "service_name", "no_data": "keep" });
        let by_service = settings(by_service).unwrap();
        assert_eq!((by_service.group_by, by_service.no_data), (GroupBy::Service, NoData::Keep));
        let together = settings(json!({ "filters": errors(), "group_by": null })).unwrap();
        assert_eq!((together.group_by, together.no_data), (GroupBy::Nothing, NoData::Zero));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (member, value) in [
            ("name", json!(null)),
            ("name", json!("x".repeat(256))),
            ("enabled", json!(null)),
            ("enabled", json!("yes")),
            ("filters", json!(null)),
            ("filters", json!([])),
            ("filters", json!({})),
            ("filters", json!({ "severityLevels": ["loud"] })),
            ("filters", json!({ "serviceNames": ["x".repeat(300_000)] })),
            ("threshold_count", json!(0)),
            ("threshold_count", json!(2_147_483_648_i64)),
            ("threshold_count", json!(1.5)),
            ("threshold_count", json!(true)),
            ("threshold_count", json!("1.5")),
            ("threshold_count", json!("0")),
            ("threshold_operator", json!("equal")),
            ("window_minutes", json!(1)),
            ("window_minutes", json!("7")),
            ("window_minutes", json!(null)),
            ("evaluation_periods", json!(11)),
            ("evaluation_periods", json!(0)),
            ("datapoints_to_alarm", json!(2)),
            ("cooldown_minutes", json!(-1)),
            ("no_data", json!("ok")),
            ("no_data", json!(null)),
            ("group_by", json!("host")),
            ("group_by", json!(["service_name"])),
            ("snooze_until", json!("2025-12-16T10:33:00Z")),
            ("snooze_until", json!("tomorrow")),
            ("snooze_until", json!(5)),
        ] {
            let mut body = json!({ "filters": errors() });
            body[member] = value.clone();
            assert_eq!(settings(body).unwrap_err(), member, "{value}");
        }
    }

    #[test]
    fn only_a_draft_may_have_empty_filters() {
        for (body, expected) in [
            (json!({ "enabled": false, "filters": {} }), Ok(())),
            (json!({ "enabled": false, "filters": { "severityLevels": [] } }), Err(())),
            (json!({ "enabled": true, "filters": {} }), Err(())),
            (json!({}), Err(())),
            (json!({ "filters": { "filterGroup": { "type": "AND", "values": [] } } }), Ok(())),
        ] {
            assert_eq!(settings(body.clone()).map(drop).map_err(drop), expected, "{body}");
        }
    }

    #[test]
    fn a_whole_change_resets_what_has_a_default() {
        let stored = AlertSettings {
            name: "a".into(),
            enabled: false,
            filters: errors().to_string(),
            threshold_count: 5,
            window_minutes: 60,
            evaluation_periods: 3,
            datapoints_to_alarm: 2,
            cooldown_minutes: 9,
            no_data: NoData::Fire,
            group_by: GroupBy::Service,
            ..AlertSettings::default()
        };
        let given = parse(&json!({ "threshold_count": 7 }), NOW).unwrap();
        let replaced = given.clone().over(&stored, Absent::Reset).unwrap();
        let expected = AlertSettings {
            name: "a".into(),
            filters: errors().to_string(),
            threshold_count: 7,
            ..AlertSettings::default()
        };
        assert_eq!(replaced, expected);
        let changed = given.over(&stored, Absent::Kept).unwrap();
        assert_eq!(changed, AlertSettings { threshold_count: 7, ..stored });
    }

    #[test]
    fn a_snooze_is_kept_cleared_or_set() {
        let snooze = |body: Value| parse(&body, NOW).unwrap().snooze;
        assert_eq!(snooze(json!({})), SnoozeEdit::Kept);
        assert_eq!(snooze(json!({ "snooze_until": null })), SnoozeEdit::Cleared);
        let later = json!({ "snooze_until": "2025-12-16T10:33:00.000001Z" });
        assert_eq!(snooze(later), SnoozeEdit::Until(NOW + 1));
    }
}
