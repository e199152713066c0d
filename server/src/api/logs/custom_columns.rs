//! `customColumns`: extra members of a row, computed from what the row holds.
//!
//! `attributes.<key>`, `resource_attributes.<key>`, `body.<path>` into a JSON body, and the names of columns are short
//! forms. Anything else is a scalar expression of SQL, which the engine evaluates.

use engine::query::LogRow;
use engine::sql::{RowExpression, RowValue};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::row;
use crate::api::fields::Fields;
use crate::api::iso_time;
use crate::error::ApiError;

/// Most custom columns of one request.
const MAX_CUSTOM_COLUMNS: usize = 50;

/// A custom column of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CustomColumn {
    /// Its name in the answer: `col_` and 12 hex digits that follow from its text.
    pub(super) alias: String,
    source: Source,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Attribute(String),
    ResourceAttribute(String),
    BodyPath(Vec<String>),
    Column(Column),
    Expression(RowExpression),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Uuid,
    Timestamp,
    ObservedTimestamp,
    TraceId,
    SpanId,
    Body,
    Attributes,
    SeverityText,
    SeverityNumber,
    ResourceAttributes,
    ResourceFingerprint,
    InstrumentationScope,
    EventName,
    ServiceName,
}

const COLUMNS: [(&str, Column); 15] = [
    ("uuid", Column::Uuid),
    ("timestamp", Column::Timestamp),
    ("observed_timestamp", Column::ObservedTimestamp),
    ("trace_id", Column::TraceId),
    ("span_id", Column::SpanId),
    ("body", Column::Body),
    ("attributes", Column::Attributes),
    ("severity_text", Column::SeverityText),
    ("level", Column::SeverityText),
    ("severity_number", Column::SeverityNumber),
    ("resource_attributes", Column::ResourceAttributes),
    ("resource_fingerprint", Column::ResourceFingerprint),
    ("instrumentation_scope", Column::InstrumentationScope),
    ("event_name", Column::EventName),
    ("service_name", Column::ServiceName),
];

/// Reads the custom columns of a `query` object.
///
/// # Errors
/// 400: wrong types in the envelope; too many, or one that is no expression, in the simple form.
pub(super) fn parse(query: &Fields<'_>) -> Result<Vec<CustomColumn>, ApiError> {
    let texts = query.texts("customColumns")?;
    if texts.len() > MAX_CUSTOM_COLUMNS {
        let num = texts.len();
        return Err(ApiError::bad_request(format!(
            "{num} custom columns are more than {MAX_CUSTOM_COLUMNS}"
        )));
    }
    texts.iter().map(|text| CustomColumn::parse(text.trim())).collect()
}

impl CustomColumn {
    /// Reads one, which is trimmed.
    fn parse(text: &str) -> Result<Self, ApiError> {
        let refused = |reason: &str| ApiError::bad_request(format!("custom column {text:?}: {reason}"));
        if let Some(column) = Self::short(text) {
            return Ok(column);
        }
        if text.starts_with("body.") {
            return Err(refused("a part of the path is empty"));
        }
        let expression = RowExpression::parse(text).map_err(|error| refused(error.message()))?;
        Ok(Self { alias: alias(text), source: Source::Expression(expression) })
    }

    /// One of the short forms.
    pub(super) fn short(text: &str) -> Option<Self> {
        parse_source(text).map(|source| Self { alias: alias(text), source })
    }

    /// Whether the column is computed from an attribute map.
    pub(super) fn reads_attributes(&self) -> bool {
        match &self.source {
            Source::Attribute(_) | Source::ResourceAttribute(_) => true,
            Source::BodyPath(_) => false,
            Source::Expression(expression) => expression.reads_attributes(),
            Source::Column(column) => {
                matches!(column, Column::Attributes | Column::ResourceAttributes | Column::ServiceName)
            }
        }
    }

    /// The column's value for a row; text that is missing is empty.
    pub(super) fn value(&self, row: &LogRow) -> Value {
        match &self.source {
            Source::Attribute(key) => lookup(&row.attributes, key).into(),
            Source::ResourceAttribute(key) => lookup(&row.resource_attributes, key).into(),
            Source::BodyPath(path) => body_path(&row.body, path).into(),
            Source::Column(column) => column.value(row),
            Source::Expression(expression) => json_value(expression.value(row)),
        }
    }
}

fn json_value(value: RowValue) -> Value {
    match value {
        RowValue::Null => Value::Null,
        RowValue::Boolean(value) => value.into(),
        RowValue::Integer(value) => value.into(),
        RowValue::Number(value) => value.into(),
        RowValue::Text(text) => text.into(),
        RowValue::Timestamp(time_us) => iso_time::format(time_us).into(),
    }
}

impl Column {
    fn value(self, row: &LogRow) -> Value {
        match self {
            Self::Uuid => row.uuid.to_string().into(),
            Self::Timestamp => iso_time::format(row.timestamp_us).into(),
            Self::ObservedTimestamp => iso_time::format(row.observed_timestamp_us).into(),
            Self::TraceId => row::hex(&row.trace_id).into(),
            Self::SpanId => row::hex(&row.span_id).into(),
            Self::Body => row.body.as_str().into(),
            Self::Attributes => json!(row::TextMap(&row.attributes)),
            Self::SeverityText => row.severity_text.as_str().into(),
            Self::SeverityNumber => row.severity_number.into(),
            Self::ResourceAttributes => json!(row::TextMap(&row.resource_attributes)),
            Self::ResourceFingerprint => row.resource_fingerprint.to_string().into(),
            Self::InstrumentationScope => row.instrumentation_scope.as_str().into(),
            Self::EventName => row.event_name.as_str().into(),
            Self::ServiceName => lookup(&row.resource_attributes, "service.name").into(),
        }
    }
}

fn parse_source(text: &str) -> Option<Source> {
    if let Some((_, column)) = COLUMNS.iter().find(|(name, _)| *name == text) {
        return Some(Source::Column(*column));
    }
    let (map, rest) = text.split_once('.')?;
    match map {
        "attributes" if !rest.is_empty() => Some(Source::Attribute(rest.to_owned())),
        "resource_attributes" if !rest.is_empty() => Some(Source::ResourceAttribute(rest.to_owned())),
        "body" => {
            let path: Vec<String> = rest.split('.').map(str::to_owned).collect();
            path.iter().all(|segment| !segment.is_empty()).then_some(Source::BodyPath(path))
        }
        _ => None,
    }
}

fn alias(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let hex: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("col_{hex}")
}

fn lookup<'a>(map: &'a [(String, String)], key: &str) -> &'a str {
    map.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value)
}

/// A path into a JSON body as text; empty when the body is not JSON or has no such path.
fn body_path(body: &str, path: &[String]) -> String {
    let Ok(body) = serde_json::from_str::<Value>(body) else { return String::new() };
    match path.iter().try_fold(&body, |value, segment| value.get(segment)) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::tests::sample_row;
    use super::*;

    fn value(text: &str) -> Value {
        CustomColumn::parse(text).unwrap().value(&sample_row())
    }

    #[test]
    fn shorthands_and_columns_are_computed() {
        for (text, expected) in [
            ("attributes.http.status", json!("500")),
            ("attributes.missing", json!("")),
            ("resource_attributes.service.name", json!("api")),
            ("body.error.code", json!("7")),
            ("body.error.text", json!("boom")),
            ("body.error", json!("{\"code\":7,\"text\":\"boom\"}")),
            ("body.nowhere.to.be", json!("")),
            ("service_name", json!("api")),
            ("level", json!("error")),
            ("severity_number", json!(17)),
            ("trace_id", json!("0123456789ABCDEF0123456789ABCDEF")),
            ("timestamp", json!("2025-12-16T10:32:36.184820Z")),
            ("attributes", json!({ "http.status": "500" })),
            ("upper(level) || '!'", json!("ERROR!")),
            ("attributes['http.status'] >= '500'", json!(true)),
            ("attributes['http.status']::int + 1", json!(501)),
            ("severity_number / 2.0", json!(8.5)),
            ("attributes['missing']", json!(null)),
            ("date_trunc('minute', timestamp)", json!("2025-12-16T10:32:00Z")),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused_in_the_simple_form() {
        for text in [
            "",
            "attributes.",
            "body.",
            "body.a..b",
            "count()",
            "repeat(body, 9)",
            "unknown",
            "a.b",
            "team_id",
        ] {
            let error = CustomColumn::parse(text).expect_err(text);
            assert_eq!(error.status(), 400, "{text}");
        }
    }

    #[test]
    fn the_alias_follows_from_the_trimmed_text() {
        let query = json!({ "customColumns": ["attributes.a", "  attributes.a ", "body"] });
        let columns = parse(&Fields::of(&query, "").unwrap()).unwrap();
        assert_eq!(columns[0].alias, columns[1].alias);
        assert_ne!(columns[0].alias, columns[2].alias);
        assert_eq!(alias("abc"), "col_ba7816bf8f01", "the first 12 digits of a known SHA-256");
    }

    #[test]
    fn the_number_of_columns_is_bounded() {
        let query = json!({ "customColumns": vec!["body"; 51] });
        let error = parse(&Fields::of(&query, "").unwrap()).unwrap_err();
        assert!(error.to_string().contains("51 custom columns are more than 50"), "{error}");
    }
}
