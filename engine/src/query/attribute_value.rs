//! `attribute(map, key)`: the value of a key of an attribute map, null where a row lacks it.
//!
//! The planner moves such a call down to the scan, and the scan of a data file where the key has a column of its
//! own reads that column instead of the map.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, MapArray, StringArray, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ExpressionPlacement, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::{Expr, lit};

/// The name of the function in plans.
pub(super) const NAME: &str = "attribute";

/// The value of `key` in the map `column`.
pub(super) fn attribute_value(column: Expr, key: &str) -> Expr {
    ScalarUDF::from(AttributeValue::new()).call(vec![column, lit(key)])
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct AttributeValue {
    signature: Signature,
}

impl AttributeValue {
    pub(crate) fn new() -> Self {
        Self { signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for AttributeValue {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn placement(&self, args: &[ExpressionPlacement]) -> ExpressionPlacement {
        match args {
            [ExpressionPlacement::Column, ExpressionPlacement::Literal] => {
                ExpressionPlacement::MoveTowardsLeafNodes
            }
            _ => ExpressionPlacement::KeepInPlace,
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [column, ColumnarValue::Scalar(ScalarValue::Utf8(Some(key)))] = args.args.as_slice() else {
            return exec_err!("{NAME} takes a map and a constant key");
        };
        let maps = column.to_array(args.number_rows)?;
        Ok(ColumnarValue::Array(look_up(&maps, key)?))
    }
}

fn look_up(maps: &ArrayRef, key: &str) -> Result<ArrayRef> {
    let Some(maps) = maps.as_map_opt() else {
        return exec_err!("attributes cannot be looked up in a column of type {}", maps.data_type());
    };
    let (Some(keys), Some(values)) =
        (maps.keys().as_string_opt::<i32>(), maps.values().as_string_opt::<i32>())
    else {
        return exec_err!("attributes are text, not {}", maps.data_type());
    };
    let mut found = StringBuilder::with_capacity(maps.len(), 0);
    for row in 0..maps.len() {
        found.append_option(entry_of(maps, keys, row, key).map(|entry| values.value(entry)));
    }
    Ok(Arc::new(found.finish()))
}

/// Where `key` is among the entries of a row, which are sorted by key.
fn entry_of(maps: &MapArray, keys: &StringArray, row: usize, key: &str) -> Option<usize> {
    /// Up to here comparing in order beats jumping around.
    const LINEAR_ENTRIES: usize = 16;
    let offsets = maps.value_offsets();
    let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
    if maps.is_null(row) {
        return None;
    }
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
