//! The columns of rows, with the types that the schema gives them.

use arrow::array::{
    Array, AsArray, Int32Array, MapArray, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array,
    UInt64Array,
};
use arrow::datatypes::Int32Type;

use crate::error::{Error, Result};

fn column<'a, T: 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a T> {
    let column = batch.column_by_name(name).and_then(|column| {
        let has_nulls = column.null_count() > 0;
        column.as_any().downcast_ref::<T>().filter(|_| !has_nulls)
    });
    column.ok_or_else(|| Error::internal(format!("rows for a sidecar lack the column {name} of the schema")))
}

pub(super) fn timestamps<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a TimestampMicrosecondArray> {
    column(batch, name)
}

pub(super) fn sizes<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a UInt32Array> {
    column(batch, name)
}

pub(super) fn hashes<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a UInt64Array> {
    column(batch, name)
}

/// A column of text with few distinct values.
#[derive(Clone, Copy, Debug)]
pub(super) struct DictionaryColumn<'a> {
    keys: &'a Int32Array,
    pub(super) values: &'a StringArray,
}

impl<'a> DictionaryColumn<'a> {
    pub(super) fn of(batch: &'a RecordBatch, name: &str) -> Result<Self> {
        let dictionary: &arrow::array::DictionaryArray<Int32Type> = column(batch, name)?;
        let values = dictionary.values().as_string_opt::<i32>();
        match values.filter(|values| values.null_count() == 0) {
            Some(values) => Ok(Self { keys: dictionary.keys(), values }),
            None => Err(Error::internal(format!("the column {name} of rows for a sidecar is no text"))),
        }
    }

    /// The place of a row's text among the values.
    pub(super) fn key(&self, row: usize) -> usize {
        self.keys.values()[row] as usize
    }

    /// How many rows have each of the values.
    pub(super) fn num_rows_by_value(&self) -> Vec<u64> {
        let mut num_rows = vec![0; self.values.len()];
        self.keys.values().iter().for_each(|&key| num_rows[key as usize] += 1);
        num_rows
    }
}

/// A column of attributes.
#[derive(Clone, Copy, Debug)]
pub(super) struct MapColumn<'a> {
    offsets: &'a [i32],
    keys: &'a StringArray,
    values: &'a StringArray,
}

impl<'a> MapColumn<'a> {
    pub(super) fn of(batch: &'a RecordBatch, name: &str) -> Result<Self> {
        let map: &MapArray = column(batch, name)?;
        let entries = map.keys().as_string_opt::<i32>().zip(map.values().as_string_opt::<i32>());
        match entries.filter(|(keys, values)| keys.null_count() == 0 && values.null_count() == 0) {
            Some((keys, values)) => Ok(Self { offsets: map.value_offsets(), keys, values }),
            None => {
                Err(Error::internal(format!("the column {name} of rows for a sidecar is no map of texts")))
            }
        }
    }

    /// The attributes of a row.
    pub(super) fn entries(&self, row: usize) -> impl ExactSizeIterator<Item = (&'a str, &'a str)> + use<'a> {
        let (keys, values) = (self.keys, self.values);
        let entries = self.offsets[row] as usize..self.offsets[row + 1] as usize;
        entries.map(move |entry| (keys.value(entry), values.value(entry)))
    }
}
