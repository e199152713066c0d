//! Rows of values as Arrow.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Result, internal_err};

use super::super::request::{SqlType, SqlValue, SystemTable};
use crate::schema::{UTC, timestamp_type};

/// The rows of a table.
pub(super) fn of_table(table: &SystemTable) -> Result<RecordBatch> {
    if table.rows.iter().any(|row| row.len() != table.columns.len()) {
        return internal_err!("system.{} has a row of another number of columns", table.name);
    }
    let fields: Vec<Field> =
        table.columns.iter().map(|column| Field::new(column.name, data_type(column.kind), true)).collect();
    let columns = table.columns.iter().enumerate();
    let columns: Vec<ArrayRef> =
        columns.map(|(index, column)| array(column.kind, table.rows.iter().map(|row| &row[index]))).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(table.rows.len()));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
}

fn data_type(kind: SqlType) -> DataType {
    match kind {
        SqlType::Boolean => DataType::Boolean,
        SqlType::Integer => DataType::Int64,
        SqlType::Number => DataType::Float64,
        SqlType::Text => DataType::Utf8,
        SqlType::Timestamp => timestamp_type(),
    }
}

/// A value of another type than its column's is null.
fn array<'a>(kind: SqlType, values: impl Iterator<Item = &'a SqlValue>) -> ArrayRef {
    match kind {
        SqlType::Boolean => Arc::new(
            values
                .map(|value| if let SqlValue::Boolean(value) = value { Some(*value) } else { None })
                .collect::<BooleanArray>(),
        ),
        SqlType::Integer => Arc::new(
            values
                .map(|value| if let SqlValue::Integer(value) = value { Some(*value) } else { None })
                .collect::<Int64Array>(),
        ),
        SqlType::Number => Arc::new(
            values
                .map(|value| if let SqlValue::Number(value) = value { Some(*value) } else { None })
                .collect::<Float64Array>(),
        ),
        SqlType::Text => Arc::new(
            values
                .map(|value| if let SqlValue::Text(value) = value { Some(value.as_str()) } else { None })
                .collect::<StringArray>(),
        ),
        SqlType::Timestamp => {
            let times: TimestampMicrosecondArray = values
                .map(|value| if let SqlValue::Timestamp(value) = value { Some(*value) } else { None })
                .collect();
            Arc::new(times.with_timezone(UTC))
        }
    }
}
