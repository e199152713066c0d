//! Several alerts at a time, counted with few questions and the same numbers.

use axum::http::Method;
use serde_json::{Value, json};

use super::{Watched, path};

/// Filters on services and severities, and the same with a condition that every row meets.
fn twins(severities: &[&str], services: &[&str]) -> [Value; 2] {
    let of_cells = json!({ "severityLevels": severities, "serviceNames": services });
    let mut of_rows = of_cells.clone();
    of_rows["filterGroup"] = json!({ "type": "AND", "values": [{ "type": "AND", "values": [
        { "key": "message", "type": "log_entry", "operator": "icontains", "value": "x" }] }] });
    [of_cells, of_rows]
}

#[tokio::test]
async fn alerts_that_share_a_question_see_what_each_would_see_alone() {
    let watched = Watched::start().await;
    for (service, severity, step) in [
        ("api", "error", 7),
        ("api", "info", 11),
        ("web", "error", 13),
        ("", "fatal", 17),
        ("db", "warn", 29),
    ] {
        let seconds: Vec<i64> = (-120..300).map(|index| index * step).filter(|at| *at < 1_300).collect();
        let (in_file, in_memory) = seconds.split_at(seconds.len() / 2);
        watched.store_at(service, severity, in_file).await;
        watched.server.state.engine().flush().await.unwrap();
        watched.store_at(service, severity, in_memory).await;
    }
    let mut pairs = Vec::new();
    for (severities, services) in [
        (&["error"][..], &[][..]),
        (&[], &["api"]),
        (&["error", "info"], &["api", "web", "none"]),
        (&["fatal"], &[""]),
        (&["trace"], &[]),
    ] {
        for (window, periods, threshold) in [(5, 1, 1), (15, 3, 20), (60, 10, 150), (10, 2, 60)] {
            let mut pair = Vec::new();
            for filters in twins(severities, services) {
                pair.push(
                    watched
                        .create(json!({
                            "filters": filters, "window_minutes": window, "evaluation_periods": periods,
                            "datapoints_to_alarm": periods.min(2), "threshold_count": threshold,
                        }))
                        .await,
                );
            }
            pairs.push(pair);
        }
    }
    let mut num_fired = 0;
    for minute in 0..40 {
        watched.check_at(minute).await;
    }
    for pair in pairs {
        let mut seen = Vec::new();
        for alert in &pair {
            let events = watched.call(Method::GET, &path(alert, "events/"), json!(null)).await.json();
            let events = events["results"].as_array().unwrap().clone();
            num_fired += events.len();
            let of =
                |event: &Value| ["created_at", "state_after", "result_count"].map(|key| event[key].clone());
            seen.push(events.iter().map(of).collect::<Vec<_>>());
        }
        assert_eq!(seen[0], seen[1], "{}", pair[0]);
    }
    assert!(num_fired > 20, "{num_fired}");
}

#[tokio::test]
async fn many_alerts_cost_few_questions() {
    let watched = Watched::start().await;
    watched.store_at("api", "error", &[10, 20, 30]).await;
    for index in 0..60 {
        let filters = json!({ "serviceNames": [format!("service {}", index % 7)] });
        watched.create(json!({ "filters": filters, "threshold_count": 1 + index })).await;
    }
    let alike = json!({ "filterGroup": { "type": "AND", "values": [{ "type": "AND", "values": [
        { "key": "message", "type": "log_entry", "operator": "icontains", "value": "x" }] }] } });
    for threshold in 1..20 {
        watched.create(json!({ "filters": alike, "threshold_count": threshold })).await;
    }
    watched.check_at(1).await;
    let before = watched.metric("timberline_alert_questions_total").await;
    watched.check_at(2).await;
    let asked = watched.metric("timberline_alert_questions_total").await - before;
    assert!(asked <= 2.0, "{asked} questions for 79 alerts");
    assert_eq!(watched.metric("timberline_alert_checks_total{outcome=\"counted\"}").await, 2.0 * 79.0);
    assert_eq!(watched.metric("timberline_alerts_active").await, 79.0);
}
