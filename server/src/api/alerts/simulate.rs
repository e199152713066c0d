//! `POST logs/alerts/simulate`: what an alert would have done over history. Writes nothing.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Months, TimeDelta, Utc};
use engine::query::TimeRange;
use engine::query::model::LogFilter;
use serde::Serialize;
use serde_json::Value;

use super::{body, described, filters};
use crate::alerts::MINUTE_US;
use crate::alerts::machine::{AlertState, Notice, Sensitivity, ThresholdOperator};
use crate::alerts::simulation::{MAX_CHECKS, SimulatedCheck, Simulation};
use crate::api::input::Input;
use crate::api::iso_time;
use crate::api::openapi::schema::{
    boolean, integer, integer_within, list, moment, object, one_of, text, text_up_to, with_required,
};
use crate::api::openapi::{Routes, op, post};
use crate::api::project_call::ProjectCall;
use crate::auth::Scope;
use crate::error::ApiError;
use crate::state::AppState;

const DEFAULT_INTERVAL_MINUTES: u32 = 5;
const MAX_PERIODS: i64 = 10;
const MAX_DATE_CHARS: usize = 64;
const MAX_NUMBER: i64 = i32::MAX as i64;
/// How far back history goes, microseconds. The minute is for the time that passes while a request is written.
const MAX_HISTORY_US: i64 = 30 * 24 * 60 * MINUTE_US + MINUTE_US;

#[derive(Debug, Serialize)]
struct Answer {
    buckets: Vec<Bucket>,
    fire_count: usize,
    resolve_count: usize,
    total_buckets: usize,
    threshold_count: u64,
    threshold_operator: &'static str,
}

#[derive(Debug, Serialize)]
struct Bucket {
    timestamp: String,
    count: u64,
    threshold_breached: bool,
    state: &'static str,
    notification: &'static str,
    reason: String,
}

/// The endpoint, below the prefix of a project.
pub(super) fn routes() -> Routes {
    let operator = || one_of(&["above", "below"]);
    let body = with_required(
        &[
            ("filters", described::filters()),
            ("threshold_count", integer_within(1, MAX_NUMBER)),
            ("threshold_operator", operator()),
            ("window_minutes", integer_within(5, 60)),
            ("check_interval_minutes", integer_within(1, 60)),
            ("evaluation_periods", integer_within(1, MAX_PERIODS)),
            ("datapoints_to_alarm", integer_within(1, MAX_PERIODS)),
            ("cooldown_minutes", integer_within(0, MAX_NUMBER)),
            ("date_from", text_up_to(MAX_DATE_CHARS)),
        ],
        &["filters", "threshold_count", "threshold_operator", "window_minutes", "date_from"],
    );
    let bucket = object(&[
        ("timestamp", moment()),
        ("count", integer()),
        ("threshold_breached", boolean()),
        ("state", one_of(&["not_firing", "firing"])),
        ("notification", one_of(&["none", "fire", "resolve"])),
        ("reason", text()),
    ]);
    let answer = object(&[
        ("buckets", list(bucket)),
        ("fire_count", integer()),
        ("resolve_count", integer()),
        ("total_buckets", integer()),
        ("threshold_count", integer()),
        ("threshold_operator", operator()),
    ]);
    let described = op("What an alert would have done over history", &[Scope::LOGS_READ])
        .body(body)
        .answers(200, answer)
        .refuses(&[503, 504]);
    Routes::new().at("/logs/alerts/simulate", post(simulate, described))
}

async fn simulate(State(state): State<AppState>, call: ProjectCall) -> Result<Json<Answer>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let (filter, simulation) = parse(&call.into_json()?, state.clock().now_us())?;
    let (start_us, end_us) = simulation.counted_range();
    let range = TimeRange { start_us, end_us };
    let minutes = simulation.cell_minutes();
    let counted = state.engine().count_every(project, &filter, range, minutes).await?;
    let cells: Vec<(i64, u64)> = counted.iter().map(|cell| (cell.start_us, cell.count)).collect();
    Ok(Json(written(&simulation, &simulation.run(&cells))))
}

fn parse(body: &Value, now_us: i64) -> Result<(LogFilter, Simulation), ApiError> {
    let input = Input::of(body)?;
    let filter = filters::parse(input.value("filters"))?;
    let threshold_count =
        input.required("threshold_count", input.integer("threshold_count", 1..=MAX_NUMBER)?)?;
    let words =
        [ThresholdOperator::Above, ThresholdOperator::Below].map(|operator| (operator.as_str(), operator));
    let operator = input.required("threshold_operator", input.choice("threshold_operator", &words)?)?;
    let window_minutes = input.required("window_minutes", body::parse_window(&input)?)?;
    let check_interval_minutes = number(&input, "check_interval_minutes", 1, 60, DEFAULT_INTERVAL_MINUTES)?;
    if check_interval_minutes > window_minutes {
        let reason = format!("{check_interval_minutes} is more than window_minutes, {window_minutes}");
        return Err(input.refuse("max_value", "check_interval_minutes", reason));
    }
    let evaluation_periods = number(&input, "evaluation_periods", 1, MAX_PERIODS, 1)?;
    let datapoints_to_alarm = number(&input, "datapoints_to_alarm", 1, MAX_PERIODS, 1)?;
    if datapoints_to_alarm > evaluation_periods {
        let reason = format!("{datapoints_to_alarm} is more than evaluation_periods, {evaluation_periods}");
        return Err(input.refuse("invalid_input", "datapoints_to_alarm", reason));
    }
    let cooldown_minutes = number(&input, "cooldown_minutes", 0, MAX_NUMBER, 0)?;
    let simulation = Simulation {
        threshold_count: threshold_count.unsigned_abs(),
        threshold_operator: operator,
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
    Ok((filter, simulation))
}

fn number(input: &Input<'_>, member: &str, min: i64, max: i64, default: u32) -> Result<u32, ApiError> {
    let number = input.integer(member, min..=max)?;
    Ok(number.and_then(|number| u32::try_from(number).ok()).unwrap_or(default))
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

fn written(simulation: &Simulation, checks: &[SimulatedCheck]) -> Answer {
    let num_sent =
        |notice: Notice| checks.iter().filter(|check| check.decision.notice == Some(notice)).count();
    Answer {
        fire_count: num_sent(Notice::Fire),
        resolve_count: num_sent(Notice::Resolve),
        total_buckets: checks.len(),
        threshold_count: simulation.threshold_count,
        threshold_operator: simulation.threshold_operator.as_str(),
        buckets: checks.iter().map(|check| bucket(simulation, check)).collect(),
    }
}

fn bucket(simulation: &Simulation, check: &SimulatedCheck) -> Bucket {
    Bucket {
        timestamp: iso_time::format(check.at_us).replace('Z', "+00:00"),
        count: check.count,
        threshold_breached: check.is_breached,
        state: match check.decision.standing.state {
            AlertState::Firing => "firing",
            _ => "not_firing",
        },
        notification: match check.decision.notice {
            Some(Notice::Fire) => "fire",
            Some(Notice::Resolve) => "resolve",
            _ => "none",
        },
        reason: check.reason(simulation),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
        let (filter, simulation) = parse(&body(&[]), NOW_US).unwrap();
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
    fn the_number_of_checks_is_bounded() {
        let every = |minutes: i64, from: &str| {
            parse(&body(&[("check_interval_minutes", json!(minutes)), ("date_from", json!(from))]), NOW_US)
        };
        assert_eq!(every(5, "-30d").unwrap().1.num_checks(), 8_640);
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
