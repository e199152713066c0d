//! What a body says about a saved view, and whether it may.

use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::meta::log_view::{LogView, LogViewContent};

const MAX_NAME_CHARS: usize = 400;
/// Most bytes of filters, as JSON text: what one question may say fits in.
const MAX_FILTERS_BYTES: usize = 256 * 1024;
const MAX_COLUMNS: usize = 200;
/// Most bytes of a text of a column.
const MAX_COLUMN_TEXT_BYTES: usize = 4 * 1024;
const COLUMN_TYPES: [&str; 7] = ["timestamp", "level", "source", "trace_id", "span_id", "message", "custom"];
const WIDTHS: std::ops::RangeInclusive<i64> = 1..=2000;

/// What a body must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Required {
    Name,
    Nothing,
}

/// The members that a body has.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Given {
    name: Option<String>,
    filters: Option<String>,
    /// The outer none is for absent, the inner for null.
    columns: Option<Option<String>>,
    pinned: Option<bool>,
}

impl Given {
    /// A new view.
    pub(super) fn or_default(self) -> LogViewContent {
        LogViewContent {
            name: self.name.unwrap_or_default(),
            filters: self.filters.unwrap_or_else(|| "{}".to_owned()),
            columns: self.columns.flatten(),
            pinned: self.pinned.unwrap_or(false),
        }
    }

    /// A changed view.
    pub(super) fn over(self, view: &LogView) -> LogViewContent {
        LogViewContent {
            name: self.name.unwrap_or_else(|| view.name.clone()),
            filters: self.filters.unwrap_or_else(|| view.filters.clone()),
            columns: self.columns.unwrap_or_else(|| view.columns.clone()),
            pinned: self.pinned.unwrap_or(view.pinned),
        }
    }
}

/// Reads a body; members that are not of a view, or cannot be written, are ignored.
///
/// # Errors
/// 400 that names the first member that is wrong.
pub(super) fn parse(body: &Value, required: Required) -> Result<Given, ApiError> {
    let Some(body) = body.as_object() else {
        return Err(ApiError::validation("invalid_input", None, "the request body: expected an object"));
    };
    let name = match body.get("name") {
        None if required == Required::Name => {
            return Err(refused("required", "name", "this field is required"));
        }
        None => None,
        Some(name) => Some(parse_name(name)?),
    };
    Ok(Given {
        name,
        filters: body.get("filters").map(parse_filters).transpose()?,
        columns: body.get("columns").map(parse_columns).transpose()?,
        pinned: body.get("pinned").map(parse_pinned).transpose()?,
    })
}

fn parse_name(name: &Value) -> Result<String, ApiError> {
    let name = text(name, "name")?.trim();
    if name.is_empty() {
        return Err(refused("blank", "name", "this field may not be blank"));
    }
    if name.chars().count() > MAX_NAME_CHARS {
        return Err(refused("max_length", "name", format!("longer than {MAX_NAME_CHARS} characters")));
    }
    Ok(name.to_owned())
}

fn parse_filters(filters: &Value) -> Result<String, ApiError> {
    match filters {
        Value::Null => Err(refused("null", "filters", "this field may not be null")),
        Value::Object(_) => {
            let text = filters.to_string();
            if text.len() > MAX_FILTERS_BYTES {
                return Err(refused(
                    "max_length",
                    "filters",
                    format!("larger than {MAX_FILTERS_BYTES} bytes"),
                ));
            }
            Ok(text)
        }
        _ => Err(refused("not_a_dict", "filters", "expected an object")),
    }
}

fn parse_pinned(pinned: &Value) -> Result<bool, ApiError> {
    match pinned {
        Value::Bool(pinned) => Ok(*pinned),
        Value::Null => Err(refused("null", "pinned", "this field may not be null")),
        _ => Err(refused("invalid_input", "pinned", "expected true or false")),
    }
}

fn parse_columns(columns: &Value) -> Result<Option<String>, ApiError> {
    let entries = match columns {
        Value::Null => return Ok(None),
        Value::Array(entries) => entries,
        _ => return Err(refused("not_a_list", "columns", "expected a list")),
    };
    if entries.len() > MAX_COLUMNS {
        return Err(refused("max_length", "columns", format!("more than {MAX_COLUMNS} columns")));
    }
    let parsed =
        entries.iter().enumerate().map(|(index, entry)| parse_column(entry, &format!("columns__{index}")));
    let parsed: Vec<Value> = parsed.collect::<Result<_, _>>()?;
    Ok(Some(Value::Array(parsed).to_string()))
}

/// One column; only what is known of it is kept, and what is absent stays absent.
fn parse_column(entry: &Value, path: &str) -> Result<Value, ApiError> {
    let Some(entry) = entry.as_object() else {
        return Err(refused("not_a_dict", path, "expected an object"));
    };
    let mut column = Map::new();
    let required = |key: &str| {
        let path = format!("{path}__{key}");
        let value = entry.get(key).ok_or_else(|| refused("required", &path, "this field is required"))?;
        filled_text(value, &path)
    };
    column.insert("id".to_owned(), required("id")?.into());
    let kind = required("type")?;
    if !COLUMN_TYPES.contains(&kind) {
        let detail = format!("{kind:?} is not one of {}", COLUMN_TYPES.join(", "));
        return Err(refused("invalid_choice", &format!("{path}__type"), detail));
    }
    column.insert("type".to_owned(), kind.into());
    if let Some(name) = entry.get("name") {
        column.insert("name".to_owned(), bounded_text(name, &format!("{path}__name"))?.into());
    }
    match entry.get("expression") {
        _ if kind == "custom" => {
            column.insert("expression".to_owned(), required("expression")?.into());
        }
        Some(expression) => {
            let expression = bounded_text(expression, &format!("{path}__expression"))?;
            column.insert("expression".to_owned(), expression.into());
        }
        None => {}
    }
    if let Some(width) = entry.get("width") {
        column.insert("width".to_owned(), parse_width(width, &format!("{path}__width"))?.into());
    }
    Ok(Value::Object(column))
}

fn parse_width(width: &Value, path: &str) -> Result<i64, ApiError> {
    let Some(width) = width.as_i64() else {
        return Err(refused("invalid_input", path, "expected a whole number"));
    };
    if WIDTHS.contains(&width) {
        return Ok(width);
    }
    let code = if width < *WIDTHS.start() { "min_value" } else { "max_value" };
    Err(refused(code, path, format!("{width} is not between {} and {}", WIDTHS.start(), WIDTHS.end())))
}

fn filled_text<'a>(value: &'a Value, path: &str) -> Result<&'a str, ApiError> {
    let text = bounded_text(value, path)?;
    if text.trim().is_empty() {
        return Err(refused("blank", path, "this field may not be blank"));
    }
    Ok(text)
}

fn bounded_text<'a>(value: &'a Value, path: &str) -> Result<&'a str, ApiError> {
    let text = text(value, path)?;
    if text.len() > MAX_COLUMN_TEXT_BYTES {
        return Err(refused("max_length", path, format!("longer than {MAX_COLUMN_TEXT_BYTES} bytes")));
    }
    Ok(text)
}

fn text<'a>(value: &'a Value, path: &str) -> Result<&'a str, ApiError> {
    match value {
        Value::String(text) => Ok(text),
        Value::Null => Err(refused("null", path, "this field may not be null")),
        _ => Err(refused("invalid_input", path, "expected a string")),
    }
}

fn refused(code: &'static str, attr: &str, reason: impl std::fmt::Display) -> ApiError {
    ApiError::validation(code, Some(attr.to_owned()), format!("{attr}: {reason}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_read_and_others_ignored() {
        let body = json!({ "name": " a ", "filters": { "b": [1, { "c": null }] }, "pinned": true, "short_id": "x",
                           "columns": [{ "id": "1", "type": "custom", "expression": "body", "width": 1, "x": 2 },
                                       { "id": "2", "type": "level", "name": "" }] });
        let content = parse(&body, Required::Name).unwrap().or_default();
        assert_eq!((content.name.as_str(), content.pinned), ("a", true));
        assert_eq!(content.filters, json!({ "b": [1, { "c": null }] }).to_string());
        let columns: Value = serde_json::from_str(content.columns.as_deref().unwrap()).unwrap();
        assert_eq!(
            columns,
            json!([{ "id": "1", "type": "custom", "expression": "body", "width": 1 },
                   { "id": "2", "type": "level", "name": "" }])
        );
        assert_eq!(parse(&json!({}), Required::Nothing).unwrap(), Given::default());
        assert_eq!(parse(&json!({ "columns": null }), Required::Nothing).unwrap().columns, Some(None));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let column = |column: Value| json!({ "name": "a", "columns": [column] });
        let long = "x".repeat(401);
        for (body, code, attr) in [
            (json!({}), "required", "name"),
            (json!({ "name": null }), "null", "name"),
            (json!({ "name": "  " }), "blank", "name"),
            (json!({ "name": 5 }), "invalid_input", "name"),
            (json!({ "name": long }), "max_length", "name"),
            (json!({ "name": "a", "filters": [] }), "not_a_dict", "filters"),
            (json!({ "name": "a", "filters": null }), "null", "filters"),
            (json!({ "name": "a", "filters": { "x": "y".repeat(300_000) } }), "max_length", "filters"),
            (json!({ "name": "a", "pinned": "yes" }), "invalid_input", "pinned"),
            (json!({ "name": "a", "columns": {} }), "not_a_list", "columns"),
            (json!({ "name": "a", "columns": vec![json!({}); 201] }), "max_length", "columns"),
            (column(json!(1)), "not_a_dict", "columns__0"),
            (column(json!({ "type": "level" })), "required", "columns__0__id"),
            (column(json!({ "id": "a" })), "required", "columns__0__type"),
            (column(json!({ "id": "a", "type": "x" })), "invalid_choice", "columns__0__type"),
            (column(json!({ "id": "a", "type": "custom" })), "required", "columns__0__expression"),
            (
                column(json!({ "id": "a", "type": "custom", "expression": " " })),
                "blank",
                "columns__0__expression",
            ),
            (column(json!({ "id": "a", "type": "level", "width": 0 })), "min_value", "columns__0__width"),
            (column(json!({ "id": "a", "type": "level", "width": 2001 })), "max_value", "columns__0__width"),
            (
                column(json!({ "id": "a", "type": "level", "width": "5" })),
                "invalid_input",
                "columns__0__width",
            ),
            (column(json!({ "id": "a", "type": "level", "name": null })), "null", "columns__0__name"),
        ] {
            let error = parse(&body, Required::Name).expect_err(&body.to_string());
            assert_eq!(
                (error.status().as_u16(), error.code(), error.attr()),
                (400, code, Some(attr)),
                "{body}"
            );
        }
    }
}
