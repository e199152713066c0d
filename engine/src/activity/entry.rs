//! What an entry is, and the columns that it is stored in.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, FixedSizeBinaryArray, FixedSizeBinaryBuilder,
    Int64Array, PrimitiveArray, RecordBatch, StringArray, StringDictionaryBuilder, StringViewArray,
    StringViewBuilder, TimestampMicrosecondArray, UInt32Array,
};
use arrow::datatypes::{ArrowPrimitiveType, Int32Type, Int64Type, TimestampMicrosecondType, UInt32Type};
use arrow::error::ArrowError;
use uuid::Uuid;

use super::chain::Hash;
use crate::error::{Error, Result};
use crate::schema::{ProjectId, UTC, activity, columns, decoded_activity_schema};

/// An entry as it is to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityEntry {
    /// Its id, given where it was made.
    pub id: Uuid,
    /// When it was done, microseconds.
    pub timestamp_us: i64,
    /// The project that it is about; none when it is about the organization.
    pub project: Option<ProjectId>,
    /// Who did it; none for the product itself.
    pub user_id: Option<i64>,
    /// Whether staff acted through the user's session.
    pub was_impersonated: Option<bool>,
    /// Whether no user did it.
    pub is_system: Option<bool>,
    /// What the caller says to be.
    pub client: Option<String>,
    /// Where the call came from.
    pub ip_address: Option<String>,
    /// Type of the resource.
    pub scope: String,
    /// What was done.
    pub activity: String,
    /// Id of the resource.
    pub item_id: Option<String>,
    /// What exactly was done, JSON text.
    pub detail: Option<String>,
}

/// The place of an entry in the chain of its organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainLink {
    /// From 1, without gaps.
    pub sequence: i64,
    /// Version of the encoding that the hash is of.
    pub version: u32,
    /// Hash of the chain up to the entry.
    pub hash: Hash,
}

/// An entry as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// What it says.
    pub entry: ActivityEntry,
    /// Its place in the chain.
    pub link: ChainLink,
    /// When it was stored, microseconds.
    pub ingested_us: i64,
}

impl ActivityEntry {
    /// Bytes of its text.
    fn size_bytes(&self) -> u32 {
        let optional = [&self.client, &self.ip_address, &self.item_id, &self.detail];
        let text = self.scope.len() + self.activity.len();
        let all = text + optional.iter().filter_map(|text| text.as_ref()).map(String::len).sum::<usize>();
        u32::try_from(all).unwrap_or(u32::MAX)
    }
}

/// Entries and their places as rows of the decoded schema.
pub(crate) fn encode_entries(entries: &[(ActivityEntry, ChainLink)]) -> Result<RecordBatch> {
    let all = || entries.iter().map(|(entry, _)| entry);
    let links = || entries.iter().map(|(_, link)| link);
    let text = |of: fn(&ActivityEntry) -> Option<&str>| all().map(of);
    let timestamps = TimestampMicrosecondArray::from_iter_values(all().map(|entry| entry.timestamp_us));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(timestamps.with_timezone(UTC)),
        bytes(16, all().map(|entry| entry.id.as_bytes().as_slice()))?,
        Arc::new(Int64Array::from_iter(all().map(|entry| entry.project.map(|project| project.0)))),
        Arc::new(Int64Array::from_iter(all().map(|entry| entry.user_id))),
        flags(all().map(|entry| entry.was_impersonated)),
        flags(all().map(|entry| entry.is_system)),
        words(text(|entry| entry.client.as_deref())),
        texts(text(|entry| entry.ip_address.as_deref())),
        words(text(|entry| Some(&entry.scope))),
        words(text(|entry| Some(&entry.activity))),
        texts(text(|entry| entry.item_id.as_deref())),
        texts(text(|entry| entry.detail.as_deref())),
        Arc::new(Int64Array::from_iter_values(links().map(|link| link.sequence))),
        Arc::new(UInt32Array::from_iter_values(links().map(|link| link.version))),
        bytes(32, links().map(|link| link.hash.as_slice()))?,
        Arc::new(UInt32Array::from_iter_values(all().map(ActivityEntry::size_bytes))),
    ];
    RecordBatch::try_new(decoded_activity_schema(), columns).map_err(cannot_encode)
}

fn bytes<'b>(width: i32, values: impl Iterator<Item = &'b [u8]>) -> Result<ArrayRef> {
    let mut builder = FixedSizeBinaryBuilder::new(width);
    for value in values {
        builder.append_value(value).map_err(cannot_encode)?;
    }
    Ok(Arc::new(builder.finish()))
}

fn flags(values: impl Iterator<Item = Option<bool>>) -> ArrayRef {
    let mut builder = BooleanBuilder::new();
    values.for_each(|value| builder.append_option(value));
    Arc::new(builder.finish())
}

fn words<'t>(values: impl Iterator<Item = Option<&'t str>>) -> ArrayRef {
    let mut builder = StringDictionaryBuilder::<Int32Type>::new();
    values.for_each(|value| builder.append_option(value));
    Arc::new(builder.finish())
}

fn texts<'t>(values: impl Iterator<Item = Option<&'t str>>) -> ArrayRef {
    let mut builder = StringViewBuilder::new();
    values.for_each(|value| builder.append_option(value));
    Arc::new(builder.finish())
}

fn cannot_encode(error: ArrowError) -> Error {
    Error::internal("cannot make rows of entries").with_source(error)
}

/// The entries of rows in the stored schema.
///
/// # Errors
/// `Internal` when a column is missing or of another type.
pub(crate) fn decode_entries(rows: &RecordBatch) -> Result<Vec<StoredEntry>> {
    let columns = Columns::of(rows)?;
    (0..rows.num_rows()).map(|row| columns.entry(row)).collect()
}

struct Columns<'r> {
    timestamp: &'r TimestampMicrosecondArray,
    ingested: &'r TimestampMicrosecondArray,
    id: &'r FixedSizeBinaryArray,
    project: &'r Int64Array,
    user: &'r Int64Array,
    was_impersonated: &'r BooleanArray,
    is_system: &'r BooleanArray,
    client: Words<'r>,
    ip_address: &'r StringViewArray,
    scope: Words<'r>,
    activity: Words<'r>,
    item_id: &'r StringViewArray,
    detail: &'r StringViewArray,
    sequence: &'r Int64Array,
    version: &'r UInt32Array,
    hash: &'r FixedSizeBinaryArray,
}

/// A dictionary column and the texts of its dictionary.
struct Words<'r> {
    keys: &'r PrimitiveArray<Int32Type>,
    values: &'r StringArray,
}

impl Words<'_> {
    fn get(&self, row: usize) -> Option<String> {
        self.keys.is_valid(row).then(|| self.values.value(self.keys.value(row) as usize).to_owned())
    }
}

impl<'r> Columns<'r> {
    fn of(rows: &'r RecordBatch) -> Result<Self> {
        Ok(Self {
            timestamp: numbers::<TimestampMicrosecondType>(rows, columns::TIMESTAMP)?,
            ingested: numbers::<TimestampMicrosecondType>(rows, columns::INGESTED_TIMESTAMP)?,
            id: column(rows, activity::ID, |column| column.as_fixed_size_binary_opt())?,
            project: numbers::<Int64Type>(rows, activity::PROJECT_ID)?,
            user: numbers::<Int64Type>(rows, activity::USER_ID)?,
            was_impersonated: column(rows, activity::WAS_IMPERSONATED, |column| column.as_boolean_opt())?,
            is_system: column(rows, activity::IS_SYSTEM, |column| column.as_boolean_opt())?,
            client: words_of(rows, activity::CLIENT)?,
            ip_address: column(rows, activity::IP_ADDRESS, |column| column.as_string_view_opt())?,
            scope: words_of(rows, activity::SCOPE)?,
            activity: words_of(rows, activity::ACTIVITY)?,
            item_id: column(rows, activity::ITEM_ID, |column| column.as_string_view_opt())?,
            detail: column(rows, activity::DETAIL, |column| column.as_string_view_opt())?,
            sequence: numbers::<Int64Type>(rows, activity::SEQUENCE)?,
            version: numbers::<UInt32Type>(rows, activity::CHAIN_VERSION)?,
            hash: column(rows, activity::HASH, |column| column.as_fixed_size_binary_opt())?,
        })
    }

    fn entry(&self, row: usize) -> Result<StoredEntry> {
        let text = |column: &StringViewArray| column.is_valid(row).then(|| column.value(row).to_owned());
        let flag = |column: &BooleanArray| column.is_valid(row).then(|| column.value(row));
        let number = |column: &Int64Array| column.is_valid(row).then(|| column.value(row));
        let word = |words: &Words<'_>, name: &str| words.get(row).ok_or_else(|| wrong_column(name));
        let entry = ActivityEntry {
            id: Uuid::from_slice(self.id.value(row)).map_err(|_| wrong_column(activity::ID))?,
            timestamp_us: self.timestamp.value(row),
            project: number(self.project).map(ProjectId),
            user_id: number(self.user),
            was_impersonated: flag(self.was_impersonated),
            is_system: flag(self.is_system),
            client: self.client.get(row),
            ip_address: text(self.ip_address),
            scope: word(&self.scope, activity::SCOPE)?,
            activity: word(&self.activity, activity::ACTIVITY)?,
            item_id: text(self.item_id),
            detail: text(self.detail),
        };
        let hash = self.hash.value(row).try_into().map_err(|_| wrong_column(activity::HASH))?;
        let link = ChainLink { sequence: self.sequence.value(row), version: self.version.value(row), hash };
        Ok(StoredEntry { entry, link, ingested_us: self.ingested.value(row) })
    }
}

fn column<'r, T>(
    rows: &'r RecordBatch,
    name: &str,
    cast: impl FnOnce(&'r ArrayRef) -> Option<&'r T>,
) -> Result<&'r T> {
    rows.column_by_name(name).and_then(cast).ok_or_else(|| wrong_column(name))
}

fn numbers<'r, T: ArrowPrimitiveType>(rows: &'r RecordBatch, name: &str) -> Result<&'r PrimitiveArray<T>> {
    column(rows, name, |column| column.as_primitive_opt::<T>())
}

fn words_of<'r>(rows: &'r RecordBatch, name: &str) -> Result<Words<'r>> {
    let words = column(rows, name, |column| column.as_dictionary_opt::<Int32Type>())?;
    let values = words.values().as_string_opt::<i32>().ok_or_else(|| wrong_column(name))?;
    Ok(Words { keys: words.keys(), values })
}

fn wrong_column(name: &str) -> Error {
    Error::internal(format!("entries without the column {name:?}, or with another type of it"))
}
