//! `GET logs/metric_rules/metrics`: what metric rules have measured, as Prometheus reads it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use engine::rules::Measured;
use serde_json::Value;

use super::resource::definition_of;
use crate::api::api_call::ApiCall;
use crate::auth::Scope;
use crate::error::ApiError;
use crate::meta::rule::RuleKind;
use crate::state::AppState;

const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// One rule's numbers with their names.
struct Metric {
    /// As the rule calls it.
    name: String,
    has_sum: bool,
    labels: Vec<String>,
    measured: Measured,
}

pub(super) async fn metrics(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<impl IntoResponse, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let mut metrics = Vec::new();
    for rule in state.meta().rules(project, RuleKind::Metric).await? {
        let definition = definition_of(&rule)?;
        let rules = state.rules().of(project);
        let Some(measured) = rules.and_then(|rules| rules.measured(&rule.id)) else { continue };
        let groups = definition["group_by"].as_array().into_iter().flatten().filter_map(Value::as_str);
        metrics.push(Metric {
            name: definition["metric_name"].as_str().unwrap_or_default().to_owned(),
            has_sum: definition["value_attribute"].as_str().is_some_and(|key| !key.is_empty()),
            labels: labels(groups),
            measured,
        });
    }
    Ok(([(CONTENT_TYPE, TEXT_FORMAT)], exposition(&metrics)))
}

/// Families of the same name stand together, as the format asks.
fn exposition(metrics: &[Metric]) -> String {
    let mut families: BTreeMap<(String, &str), Vec<String>> = BTreeMap::new();
    for metric in metrics {
        let family = plain(&metric.name);
        for (group, series) in &metric.measured.series {
            let labels = written_labels(metric, group);
            let lines = families.entry((format!("{family}_count"), "counter")).or_default();
            lines.push(format!("{{{labels}}} {}", series.count));
            if metric.has_sum {
                let lines = families.entry((format!("{family}_sum"), "gauge")).or_default();
                lines.push(format!("{{{labels}}} {}", series.sum));
            }
        }
        let labels = written_labels(metric, &[]);
        let lines = families.entry((format!("{family}_overflow_count"), "counter")).or_default();
        lines.push(format!("{{{labels}}} {}", metric.measured.overflow.count));
        if metric.has_sum {
            let lines = families.entry((format!("{family}_overflow_sum"), "gauge")).or_default();
            lines.push(format!("{{{labels}}} {}", metric.measured.overflow.sum));
        }
    }
    let mut text = String::new();
    for ((name, kind), lines) in &families {
        let _ = writeln!(text, "# TYPE {name} {kind}");
        for line in lines {
            let _ = writeln!(text, "{name}{line}");
        }
    }
    text
}

/// The rule is among the labels: two names may be the same once they are plain.
fn written_labels(metric: &Metric, group: &[String]) -> String {
    let mut written = format!("metric_name=\"{}\"", escaped(&metric.name));
    for (label, value) in metric.labels.iter().zip(group) {
        let _ = write!(written, ",{label}=\"{}\"", escaped(value));
    }
    written
}

/// Names of labels, each once.
fn labels<'k>(keys: impl Iterator<Item = &'k str>) -> Vec<String> {
    let mut labels = vec!["metric_name".to_owned()];
    for key in keys {
        let mut label = plain(key);
        while labels.contains(&label) {
            label.push('_');
        }
        labels.push(label);
    }
    labels.split_off(1)
}

/// Letters, digits and underscores; anything else becomes an underscore.
fn plain(name: &str) -> String {
    let plain = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    plain.collect()
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use engine::rules::Measurement;

    use super::*;

    #[test]
    fn metrics_are_written_as_prometheus_reads_them() {
        let measured = |sum: f64| Measured {
            series: BTreeMap::from([(
                vec!["a\"\\\n".to_owned(), "b".to_owned()],
                Measurement { count: 2, sum },
            )]),
            overflow: Measurement { count: 1, sum },
        };
        let labels = labels(["attributes.k", "attributes_k"].into_iter());
        assert_eq!(labels, ["attributes_k", "attributes_k_"]);
        let metric = |name: &str, has_sum, sum| Metric {
            name: name.to_owned(),
            has_sum,
            labels: labels.clone(),
            measured: measured(sum),
        };
        let text = exposition(&[metric("req.ms", true, 1.5), metric("req-ms", false, 0.0)]);
        let series = |name: &str| {
            format!("{{metric_name=\"{name}\",attributes_k=\"a\\\"\\\\\\n\",attributes_k_=\"b\"}}")
        };
        let expected = format!(
            "# TYPE req_ms_count counter\nreq_ms_count{} 2\nreq_ms_count{} 2\n\
             # TYPE req_ms_overflow_count counter\nreq_ms_overflow_count{{metric_name=\"req.ms\"}} 1\n\
             req_ms_overflow_count{{metric_name=\"req-ms\"}} 1\n\
             # TYPE req_ms_overflow_sum gauge\nreq_ms_overflow_sum{{metric_name=\"req.ms\"}} 1.5\n\
             # TYPE req_ms_sum gauge\nreq_ms_sum{} 1.5\n",
            series("req.ms"),
            series("req-ms"),
            series("req.ms")
        );
        assert_eq!(text, expected);
    }
}
