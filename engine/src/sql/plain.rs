//! Rows in the few types that every client knows.
//!
//! A protocol with types of its own has none for maps and structures: they become JSON. Dictionaries become their values,
//! and bytes of a fixed length bytes.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::json::writer::EncoderOptions;

use super::encode::Cell;
use crate::error::{Error, Result};

/// The schema of [`plain_rows`].
pub fn plain_schema(schema: &Schema) -> SchemaRef {
    let plain = schema.fields().iter().map(|field| match plain_type(field.data_type()) {
        Some(plain) => Arc::new(Field::clone(field).with_data_type(plain)),
        None => Arc::clone(field),
    });
    Arc::new(Schema::new(plain.collect::<Vec<_>>()))
}

/// What a type becomes; nothing when it stays.
fn plain_type(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Map(..) | DataType::Struct(_) | DataType::Union(..) | DataType::RunEndEncoded(..) => {
            Some(DataType::Utf8)
        }
        DataType::List(item) | DataType::LargeList(item) => {
            is_nested(item.data_type()).then_some(DataType::Utf8)
        }
        DataType::FixedSizeList(..) | DataType::ListView(_) | DataType::LargeListView(_) => {
            Some(DataType::Utf8)
        }
        DataType::FixedSizeBinary(_) | DataType::LargeBinary | DataType::BinaryView => Some(DataType::Binary),
        DataType::Dictionary(_, value) => Some(plain_type(value).unwrap_or_else(|| DataType::clone(value))),
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal256(..) => Some(DataType::Utf8),
        _ => None,
    }
}

/// Whether a type cannot be an element of a list.
fn is_nested(item: &DataType) -> bool {
    item.is_nested() || plain_type(item).is_some()
}

/// Rows of a schema as rows of another one: of the plain types, or of those that an answer was announced with.
///
/// # Errors
/// `InvalidRequest` when a value has no place in its column's type.
pub fn plain_rows(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = rows.schema_ref().fields().iter().zip(rows.columns()).zip(schema.fields());
    let columns = columns.map(|((field, column), wanted)| match (field.data_type(), wanted.data_type()) {
        (given, wanted) if given == wanted => Ok(Arc::clone(column)),
        (given, DataType::Utf8) if plain_type(given) == Some(DataType::Utf8) && given.is_nested() => {
            as_json(field, column)
        }
        (_, wanted) => cast(column, wanted).map_err(no_place),
    });
    let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(no_place)
}

fn no_place(error: arrow::error::ArrowError) -> Error {
    Error::invalid_request(format!("the answer has a value of another type than its column: {error}"))
        .with_source(error)
}

fn as_json(field: &Arc<Field>, column: &ArrayRef) -> Result<ArrayRef> {
    let options = EncoderOptions::default();
    let mut cell = Cell::new(field, column.as_ref(), &options)?;
    let mut texts = StringBuilder::new();
    let mut text = Vec::new();
    for row in 0..column.len() {
        if column.is_null(row) {
            texts.append_null();
            continue;
        }
        text.clear();
        cell.write(row, &mut text)?;
        texts.append_value(String::from_utf8_lossy(&text));
    }
    Ok(Arc::new(texts.finish()))
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, StringDictionaryBuilder};
    use arrow::datatypes::Int32Type;

    use super::*;
    use crate::schema::logs_schema;

    #[test]
    fn the_columns_of_logs_have_plain_types() {
        let plain = plain_schema(&logs_schema());
        for field in plain.fields() {
            assert!(plain_type(field.data_type()).is_none(), "{field}");
        }
        let empty = RecordBatch::new_empty(logs_schema());
        assert_eq!(plain_rows(&empty, &plain).unwrap().schema(), plain);
    }

    #[test]
    fn dictionaries_become_their_values_and_wrong_values_are_told() {
        let mut words = StringDictionaryBuilder::<Int32Type>::new();
        words.append_value("a");
        words.append_null();
        let rows = RecordBatch::try_from_iter([("w", Arc::new(words.finish()) as ArrayRef)]).unwrap();
        let plain = plain_rows(&rows, &plain_schema(rows.schema_ref())).unwrap();
        assert_eq!((plain.column(0).as_string::<i32>().value(0), plain.column(0).is_null(1)), ("a", true));
        let other =
            Arc::new(Schema::new(vec![Field::new("w", DataType::Struct(Vec::<Field>::new().into()), true)]));
        assert!(plain_rows(&rows, &other).is_err());
    }
}
