//! Tables of the schema `system` that the server brings: its settings and its numbers.
//!
//! They are about the installation and not about a project, so that only those have them who manage an organization.

use engine::sql::{ReadOnlyStatement, SqlColumn, SqlType, SqlValue, SystemTable};

use super::ask::Asker;
use crate::meta::Level;
use crate::state::AppState;
use crate::telemetry::gather;

const SETTINGS: &str = "settings";
const METRICS: &str = "metrics";

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

/// Those that a statement may read. Their rows are only made when it does.
pub(super) async fn tables(
    state: &AppState,
    asker: &Asker,
    statement: &ReadOnlyStatement,
) -> Vec<SystemTable> {
    if asker.member.level < Level::ADMIN && !asker.caller.user().is_staff {
        return Vec::new();
    }
    let settings = if statement.reads(SETTINGS) { settings(state) } else { Vec::new() };
    let metrics = if statement.reads(METRICS) { metrics(&gather(state).await) } else { Vec::new() };
    let table = |name, description, columns, rows| SystemTable { name, description, columns, rows };
    vec![
        table(SETTINGS, "what the server runs with", SETTING_COLUMNS, settings),
        table(METRICS, "numbers about the running server", METRIC_COLUMNS, metrics),
    ]
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
