//! Tables of the schema `system` that the server brings: the history of alerts, its settings and its numbers.
//!
//! The last two are about the installation and not about a project, so that only those have them who manage an
//! organization.

use engine::sql::{ReadOnlyStatement, SqlColumn, SqlType, SqlValue, SystemTable};

use super::Asker;
use crate::error::ApiError;
use crate::meta::Level;
use crate::meta::alert::AlertEvent;
use crate::state::AppState;
use crate::telemetry::gather;

const SETTINGS: &str = "settings";
const METRICS: &str = "metrics";
const EVENTS: &str = "alert_events";

const fn text(name: &'static str, description: &'static str) -> SqlColumn {
    SqlColumn { name, kind: SqlType::Text, description }
}

const SETTING_COLUMNS: &[SqlColumn] = &[
    text("name", "section.key"),
    text("value", "as text; secrets are hidden"),
    text("source", "the file, environment, command line, default, or the setting that decides it"),
];

const METRIC_COLUMNS: &[SqlColumn] = &[
    text("name", "as Prometheus knows it"),
    text("labels", "what tells it from others of its name, as label=\"value\" with commas between them"),
    SqlColumn { name: "value", kind: SqlType::Number, description: "its value now" },
];

const EVENT_COLUMNS: &[SqlColumn] = &[
    SqlColumn { name: "timestamp", kind: SqlType::Timestamp, description: "when it happened" },
    text("alert_id", "UUID of the alert"),
    text("alert_name", "what the alert is called now"),
    text("kind", "`check`, or what somebody did with the alert"),
    text("state_before", "its state before"),
    text("state_after", "its state after"),
    SqlColumn {
        name: "threshold_breached",
        kind: SqlType::Boolean,
        description: "whether the newest window breached",
    },
    SqlColumn {
        name: "result_count",
        kind: SqlType::Integer,
        description: "rows of that window, null when nothing was counted",
    },
    text("error_message", "why nothing was counted"),
];

/// Rows of an alert's history that a statement can read, the latest.
const MAX_EVENTS: i64 = 10_000;

/// Those that a statement may read. Their rows are only made when it does.
///
/// # Errors
/// When the metadata database fails.
pub(super) async fn tables(
    state: &AppState,
    asker: &Asker,
    statement: &ReadOnlyStatement,
) -> Result<Vec<SystemTable>, ApiError> {
    let table = |name, description, columns, rows| SystemTable { name, description, columns, rows };
    let events = if statement.reads(EVENTS) { events(state, asker).await? } else { Vec::new() };
    let mut tables = vec![table(EVENTS, "the history of the project's alerts", EVENT_COLUMNS, events)];
    if asker.member.level < Level::ADMIN && !asker.caller.user().is_staff {
        return Ok(tables);
    }
    let settings = if statement.reads(SETTINGS) { settings(state) } else { Vec::new() };
    let metrics = if statement.reads(METRICS) { metrics(&gather(state).await) } else { Vec::new() };
    tables.push(table(SETTINGS, "what the server runs with", SETTING_COLUMNS, settings));
    tables.push(table(METRICS, "numbers about the running server", METRIC_COLUMNS, metrics));
    Ok(tables)
}

async fn events(state: &AppState, asker: &Asker) -> Result<Vec<Vec<SqlValue>>, ApiError> {
    let optional = |text: Option<String>| text.map_or(SqlValue::Null, SqlValue::Text);
    let row = |(alert_id, alert_name, event): (String, String, AlertEvent)| {
        vec![
            SqlValue::Timestamp(event.created_us),
            SqlValue::Text(alert_id),
            SqlValue::Text(alert_name),
            SqlValue::Text(event.said.kind.as_str().to_owned()),
            SqlValue::Text(event.said.state_before.as_str().to_owned()),
            SqlValue::Text(event.said.state_after.as_str().to_owned()),
            SqlValue::Boolean(event.said.threshold_breached),
            event.said.result_count.map_or(SqlValue::Null, SqlValue::Integer),
            optional(event.said.error_message),
        ]
    };
    let events = state.meta().alert_events_of_project(asker.project.id, MAX_EVENTS).await?;
    Ok(events.into_iter().map(row).collect())
}

fn settings(state: &AppState) -> Vec<Vec<SqlValue>> {
    let row = |setting: &crate::config::EffectiveSetting| {
        [&setting.name, &setting.value, &setting.source].map(|text| SqlValue::Text(text.clone())).to_vec()
    };
    state.config().listed.iter().map(row).collect()
}

/// The series of Prometheus' text.
fn metrics(exposition: &str) -> Vec<Vec<SqlValue>> {
    let series = exposition.lines().filter(|line| !line.starts_with('#'));
    let row = |line: &str| {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (name, labels.strip_suffix('}')?),
            None => (series, ""),
        };
        let value = SqlValue::Number(value.parse().ok()?);
        Some(vec![SqlValue::Text(name.to_owned()), SqlValue::Text(labels.to_owned()), value])
    };
    series.filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_is_a_row() {
        let text = "# HELP a b\n# TYPE a gauge\na 1\nb{x=\"1 2\",le=\"+Inf\"} 2.5\n";
        let text_of = |text: &str| SqlValue::Text(text.to_owned());
        assert_eq!(
            metrics(text),
            [
                vec![text_of("a"), text_of(""), SqlValue::Number(1.0)],
                vec![text_of("b"), text_of("x=\"1 2\",le=\"+Inf\""), SqlValue::Number(2.5)],
            ]
        );
    }
}
