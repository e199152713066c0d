//! How each column of a data file is encoded and compressed. Every choice was measured; the numbers are in the
//! decision pages.

use std::collections::HashSet;

use arrow::array::{AsArray, RecordBatch, StringArray};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use super::layout::OBSERVED_DELAY;
use super::promotion::parse_column_name;
use crate::error::{Error, Result};
use crate::limits::SLICE_ROWS;
use crate::schema::columns;

/// How much time compression may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// For files that will soon be merged: zstd's fastest level.
    Quick,
    /// For files that stay: a quarter smaller, at half the speed.
    Thorough,
}

impl Effort {
    fn zstd_level(self) -> i32 {
        match self {
            Self::Quick => 1,
            Self::Thorough => 9,
        }
    }
}

/// Pages of bodies: a body that is looked up costs a whole page.
const BODY_PAGE_BYTES: usize = 256 * 1024;

/// Shorter values may be numbers that follow each other.
const MIN_RANDOM_DIGITS: usize = 16;

/// Values that decide how a promoted column is encoded.
const SAMPLED_VALUES: usize = 4096;

/// Properties for a file whose first rows are `sample`.
pub(super) fn writer_properties(sample: &RecordBatch, effort: Effort) -> Result<WriterProperties> {
    let zstd = ZstdLevel::try_new(effort.zstd_level()).map_err(cannot_set)?;
    let quick = ZstdLevel::try_new(Effort::Quick.zstd_level()).map_err(cannot_set)?;
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(zstd))
        // Row groups are ended by hand, pages with slices.
        .set_max_row_group_row_count(None)
        .set_data_page_row_count_limit(SLICE_ROWS)
        .set_statistics_enabled(EnabledStatistics::Chunk);
    properties = set_times(properties);
    properties = set_ids(properties);
    properties = without_dictionary(properties, columns::BODY, Encoding::DELTA_LENGTH_BYTE_ARRAY)
        .set_column_data_page_size_limit(columns::BODY.into(), BODY_PAGE_BYTES)
        // Bounds of long text prune nothing and cost bytes in each footer.
        .set_column_statistics_enabled(columns::BODY.into(), EnabledStatistics::None);
    for (field, values) in sample.schema_ref().fields().iter().zip(sample.columns()) {
        if parse_column_name(field.name()).is_some()
            && let Some(values) = values.as_string_opt::<i32>()
            && is_mostly_distinct(values)
        {
            properties = without_dictionary(properties, field.name(), Encoding::DELTA_LENGTH_BYTE_ARRAY);
            if is_random(values) {
                properties =
                    properties.set_column_compression(field.name().as_str().into(), Compression::ZSTD(quick));
            }
        }
    }
    Ok(properties.build())
}

/// Differences of neighbours leave a general compressor nothing to do.
fn set_times(mut properties: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
    for time in [columns::TIMESTAMP, OBSERVED_DELAY] {
        properties = without_dictionary(properties, time, Encoding::DELTA_BINARY_PACKED)
            .set_column_compression(time.into(), Compression::UNCOMPRESSED);
    }
    // A slice is a stretch of time, so its pages prune by time.
    properties.set_column_statistics_enabled(columns::TIMESTAMP.into(), EnabledStatistics::Page)
}

fn set_ids(properties: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
    // Row ids rise within a batch, so that each shares most of its bytes with the one before.
    let properties = without_dictionary(properties, columns::UUID, Encoding::DELTA_BYTE_ARRAY);
    // The records of one trace are near each other, so that its id is compressed; spans are not repeated.
    without_dictionary(
        without_dictionary(properties, columns::TRACE_ID, Encoding::PLAIN),
        columns::SPAN_ID,
        Encoding::PLAIN,
    )
    .set_column_compression(columns::SPAN_ID.into(), Compression::UNCOMPRESSED)
}

/// Whether a dictionary would be nearly as large as the values. Numbers are short, and so not worth one sooner.
fn is_mostly_distinct(values: &StringArray) -> bool {
    let sample = values.iter().flatten().take(SAMPLED_VALUES);
    let (mut distinct, mut num_values, mut num_numbers) = (HashSet::new(), 0_usize, 0_usize);
    for value in sample {
        num_values += 1;
        num_numbers += usize::from(value.parse::<f64>().is_ok());
        distinct.insert(value);
    }
    let percent = if num_numbers == num_values { 10 } else { 75 };
    distinct.len() * 100 > num_values * percent
}

/// Whether values look drawn by lot from hexadecimal digits. Higher levels of compression find repetitions in them by
/// chance, and telling of these costs more than it saves.
fn is_random(values: &StringArray) -> bool {
    let mut sample = values.iter().flatten().take(SAMPLED_VALUES).peekable();
    let is_id = |value: &str| {
        value.len() >= MIN_RANDOM_DIGITS && value.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
    };
    sample.peek().is_some() && sample.all(is_id)
}

fn without_dictionary(
    properties: WriterPropertiesBuilder,
    column: &str,
    encoding: Encoding,
) -> WriterPropertiesBuilder {
    let path = ColumnPath::from(column);
    properties.set_column_dictionary_enabled(path.clone(), false).set_column_encoding(path, encoding)
}

fn cannot_set(error: ParquetError) -> Error {
    Error::internal("cannot encode a data file").with_source(error)
}
