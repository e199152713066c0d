//! `time_bucket(timestamp)`: which bucket a row is counted in.

use std::sync::Arc;

use arrow::array::{AsArray, Int64Array};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::{Expr, ident};

use super::interval::Interval;
use crate::schema::{columns, timestamp_type};

/// The start of the bucket of this width that a row's `timestamp` is in, as a whole number of microseconds.
pub(super) fn time_bucket(interval: &Interval) -> Expr {
    ScalarUDF::from(TimeBucket::new(interval.width_us())).call(vec![ident(columns::TIMESTAMP)])
}

/// The start of the bucket that a timestamp is in, microseconds, correct before the epoch too.
#[derive(Debug, PartialEq, Eq, Hash)]
struct TimeBucket {
    width_us: i64,
    signature: Signature,
}

impl TimeBucket {
    fn new(width_us: i64) -> Self {
        Self { width_us, signature: Signature::exact(vec![timestamp_type()], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for TimeBucket {
    fn name(&self) -> &str {
        "time_bucket"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [timestamps] = &args.args[..] else { return exec_err!("time_bucket takes one argument") };
        let timestamps = timestamps.to_array(args.number_rows)?;
        let buckets: Int64Array = timestamps
            .as_primitive::<TimestampMicrosecondType>()
            .unary(|us| us.saturating_sub(us.rem_euclid(self.width_us)));
        Ok(ColumnarValue::Array(Arc::new(buckets)))
    }
}
