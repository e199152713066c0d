//! Values of parameters that drivers send as rows.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use engine::sql::SqlValue;
use futures::{Stream, TryStreamExt};
use tonic::Status;

/// Most values of a statement.
const MAX_VALUES: usize = 1000;

/// The one row of values that a stream has.
///
/// # Errors
/// `invalid_argument` when it has none or several, or a value that no statement can have.
pub(super) async fn one_row(
    stream: impl Stream<Item = Result<FlightData, Status>> + Send + 'static,
) -> Result<Vec<SqlValue>, Status> {
    let mut rows = FlightRecordBatchStream::new_from_flight_data(
        stream.map_err(|status| FlightError::Tonic(Box::new(status))),
    );
    let mut values = None;
    while let Some(batch) = rows.try_next().await.map_err(unreadable)? {
        if batch.num_rows() == 0 {
            continue;
        }
        if batch.num_rows() > 1 || values.is_some() {
            return Err(Status::invalid_argument("a statement takes one row of parameters at a time"));
        }
        values = Some(values_of(&batch)?);
    }
    values.ok_or_else(|| Status::invalid_argument("the parameters have no row"))
}

fn unreadable(error: FlightError) -> Status {
    Status::invalid_argument(format!("the parameters cannot be read: {error}"))
}

fn values_of(row: &RecordBatch) -> Result<Vec<SqlValue>, Status> {
    if row.num_columns() > MAX_VALUES {
        return Err(Status::invalid_argument(format!("a statement takes at most {MAX_VALUES} parameters")));
    }
    row.columns().iter().enumerate().map(|(place, column)| value(place, column)).collect()
}

fn value(place: usize, column: &ArrayRef) -> Result<SqlValue, Status> {
    let refused = |why: &dyn std::fmt::Display| {
        Status::invalid_argument(format!(
            "parameter ${} cannot be a {}: {why}",
            place + 1,
            column.data_type()
        ))
    };
    if column.is_null(0) {
        return Ok(SqlValue::Null);
    }
    let into = |wanted: DataType| cast(column, &wanted).map_err(|error| refused(&error));
    let time = || into(DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())));
    let value = match column.data_type() {
        DataType::Null => return Ok(SqlValue::Null),
        DataType::Boolean => SqlValue::Boolean(column.as_boolean().value(0)),
        integer if integer.is_integer() => {
            let integer = into(DataType::Int64)?;
            match integer.is_null(0) {
                true => return Err(refused(&"it is too large")),
                false => SqlValue::Integer(integer.as_primitive::<Int64Type>().value(0)),
            }
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            SqlValue::Number(into(DataType::Float64)?.as_primitive::<Float64Type>().value(0))
        }
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
            SqlValue::Timestamp(time()?.as_primitive::<TimestampMicrosecondType>().value(0))
        }
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => {
            SqlValue::Text(into(DataType::Utf8)?.as_string::<i32>().value(0).to_owned())
        }
        // Some drivers send each parameter as a union of what it may be.
        DataType::Union(..) => {
            let union = column.as_union();
            return value(place, &union.value(0));
        }
        DataType::Dictionary(_, inner) => return value(place, &into(DataType::clone(inner))?),
        _ => return Err(refused(&"statements take numbers, texts, times and truth values")),
    };
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        BinaryArray, Date32Array, Float32Array, Int8Array, NullArray, StringArray, UInt64Array,
    };

    use super::*;

    #[test]
    fn values_of_all_common_types_are_read() {
        let one = |column: ArrayRef| value(0, &column);
        assert_eq!(one(Arc::new(Int8Array::from(vec![-1]))).unwrap(), SqlValue::Integer(-1));
        assert_eq!(one(Arc::new(Int8Array::from(vec![None]))).unwrap(), SqlValue::Null);
        assert_eq!(one(Arc::new(NullArray::new(1))).unwrap(), SqlValue::Null);
        assert_eq!(one(Arc::new(Float32Array::from(vec![0.5]))).unwrap(), SqlValue::Number(0.5));
        assert_eq!(one(Arc::new(StringArray::from(vec!["a"]))).unwrap(), SqlValue::Text("a".into()));
        let day = one(Arc::new(Date32Array::from(vec![1]))).unwrap();
        assert_eq!(day, SqlValue::Timestamp(86_400_000_000));
        assert!(one(Arc::new(UInt64Array::from(vec![u64::MAX]))).is_err());
        assert!(one(Arc::new(BinaryArray::from(vec![&b"a"[..]]))).is_err());
    }
}
