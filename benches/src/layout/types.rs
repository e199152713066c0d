//! The types of attributes, which a map of texts does not tell.

use std::sync::Arc;

use anyhow::{Context, Result};
use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray, StringDictionaryBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int32Type};
use engine::schema::dictionary_type;

use super::promotion::{MapColumn, entries, map_column};
use super::rows::{ATTRIBUTE_TYPES, RESOURCE_ATTRIBUTE_TYPES};

/// Which letters of types a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TypeLetters {
    /// None.
    None,
    /// Those of every row.
    All,
    /// Those of rows with an attribute whose type is not the one that its text suggests.
    WhereSurprising,
}

impl TypeLetters {
    /// Adds the column of letters for one map.
    ///
    /// # Errors
    /// When a column is missing or has another type than generated rows have.
    pub(crate) fn push(
        self,
        rows: &RecordBatch,
        map: MapColumn,
        columns: &mut Vec<(Field, ArrayRef)>,
    ) -> Result<()> {
        let array: ArrayRef = match self {
            Self::None => return Ok(()),
            Self::All => Arc::clone(column(rows, map)?),
            Self::WhereSurprising => surprising(rows, map)?,
        };
        columns.push((Field::new(column_name(map), dictionary_type(), false), array));
        Ok(())
    }
}

fn column_name(map: MapColumn) -> &'static str {
    match map {
        MapColumn::Own => ATTRIBUTE_TYPES,
        MapColumn::Resource => RESOURCE_ATTRIBUTE_TYPES,
    }
}

fn column(rows: &RecordBatch, map: MapColumn) -> Result<&ArrayRef> {
    rows.column_by_name(column_name(map)).with_context(|| format!("no column {}", column_name(map)))
}

/// The letters of each row's attributes, in the order of their keys.
///
/// # Errors
/// When the column is missing or holds no texts.
pub(crate) fn letters(rows: &RecordBatch, map: MapColumn) -> Result<StringArray> {
    let texts = cast(column(rows, map)?, &DataType::Utf8)?;
    Ok(texts.as_string_opt::<i32>().context("letters of types are no texts")?.clone())
}

fn surprising(rows: &RecordBatch, map: MapColumn) -> Result<ArrayRef> {
    let (letters, array) = (letters(rows, map)?, map_column(rows, map)?);
    let (_, values) = entries(array)?;
    let mut builder = StringDictionaryBuilder::<Int32Type>::new();
    for (row, bounds) in array.offsets().windows(2).enumerate() {
        let suggested = (bounds[0] as usize..bounds[1] as usize).map(|entry| suggested(values.value(entry)));
        let letters = letters.value(row);
        builder.append_value(if suggested.eq(letters.chars()) { "" } else { letters });
    }
    Ok(Arc::new(builder.finish()))
}

/// The type that a value's text looks like.
fn suggested(text: &str) -> char {
    match text.as_bytes().first() {
        Some(b'[') => 'a',
        Some(b'{') => 'm',
        Some(b't' | b'f') if matches!(text, "true" | "false") => 'b',
        Some(b'-' | b'0'..=b'9') if text.parse::<i64>().is_ok_and(|number| number.to_string() == text) => 'i',
        Some(b'-' | b'0'..=b'9') if text.parse::<f64>().is_ok_and(|number| format!("{number:?}") == text) => {
            'd'
        }
        _ => 's',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_suggest_the_type_they_are_written_for() {
        for (text, expected) in [
            ("500", 'i'),
            ("-7", 'i'),
            ("007", 's'),
            ("0.5", 'd'),
            ("500.0", 'd'),
            ("0.50", 's'),
            ("true", 'b'),
            ("truth", 's'),
            ("[1]", 'a'),
            ("{}", 'm'),
            ("", 's'),
            ("9f", 's'),
        ] {
            assert_eq!(suggested(text), expected, "{text:?}");
        }
    }
}
