//! Which columns an export has: members of a row, attributes by key, paths into a JSON body.

use std::borrow::Cow;

use engine::query::LogRow;
use engine::query::model::AttributeMaps;
use serde_json::{Value, json};

use super::super::custom_columns::CustomColumn;
use crate::api::fields::{invalid, wrong_type};
use crate::error::ApiError;

/// Most columns that a request may name.
const MAX_COLUMNS: usize = 200;

const CHECKPOINT: &str = "live_logs_checkpoint";

/// The members of a row, in the order in which a row has them.
const ROW_MEMBERS: [&str; 15] = [
    "uuid",
    "trace_id",
    "span_id",
    "body",
    "attributes",
    "timestamp",
    "observed_timestamp",
    "severity_text",
    "severity_number",
    "level",
    "resource_attributes",
    "resource_fingerprint",
    "instrumentation_scope",
    "event_name",
    CHECKPOINT,
];

/// A column of an export.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ExportColumn {
    /// What it is called.
    pub(super) name: String,
    source: Source,
}

#[derive(Clone, Debug, PartialEq)]
enum Source {
    Checkpoint,
    Attributes,
    ResourceAttributes,
    Computed(CustomColumn),
}

/// The columns of an export, in order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ExportColumns(pub(super) Vec<ExportColumn>);

impl ExportColumns {
    /// Reads the `columns` member of a body: names of row members, of the query's custom columns, or what a custom
    /// column may be. Without it the columns are the members of a row, as `query` would answer them.
    ///
    /// # Errors
    /// 400 that names the first one that is wrong.
    pub(super) fn parse(columns: Option<&Value>, custom: &[CustomColumn]) -> Result<Self, ApiError> {
        let Some(names) = names(columns)? else {
            let members = ROW_MEMBERS.iter().filter_map(|name| column(name, custom));
            let mut columns: Vec<ExportColumn> = members.collect();
            for column in custom {
                if columns.iter().all(|known| known.name != column.alias) {
                    let source = Source::Computed(column.clone());
                    columns.push(ExportColumn { name: column.alias.clone(), source });
                }
            }
            return Ok(Self(columns));
        };
        let parsed = names.iter().enumerate().map(|(index, name)| {
            column(name.trim(), custom).ok_or_else(|| {
                invalid(&format!("columns[{index}]"), &format!("{name:?} is not a column of an export"))
            })
        });
        Ok(Self(parsed.collect::<Result<_, _>>()?))
    }

    /// Whether rows must carry their attribute maps.
    pub(super) fn attributes(&self) -> AttributeMaps {
        let needs_maps = self.0.iter().any(|column| match &column.source {
            Source::Checkpoint => false,
            Source::Attributes | Source::ResourceAttributes => true,
            Source::Computed(column) => column.reads_attributes(),
        });
        if needs_maps { AttributeMaps::Included } else { AttributeMaps::Excluded }
    }
}

/// The names that a body gives; none when it does not.
///
/// # Errors
/// 400 when it is not a list of texts, is empty or too long.
pub(super) fn names(columns: Option<&Value>) -> Result<Option<Vec<String>>, ApiError> {
    let names = match columns {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(names)) => names,
        Some(other) => return Err(wrong_type("columns", "a list of strings", other)),
    };
    if names.is_empty() || names.len() > MAX_COLUMNS {
        let reason = format!("{} columns are not between 1 and {MAX_COLUMNS}", names.len());
        return Err(invalid("columns", &reason));
    }
    let text = |(index, name): (usize, &Value)| match name.as_str() {
        Some(name) => Ok(name.to_owned()),
        None => Err(wrong_type(&format!("columns[{index}]"), "a string", name)),
    };
    names.iter().enumerate().map(text).collect::<Result<_, _>>().map(Some)
}

fn column(name: &str, custom: &[CustomColumn]) -> Option<ExportColumn> {
    let source = match name {
        CHECKPOINT => Source::Checkpoint,
        "attributes" => Source::Attributes,
        "resource_attributes" => Source::ResourceAttributes,
        name => match custom.iter().find(|column| column.alias == name) {
            Some(column) => Source::Computed(column.clone()),
            None => Source::Computed(CustomColumn::short(name)?),
        },
    };
    Some(ExportColumn { name: name.to_owned(), source })
}

impl ExportColumn {
    /// Whether the column is a map.
    pub(super) fn is_map(&self) -> bool {
        matches!(self.source, Source::Attributes | Source::ResourceAttributes)
    }

    /// The map that the column is, when it is one.
    pub(super) fn map<'r>(&self, row: &'r LogRow) -> Option<&'r [(String, String)]> {
        match self.source {
            Source::Attributes => Some(&row.attributes),
            Source::ResourceAttributes => Some(&row.resource_attributes),
            Source::Checkpoint | Source::Computed(_) => None,
        }
    }

    /// The column's value; a map is an object.
    pub(super) fn value(&self, row: &LogRow, checkpoint: Option<&str>) -> Value {
        match (&self.source, self.map(row)) {
            (_, Some(map)) => json!(super::super::row::TextMap(map)),
            (Source::Computed(column), None) => column.value(row),
            _ => json!(checkpoint),
        }
    }
}

/// A value as the text of one cell.
pub(super) fn cell(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::row::tests::sample_row;
    use super::*;

    #[test]
    fn without_names_the_columns_are_the_members_of_a_row() {
        let columns = ExportColumns::parse(None, &[]).unwrap();
        let names: Vec<&str> = columns.0.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ROW_MEMBERS);
        assert_eq!(columns.attributes(), AttributeMaps::Included);
    }

    #[test]
    fn named_columns_are_computed_in_their_order() {
        let names = json!([
            "body.error.text",
            " attributes.http.status ",
            "level",
            "resource_attributes",
            CHECKPOINT
        ]);
        let columns = ExportColumns::parse(Some(&names), &[]).unwrap();
        let row = sample_row();
        let cells: Vec<String> =
            columns.0.iter().map(|column| cell(&column.value(&row, Some("c"))).into_owned()).collect();
        assert_eq!(cells, ["boom", "500", "error", r#"{"service.name":"api"}"#, "c"]);
        let narrow = ExportColumns::parse(Some(&json!(["body"])), &[]).unwrap();
        assert_eq!(narrow.attributes(), AttributeMaps::Excluded);
    }

    #[test]
    fn what_is_no_column_is_named() {
        for (columns, expected) in [
            (json!("body"), "columns: expected a list of strings"),
            (json!([]), "columns: 0 columns are not between 1 and 200"),
            (json!(vec!["body"; 201]), "columns: 201 columns"),
            (json!(["body", 5]), "columns[1]: expected a string"),
            (json!(["body", "count()"]), "columns[1]: \"count()\" is not a column"),
        ] {
            let error = ExportColumns::parse(Some(&columns), &[]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
