//! An alert and its history as they are answered.

use std::collections::BTreeMap;

use engine::schema::ProjectId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::alerts::condition::NoData;
use crate::alerts::machine::{AlertState, Standing};
use crate::alerts::settings::AlertSettings;
use crate::alerts::timeline::{Interval, Known, timeline};
use crate::api::{basic_user, iso_time};
use crate::error::ApiError;
use crate::meta::alert::{Alert, AlertEvent, AlertHistory};
use crate::meta::destination::Owner;
use crate::state::AppState;

/// What notifications of an alert come from.
pub(super) fn owner(alert: &Alert) -> Option<Owner> {
    Uuid::parse_str(&alert.id).ok().map(Owner::LogAlert)
}

/// An alert of a project, as it is now.
///
/// # Errors
/// 404 when the project has none with this id.
pub(super) async fn alert(state: &AppState, project: ProjectId, id: &str) -> Result<Value, ApiError> {
    let found = state.meta().alert(project, id).await?;
    let found = found.ok_or_else(|| ApiError::not_found("alert not found"))?;
    let written = alerts(state, std::slice::from_ref(&found)).await?;
    written.into_iter().next().ok_or_else(|| ApiError::not_found("alert not found"))
}

/// Some alerts with what their histories and destinations say of them.
pub(super) async fn alerts(state: &AppState, alerts: &[Alert]) -> Result<Vec<Value>, ApiError> {
    let now_us = state.clock().now_us();
    let ids: Vec<String> = alerts.iter().map(|alert| alert.id.clone()).collect();
    let histories = state.meta().alert_histories(&ids, now_us).await?;
    let owners: Vec<Owner> = alerts.iter().filter_map(owner).collect();
    let types = state.meta().destination_types(&owners).await?;
    let services = state.meta().alert_services(&ids).await?;
    let nothing = AlertHistory::default();
    let written = |alert: &Alert| {
        let history = histories.get(&alert.id).unwrap_or(&nothing);
        let types = owner(alert).and_then(|owner| types.get(&owner)).cloned().unwrap_or_default();
        let mut written = written(alert, history, &types, now_us);
        write_options(&mut written, alert, services.get(&alert.id));
        written
    };
    Ok(alerts.iter().map(written).collect())
}

/// What an alert has beyond one of the reference API; nothing where it is like one.
fn write_options(written: &mut Value, alert: &Alert, services: Option<&BTreeMap<String, Standing>>) {
    let settings = &alert.settings;
    if settings.no_data != NoData::default() {
        written["no_data"] = settings.no_data.as_str().into();
    }
    if let Some(group_by) = settings.group_by.as_str() {
        let services = services.into_iter().flatten();
        let firing = services.filter(|(_, standing)| standing.state == AlertState::Firing);
        written["group_by"] = group_by.into();
        written["firing_services"] = firing.map(|(service, _)| service.as_str()).collect();
    }
}

fn written(alert: &Alert, history: &AlertHistory, types: &[String], now_us: i64) -> Value {
    let Alert { settings, standing, .. } = alert;
    let known = Known {
        steps: &history.steps,
        enabled_before: history.enabled_before,
        state: standing.state,
        enabled: settings.enabled,
    };
    let timeline: Vec<Value> = timeline(&known, now_us).iter().map(interval).collect();
    let mut json = of_settings(settings);
    let rest = json!({
        "id": alert.id,
        "state": standing.state.as_str(),
        "snooze_until": moment(standing.snooze_until_us),
        "next_check_at": moment(alert.next_check_us),
        "last_notified_at": moment(standing.last_notified_us),
        "last_checked_at": moment(alert.last_checked_us),
        "consecutive_failures": standing.consecutive_failures,
        "last_error_message": history.last_error,
        "state_timeline": timeline,
        "destination_types": types,
        "first_enabled_at": moment(alert.first_enabled_us),
        "created_at": iso_time::format(alert.created_us),
        "created_by": basic_user::written(alert.created_by.as_ref()),
        "updated_at": iso_time::format(alert.updated_us),
    });
    if let (Some(json), Value::Object(rest)) = (json.as_object_mut(), rest) {
        json.extend(rest);
    }
    json
}

fn of_settings(settings: &AlertSettings) -> Value {
    json!({
        "name": settings.name,
        "enabled": settings.enabled,
        "filters": settings.filters_json(),
        "threshold_count": settings.threshold_count,
        "threshold_operator": settings.threshold_operator.as_str(),
        "window_minutes": settings.window_minutes,
        "check_interval_minutes": settings.check_interval_minutes,
        "evaluation_periods": settings.evaluation_periods,
        "datapoints_to_alarm": settings.datapoints_to_alarm,
        "cooldown_minutes": settings.cooldown_minutes,
    })
}

fn interval(interval: &Interval) -> Value {
    json!({
        "start": iso_time::format(interval.start_us),
        "end": iso_time::format(interval.end_us),
        "state": interval.state.as_str(),
        "enabled": interval.enabled,
    })
}

fn moment(us: Option<i64>) -> Option<String> {
    us.map(iso_time::format)
}

/// A row of history.
pub(super) fn event(event: &AlertEvent) -> Value {
    let said = &event.said;
    let mut written = json!({
        "id": event.id,
        "created_at": iso_time::format(event.created_us),
        "kind": said.kind.as_str(),
        "state_before": said.state_before.as_str(),
        "state_after": said.state_after.as_str(),
        "threshold_breached": said.threshold_breached,
        "result_count": said.result_count,
        "error_message": said.error_message,
        "query_duration_ms": said.query_duration_ms,
    });
    if let Some(service) = &said.service_name {
        written["service_name"] = service.as_str().into();
    }
    written
}
