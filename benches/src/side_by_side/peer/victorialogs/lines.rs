//! Rows as JSON lines.
//!
//! | field | what |
//! |---|---|
//! | `_time` | the row's time |
//! | `_msg` | its body |
//! | `service_name` | by which rows are kept together: the stream |
//! | `severity_text`, `severity_number`, `instrumentation_scope`, `observed_timestamp` | as in the row |
//! | `trace_id`, `span_id` | in hexadecimal digits |
//! | `attr.*`, `res.*` | its attributes, and those of its resource |

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value};

use crate::side_by_side::bodies::{Bodies, BodyWriter};
use crate::side_by_side::questions::{ATTRIBUTE_PREFIX, rfc3339};

/// What rows are kept together by.
pub(super) const STREAM_FIELD: &str = "service_name";
const RESOURCE_PREFIX: &str = "res.";
const ROWS_PER_BODY: usize = 1_000;

/// Makes bodies of the rows of a Parquet file.
pub(super) fn prepare(rows: &Path, path: PathBuf) -> Result<Bodies> {
    let mut bodies = BodyWriter::create(path)?;
    let batches = ParquetRecordBatchReaderBuilder::try_new(File::open(rows)?)?;
    for batch in batches.with_batch_size(ROWS_PER_BODY).build()? {
        let batch = batch?;
        bodies.add(batch.num_rows() as u64, &lines(&batch)?)?;
    }
    bodies.finish()
}

fn lines(batch: &RecordBatch) -> Result<Vec<u8>> {
    let column = |name: &str| batch.column_by_name(name).with_context(|| format!("no column {name}"));
    let texts = ["severity_text", "severity_number", STREAM_FIELD, "instrumentation_scope"];
    let texts = texts.map(|name| Ok((name, cast(column(name)?, &DataType::Utf8)?)));
    let texts = texts.into_iter().collect::<Result<Vec<_>>>()?;
    let times = [("_time", column("timestamp")?), ("observed_timestamp", column("observed_timestamp")?)];
    let ids = [("trace_id", column("trace_id")?), ("span_id", column("span_id")?)];
    let maps = [(ATTRIBUTE_PREFIX, column("attributes")?), (RESOURCE_PREFIX, column("resource_attributes")?)];
    let bodies = column("body")?.as_string_view();
    let mut lines = Vec::new();
    for row in 0..batch.num_rows() {
        let mut line = Line::default();
        // What has no `_msg` would be given a text by the server, in which words may be found.
        line.put("_msg", Some(bodies.value(row)).filter(|body| !body.is_empty()).unwrap_or(" "));
        for (name, values) in times {
            line.put(name, &rfc3339(values.as_primitive::<TimestampMicrosecondType>().value(row)));
        }
        for (name, values) in &texts {
            line.put(name, values.as_string::<i32>().value(row));
        }
        for (name, values) in ids {
            line.put(name, &id(values.as_fixed_size_binary().value(row)));
        }
        for (prefix, maps) in maps {
            let entries = maps.as_map().value(row);
            let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_string::<i32>());
            for entry in 0..entries.len() {
                line.put(&format!("{prefix}{}", keys.value(entry)), values.value(entry));
            }
        }
        serde_json::to_writer(&mut lines, &line.0)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

#[derive(Default)]
struct Line(Map<String, Value>);

impl Line {
    /// An empty value is no value to the server.
    fn put(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.0.insert(name.to_owned(), Value::from(value));
        }
    }
}

/// In hexadecimal digits; nothing when there is none.
fn id(bytes: &[u8]) -> String {
    match bytes.iter().all(|byte| *byte == 0) {
        true => String::new(),
        false => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}
