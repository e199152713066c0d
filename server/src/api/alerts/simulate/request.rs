//! What a body says about a simulation.

use chrono::{DateTime, Months, TimeDelta, Utc};
use engine::query::model::LogFilter;
use serde_json::Value;

use crate::alerts::MINUTE_US;
use crate::alerts::condition::Condition;
use crate::alerts::machine::{Sensitivity, ThresholdOperator};
use crate::alerts::settings::{GroupBy, MAX_NUMBER, MAX_PERIODS};
use crate::alerts::simulation::{MAX_CHECKS, Simulation};
use crate::api::alerts::body::{number, parse_group_by, parse_no_data, parse_window};
use crate::api::alerts::filters;
use crate::api::input::Input;
use crate::api::iso_time;
use crate::error::ApiError;

const DEFAULT_INTERVAL_MINUTES: u32 = 5;
pub(super) const MAX_INTERVAL_MINUTES: u32 = 60;
pub(super) const MAX_DATE_CHARS: usize = 64;
/// How far back history goes, microseconds. The minute is for the time that passes while a request is written.
const MAX_HISTORY_US: i64 = 30 * 24 * 60 * MINUTE_US + MINUTE_US;

/// What is to be simulated.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    /// Which rows are counted.
    pub(super) filter: LogFilter,
    /// What has a state of its own.
    pub(super) group_by: GroupBy,
    /// What is made of them.
    pub(super) simulation: Simulation,
}

/// Reads a body.
///
/// # Errors
/// 400 that names the first member that is wrong.
pub(super) fn parse(body: &Value, now_us: i64) -> Result<Request, ApiError> {
    let input = Input::of(body)?;
    let filter = filters::parse(input.value("filters"))?;
    let threshold_count =
        input.required("threshold_count", number(&input, "threshold_count", 1..=MAX_NUMBER)?)?;
    let words =
        [ThresholdOperator::Above, ThresholdOperator::Below].map(|operator| (operator.as_str(), operator));
    let operator = input.required("threshold_operator", input.choice("threshold_operator", &words)?)?;
    let window_minutes = input.required("window_minutes", parse_window(&input)?)?;
    let check_interval_minutes = number(&input, "check_interval_minutes", 1..=MAX_INTERVAL_MINUTES)?;
    let check_interval_minutes = check_interval_minutes.unwrap_or(DEFAULT_INTERVAL_MINUTES);
    if check_interval_minutes > window_minutes {
        let reason = format!("{check_interval_minutes} is more than window_minutes, {window_minutes}");
        return Err(input.refuse("max_value", "check_interval_minutes", reason));
    }
    let evaluation_periods = number(&input, "evaluation_periods", 1..=MAX_PERIODS)?.unwrap_or(1);
    let datapoints_to_alarm = number(&input, "datapoints_to_alarm", 1..=MAX_PERIODS)?.unwrap_or(1);
    if datapoints_to_alarm > evaluation_periods {
        let reason = format!("{datapoints_to_alarm} is more than evaluation_periods, {evaluation_periods}");
        return Err(input.refuse("invalid_input", "datapoints_to_alarm", reason));
    }
    let cooldown_minutes = number(&input, "cooldown_minutes", 0..=MAX_NUMBER)?.unwrap_or(0);
    let no_data = parse_no_data(&input)?.unwrap_or_default();
    let group_by = parse_group_by(&input)?.unwrap_or_default();
    let simulation = Simulation {
        condition: Condition {
            threshold_count: u64::from(threshold_count),
            threshold_operator: operator,
            no_data,
        },
        window_minutes,
        check_interval_minutes,
        evaluation_periods,
        sensitivity: Sensitivity { datapoints_to_alarm, cooldown_minutes },
        from_us: parse_date_from(&input, now_us)?,
        to_us: now_us,
    };
    let num_checks = simulation.num_checks();
    if num_checks > MAX_CHECKS {
        let detail = format!(
            "{num_checks} checks are more than {MAX_CHECKS}; simulate a shorter time or fewer checks"
        );
        return Err(ApiError::validation("invalid_input", None, detail));
    }
    Ok(Request { filter, group_by, simulation })
}

fn parse_date_from(input: &Input<'_>, now_us: i64) -> Result<i64, ApiError> {
    const MEMBER: &str = "date_from";
    let text = input.required(MEMBER, input.text(MEMBER, MAX_DATE_CHARS)?)?;
    let Some(from_us) = relative(&text, now_us).or_else(|| iso_time::parse(&text)) else {
        let reason = format!("{text:?} is neither a time before now like -7d nor a date");
        return Err(input.refuse("invalid_input", MEMBER, reason));
    };
    if from_us > now_us {
        return Err(input.refuse("invalid_input", MEMBER, "it is in the future"));
    }
    if from_us < now_us - MAX_HISTORY_US {
        return Err(input.refuse("invalid_input", MEMBER, "it is more than 30 days ago"));
    }
    Ok(from_us)
}

/// `-30m` is thirty months before now; minutes are `M`.
fn relative(text: &str, now_us: i64) -> Option<i64> {
    let text = text.strip_prefix('-')?;
    let unit = text.chars().last()?;
    let count: u32 = text.strip_suffix(unit)?.parse().ok()?;
    let now = DateTime::<Utc>::from_timestamp_micros(now_us)?;
    let count_of = |seconds: i64| TimeDelta::try_seconds(seconds.checked_mul(count.into())?);
    const DAY: i64 = 24 * 60 * 60;
    let from = match unit {
        's' => now.checked_sub_signed(count_of(1)?),
        'M' => now.checked_sub_signed(count_of(60)?),
        'h' => now.checked_sub_signed(count_of(60 * 60)?),
        'd' => now.checked_sub_signed(count_of(DAY)?),
        'w' => now.checked_sub_signed(count_of(7 * DAY)?),
        'q' => now.checked_sub_signed(count_of(13 * 7 * DAY)?),
        'm' => now.checked_sub_months(Months::new(count)),
        'y' => now.checked_sub_months(Months::new(count.checked_mul(12)?)),
        _ => None,
    };
    from.map(|from| from.timestamp_micros())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::alerts::condition::NoData;

    /// 2025-12-16T10:33:00Z.
    const NOW_US: i64 = 1_765_881_180_000_000;

    fn body(change: &[(&str, Value)]) -> Value {
        let mut body = json!({
            "filters": {"severityLevels": ["error"]},
            "threshold_count": 10,
            "threshold_operator": "above",
            "window_minutes": 10,
            "date_from": "-1h",
        });
        for (member, value) in change {
            body[*member] = value.clone();
        }
        body
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let Request { filter, group_by, simulation } = parse(&body(&[]), NOW_US).unwrap();
        assert_eq!((group_by, simulation.condition.no_data), (GroupBy::Nothing, NoData::Zero));
        assert_eq!(filter.severity_levels, ["error"]);
        assert_eq!((simulation.check_interval_minutes, simulation.evaluation_periods), (5, 1));
        assert_eq!(simulation.sensitivity, Sensitivity { datapoints_to_alarm: 1, cooldown_minutes: 0 });
        assert_eq!((simulation.from_us, simulation.to_us), (NOW_US - 60 * MINUTE_US, NOW_US));
    }

    #[test]
    fn the_member_that_is_wrong_is_named() {
        for (member, value) in [
            ("filters", json!([])),
            ("threshold_count", json!(0)),
            ("threshold_count", json!(2_147_483_648_i64)),
            ("threshold_count", json!(1.5)),
            ("threshold_count", json!(null)),
            ("threshold_operator", json!("equal")),
            ("window_minutes", json!(1)),
            ("window_minutes", json!(7)),
            ("check_interval_minutes", json!(0)),
            ("check_interval_minutes", json!(61)),
            ("check_interval_minutes", json!(11)),
            ("evaluation_periods", json!(11)),
            ("datapoints_to_alarm", json!(2)),
            ("datapoints_to_alarm", json!(0)),
            ("cooldown_minutes", json!(-1)),
            ("no_data", json!("alarm")),
            ("group_by", json!("host")),
            ("date_from", json!("yesterday")),
            ("date_from", json!("-7x")),
            ("date_from", json!("-31d")),
            ("date_from", json!("-1q")),
            ("date_from", json!("2026-01-01")),
            ("date_from", json!("-99999999999d")),
        ] {
            let error = parse(&body(&[(member, value.clone())]), NOW_US).expect_err(member);
            assert_eq!((error.status().as_u16(), error.attr()), (400, Some(member)), "{member}: {value}");
        }
        for member in ["filters", "threshold_count", "threshold_operator", "window_minutes", "date_from"] {
            let mut body = body(&[]);
            body.as_object_mut().unwrap().remove(member);
            let error = parse(&body, NOW_US).expect_err(member);
            assert_eq!((error.code(), error.attr()), ("required", Some(member)));
        }
    }

    #[test]
    fn numbers_may_be_text() {
        let texts = [("threshold_count", json!("7")), ("evaluation_periods", json!("3"))];
        let simulation = parse(&body(&texts), NOW_US).unwrap().simulation;
        assert_eq!((simulation.condition.threshold_count, simulation.evaluation_periods), (7, 3));
    }

    #[test]
    fn the_number_of_checks_is_bounded() {
        let every = |minutes: i64, from: &str| {
            parse(&body(&[("check_interval_minutes", json!(minutes)), ("date_from", json!(from))]), NOW_US)
        };
        assert_eq!(every(5, "-30d").unwrap().simulation.num_checks(), 8_640);
        let error = every(1, "-30d").unwrap_err();
        assert_eq!((error.status().as_u16(), error.attr()), (400, None));
        assert!(every(1, "-10d").is_ok());
    }

    #[test]
    fn times_before_now_have_units() {
        for (text, minutes) in
            [("-30s", 0.5), ("-5M", 5.0), ("-2h", 120.0), ("-1d", 1440.0), ("-1w", 10_080.0), ("-0d", 0.0)]
        {
            assert_eq!(relative(text, NOW_US), Some(NOW_US - (minutes * MINUTE_US as f64) as i64), "{text}");
        }
        assert_eq!(relative("-1m", NOW_US).map(iso_time::format).unwrap(), "2025-11-16T10:33:00Z");
        for text in ["1d", "-d", "-1", "--1d", "-1.5d", ""] {
            assert_eq!(relative(text, NOW_US), None, "{text}");
        }
    }
}
