//! What rows are grouped by.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::prelude::{Expr, cast, ident, lit};

use super::attribute_value::attribute_value;
use super::first_filled::first_filled;
use crate::schema::columns;

/// One value per row. A row has none when it lacks the attribute, when the value is empty, or when its id is unset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// The value of a key of the record's own attributes.
    Attribute(String),
    /// The value of a key of the resource's attributes.
    ResourceAttribute(String),
    /// The first value under any of these keys, each looked for in the record's attributes and then in the
    /// resource's.
    FirstAttribute(Vec<String>),
    /// The severity.
    Severity,
    /// The trace id, as upper-case hexadecimal digits.
    TraceId,
    /// The span id, as upper-case hexadecimal digits.
    SpanId,
}

impl Dimension {
    /// The row's value.
    pub(super) fn value(&self) -> Expr {
        let own = |key: &String| attribute_value(ident(columns::ATTRIBUTES), key);
        let of_resource = |key: &String| attribute_value(ident(columns::RESOURCE_ATTRIBUTES), key);
        match self {
            Self::Attribute(key) => own(key),
            Self::ResourceAttribute(key) => of_resource(key),
            Self::FirstAttribute(keys) => {
                first_filled(keys.iter().flat_map(|key| [own(key), of_resource(key)]).collect())
            }
            Self::Severity => cast(ident(columns::SEVERITY_TEXT), DataType::Utf8),
            Self::TraceId => ident(columns::TRACE_ID),
            Self::SpanId => ident(columns::SPAN_ID),
        }
    }

    /// The condition that `value` is one; null counts as false.
    pub(super) fn is_present(&self, value: Expr) -> Expr {
        let unset = |width: u8| {
            lit(ScalarValue::FixedSizeBinary(i32::from(width), Some(vec![0; usize::from(width)])))
        };
        value.not_eq(match self {
            Self::TraceId => unset(16),
            Self::SpanId => unset(8),
            Self::Attribute(_) | Self::ResourceAttribute(_) | Self::FirstAttribute(_) | Self::Severity => {
                lit("")
            }
        })
    }
}

impl Dimension {
    /// A value as text, by the bytes that stand for it in a column.
    pub(super) fn text_of(&self, value: &[u8]) -> String {
        match self {
            Self::TraceId | Self::SpanId => upper_hex(value),
            Self::Attribute(_) | Self::ResourceAttribute(_) | Self::FirstAttribute(_) | Self::Severity => {
                String::from_utf8_lossy(value).into_owned()
            }
        }
    }
}

/// A column of values, as text.
pub(super) fn text_at(values: &ArrayRef, row: usize) -> Result<String> {
    match values.data_type() {
        DataType::Utf8 => Ok(values.as_string::<i32>().value(row).to_owned()),
        DataType::Utf8View => Ok(values.as_string_view().value(row).to_owned()),
        DataType::FixedSizeBinary(_) => Ok(upper_hex(values.as_fixed_size_binary().value(row))),
        other => exec_err!("rows cannot be grouped by a column of type {other}"),
    }
}

fn upper_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}
