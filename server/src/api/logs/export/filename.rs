//! What an exported file is called, after the services and the time that were asked for.

use serde_json::{Map, Value};

use crate::api::iso_time;

const MAX_SERVICE_CHARS: usize = 50;
/// A date, of a bound that is one.
const DATE_CHARS: usize = 10;

/// The name without its extension. The query may be anything: what is not understood counts as absent.
pub(super) fn base(query: &Map<String, Value>, now_us: i64) -> String {
    format!("logs-{}-{}", services(query), dates(query, now_us))
}

fn services(query: &Map<String, Value>) -> String {
    let names: Vec<&str> = match query.get("serviceNames") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    match names[..] {
        [] => "all-services".to_owned(),
        [name] => name.chars().take(MAX_SERVICE_CHARS).map(plain).collect(),
        _ => format!("{}-services", names.len()),
    }
}

fn dates(query: &Map<String, Value>, now_us: i64) -> String {
    let bound = |name: &str| {
        let text = query.get("dateRange")?.get(name)?.as_str()?;
        Some(text.chars().take(DATE_CHARS).map(plain).collect::<String>()).filter(|text| !text.is_empty())
    };
    match (bound("date_from"), bound("date_to")) {
        (Some(from), Some(to)) => format!("{from}-to-{to}"),
        (Some(from), None) => format!("from-{from}"),
        (None, _) => iso_time::format(now_us).chars().take(DATE_CHARS).collect(),
    }
}

/// A character that means nothing to a file system or a header.
fn plain(character: char) -> char {
    if character.is_ascii_alphanumeric() || "_-".contains(character) { character } else { '-' }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_tell_services_and_dates() {
        const NOW_US: i64 = 1_765_881_180_000_000;
        let range = json!({ "date_from": "2024-01-01T10:00:00Z", "date_to": "2024-01-07" });
        let long = "x".repeat(60);
        for (query, expected) in [
            (
                json!({ "serviceNames": ["my-service"], "dateRange": range }),
                "logs-my-service-2024-01-01-to-2024-01-07",
            ),
            (
                json!({ "serviceNames": ["a", "b", "c"], "dateRange": range }),
                "logs-3-services-2024-01-01-to-2024-01-07",
            ),
            (json!({ "dateRange": range }), "logs-all-services-2024-01-01-to-2024-01-07"),
            (
                json!({ "serviceNames": ["my-service"], "dateRange": { "date_from": "2024-01-01" } }),
                "logs-my-service-from-2024-01-01",
            ),
            (json!({ "serviceNames": ["a/b \"c\""] }), "logs-a-b--c--2025-12-16"),
            (json!({ "serviceNames": [long] }), &format!("logs-{}-2025-12-16", "x".repeat(50))),
            (json!({ "serviceNames": 5, "dateRange": [1] }), "logs-all-services-2025-12-16"),
            (json!({ "dateRange": { "date_to": "2024-01-07" } }), "logs-all-services-2025-12-16"),
            (json!({ "dateRange": { "date_from": "-1h", "date_to": null } }), "logs-all-services-from--1h"),
        ] {
            assert_eq!(base(query.as_object().unwrap(), NOW_US), expected, "{query}");
        }
    }
}
