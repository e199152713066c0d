//! Rows of a streamed export as text.

use engine::query::LogRow;
use serde::{Serialize, Serializer};

use super::columns::{ExportColumns, cell};
use super::csv::{Formulas, write_record};
use crate::error::ApiError;

/// Writes rows as CSV or as one JSON object per line.
#[derive(Debug)]
pub(super) struct TextEncoder {
    pub(super) columns: ExportColumns,
    pub(super) checkpoint: Option<String>,
    pub(super) form: TextForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextForm {
    Csv,
    Ndjson,
}

impl TextEncoder {
    /// What stands before the first row.
    pub(super) fn header(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.form == TextForm::Csv {
            write_record(
                &mut out,
                self.columns.0.iter().map(|column| column.name.as_str()),
                Formulas::Verbatim,
            );
        }
        out
    }

    pub(super) fn encode(&self, rows: &[LogRow]) -> Result<Vec<u8>, ApiError> {
        let mut out = Vec::new();
        for row in rows {
            match self.form {
                TextForm::Csv => {
                    let values =
                        self.columns.0.iter().map(|column| column.value(row, self.checkpoint.as_deref()));
                    write_record(&mut out, values.map(|value| cell(&value).into_owned()), Formulas::Verbatim);
                }
                TextForm::Ndjson => {
                    serde_json::to_writer(&mut out, &Object { row, encoder: self })
                        .map_err(ApiError::internal)?;
                    out.push(b'\n');
                }
            }
        }
        Ok(out)
    }
}

/// A row as an object with the columns as members, each name once.
struct Object<'a> {
    row: &'a LogRow,
    encoder: &'a TextEncoder,
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let TextEncoder { columns, checkpoint, .. } = self.encoder;
        let first = |index: usize, name: &str| columns.0[..index].iter().all(|column| column.name != name);
        let columns = columns.0.iter().enumerate().filter(|(index, column)| first(*index, &column.name));
        serializer.collect_map(
            columns.map(|(_, column)| (&column.name, column.value(self.row, checkpoint.as_deref()))),
        )
    }
}
