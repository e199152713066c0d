//! From rows in memory to the columns of a file.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeBinaryArray, FixedSizeBinaryBuilder, Int64Array, MapArray,
    RecordBatch, StringArray, StringBuilder, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields, Schema};
use engine::schema::{columns, map_entry_fields};

use super::promotion::{KeyFacts, MapColumn, entries, map_column};
use super::rows::{ATTRIBUTE_TYPES, RESOURCE_ATTRIBUTE_TYPES};
use super::types::TypeLetters;
use super::variant;

/// The distance of the observed time from the record's own, where that is stored.
pub(crate) const OBSERVED_DELAY: &str = "observed_delay_us";

/// How attributes are stored.
#[derive(Clone, Debug)]
pub(crate) enum AttributeForm {
    /// In two maps.
    Maps,
    /// The given ones in columns of their own, the others in the two maps.
    Promoted(Vec<KeyFacts>),
    /// In two Parquet Variants, the given ones shredded.
    Variant(Vec<KeyFacts>),
}

/// What the columns of a file are.
#[derive(Clone, Debug)]
pub(crate) struct FileForm {
    /// How attributes are stored.
    pub(crate) attributes: AttributeForm,
    /// Promoted values that are all hexadecimal digits are stored as bytes.
    pub(crate) hex_as_bytes: bool,
    /// Promoted values that are all integers are stored as 64-bit integers.
    pub(crate) integers_as_numbers: bool,
    /// Unset trace and span ids are null, not zeros.
    pub(crate) null_ids: bool,
    /// The observed time is stored as the distance from the record's own.
    pub(crate) observed_as_delay: bool,
    /// The time of ingestion is left to the row id, which holds its milliseconds.
    pub(crate) without_ingested: bool,
    /// Which letters of types are stored.
    pub(crate) types: TypeLetters,
}

impl FileForm {
    /// Everything as it is in memory, without type letters.
    pub(crate) fn new(attributes: AttributeForm) -> Self {
        Self {
            attributes,
            hex_as_bytes: false,
            integers_as_numbers: false,
            null_ids: false,
            observed_as_delay: false,
            without_ingested: false,
            types: TypeLetters::None,
        }
    }

    /// The columns of the file for some rows.
    ///
    /// # Errors
    /// When a column is missing or has another type than the engine gives it.
    pub(crate) fn shape(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let schema = rows.schema();
        let mut columns: Vec<(Field, ArrayRef)> = Vec::new();
        for (field, array) in schema.fields().iter().zip(rows.columns()) {
            match field.name().as_str() {
                ATTRIBUTE_TYPES => self.types.push(rows, MapColumn::Own, &mut columns)?,
                RESOURCE_ATTRIBUTE_TYPES => self.types.push(rows, MapColumn::Resource, &mut columns)?,
                columns::INGESTED_TIMESTAMP if self.without_ingested => {}
                columns::OBSERVED_TIMESTAMP if self.observed_as_delay => {
                    columns
                        .push((Field::new(OBSERVED_DELAY, DataType::Int64, false), Arc::new(delay(rows)?)));
                }
                columns::TRACE_ID | columns::SPAN_ID if self.null_ids => {
                    let array = without_zeros(array.as_fixed_size_binary())?;
                    columns.push((field.as_ref().clone().with_nullable(true), Arc::new(array)));
                }
                columns::ATTRIBUTES => self.shape_map(rows, MapColumn::Own, &mut columns)?,
                columns::RESOURCE_ATTRIBUTES => self.shape_map(rows, MapColumn::Resource, &mut columns)?,
                _ => columns.push((field.as_ref().clone(), Arc::clone(array))),
            }
        }
        let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
    }

    fn shape_map(
        &self,
        rows: &RecordBatch,
        map: MapColumn,
        columns: &mut Vec<(Field, ArrayRef)>,
    ) -> Result<()> {
        let array = map_column(rows, map)?;
        match &self.attributes {
            AttributeForm::Maps => {
                let field = Field::new(map.name(), array.data_type().clone(), false);
                columns.push((field, Arc::new(array.clone())));
            }
            AttributeForm::Promoted(keys) => {
                let keys: Vec<_> = keys.iter().filter(|key| key.map == map).collect();
                let (promoted, rest) = split_map(array, &keys)?;
                for (key, values) in keys.into_iter().zip(promoted) {
                    let array = self.promoted_array(key, &values)?;
                    columns.push((Field::new(key.column(), array.data_type().clone(), true), array));
                }
                columns.push((Field::new(map.name(), rest.data_type().clone(), false), Arc::new(rest)));
            }
            AttributeForm::Variant(keys) => {
                let keys: Vec<_> = keys.iter().filter(|key| key.map == map).collect();
                columns.push(variant::column(rows, map, &keys)?);
            }
        }
        Ok(())
    }

    fn promoted_array(&self, key: &KeyFacts, values: &[Option<&str>]) -> Result<ArrayRef> {
        Ok(match key.hex_bytes {
            Some(bytes) if self.hex_as_bytes => Arc::new(hex_array(values, bytes)?),
            _ if self.integers_as_numbers && key.is_integer => Arc::new(
                values
                    .iter()
                    .map(|value| value.map(str::parse::<i64>).transpose())
                    .collect::<Result<Int64Array, _>>()?,
            ),
            _ => Arc::new(values.iter().copied().collect::<StringArray>()),
        })
    }
}

/// Microseconds from the record's own time to the observed one.
pub(crate) fn delay(rows: &RecordBatch) -> Result<Int64Array> {
    let time = |name: &str| {
        let column = rows.column_by_name(name)?;
        column.as_any().downcast_ref::<TimestampMicrosecondArray>()
    };
    let observed = time(columns::OBSERVED_TIMESTAMP).context("no observed time")?;
    let happened = time(columns::TIMESTAMP).context("no time")?;
    Ok(observed
        .values()
        .iter()
        .zip(happened.values())
        .map(|(observed, happened)| observed - happened)
        .collect())
}

/// The same ids, with nulls where all bytes are zero.
pub(crate) fn without_zeros(ids: &FixedSizeBinaryArray) -> Result<FixedSizeBinaryArray> {
    let size = ids.value_length();
    let mut builder = FixedSizeBinaryBuilder::with_capacity(ids.len(), size);
    for id in ids.iter() {
        match id {
            Some(id) if id.iter().any(|byte| *byte != 0) => builder.append_value(id)?,
            _ => builder.append_null(),
        }
    }
    Ok(builder.finish())
}

/// Bytes of texts in hexadecimal digits.
pub(crate) fn hex_array(values: &[Option<&str>], num_bytes: usize) -> Result<FixedSizeBinaryArray> {
    let mut builder = FixedSizeBinaryBuilder::with_capacity(values.len(), num_bytes as i32);
    let mut bytes = vec![0; num_bytes];
    for value in values {
        let Some(text) = value else {
            builder.append_null();
            continue;
        };
        ensure!(text.len() == 2 * num_bytes, "{text:?} has not {num_bytes} bytes");
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16).context("no hexadecimal digit");
            *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
        }
        builder.append_value(&bytes)?;
    }
    Ok(builder.finish())
}

/// The values of some keys by row, and a map of the others.
type SplitMap<'a> = (Vec<Vec<Option<&'a str>>>, MapArray);

fn split_map<'a>(map: &'a MapArray, promoted: &[&KeyFacts]) -> Result<SplitMap<'a>> {
    let places: HashMap<&str, usize> =
        promoted.iter().enumerate().map(|(place, key)| (key.key.as_str(), place)).collect();
    let mut columns = vec![vec![None; map.len()]; promoted.len()];
    let (keys, values) = entries(map)?;
    let (mut rest_keys, mut rest_values) = (StringBuilder::new(), StringBuilder::new());
    let mut offsets = Vec::with_capacity(map.len() + 1);
    offsets.push(0);
    let mut num_rest = 0;
    for (row, bounds) in map.offsets().windows(2).enumerate() {
        for entry in bounds[0] as usize..bounds[1] as usize {
            match places.get(keys.value(entry)) {
                Some(place) => columns[*place][row] = Some(values.value(entry)),
                None => {
                    rest_keys.append_value(keys.value(entry));
                    rest_values.append_value(values.value(entry));
                    num_rest += 1;
                }
            }
        }
        offsets.push(num_rest);
    }
    let rest: Vec<ArrayRef> = vec![Arc::new(rest_keys.finish()), Arc::new(rest_values.finish())];
    let rest = StructArray::try_new(map_entry_fields(), rest, None)?;
    let field = Field::new("entries", DataType::Struct(Fields::clone(&map_entry_fields())), false);
    let rest = MapArray::try_new(Arc::new(field), OffsetBuffer::new(offsets.into()), rest, None, false)?;
    Ok((columns, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_text_becomes_bytes() {
        let array = hex_array(&[Some("00ff"), None, Some("a1b2")], 2).unwrap();
        assert_eq!(array.value(0), [0, 255]);
        assert!(array.is_null(1));
        assert_eq!(array.value(2), [0xa1, 0xb2]);
        assert!(hex_array(&[Some("zz00")], 2).is_err());
        assert!(hex_array(&[Some("00")], 2).is_err());
    }
}
