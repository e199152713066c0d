//! `attribute_keys(map)`: the keys of an attribute map, as a list for each row.
//!
//! The planner moves such a call down to the scan, and the scan of a data file where frequent keys have columns of
//! their own looks only at which of their values are there, so that no map is put together.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, ListArray, MapArray, StringArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, Int32Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ExpressionPlacement, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::Expr;

/// The keys of the map `column`, in no particular order.
pub(super) fn attribute_keys(column: Expr) -> Expr {
    ScalarUDF::from(AttributeKeys::new(Vec::new())).call(vec![column])
}

/// Takes a map, and columns that stand beside it: the values of more keys, null where a row lacks the key.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct AttributeKeys {
    /// The keys of the columns.
    promoted: Vec<String>,
    signature: Signature,
}

impl AttributeKeys {
    pub(crate) fn new(promoted: Vec<String>) -> Self {
        Self { promoted, signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for AttributeKeys {
    fn name(&self) -> &str {
        "attribute_keys"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(key_field()))
    }

    fn placement(&self, args: &[ExpressionPlacement]) -> ExpressionPlacement {
        match args {
            [ExpressionPlacement::Column] => ExpressionPlacement::MoveTowardsLeafNodes,
            _ => ExpressionPlacement::KeepInPlace,
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [maps, columns @ ..] = arrays.as_slice() else {
            return exec_err!("{} takes a map", self.name());
        };
        let Some(maps) = maps.as_map_opt() else {
            return exec_err!("there are no keys in a column of type {}", maps.data_type());
        };
        let promoted: Vec<_> = self.promoted.iter().map(String::as_str).zip(columns).collect();
        Ok(ColumnarValue::Array(Arc::new(list_keys(maps, &promoted)?)))
    }
}

fn key_field() -> FieldRef {
    let key = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    Arc::new(Field::new("key", key, false))
}

fn list_keys(maps: &MapArray, promoted: &[(&str, &ArrayRef)]) -> Result<ListArray> {
    let Some(keys) = maps.keys().as_string_opt::<i32>() else {
        return exec_err!("attributes are text, not {}", maps.data_type());
    };
    let mut names: Vec<&str> = promoted.iter().map(|(key, _)| *key).collect();
    // A look at a bit is a tenth of a call of the column.
    let nulls: Vec<Option<&NullBuffer>> = promoted.iter().map(|(_, column)| column.nulls()).collect();
    let mut places: HashMap<&str, i32> = HashMap::new();
    let mut listed: Vec<i32> = Vec::new();
    let mut lengths: Vec<usize> = Vec::with_capacity(maps.len());
    let offsets = maps.value_offsets();
    for row in 0..maps.len() {
        let before = listed.len();
        let is_there = |nulls: &Option<&NullBuffer>| nulls.is_none_or(|nulls| nulls.is_valid(row));
        listed.extend((0..).zip(&nulls).filter(|(_, nulls)| is_there(nulls)).map(|(place, _)| place));
        for entry in offsets[row] as usize..offsets[row + 1] as usize {
            let key = keys.value(entry);
            listed.push(*places.entry(key).or_insert_with(|| {
                names.push(key);
                names.len() as i32 - 1
            }));
        }
        lengths.push(listed.len() - before);
    }
    let names: ArrayRef = Arc::new(StringArray::from(names));
    let listed = DictionaryArray::<Int32Type>::try_new(Int32Array::from(listed), names)?;
    Ok(ListArray::try_new(key_field(), OffsetBuffer::from_lengths(lengths), Arc::new(listed), None)?)
}

#[cfg(test)]
mod tests {
    use arrow::array::{MapBuilder, StringBuilder};

    use super::*;

    fn shown(lists: &ListArray) -> Vec<Vec<String>> {
        let keys = |list: ArrayRef| {
            let keys = list.as_dictionary::<Int32Type>();
            let names = keys.values().as_string::<i32>();
            keys.keys().values().iter().map(|place| names.value(*place as usize).to_owned()).collect()
        };
        lists.iter().map(|list| keys(list.expect("a list"))).collect()
    }

    #[test]
    fn keys_are_those_of_the_map_and_those_whose_column_has_a_value() {
        let mut rest = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        for keys in [&["a", "b"][..], &[], &["b", "c"]] {
            for key in keys {
                rest.keys().append_value(key);
                rest.values().append_value("");
            }
            rest.append(true).expect("an entry");
        }
        let rest = rest.finish();
        let x: ArrayRef = Arc::new(StringArray::from(vec![Some(""), None, None]));
        let y: ArrayRef = Arc::new(StringArray::from(vec![Some("1"), Some("2"), None]));
        let lists = list_keys(&rest, &[("x", &x), ("y", &y)]).expect("lists");
        assert_eq!(shown(&lists), [vec!["x", "y", "a", "b"], vec!["y"], vec!["b", "c"]]);
        let lists = list_keys(&rest.slice(2, 1), &[]).expect("lists");
        assert_eq!(shown(&lists), [vec!["b", "c"]]);
        assert_eq!(list_keys(&rest.slice(0, 0), &[]).expect("lists").len(), 0);
    }
}
