//! Functions whose time grows faster than their arguments.
//!
//! `levenshtein` compares each letter with each, so that two texts of a megabyte take minutes in one call, which nothing
//! can end. So its calls are cut into short ones, and refused for texts that are too long.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::compute::concat;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::prelude::SessionContext;

use super::super::stop::Stop;
use super::bounded::{Size, rows_of, too_long};

/// Pairs of bytes that are compared without a pause, about 50 ms.
const MAX_PAIRS: u64 = 1 << 26;
const SLOW: &str = "levenshtein";

/// Replaces the functions of a session by ones that can be ended.
pub(super) fn restrict(session: &SessionContext, stop: &Arc<Stop>) {
    let function = session.state_ref().read().scalar_functions().get(SLOW).cloned();
    if let Some(function) = function {
        session.register_udf(ScalarUDF::from(Slow { function, stop: Arc::clone(stop) }));
    }
}

#[derive(Debug)]
struct Slow {
    function: Arc<ScalarUDF>,
    stop: Arc<Stop>,
}

impl PartialEq for Slow {
    fn eq(&self, other: &Self) -> bool {
        self.function == other.function && Arc::ptr_eq(&self.stop, &other.stop)
    }
}

impl Eq for Slow {}

impl Hash for Slow {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.hash(state);
    }
}

impl Slow {
    fn call(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let num_rows = args.number_rows;
        let longest = |arg: &ColumnarValue| Size::of(arg, num_rows as u64).longest;
        let of_a_row = args.args.iter().map(longest).fold(1, u64::saturating_mul);
        if of_a_row.saturating_mul(num_rows as u64) <= MAX_PAIRS {
            self.stop.check()?;
            return self.function.invoke_with_args(args);
        }
        if num_rows <= 1 {
            return Err(too_long(format!("{SLOW}: the texts are too long to be compared")));
        }
        let half = num_rows / 2;
        let first = self.call(rows_of(&args, 0, half))?.into_array(half)?;
        let second = self.call(rows_of(&args, half, num_rows - half))?.into_array(num_rows - half)?;
        Ok(ColumnarValue::Array(concat(&[first.as_ref(), second.as_ref()])?))
    }
}

impl ScalarUDFImpl for Slow {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn aliases(&self) -> &[String] {
        self.function.aliases()
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

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.call(args)
    }
}
