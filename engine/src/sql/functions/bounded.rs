//! Functions whose values may be much longer than their arguments.
//!
//! DataFusion counts the memory of its operators but not that of one call of a function, and `repeat(x, 1000000000)` is
//! one call. So such a call is cut into calls over fewer rows, and refused when one row's value, or all of them
//! together, would be longer than a batch may be.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{cast, concat, kernels::aggregate::max};
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::prelude::SessionContext;

use crate::error::{Error, ErrorKind};

/// Most bytes that one call may make of a batch of rows.
const MAX_BYTES: u64 = 64 << 20;

/// Functions that make long lists of short arguments, and that nothing here needs: series come as tables.
const REMOVED: [&str; 4] = ["range", "generate_series", "array_repeat", "array_resize"];

/// Replaces functions of a session by bounded ones, and removes some.
pub(super) fn restrict(session: &SessionContext) -> Result<()> {
    for name in REMOVED {
        session.deregister_udf(name);
    }
    let growing = [
        ("repeat", Growth::Times),
        ("lpad", Growth::Length),
        ("rpad", Growth::Length),
        ("concat", Growth::Sum),
        ("concat_ws", Growth::Joined),
        ("array_concat", Growth::Sum),
        ("replace", Growth::Replaced),
        ("regexp_replace", Growth::Replaced),
        ("overlay", Growth::Sum),
        ("array_to_string", Growth::Joined),
    ];
    for (name, growth) in growing {
        let function = session.state_ref().read().scalar_functions().get(name).cloned();
        if let Some(function) = function {
            session.register_udf(Bounded::of(function, growth));
        }
    }
    Ok(())
}

/// How long a value is at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Growth {
    /// The first argument as often as the second says.
    Times,
    /// As many characters as the second argument says.
    Length,
    /// All arguments together.
    Sum,
    /// All arguments, with the longest of them between each two.
    Joined,
    /// The first argument with the third in place of each character.
    Replaced,
}

/// A function whose values are bounded.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Bounded {
    function: Arc<ScalarUDF>,
    growth: Growth,
}

impl Bounded {
    pub(super) fn of(function: Arc<ScalarUDF>, growth: Growth) -> ScalarUDF {
        ScalarUDF::from(Self { function, growth })
    }

    fn call(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if self.growth.max_bytes(&args) <= MAX_BYTES {
            return self.function.invoke_with_args(args);
        }
        if args.number_rows <= 1 {
            let message = format!("{}: a value would be longer than {MAX_BYTES} bytes", self.name());
            return Err(too_long(message));
        }
        let half = args.number_rows / 2;
        let first = self.call(rows_of(&args, 0, half))?.into_array(half)?;
        let rest = args.number_rows - half;
        let second = self.call(rows_of(&args, half, rest))?.into_array(rest)?;
        if bytes_of(&first).saturating_add(bytes_of(&second)) > MAX_BYTES {
            let message = format!(
                "{}: the values of {} rows would be longer than {MAX_BYTES} bytes",
                self.name(),
                args.number_rows
            );
            return Err(too_long(message));
        }
        Ok(ColumnarValue::Array(concat(&[first.as_ref(), second.as_ref()])?))
    }
}

pub(super) fn too_long(message: String) -> DataFusionError {
    DataFusionError::External(Box::new(Error::new(ErrorKind::LimitExceeded, message)))
}

pub(super) fn rows_of(args: &ScalarFunctionArgs, start: usize, num_rows: usize) -> ScalarFunctionArgs {
    let part = |value: &ColumnarValue| match value {
        ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(start, num_rows)),
        scalar => scalar.clone(),
    };
    ScalarFunctionArgs {
        args: args.args.iter().map(part).collect(),
        arg_fields: args.arg_fields.clone(),
        number_rows: num_rows,
        return_field: Arc::clone(&args.return_field),
        config_options: Arc::clone(&args.config_options),
    }
}

impl Growth {
    fn max_bytes(self, args: &ScalarFunctionArgs) -> u64 {
        let num_rows = args.number_rows as u64;
        let size = |index: usize| args.args.get(index).map_or(Size::default(), |arg| Size::of(arg, num_rows));
        let sum = || (0..args.args.len()).map(|index| size(index).total).fold(0, u64::saturating_add);
        match self {
            Self::Times => size(0).total.saturating_mul(largest(args.args.get(1))),
            Self::Length => num_rows.saturating_mul(largest(args.args.get(1))).saturating_mul(4),
            Self::Sum => sum(),
            Self::Joined => {
                let longest = (0..args.args.len()).map(|index| size(index).longest).max().unwrap_or(0);
                let between = num_rows.saturating_mul(args.args.len() as u64).saturating_mul(longest);
                sum().saturating_add(between)
            }
            Self::Replaced => {
                let places = size(0).total.saturating_add(num_rows);
                places.saturating_mul(size(2).longest.saturating_add(1))
            }
        }
    }
}

/// How long texts are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    total: u64,
    pub(super) longest: u64,
}

impl Size {
    pub(super) fn of(value: &ColumnarValue, num_rows: u64) -> Self {
        match value {
            ColumnarValue::Array(array) => Self::of_array(array),
            ColumnarValue::Scalar(scalar) => {
                let longest = scalar_bytes(scalar);
                Self { total: longest.saturating_mul(num_rows), longest }
            }
        }
    }

    fn of_array(array: &ArrayRef) -> Self {
        let lengths = |lengths: &mut dyn Iterator<Item = u64>| {
            lengths.fold(Self::default(), |size, length| Self {
                total: size.total.saturating_add(length),
                longest: size.longest.max(length),
            })
        };
        match array.data_type() {
            DataType::Utf8 => {
                lengths(&mut array.as_string::<i32>().offsets().lengths().map(|len| len as u64))
            }
            DataType::LargeUtf8 => {
                lengths(&mut array.as_string::<i64>().offsets().lengths().map(|len| len as u64))
            }
            // The lower half of a view begins with the length.
            DataType::Utf8View => {
                lengths(&mut array.as_string_view().views().iter().map(|view| u64::from(*view as u32)))
            }
            _ => {
                let total = array.get_array_memory_size() as u64;
                Self { total, longest: total }
            }
        }
    }
}

fn bytes_of(array: &ArrayRef) -> u64 {
    Size::of_array(array).total
}

fn scalar_bytes(scalar: &ScalarValue) -> u64 {
    match scalar.try_as_str() {
        Some(text) => text.map_or(0, |text| text.len() as u64),
        None => scalar.size() as u64,
    }
}

/// The largest of some counts; negative ones count nothing.
fn largest(counts: Option<&ColumnarValue>) -> u64 {
    let Some(Ok(counts)) = counts.map(|counts| match counts {
        ColumnarValue::Array(array) => Ok(Arc::clone(array)),
        ColumnarValue::Scalar(scalar) => scalar.to_array(),
    }) else {
        return u64::MAX;
    };
    match cast(&counts, &DataType::Int64) {
        Ok(counts) => {
            max(counts.as_primitive::<Int64Type>()).map_or(0, |count| u64::try_from(count).unwrap_or(0))
        }
        Err(_) => u64::MAX,
    }
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn aliases(&self) -> &[String] {
        self.function.aliases()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.function.schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.function.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.function.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.function.return_field_from_args(args)
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.function.inner().coerce_types(arg_types)
    }

    fn simplify(&self, args: Vec<Expr>, _info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        // What it would be simplified to is not bounded.
        Ok(ExprSimplifyResult::Original(args))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.call(args)
    }
}
