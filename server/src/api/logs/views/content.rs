//! What a body says about a saved view, and whether it may.

use serde_json::{Map, Value, json};

use crate::api::input::Input;
use crate::error::ApiError;
use crate::meta::log_view::{LogView, LogViewContent};

const MAX_NAME_CHARS: usize = 400;
/// Most bytes of filters, as JSON text: what one question may say fits in.
const MAX_FILTERS_BYTES: usize = 256 * 1024;
const MAX_COLUMNS: usize = 200;
/// Longest text of a column, characters.
const MAX_COLUMN_TEXT_CHARS: usize = 4 * 1024;
const COLUMN_TYPES: [(&str, &str); 7] = [
    ("timestamp", "timestamp"),
    ("level", "level"),
    ("source", "source"),
    ("trace_id", "trace_id"),
    ("span_id", "span_id"),
    ("message", "message"),
    ("custom", "custom"),
];
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
    let input = Input::of(body)?;
    let name = input.text("name", MAX_NAME_CHARS)?;
    if required == Required::Name {
        input.required("name", name.as_ref())?;
    }
    Ok(Given {
        name,
        filters: input.object("filters", MAX_FILTERS_BYTES)?.map(|filters| json!(filters).to_string()),
        columns: parse_columns(&input)?,
        pinned: input.boolean("pinned")?,
    })
}

fn parse_columns(input: &Input<'_>) -> Result<Option<Option<String>>, ApiError> {
    if input.value("columns").is_some_and(Value::is_null) {
        return Ok(Some(None));
    }
    let Some(entries) = input.list("columns", MAX_COLUMNS)? else { return Ok(None) };
    let column = |(index, entry)| parse_column(&Input::nested(entry, format!("columns__{index}"))?);
    let columns: Vec<Value> = entries.iter().enumerate().map(column).collect::<Result<_, _>>()?;
    Ok(Some(Some(Value::Array(columns).to_string())))
}

/// One column; only what is known of it is kept, and what is absent stays absent.
fn parse_column(entry: &Input<'_>) -> Result<Value, ApiError> {
    let id = entry.required("id", entry.text("id", MAX_COLUMN_TEXT_CHARS)?)?;
    let kind = entry.required("type", entry.choice("type", &COLUMN_TYPES)?)?;
    let mut column = Map::from_iter([("id".to_owned(), id.into()), ("type".to_owned(), kind.into())]);
    if let Some(name) = entry.text_or_blank("name", MAX_COLUMN_TEXT_CHARS)? {
        column.insert("name".to_owned(), name.into());
    }
    let expression = match kind {
        "custom" => {
            let expression = entry.text("expression", MAX_COLUMN_TEXT_CHARS)?;
            Some(entry.required("expression", expression)?)
        }
        _ => entry.text_or_blank("expression", MAX_COLUMN_TEXT_CHARS)?,
    };
    if let Some(expression) = expression {
        column.insert("expression".to_owned(), expression.into());
    }
    if let Some(width) = entry.integer("width", WIDTHS)? {
        column.insert("width".to_owned(), width.into());
    }
    Ok(Value::Object(column))
}

#[cfg(test)]
mod tests {
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
