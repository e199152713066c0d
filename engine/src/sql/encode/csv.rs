//! Answers as comma-separated values.
//!
//! A null is nothing and an empty text is `""`. Lists, maps and structs are JSON; other values are as in JSON, without
//! quotes of theirs.

use arrow::array::{Array, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::json::writer::EncoderOptions;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::json::Cell;
use super::{Encoder, cannot_write};
use crate::error::{Error, Result};

pub(super) struct Csv {
    schema: SchemaRef,
}

impl Csv {
    pub(super) fn new(schema: &SchemaRef) -> Self {
        Self { schema: SchemaRef::clone(schema) }
    }
}

impl Encoder for Csv {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<()> {
        for (index, field) in self.schema.fields().iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_text(field.name(), out);
        }
        out.extend_from_slice(b"\r\n");
        Ok(())
    }

    fn rows(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let (options, formats) = (EncoderOptions::default(), FormatOptions::default());
        let mut columns = Vec::with_capacity(rows.num_columns());
        for (field, array) in rows.schema_ref().fields().iter().zip(rows.columns()) {
            let column = match is_nested(field.data_type()) {
                true => Written::Nested(Cell::new(field, array.as_ref(), &options)?),
                false => {
                    Written::Plain(ArrayFormatter::try_new(array.as_ref(), &formats).map_err(cannot_write)?)
                }
            };
            // Nulls of a dictionary's values, and of a column of nothing else, count too.
            columns.push(Column { written: column, nulls: array.logical_nulls() });
        }
        for row in 0..rows.num_rows() {
            for (index, column) in columns.iter_mut().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                column.write(row, out)?;
            }
            out.extend_from_slice(b"\r\n");
        }
        Ok(())
    }

    fn end(&mut self, _out: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }

    fn failed(&mut self, _error: &Error, _out: &mut Vec<u8>) {}
}

struct Column<'a> {
    written: Written<'a>,
    nulls: Option<NullBuffer>,
}

enum Written<'a> {
    Plain(ArrayFormatter<'a>),
    Nested(Cell<'a>),
}

impl Column<'_> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return Ok(());
        }
        match &mut self.written {
            Written::Plain(formatter) => {
                write_text(&formatter.value(row).try_to_string().map_err(cannot_write)?, out);
            }
            Written::Nested(cell) => {
                let mut json = Vec::new();
                cell.write(row, &mut json)?;
                write_text(&String::from_utf8_lossy(&json), out);
            }
        }
        Ok(())
    }
}

fn is_nested(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => is_nested(value),
        data_type => data_type.is_nested(),
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    let needs_quotes = text.is_empty() || text.contains([',', '"', '\r', '\n']);
    if !needs_quotes {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    out.push(b'"');
}
