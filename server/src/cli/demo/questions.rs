//! Three questions about the demo's logs, asked the way a client asks them.

use std::io::Write;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::http::header::AUTHORIZATION;
use serde_json::Value;
use tower::ServiceExt;

use crate::cli::{CliError, welcome};
use crate::error::ApiError;
use crate::meta::bootstrap::FIRST_PROJECT;
use crate::secret::Secret;
use crate::state::AppState;

/// Most bytes of an answer to one of these questions: each asks for little.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

struct Question {
    text: &'static str,
    endpoint: &'static str,
    body: &'static str,
    /// The answer in a few lines.
    told: fn(&Value) -> Vec<String>,
}

const QUESTIONS: [Question; 3] = [
    Question {
        text: "How many errors were there in the last 24 hours?",
        endpoint: "count",
        body: r#"{"query":{"dateRange":{"date_from":"-24h"},"severityLevels":["error","fatal"]}}"#,
        told: |answer| vec![answer.to_string()],
    },
    Question {
        text: "When did the payment service fail most?",
        endpoint: "sparkline",
        body: r#"{"query":{"dateRange":{"date_from":"-24h"},"severityLevels":["error"],"serviceNames":["payment"]}}"#,
        told: highest_buckets,
    },
    Question {
        text: "What do its newest errors with a timeout say?",
        endpoint: "query",
        body: r#"{"query":{"dateRange":{"date_from":"-24h"},"severityLevels":["error"],"serviceNames":["payment"],"searchTerm":"timed out","limit":3,"excludeAttributes":true}}"#,
        told: first_lines,
    },
];

/// Asks each question through the whole API and writes it with its answer.
pub(super) async fn ask_all(
    state: &AppState,
    url: &str,
    key: &Secret,
    out: &mut impl Write,
) -> Result<(), CliError> {
    for question in &QUESTIONS {
        let path = format!("/api/projects/{FIRST_PROJECT}/logs/{}", question.endpoint);
        let answer = ask(state, &path, key, question.body).await?;
        let curl = welcome::curl(url, &path, key.reveal(), question.body);
        writeln!(out, "{}\n\n  {curl}\n", question.text).map_err(CliError::Print)?;
        for line in (question.told)(&answer) {
            writeln!(out, "  {line}").map_err(CliError::Print)?;
        }
        writeln!(out).map_err(CliError::Print)?;
    }
    out.flush().map_err(CliError::Print)
}

async fn ask(state: &AppState, path: &str, key: &Secret, body: &'static str) -> Result<Value, ApiError> {
    let request = Request::post(path)
        .header(AUTHORIZATION, format!("Bearer {}", key.reveal()))
        .body(Body::from(body))
        .map_err(ApiError::internal)?;
    let Ok(response) = crate::app(state.clone()).oneshot(request).await;
    let status = response.status();
    let answer = to_bytes(response.into_body(), MAX_ANSWER_BYTES).await.map_err(ApiError::internal)?;
    if status.is_success() {
        serde_json::from_slice(&answer).map_err(ApiError::internal)
    } else {
        Err(ApiError::internal(format!("status {status}: {}", String::from_utf8_lossy(&answer))))
    }
}

/// The three entries with the highest counts.
fn highest_buckets(answer: &Value) -> Vec<String> {
    let count = |entry: &&Value| entry["count"].as_u64().unwrap_or_default();
    let mut entries: Vec<&Value> = answer.as_array().into_iter().flatten().collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(count(entry)));
    let highest = entries.iter().take(3).filter(|entry| count(entry) > 0);
    highest.map(|entry| format!("{}  {:>6}", text(&entry["time"]), count(entry))).collect()
}

/// Time, severity and the first line of the body of each row.
fn first_lines(answer: &Value) -> Vec<String> {
    let rows = answer["results"].as_array().into_iter().flatten();
    let line = |row: &Value| text(&row["body"]).lines().next().unwrap_or_default().to_owned();
    rows.map(|row| format!("{}  {:5}  {}", text(&row["timestamp"]), text(&row["level"]), line(row))).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_questions_are_json_that_a_shell_passes_on() {
        for question in QUESTIONS {
            assert!(serde_json::from_str::<Value>(question.body).is_ok(), "{}", question.body);
            assert!(!question.body.contains('\''), "{}", question.body);
        }
    }

    #[test]
    fn the_highest_buckets_come_first() {
        let entry = |time: &str, count: u64| json!({ "time": time, "severity": "error", "count": count });
        let answer = json!([entry("a", 1), entry("b", 9), entry("c", 0), entry("d", 5), entry("e", 7)]);
        assert_eq!(highest_buckets(&answer), ["b       9", "e       7", "d       5"]);
        assert_eq!(highest_buckets(&json!([entry("c", 0)])), [""; 0]);
    }

    #[test]
    fn a_row_is_told_in_one_line() {
        let answer = json!({ "results": [{ "timestamp": "t", "level": "warn", "body": "one\ntwo" }] });
        assert_eq!(first_lines(&answer), ["t  warn   one"]);
    }
}
