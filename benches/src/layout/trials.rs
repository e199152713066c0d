//! Which encodings are tried for which column.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow::array::{
    ArrayRef, AsArray, FixedSizeBinaryArray, Float64Array, Int64Array, RecordBatch, UInt32Array,
};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use engine::schema::columns;

use super::coding::{Codec, Coding, ColumnCoding};
use super::form::{AttributeForm, FileForm, delay, without_zeros};
use super::order::OrderedRows;
use super::promotion::KeyFacts;
use super::rows::{ATTRIBUTE_TYPES, RESOURCE_ATTRIBUTE_TYPES};
use super::trial::{ColumnValues, Trial, try_column};

/// What reports say above single columns.
pub(crate) const NOTE: &str = "Each line is a file of that one column, zstd level 3 and pages of 1 MiB unless it says otherwise. \
    A dictionary may grow to 4 MiB before it gives way to plain values.";
/// Attributes that are tried in columns of their own.
pub(crate) const MAX_PROMOTED: usize = 64;
/// The share of rows that such an attribute has at least.
pub(crate) const MIN_PROMOTED_SHARE: f64 = 0.005;

const KIB: usize = 1024;
const UUID_PREFIX_BYTES: usize = 12;

const DICTIONARY: ColumnCoding = ColumnCoding::new(Coding::Dictionary).dictionary_bytes(4 * KIB * KIB);
const PLAIN: ColumnCoding = ColumnCoding::new(Coding::Plain);
const DELTA: ColumnCoding = ColumnCoding::new(Coding::Delta);
const DELTA_LENGTH: ColumnCoding = ColumnCoding::new(Coding::DeltaLength);
const DELTA_BYTES: ColumnCoding = ColumnCoding::new(Coding::DeltaBytes);
const SPLIT: ColumnCoding = ColumnCoding::new(Coding::Split);

/// Tries several encodings of the same values.
fn try_all(
    folder: &Path,
    what: &str,
    values: &ColumnValues,
    codings: &[(&str, ColumnCoding)],
    trials: &mut Vec<Trial>,
) -> Result<()> {
    for (name, coding) in codings {
        trials.push(try_column(folder, format!("{what}: {name}"), values, *coding)?);
    }
    Ok(())
}

/// The row id, whole and in two parts.
pub(crate) fn uuid(folder: &Path, rows: &OrderedRows) -> Result<Vec<Trial>> {
    let mut trials = Vec::new();
    let whole = ColumnValues::of(rows, columns::UUID)?;
    let codings = [
        ("plain", PLAIN),
        ("delta bytes", DELTA_BYTES),
        ("delta bytes, not compressed", DELTA_BYTES.codec(Codec::None)),
        ("byte stream split", SPLIT),
        ("dictionary", DICTIONARY),
    ];
    try_all(folder, "16 bytes", &whole, &codings, &mut trials)?;
    let prefix = ColumnValues::take(rows, |batch| Ok(Arc::new(uuid_prefix(batch)?)))?;
    try_all(
        folder,
        "prefix, 12 bytes",
        &prefix,
        &[("dictionary", DICTIONARY), ("plain", PLAIN)],
        &mut trials,
    )?;
    let ordinal = ColumnValues::take(rows, |batch| Ok(Arc::new(uuid_ordinal(batch)?)))?;
    let codings = [
        ("plain", PLAIN),
        ("delta", DELTA),
        ("delta, not compressed", DELTA.codec(Codec::None)),
        ("byte stream split", SPLIT),
        ("dictionary", DICTIONARY),
    ];
    try_all(folder, "ordinal, 32 bits", &ordinal, &codings, &mut trials)?;
    Ok(trials)
}

fn ids(batch: &RecordBatch) -> Result<&FixedSizeBinaryArray> {
    Ok(batch.column_by_name(columns::UUID).context("no column uuid")?.as_fixed_size_binary())
}

fn uuid_prefix(batch: &RecordBatch) -> Result<FixedSizeBinaryArray> {
    let ids = ids(batch)?;
    let prefixes = ids.iter().flatten().map(|id| &id[..UUID_PREFIX_BYTES]);
    Ok(FixedSizeBinaryArray::try_from_iter(prefixes)?)
}

fn uuid_ordinal(batch: &RecordBatch) -> Result<UInt32Array> {
    let ids = ids(batch)?;
    let ordinals = ids.iter().flatten().map(|id| id[UUID_PREFIX_BYTES..].try_into().map(u32::from_be_bytes));
    Ok(ordinals.collect::<Result<UInt32Array, _>>()?)
}

/// The three times, and the observed one as a distance from the record's own.
pub(crate) fn times(folder: &Path, rows: &OrderedRows) -> Result<Vec<Trial>> {
    let mut trials = Vec::new();
    let codings = [
        ("plain", PLAIN),
        ("delta", DELTA),
        ("delta, not compressed", DELTA.codec(Codec::None)),
        ("byte stream split", SPLIT),
        ("dictionary", DICTIONARY),
    ];
    for name in [columns::TIMESTAMP, columns::OBSERVED_TIMESTAMP, columns::INGESTED_TIMESTAMP] {
        try_all(folder, name, &ColumnValues::of(rows, name)?, &codings, &mut trials)?;
    }
    let distance = ColumnValues::take(rows, |batch| Ok(Arc::new(delay(batch)?)))?;
    try_all(folder, "observed_timestamp - timestamp", &distance, &codings, &mut trials)?;
    Ok(trials)
}

/// Trace and span ids.
pub(crate) fn trace_ids(folder: &Path, rows: &OrderedRows) -> Result<Vec<Trial>> {
    let mut trials = Vec::new();
    let codings = [
        ("plain", PLAIN),
        ("plain, not compressed", PLAIN.codec(Codec::None)),
        ("plain, pages of 64 KiB", PLAIN.page_bytes(64 * KIB)),
        ("byte stream split", SPLIT),
        ("dictionary", DICTIONARY),
        ("dictionary, not compressed", DICTIONARY.codec(Codec::None)),
    ];
    for name in [columns::TRACE_ID, columns::SPAN_ID] {
        let zeros = ColumnValues::of(rows, name)?;
        try_all(folder, &format!("{name}, zeros"), &zeros, &codings, &mut trials)?;
        let nulls = ColumnValues::take(rows, |batch| {
            let ids = batch.column_by_name(name).context("no ids")?.as_fixed_size_binary();
            Ok(Arc::new(without_zeros(ids)?))
        })?;
        try_all(folder, &format!("{name}, nulls"), &nulls, &codings, &mut trials)?;
    }
    Ok(trials)
}

/// The body.
pub(crate) fn body(folder: &Path, rows: &OrderedRows) -> Result<Vec<Trial>> {
    let mut trials = Vec::new();
    let values = ColumnValues::of(rows, columns::BODY)?;
    for coding in [PLAIN, DELTA_LENGTH, DELTA_BYTES, DICTIONARY] {
        trials.push(try_column(folder, format!("{:?}, zstd 3, 1024 KiB", coding.coding), &values, coding)?);
    }
    for kib in [64, 128, 256, 512, 2048] {
        let coding = PLAIN.page_bytes(kib * KIB);
        trials.push(try_column(folder, format!("plain, zstd 3, {kib} KiB"), &values, coding)?);
    }
    for level in [1, 6, 9, 12] {
        for kib in [128, 256, 1024] {
            let coding = PLAIN.codec(Codec::Zstd(level)).page_bytes(kib * KIB);
            trials.push(try_column(folder, format!("plain, zstd {level}, {kib} KiB"), &values, coding)?);
        }
    }
    for kib in [128, 1024] {
        let coding = PLAIN.codec(Codec::Lz4).page_bytes(kib * KIB);
        trials.push(try_column(folder, format!("plain, lz4, {kib} KiB"), &values, coding)?);
    }
    Ok(trials)
}

/// Small columns, and the letters of types.
pub(crate) fn small(folder: &Path, rows: &OrderedRows) -> Result<Vec<Trial>> {
    let mut trials = Vec::new();
    let codings =
        [("dictionary", DICTIONARY), ("plain", PLAIN), ("delta", DELTA), ("byte stream split", SPLIT)];
    for name in [columns::BYTES_UNCOMPRESSED, columns::RESOURCE_FINGERPRINT] {
        try_all(folder, name, &ColumnValues::of(rows, name)?, &codings, &mut trials)?;
    }
    for name in [ATTRIBUTE_TYPES, RESOURCE_ATTRIBUTE_TYPES] {
        try_all(folder, name, &ColumnValues::of(rows, name)?, &codings[..1], &mut trials)?;
    }
    Ok(trials)
}

/// Every promoted attribute that costs something, as text and as what its values are.
pub(crate) fn promoted(folder: &Path, rows: &OrderedRows, keys: &[KeyFacts]) -> Result<Vec<Trial>> {
    let mut trials = Vec::new();
    let text = FileForm::new(AttributeForm::Promoted(keys.to_vec()));
    let bytes = FileForm { hex_as_bytes: true, ..text.clone() };
    let numbers = FileForm { integers_as_numbers: true, ..text.clone() };
    let column = |form: &FileForm, name: &str| {
        ColumnValues::take(rows, |batch| {
            form.shape(batch)?.column_by_name(name).cloned().context("no column")
        })
    };
    let of_text = [
        ("dictionary", DICTIONARY),
        ("plain", PLAIN),
        ("delta length", DELTA_LENGTH),
        ("delta bytes", DELTA_BYTES),
    ];
    for key in keys {
        let name = key.column();
        let values = column(&text, &name)?;
        try_all(folder, &format!("{name}, text"), &values, &of_text, &mut trials)?;
        if key.hex_bytes.is_some() {
            let values = column(&bytes, &name)?;
            let codings = [("plain", PLAIN), ("plain, not compressed", PLAIN.codec(Codec::None))];
            try_all(folder, &format!("{name}, bytes"), &values, &codings, &mut trials)?;
        } else if key.is_integer {
            let values = column(&numbers, &name)?;
            let codings = [
                ("dictionary", DICTIONARY),
                ("plain", PLAIN),
                ("delta", DELTA),
                ("byte stream split", SPLIT),
            ];
            try_all(folder, &format!("{name}, 64-bit integer"), &values, &codings, &mut trials)?;
        } else if key.is_double {
            doubles(folder, &name, &|form| column(form, &name), &text, &mut trials)?;
        }
    }
    Ok(trials)
}

/// A column of doubles as doubles, and as whole thousandths.
fn doubles(
    folder: &Path,
    name: &str,
    column: &dyn Fn(&FileForm) -> Result<ColumnValues>,
    text: &FileForm,
    trials: &mut Vec<Trial>,
) -> Result<()> {
    let texts = column(text)?;
    let numbers = texts.map(|array| Ok(cast(array, &DataType::Float64)?))?;
    let codings = [("plain", PLAIN), ("byte stream split", SPLIT), ("dictionary", DICTIONARY)];
    try_all(folder, &format!("{name}, 64-bit double"), &numbers, &codings, trials)?;
    let thousandths = numbers.map(|array| {
        let doubles: &Float64Array = array.as_primitive();
        let scaled: Int64Array =
            doubles.iter().map(|value| value.map(|value| (value * 1e3).round() as i64)).collect();
        Ok(Arc::new(scaled) as ArrayRef)
    })?;
    let codings =
        [("plain", PLAIN), ("delta", DELTA), ("byte stream split", SPLIT), ("dictionary", DICTIONARY)];
    try_all(folder, &format!("{name}, whole thousandths"), &thousandths, &codings, trials)
}
