//! What the type of a column is called.

use arrow::datatypes::DataType;

/// One word for the type of a column: `boolean`, `integer`, `number`, `decimal`, `text`, `bytes`, `timestamp`, `date`,
/// `time`, `duration`, `interval`, `list`, `map`, `struct`, `null`, or `other`.
pub fn column_type(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Null => "null",
        DataType::Boolean => "boolean",
        data_type if data_type.is_integer() => "integer",
        DataType::Float16 | DataType::Float32 | DataType::Float64 => "number",
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => "decimal",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "bytes"
        }
        DataType::Timestamp(..) => "timestamp",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Duration(_) => "duration",
        DataType::Interval(_) => "interval",
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::FixedSizeList(..)
        | DataType::ListView(_)
        | DataType::LargeListView(_) => "list",
        DataType::Map(..) => "map",
        DataType::Struct(_) => "struct",
        DataType::Dictionary(_, value) => column_type(value),
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{dictionary_type, logs_schema};

    #[test]
    fn types_have_one_word() {
        assert_eq!(column_type(&dictionary_type()), "text");
        let logs = logs_schema();
        let words: Vec<&str> = logs.fields().iter().map(|field| column_type(field.data_type())).collect();
        assert!(!words.contains(&"other"), "{words:?}");
        assert_eq!((words[0], words[3], words[11]), ("timestamp", "bytes", "map"));
    }
}
