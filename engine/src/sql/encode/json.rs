//! Answers as JSON: one document, or one object per line.
//!
//! Times are written as RFC 3339, bytes as lower-case hexadecimal digits, maps as objects. JSON has no number for what
//! is not finite: that is null.

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{FieldRef, SchemaRef};
use arrow::json::writer::{EncoderOptions, NullableEncoder, make_encoder};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::json;

use super::{Encoder, cannot_write, column_type};
use crate::error::{Error, ErrorKind, Result};

/// One document.
pub(super) struct Document {
    schema: SchemaRef,
    num_rows: u64,
}

impl Document {
    pub(super) fn new(schema: &SchemaRef) -> Result<Self> {
        Ok(Self { schema: SchemaRef::clone(schema), num_rows: 0 })
    }
}

impl Encoder for Document {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let columns = self.schema.fields().iter();
        let columns: Vec<_> = columns
            .map(|field| json!({ "name": field.name(), "type": column_type(field.data_type()) }))
            .collect();
        out.extend_from_slice(format!("{{\"columns\":{},\"rows\":[", json!(columns)).as_bytes());
        Ok(())
    }

    fn rows(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let options = EncoderOptions::default();
        let mut cells = cells(rows, &options)?;
        for row in 0..rows.num_rows() {
            out.extend_from_slice(if self.num_rows == 0 { b"\n[" } else { b",\n[" });
            for (index, cell) in cells.iter_mut().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                cell.write(row, out)?;
            }
            out.push(b']');
            self.num_rows += 1;
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(format!("\n],\"row_count\":{},\"error\":null}}\n", self.num_rows).as_bytes());
        Ok(())
    }

    fn failed(&mut self, error: &Error, out: &mut Vec<u8>) {
        let error = described(error);
        out.extend_from_slice(
            format!("\n],\"row_count\":{},\"error\":{error}}}\n", self.num_rows).as_bytes(),
        );
    }
}

/// One object per line.
pub(super) struct Lines {
    /// `"name":`, of each column.
    names: Vec<String>,
}

impl Lines {
    /// # Errors
    /// `InvalidRequest` when two columns have one name, because an object has each once.
    pub(super) fn new(schema: &SchemaRef) -> Result<Self> {
        let mut names: Vec<String> = Vec::new();
        for field in schema.fields() {
            let name = format!("{}:", json!(field.name()));
            if names.contains(&name) {
                let name = field.name();
                return Err(Error::invalid_request(format!(
                    "two columns are called {name:?}: name them apart"
                )));
            }
            names.push(name);
        }
        Ok(Self { names })
    }
}

impl Encoder for Lines {
    fn begin(&mut self, _out: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let options = EncoderOptions::default();
        let mut cells = cells(rows, &options)?;
        for row in 0..rows.num_rows() {
            out.push(b'{');
            for (index, (name, cell)) in self.names.iter().zip(&mut cells).enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(name.as_bytes());
                cell.write(row, out)?;
            }
            out.extend_from_slice(b"}\n");
        }
        Ok(())
    }

    fn end(&mut self, _out: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }

    fn failed(&mut self, error: &Error, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{}\n", json!({ "error": described(error) })).as_bytes());
    }
}

/// What a client may know of an error.
fn described(error: &Error) -> serde_json::Value {
    let (code, detail) = match error.kind() {
        ErrorKind::InvalidRequest => ("invalid_request", error.message()),
        ErrorKind::NotFound => ("not_found", error.message()),
        ErrorKind::LimitExceeded => ("limit_exceeded", error.message()),
        ErrorKind::ResourcesExhausted => ("resources_exhausted", error.message()),
        ErrorKind::DeadlineExceeded => ("deadline_exceeded", error.message()),
        ErrorKind::Unavailable => ("unavailable", "the server cannot do this at the moment"),
        ErrorKind::CorruptData | ErrorKind::Internal => ("error", "a server error occurred"),
    };
    json!({ "code": code, "detail": detail })
}

/// Writes the values of one column.
pub(in crate::sql) enum Cell<'a> {
    Json(NullableEncoder<'a>),
    /// Of a type that has no form in JSON but text.
    Text(ArrayFormatter<'a>, &'a dyn Array),
}

impl<'a> Cell<'a> {
    pub(in crate::sql) fn new(
        field: &'a FieldRef,
        array: &'a dyn Array,
        options: &'a EncoderOptions,
    ) -> Result<Self> {
        match make_encoder(field, array, options) {
            Ok(encoder) => Ok(Self::Json(encoder)),
            Err(_) => {
                let formatter = ArrayFormatter::try_new(array, &FormatOptions::default());
                Ok(Self::Text(formatter.map_err(cannot_write)?, array))
            }
        }
    }

    pub(in crate::sql) fn write(&mut self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Json(encoder) if encoder.is_null(row) => out.extend_from_slice(b"null"),
            Self::Json(encoder) => encoder.encode(row, out),
            Self::Text(_, array) if array.is_null(row) => out.extend_from_slice(b"null"),
            Self::Text(formatter, _) => {
                let text = formatter.value(row).try_to_string().map_err(cannot_write)?;
                out.extend_from_slice(json!(text).to_string().as_bytes());
            }
        }
        Ok(())
    }
}

fn cells<'a>(rows: &'a RecordBatch, options: &'a EncoderOptions) -> Result<Vec<Cell<'a>>> {
    let fields = rows.schema_ref().fields().iter().zip(rows.columns());
    fields.map(|(field, array)| Cell::new(field, array.as_ref(), options)).collect()
}
