//! What a body and its headers ask for.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use engine::sql::{SqlFormat, SqlQuery, SqlValue};
use serde_json::Value;

use crate::api::fields::{Fields, invalid, wrong_type};
use crate::error::ApiError;

/// The forms, by the words of `format` and by their media types.
const FORMS: [(&str, &[&str], SqlFormat); 5] = [
    ("json", &["application/json"], SqlFormat::Json),
    ("ndjson", &["application/x-ndjson", "application/ndjson", "application/jsonl"], SqlFormat::Ndjson),
    ("csv", &["text/csv"], SqlFormat::Csv),
    ("arrow", &["application/vnd.apache.arrow.stream"], SqlFormat::Arrow),
    ("parquet", &["application/vnd.apache.parquet"], SqlFormat::Parquet),
];

/// The media type of an answer.
pub(super) fn content_type(format: SqlFormat) -> &'static str {
    match format {
        SqlFormat::Json => "application/json",
        SqlFormat::Ndjson => "application/x-ndjson",
        SqlFormat::Csv => "text/csv; charset=utf-8",
        SqlFormat::Arrow => "application/vnd.apache.arrow.stream",
        SqlFormat::Parquet => "application/vnd.apache.parquet",
    }
}

/// Reads a statement with its parameters and limits.
///
/// # Errors
/// 400 that names the member.
pub(super) fn query(body: &Value) -> Result<SqlQuery, ApiError> {
    let fields = Fields::of(body, "")?;
    let text = fields.text("query")?.ok_or_else(|| invalid("query", "a statement is needed"))?;
    let max_rows = positive(&fields, "max_rows")?;
    let timeout_secs = positive(&fields, "timeout_secs")?;
    Ok(SqlQuery {
        text: text.to_owned(),
        parameters: parameters(&fields)?,
        max_rows,
        max_time: timeout_secs.map(Duration::from_secs),
        ..SqlQuery::default()
    })
}

fn positive(fields: &Fields<'_>, key: &str) -> Result<Option<u64>, ApiError> {
    match fields.integer(key)?.map(u64::try_from) {
        None => Ok(None),
        Some(Ok(number)) if number > 0 => Ok(Some(number)),
        Some(_) => Err(invalid(key, "expected a whole number from 1")),
    }
}

fn parameters(fields: &Fields<'_>) -> Result<Vec<SqlValue>, ApiError> {
    let Some(given) = fields.get("parameters") else { return Ok(Vec::new()) };
    let Some(list) = given.as_array() else { return Err(wrong_type("parameters", "a list", given)) };
    let value = |(index, value): (usize, &Value)| match value {
        Value::Null => Ok(SqlValue::Null),
        Value::Bool(value) => Ok(SqlValue::Boolean(*value)),
        Value::String(text) => Ok(SqlValue::Text(text.clone())),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Ok(SqlValue::Integer(integer)),
            (None, Some(number)) => Ok(SqlValue::Number(number)),
            (None, None) => Err(invalid(&format!("parameters[{index}]"), "a number is out of range")),
        },
        Value::Array(_) | Value::Object(_) => {
            Err(wrong_type(&format!("parameters[{index}]"), "a text, a number, a truth value or null", value))
        }
    };
    list.iter().enumerate().map(value).collect()
}

/// The form of the answer: what `format` says, else the first of the best that `Accept` names, else JSON.
///
/// # Errors
/// 400 for a word that is no form, and for an `Accept` that names none.
pub(super) fn format(body: &Value, headers: &HeaderMap) -> Result<SqlFormat, ApiError> {
    if let Some(word) = Fields::of(body, "")?.text("format")? {
        let known = FORMS.iter().find(|(known, _, _)| *known == word);
        let words = FORMS.map(|(word, _, _)| word).join(", ");
        return known
            .map(|(_, _, format)| *format)
            .ok_or_else(|| invalid("format", &format!("{word:?} is not one of {words}")));
    }
    let accepted: Vec<&str> =
        headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    if accepted.is_empty() {
        return Ok(SqlFormat::Json);
    }
    let mut best: Option<(f32, SqlFormat)> = None;
    for range in accepted.iter().flat_map(|value| value.split(',')) {
        let (quality, format) = (quality(range), media_range(range));
        if let Some(format) = format
            && quality > 0.0
            && best.is_none_or(|(of_best, _)| quality > of_best)
        {
            best = Some((quality, format));
        }
    }
    best.map(|(_, format)| format).ok_or_else(|| {
        let types: Vec<&str> = FORMS.iter().flat_map(|(_, types, _)| types.first().copied()).collect();
        invalid("Accept", &format!("none of the media types can be made, which are {}", types.join(", ")))
    })
}

fn media_range(range: &str) -> Option<SqlFormat> {
    let media_type = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media_type.as_str() {
        "*/*" | "application/*" => Some(SqlFormat::Json),
        "text/*" => Some(SqlFormat::Csv),
        other => FORMS.iter().find(|(_, types, _)| types.contains(&other)).map(|(_, _, format)| *format),
    }
}

fn quality(range: &str) -> f32 {
    let parameter = range.split(';').skip(1).find_map(|parameter| parameter.trim().strip_prefix("q="));
    parameter.map_or(1.0, |quality| quality.trim().parse().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn accepted(accept: &'static str) -> Result<SqlFormat, ApiError> {
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
        format(&json!({}), &headers)
    }

    #[test]
    fn the_form_is_what_format_says_or_the_best_that_is_accepted() {
        for (accept, expected) in [
            ("*/*", SqlFormat::Json),
            ("text/html, application/xhtml+xml, */*;q=0.8", SqlFormat::Json),
            ("text/csv", SqlFormat::Csv),
            ("application/json;q=0.5, application/vnd.apache.arrow.stream", SqlFormat::Arrow),
            ("application/X-NDJSON", SqlFormat::Ndjson),
            ("application/json;q=0, text/csv;q=0.1", SqlFormat::Csv),
        ] {
            assert_eq!(accepted(accept).unwrap(), expected, "{accept}");
        }
        assert_eq!(accepted("image/png").unwrap_err().attr(), Some("Accept"));
        assert_eq!(format(&json!({}), &HeaderMap::new()).unwrap(), SqlFormat::Json);
        assert_eq!(format(&json!({ "format": "parquet" }), &HeaderMap::new()).unwrap(), SqlFormat::Parquet);
        assert_eq!(
            format(&json!({ "format": "xml" }), &HeaderMap::new()).unwrap_err().attr(),
            Some("format")
        );
    }

    #[test]
    fn members_are_read_and_what_is_wrong_is_named() {
        let body = json!({ "query": "SELECT $1", "parameters": [1, 1.5, "a", null, true], "max_rows": 7 });
        let read = query(&body).unwrap();
        assert_eq!((read.max_rows, read.parameters.len()), (Some(7), 5));
        assert_eq!(read.parameters[1], SqlValue::Number(1.5));
        for (body, attr) in [
            (json!({}), "query"),
            (json!({ "query": 1 }), "query"),
            (json!({ "query": "", "parameters": {} }), "parameters"),
            (json!({ "query": "", "parameters": [[]] }), "parameters__0"),
            (json!({ "query": "", "max_rows": 0 }), "max_rows"),
            (json!({ "query": "", "timeout_secs": -1 }), "timeout_secs"),
        ] {
            assert_eq!(query(&body).unwrap_err().attr(), Some(attr), "{body}");
        }
    }
}
