//! Looking into texts that are JSON.
//!
//! A path is given as further arguments: names of members and places in lists. What there is not is null, and so is a
//! text that is no JSON.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, ListBuilder, StringArray,
    StringBuilder, StringViewArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use serde_json::Value;

/// Every function of this module.
pub(super) fn functions() -> Vec<ScalarUDF> {
    JsonAs::ALL.into_iter().map(function).collect()
}

/// `text -> step` and `text ->> step`.
pub(super) fn step_into(kind: JsonAs, text: Expr, step: Expr) -> Expr {
    function(kind).call(vec![text, step])
}

fn function(kind: JsonAs) -> ScalarUDF {
    ScalarUDF::from(JsonFunction { kind, signature: Signature::variadic_any(Volatility::Immutable) })
}

/// What is made of the part at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum JsonAs {
    /// JSON text.
    Json,
    /// The text of a string, JSON text of anything else, nothing of null.
    Text,
    /// A number.
    Number,
    /// A truth value.
    Boolean,
    /// The number of entries or members.
    Length,
    /// The names of members.
    Keys,
}

impl JsonAs {
    const ALL: [Self; 6] = [Self::Json, Self::Text, Self::Number, Self::Boolean, Self::Length, Self::Keys];

    fn name(self) -> &'static str {
        match self {
            Self::Json => "json_get",
            Self::Text => "json_text",
            Self::Number => "json_number",
            Self::Boolean => "json_boolean",
            Self::Length => "json_length",
            Self::Keys => "json_keys",
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Json | Self::Text => DataType::Utf8,
            Self::Number => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Length => DataType::Int64,
            Self::Keys => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonFunction {
    kind: JsonAs,
    signature: Signature,
}

impl ScalarUDFImpl for JsonFunction {
    fn name(&self) -> &str {
        self.kind.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(self.kind.data_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [text, path @ ..] = args.args.as_slice() else {
            return exec_err!("{} takes a text and a path", self.name());
        };
        let texts = cast(&text.to_array(args.number_rows)?, &DataType::Utf8View)?;
        let path: Vec<Steps> =
            path.iter().map(|step| Steps::of(step, args.number_rows)).collect::<Result<_>>()?;
        let texts: &StringViewArray = texts.as_string_view();
        let parts = (0..texts.len()).map(|row| {
            let text = texts.is_valid(row).then(|| texts.value(row))?;
            part(text, &path, row)
        });
        Ok(ColumnarValue::Array(values(self.kind, parts)))
    }
}

/// One step of the paths of all rows.
enum Steps {
    Names(StringViewArray),
    Places(Int64Array),
}

impl Steps {
    fn of(step: &ColumnarValue, num_rows: usize) -> Result<Self> {
        let step = step.to_array(num_rows)?;
        if step.data_type().is_integer() {
            return Ok(Self::Places(cast(&step, &DataType::Int64)?.as_primitive::<Int64Type>().clone()));
        }
        Ok(Self::Names(cast(&step, &DataType::Utf8View)?.as_string_view().clone()))
    }

    /// Moves from a value to one inside of it. Places from the end are negative.
    fn take(&self, value: Value, row: usize) -> Option<Value> {
        match (self, value) {
            (Self::Names(names), Value::Object(mut members)) if names.is_valid(row) => {
                members.remove(names.value(row))
            }
            (Self::Places(places), Value::Array(mut entries)) if places.is_valid(row) => {
                let place = places.value(row);
                let place = if place < 0 { place.checked_add(entries.len() as i64)? } else { place };
                let place = usize::try_from(place).ok().filter(|place| *place < entries.len())?;
                Some(entries.swap_remove(place))
            }
            _ => None,
        }
    }
}

fn part(text: &str, path: &[Steps], row: usize) -> Option<Value> {
    // Most bodies are no JSON: that is seen at once.
    let first = text.trim_start().bytes().next()?;
    if !path.is_empty() && first != b'{' && first != b'[' {
        return None;
    }
    let whole: Value = serde_json::from_str(text).ok()?;
    path.iter().try_fold(whole, |value, step| step.take(value, row))
}

fn values(kind: JsonAs, parts: impl Iterator<Item = Option<Value>>) -> ArrayRef {
    match kind {
        JsonAs::Json => Arc::new(parts.map(|part| Some(part?.to_string())).collect::<StringArray>()),
        JsonAs::Text => Arc::new(parts.map(|part| text(part?)).collect::<StringArray>()),
        JsonAs::Number => Arc::new(parts.map(|part| part?.as_f64()).collect::<Float64Array>()),
        JsonAs::Boolean => Arc::new(parts.map(|part| part?.as_bool()).collect::<BooleanArray>()),
        JsonAs::Length => Arc::new(parts.map(|part| length(&part?)).collect::<Int64Array>()),
        JsonAs::Keys => {
            let mut lists = ListBuilder::new(StringBuilder::new());
            for part in parts {
                match part {
                    Some(Value::Object(members)) => {
                        members.keys().for_each(|key| lists.values().append_value(key));
                        lists.append(true);
                    }
                    _ => lists.append(false),
                }
            }
            Arc::new(lists.finish())
        }
    }
}

fn text(part: Value) -> Option<String> {
    match part {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

fn length(part: &Value) -> Option<i64> {
    match part {
        Value::Array(entries) => i64::try_from(entries.len()).ok(),
        Value::Object(members) => i64::try_from(members.len()).ok(),
        _ => None,
    }
}
