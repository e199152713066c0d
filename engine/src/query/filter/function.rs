//! The scalar function that runs a [`Predicate`] over an array.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray, StringArrayType};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Int32Type};
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use xxhash_rust::xxh3::xxh3_64;

use super::predicate::Predicate;

/// What of a row is tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// The text of a column.
    Text,
    /// The value of a key of an attribute map.
    Attribute(String),
}

/// `predicate(column)`, never null. `description` tells predicates apart: equal ones mean equal predicates.
pub(super) fn call(subject: Subject, predicate: Predicate, description: &str, column: Expr) -> Expr {
    let description = match &subject {
        Subject::Text => description.to_owned(),
        Subject::Attribute(key) => format!("{key:?} {description}"),
    };
    let function = PredicateFunction {
        name: short_name(&description),
        description,
        subject,
        predicate: Arc::new(predicate),
        signature: Signature::any(1, Volatility::Immutable),
    };
    ScalarUDF::from(function).call(vec![column])
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
    subject: Subject,
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
        self.subject == other.subject && self.description == other.description
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
        let passes = match &self.subject {
            Subject::Text => test_text(&array, &self.predicate)?,
            Subject::Attribute(key) => test_attribute(&array, key, &self.predicate)?,
        };
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

/// Tests one key of each row's map. Keys are sorted and unique within a row, by the stored schema.
fn test_attribute(array: &ArrayRef, key: &str, predicate: &Predicate) -> Result<BooleanBuffer> {
    let Some(maps) = array.as_map_opt() else {
        return exec_err!("attributes cannot be looked up in a column of type {}", array.data_type());
    };
    let (Some(keys), Some(values)) =
        (maps.keys().as_string_opt::<i32>(), maps.values().as_string_opt::<i32>())
    else {
        return exec_err!("attributes are text, not {}", array.data_type());
    };
    let offsets = maps.value_offsets();
    Ok(BooleanBuffer::collect_bool(maps.len(), |row| {
        let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
        let found = if maps.is_valid(row) { find_key(keys, start, end, key) } else { None };
        predicate.holds(found.map(|entry| values.value(entry)))
    }))
}

/// Where `key` is among the sorted keys of the entries `start..end`.
fn find_key(keys: &StringArray, start: usize, end: usize, key: &str) -> Option<usize> {
    /// Up to here comparing in order beats jumping around.
    const LINEAR_ENTRIES: usize = 16;
    if end - start <= LINEAR_ENTRIES {
        return (start..end).find(|entry| keys.value(*entry) == key);
    }
    let (mut low, mut high) = (start, end);
    while low < high {
        let middle = low + (high - low) / 2;
        if keys.value(middle) < key { low = middle + 1 } else { high = middle }
    }
    (low < end && keys.value(low) == key).then_some(low)
}
