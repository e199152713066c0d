//! The scalar function that runs a [`Predicate`] over an array.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArrayType};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Int32Type};
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use xxhash_rust::xxh3::xxh3_64;

use super::predicate::Predicate;

/// `predicate(text)`, never null. `description` tells predicates apart: equal ones mean equal predicates.
pub(super) fn call(predicate: Predicate, description: &str, text: Expr) -> Expr {
    let function = PredicateFunction {
        name: short_name(description),
        description: description.to_owned(),
        predicate: Arc::new(predicate),
        signature: Signature::any(1, Volatility::Immutable),
    };
    ScalarUDF::from(function).call(vec![text])
}

/// The predicate that a function runs, if it is one of these.
pub(super) fn predicate_of(function: &ScalarUDF) -> Option<&Predicate> {
    let function = function.inner().downcast_ref::<PredicateFunction>()?;
    Some(function.predicate.as_ref())
}

/// Whether a function is one of these: it takes a dictionary as it is, and tests each value once.
pub(in crate::query) fn tests_each_value_once(function: &ScalarUDF) -> bool {
    function.inner().is::<PredicateFunction>()
}

/// A name for plans: readable, bounded, and different for different descriptions.
fn short_name(description: &str) -> String {
    const READABLE_CHARS: usize = 60;
    let readable: String = description.chars().take(READABLE_CHARS).collect();
    if readable.len() == description.len() {
        return format!("matches[{description}]");
    }
    format!("matches[{readable}… #{:016x}]", xxh3_64(description.as_bytes()))
}

struct PredicateFunction {
    name: String,
    description: String,
    predicate: Arc<Predicate>,
    signature: Signature,
}

impl fmt::Debug for PredicateFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl PartialEq for PredicateFunction {
    fn eq(&self, other: &Self) -> bool {
        self.description == other.description
    }
}

impl Eq for PredicateFunction {}

impl Hash for PredicateFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.description.hash(state);
    }
}

impl ScalarUDFImpl for PredicateFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [column] = <[ColumnarValue; 1]>::try_from(args.args)
            .or_else(|args| internal_err!("{} takes one argument, not {}", self.name, args.len()))?;
        let array = column.into_array(args.number_rows)?;
        let passes = test_text(&array, &self.predicate)?;
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::from(passes))))
    }
}

fn test_text(array: &ArrayRef, predicate: &Predicate) -> Result<BooleanBuffer> {
    match array.data_type() {
        DataType::Utf8 => Ok(test_values(array.as_string::<i32>(), predicate)),
        DataType::Utf8View => Ok(test_values(array.as_string_view(), predicate)),
        // Each distinct value is tested once, however many rows have it.
        DataType::Dictionary(key, _) if **key == DataType::Int32 => {
            let array = array.as_dictionary::<Int32Type>();
            let passes = test_text(array.values(), predicate)?;
            let missing = predicate.holds(None);
            Ok(BooleanBuffer::collect_bool(array.len(), |row| {
                array.key(row).map_or(missing, |value| passes.value(value))
            }))
        }
        other => exec_err!("text cannot be searched in a column of type {other}"),
    }
}

fn test_values<'a, A: StringArrayType<'a>>(array: A, predicate: &Predicate) -> BooleanBuffer {
    BooleanBuffer::collect_bool(array.len(), |row| {
        predicate.holds(array.is_valid(row).then(|| array.value(row)))
    })
}
