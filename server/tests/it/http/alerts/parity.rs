//! A simulation and real checks over the same rows say the same.

use axum::http::Method;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{ALERTS, MINUTE_US, Watched, path};
use crate::http::harness::NOW_US;

/// The real checks begin on the grid, 10:35.
const FIRST_MINUTE: i64 = 2;
const NUM_CHECKS: i64 = 24;

#[derive(Clone, Debug)]
struct Case {
    settings: Vec<Value>,
    /// Seconds after the start, with the severity and the service.
    rows: Vec<(i64, &'static str, &'static str)>,
}

fn settings() -> impl Strategy<Value = Value> {
    let window = prop::sample::select(vec![5, 10, 15, 30, 60]);
    let cooldown = prop::sample::select(vec![0, 0, 10, 15, 30]);
    let no_data = prop::sample::select(vec!["zero", "zero", "fire", "keep"]);
    let group_by = prop::sample::select(vec![json!(null), json!("service_name")]);
    let names = prop::sample::select(vec![json!([]), json!([]), json!(["api", "never"])]);
    let of_rows = (no_data, group_by, names);
    (window, 1_u32..4, 1_u32..4, 1_u32..12, cooldown, any::<bool>(), of_rows).prop_map(
        |(window, periods, datapoints, threshold, cooldown, is_below, (no_data, group_by, names))| {
            // A simulation knows no windows before it, and there silence would be a breach.
            let periods = if is_below || no_data == "fire" { 1 } else { periods };
            json!({
                "filters": { "severityLevels": ["error"], "serviceNames": names },
                "no_data": no_data,
                "group_by": group_by,
                "threshold_count": threshold,
                "threshold_operator": if is_below { "below" } else { "above" },
                "window_minutes": window,
                "evaluation_periods": periods,
                "datapoints_to_alarm": datapoints.min(periods),
                "cooldown_minutes": cooldown,
            })
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    let second = FIRST_MINUTE * 60..(FIRST_MINUTE + 5 * NUM_CHECKS) * 60;
    let severity = prop::sample::select(vec!["error", "error", "info"]);
    let row = (second, severity, prop::sample::select(vec!["api", "web"]));
    // Bursts, so that something happens.
    let burst = (row, 1_usize..12).prop_map(|((at, severity, service), len)| {
        (0..len as i64).map(|index| (at + index * 13, severity, service)).collect::<Vec<_>>()
    });
    (prop::collection::vec(settings(), 12), prop::collection::vec(burst, 1..14))
        .prop_map(|(settings, rows)| Case { settings, rows: rows.into_iter().flatten().collect() })
}

/// What each alert did: at each check its state, and whether it told of it.
async fn run(case: &Case) -> Vec<(Vec<(Value, bool)>, Vec<(Value, bool)>)> {
    let watched = Watched::start().await;
    let of = |severity: &str, service: &str| -> Vec<i64> {
        let rows = case.rows.iter().filter(|(_, own, of)| (*own, *of) == (severity, service));
        rows.map(|(second, ..)| *second).collect()
    };
    watched.store_at("api", "error", &of("error", "api")).await;
    // Known when the checks begin, and forgotten while they go on.
    watched.store_at("lost", "info", &[-23 * 3_600 - 200]).await;
    watched.server.state.engine().flush().await.unwrap();
    watched.store_at("api", "info", &of("info", "api")).await;
    watched.store_at("web", "error", &of("error", "web")).await;
    watched.store_at("web", "info", &of("info", "web")).await;
    watched.clock.set(NOW_US + FIRST_MINUTE * MINUTE_US);
    let mut alerts = Vec::new();
    for settings in &case.settings {
        alerts.push((watched.create(settings.clone()).await, Vec::new(), Value::Null));
    }
    for check in 0..NUM_CHECKS {
        watched.check_at(FIRST_MINUTE + 5 * check).await;
        let all = watched.call(Method::GET, ALERTS, json!(null)).await.json();
        for (alert, seen, notified) in &mut alerts {
            let now = all["results"].as_array().unwrap().iter().find(|now| now["id"] == alert["id"]).unwrap();
            seen.push((now["state"].clone(), now["last_notified_at"] != *notified));
            *notified = now["last_notified_at"].clone();
        }
    }
    let mut both = Vec::new();
    for ((alert, seen, _), settings) in alerts.into_iter().zip(&case.settings) {
        let mut simulated = settings.clone();
        simulated["date_from"] = json!("2025-12-16T10:35:00Z");
        let simulated = watched.call(Method::POST, &format!("{ALERTS}simulate/"), simulated).await.json();
        let buckets = simulated["buckets"].as_array().unwrap();
        let expected =
            buckets.iter().map(|bucket| (bucket["state"].clone(), bucket["notification"] != "none"));
        let first = json!("not_firing");
        let states: Vec<&Value> =
            std::iter::once(&first).chain(seen.iter().map(|(state, _)| state)).collect();
        let num_moves = states.windows(2).filter(|pair| pair[0] != pair[1]).count();
        let events = watched.call(Method::GET, &path(&alert, "events/"), json!(null)).await.json();
        let of_alert = events["results"].as_array().unwrap().iter();
        let of_alert = of_alert.filter(|event| event["service_name"].is_null()).count();
        assert_eq!(of_alert, num_moves, "a row of history for each move and no other");
        both.push((seen, expected.collect()));
    }
    both
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, ..ProptestConfig::default() })]

    #[test]
    fn a_simulation_and_real_checks_make_the_same_of_any_history(case in case()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        for (index, (real, simulated)) in runtime.block_on(run(&case)).into_iter().enumerate() {
            prop_assert_eq!(real, simulated, "{}", &case.settings[index]);
        }
    }
}
