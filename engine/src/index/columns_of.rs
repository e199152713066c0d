//! The columns of rows, with the types that the schema gives them.

use arrow::array::{
    Array, AsArray, BooleanArray, DictionaryArray, Int32Array, Int64Array, MapArray, RecordBatch,
    StringArray, StringViewArray, TimestampMicrosecondArray, UInt32Array, UInt64Array,
};
use arrow::datatypes::Int32Type;

use crate::error::{Error, Result};
use crate::schema::activity;

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

/// Columns of entries of the audit trail.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntryColumns<'a> {
    projects: &'a Int64Array,
    users: &'a Int64Array,
    pub(super) was_impersonated: &'a BooleanArray,
    pub(super) client: Words<'a>,
    pub(super) scope: Words<'a>,
    pub(super) activity: Words<'a>,
    details: &'a StringViewArray,
}

/// A column of text, null or with few distinct values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<'a> {
    keys: &'a Int32Array,
    values: &'a StringArray,
}

/// A column of text that may be null.
#[derive(Clone, Copy, Debug)]
pub(super) struct Texts<'a>(&'a StringViewArray);

impl<'a> EntryColumns<'a> {
    pub(super) const NAMES: [&'static str; 7] = [
        activity::PROJECT_ID,
        activity::USER_ID,
        activity::WAS_IMPERSONATED,
        activity::CLIENT,
        activity::SCOPE,
        activity::ACTIVITY,
        activity::DETAIL,
    ];

    pub(super) fn of(batch: &'a RecordBatch) -> Result<Self> {
        Ok(Self {
            projects: nullable(batch, activity::PROJECT_ID)?,
            users: nullable(batch, activity::USER_ID)?,
            was_impersonated: nullable(batch, activity::WAS_IMPERSONATED)?,
            client: Words::of(batch, activity::CLIENT)?,
            scope: Words::of(batch, activity::SCOPE)?,
            activity: Words::of(batch, activity::ACTIVITY)?,
            details: nullable(batch, activity::DETAIL)?,
        })
    }

    pub(super) fn project(&self, row: usize) -> Option<i64> {
        self.projects.is_valid(row).then(|| self.projects.value(row))
    }

    pub(super) fn user(&self, row: usize) -> Option<i64> {
        self.users.is_valid(row).then(|| self.users.value(row))
    }

    pub(super) fn detail(&self, row: usize) -> Option<&'a str> {
        Texts(self.details).get(row)
    }

    /// The ids of the resources.
    pub(super) fn items(&self, batch: &'a RecordBatch) -> Result<Texts<'a>> {
        nullable(batch, activity::ITEM_ID).map(Texts)
    }
}

impl<'a> Words<'a> {
    fn of(batch: &'a RecordBatch, name: &str) -> Result<Self> {
        let dictionary: &DictionaryArray<Int32Type> = nullable(batch, name)?;
        let values = dictionary.values().as_string_opt::<i32>();
        values.map(|values| Self { keys: dictionary.keys(), values }).ok_or_else(|| lacks(name))
    }

    pub(super) fn get(&self, row: usize) -> Option<&'a str> {
        self.keys.is_valid(row).then(|| self.values.value(self.keys.value(row) as usize))
    }
}

impl<'a> Texts<'a> {
    pub(super) fn get(&self, row: usize) -> Option<&'a str> {
        self.0.is_valid(row).then(|| self.0.value(row))
    }
}

fn nullable<'a, T: 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a T> {
    batch
        .column_by_name(name)
        .and_then(|column| column.as_any().downcast_ref::<T>())
        .ok_or_else(|| lacks(name))
}

fn lacks(name: &str) -> Error {
    Error::internal(format!("entries for a sidecar lack the column {name} of the schema"))
}
