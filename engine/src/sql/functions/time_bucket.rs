//! `time_bucket`: `date_bin` with widths that are quick to write.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, IntervalMonthDayNano};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::functions::datetime;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};
use datafusion::prelude::{cast, lit};

pub(super) fn function() -> ScalarUDF {
    let arities = vec![TypeSignature::Any(2), TypeSignature::Any(3)];
    ScalarUDF::from(TimeBucket { signature: Signature::one_of(arities, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TimeBucket {
    signature: Signature,
}

impl ScalarUDFImpl for TimeBucket {
    fn name(&self) -> &str {
        "time_bucket"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match arg_types.get(1) {
            Some(time @ DataType::Timestamp(..)) => Ok(time.clone()),
            _ => plan_err!("time_bucket takes a width and a timestamp"),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Arc::new(Field::new(self.name(), self.return_type(&types)?, true)))
    }

    fn simplify(&self, mut args: Vec<Expr>, _info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let width = match args.first() {
            Some(Expr::Literal(value, _)) => match value.try_as_str() {
                Some(Some(text)) => Some(width(text)?),
                _ => None,
            },
            _ => None,
        };
        if let Some(width) = width {
            args[0] = lit(ScalarValue::IntervalMonthDayNano(Some(width)));
        }
        // An origin is of the type that it is written as; a bucket begins by the same clock as the time.
        if let Some(origin @ Expr::Literal(ScalarValue::Utf8(_) | ScalarValue::Utf8View(_), _)) = args.get(2)
        {
            let utc = DataType::Timestamp(arrow::datatypes::TimeUnit::Nanosecond, Some("+00:00".into()));
            args[2] = cast(origin.clone(), utc);
        }
        Ok(ExprSimplifyResult::Simplified(datetime::date_bin().call(args)))
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("time_bucket takes a constant width")
    }
}

/// `5m`, `5 minutes`.
fn width(text: &str) -> Result<IntervalMonthDayNano> {
    const SECOND_NS: i64 = 1_000_000_000;
    let trimmed = text.trim();
    let digits = trimmed.len() - trimmed.trim_start_matches(|char: char| char.is_ascii_digit()).len();
    let (number, unit) = trimmed.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let Ok(number) = number.parse::<i32>() else { return plan_err!("{text:?} is no width like '5m'") };
    let of_seconds = |seconds: i64| {
        let nanoseconds = i64::from(number).checked_mul(seconds * SECOND_NS);
        nanoseconds.map(|nanoseconds| IntervalMonthDayNano::new(0, 0, nanoseconds))
    };
    let of_days = |days: i32| number.checked_mul(days).map(|days| IntervalMonthDayNano::new(0, days, 0));
    let width = match unit.as_str() {
        "s" | "sec" | "second" | "seconds" => of_seconds(1),
        "m" | "min" | "minute" | "minutes" => of_seconds(60),
        "h" | "hour" | "hours" => of_seconds(3_600),
        "d" | "day" | "days" => of_days(1),
        "w" | "week" | "weeks" => of_days(7),
        "month" | "months" => Some(IntervalMonthDayNano::new(number, 0, 0)),
        _ => None,
    };
    match width {
        Some(width) if number > 0 => Ok(width),
        _ => plan_err!("{text:?} is no width like '30s', '5m', '1 hour', '1d', '1 week' or '1 month'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_numbers_with_a_unit() {
        let second = 1_000_000_000;
        for (text, expected) in [
            ("30s", (0, 0, 30 * second)),
            ("5m", (0, 0, 300 * second)),
            ("5 minutes", (0, 0, 300 * second)),
            (" 1 Hour ", (0, 0, 3_600 * second)),
            ("2d", (0, 2, 0)),
            ("1 week", (0, 7, 0)),
            ("3 months", (3, 0, 0)),
        ] {
            let (months, days, nanos) = expected;
            assert_eq!(width(text).unwrap(), IntervalMonthDayNano::new(months, days, nanos), "{text}");
        }
        for text in ["", "5", "m", "0m", "-5m", "5 parsecs", "2147483647h", "2147483647w", "99999999999s"] {
            assert!(width(text).is_err(), "{text}");
        }
    }
}
