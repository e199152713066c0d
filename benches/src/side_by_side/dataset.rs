//! Rows to load: generated ones, or those of a user's own file.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use data::{ExportLogsServiceRequest, LogGenerator, LogSpec, encode};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use prost::Message;
use serde_json::Value;

use super::plain_record::PlainRecords;

/// Records of one request made of a file without requests of its own.
pub(super) const RECORDS_PER_REQUEST: usize = 1_000;

/// Where rows come from.
#[derive(Clone, Debug)]
pub enum Dataset {
    /// Made by the generator.
    Generated(LogSpec),
    /// `.ndjson` or `.jsonl`: OTLP/JSON requests or plain objects, one per line; `.json`: one OTLP/JSON request;
    /// `.pb`: one OTLP protobuf request; `.parquet`: a row for each record.
    File(PathBuf),
}

/// OTLP requests, one after the other.
pub(super) type Requests = Box<dyn Iterator<Item = Result<ExportLogsServiceRequest>>>;

impl Dataset {
    /// The requests, in the order of the rows.
    pub(super) fn requests(&self) -> Result<Requests> {
        match self {
            Self::Generated(spec) => Ok(Box::new(LogGenerator::new(spec.clone())?.map(Ok))),
            Self::File(path) => of_file(path).with_context(|| format!("cannot read {}", path.display())),
        }
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Generated(spec) => write!(
                f,
                "generator, {} shape, {} attribute keys, seed {}",
                spec.shape.as_str(),
                spec.num_attribute_keys.num_keys(),
                spec.seed
            ),
            Self::File(path) => f.write_str(&path.file_name().unwrap_or_default().to_string_lossy()),
        }
    }
}

fn of_file(path: &Path) -> Result<Requests> {
    Ok(match path.extension().and_then(|ending| ending.to_str()) {
        Some("ndjson" | "jsonl") => of_lines(BufReader::new(File::open(path)?))?,
        Some("json") => Box::new(std::iter::once(Ok(serde_json::from_slice(&fs::read(path)?)?))),
        Some("pb") => Box::new(split(ExportLogsServiceRequest::decode(fs::read(path)?.as_slice())?)),
        Some("parquet") => {
            let batches = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.build()?;
            let objects = batches.flat_map(|batch| {
                match batch.map_err(Into::into).and_then(|batch| objects_of(&batch)) {
                    Ok(objects) => objects.into_iter().map(Ok).collect::<Vec<_>>(),
                    Err(error) => vec![Err(error)],
                }
            });
            Box::new(PlainRecords::new(objects))
        }
        _ => bail!("its name must end in .ndjson, .jsonl, .json, .pb or .parquet"),
    })
}

/// A request for each resource, because a file may be larger than a request may be.
fn split(request: ExportLogsServiceRequest) -> impl Iterator<Item = Result<ExportLogsServiceRequest>> {
    request.resource_logs.into_iter().map(|logs| Ok(ExportLogsServiceRequest { resource_logs: vec![logs] }))
}

/// The first line says what all are.
fn of_lines(mut file: BufReader<File>) -> Result<Requests> {
    let mut first = String::new();
    file.read_line(&mut first)?;
    let is_otlp = serde_json::from_str::<Value>(&first)?.get("resourceLogs").is_some();
    let lines = std::iter::once(Ok(first)).chain(file.lines());
    let lines = lines.filter(|line| !line.as_ref().is_ok_and(|line| line.trim().is_empty()));
    Ok(match is_otlp {
        true => Box::new(lines.map(|line| Ok(serde_json::from_str(&line?)?))),
        false => Box::new(PlainRecords::new(lines.map(|line| Ok(serde_json::from_str(&line?)?)))),
    })
}

fn objects_of(batch: &arrow::array::RecordBatch) -> Result<Vec<Value>> {
    let mut writer = arrow::json::ArrayWriter::new(Vec::new());
    writer.write(batch)?;
    writer.finish()?;
    Ok(serde_json::from_slice(&writer.into_inner())?)
}

/// The number of records, and the request as its sender would send it before compression.
pub(super) fn encoded(request: &ExportLogsServiceRequest) -> (u64, Vec<u8>) {
    (encode::num_records(request), encode::to_protobuf(request))
}
