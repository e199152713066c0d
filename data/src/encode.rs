//! Generated requests as the bytes that a sender would send.

use std::io::{self, Write};
use std::str::FromStr;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message;

use crate::activity::ActivityEntry;

/// A form of a whole data set in one file or stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// One OTLP protobuf `ExportLogsServiceRequest`.
    Protobuf,
    /// One OTLP/JSON document.
    Json,
    /// One OTLP/JSON document per line.
    NdJson,
}

impl FromStr for Encoding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "protobuf" => Ok(Self::Protobuf),
            "json" => Ok(Self::Json),
            "ndjson" => Ok(Self::NdJson),
            _ => Err(format!("encoding must be protobuf, json or ndjson, not {text:?}")),
        }
    }
}

/// The number of log records in a request.
pub fn num_records(request: &ExportLogsServiceRequest) -> u64 {
    let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
    scopes.map(|scope| scope.log_records.len() as u64).sum()
}

/// One request as OTLP protobuf.
pub fn to_protobuf(request: &ExportLogsServiceRequest) -> Vec<u8> {
    request.encode_to_vec()
}

/// One request as one line of OTLP/JSON, without a line feed: hexadecimal ids, 64-bit integers as strings.
pub fn to_json(request: &ExportLogsServiceRequest) -> Vec<u8> {
    serde_json::to_vec(request).expect("BUG: an OTLP request has string keys only")
}

/// Writes all requests in one encoding and returns the number of records.
///
/// Protobuf and JSON become **one** request that holds everything, written request by request without
/// holding it in memory; JSON Lines keeps the requests apart.
///
/// # Errors
/// What the writer answers.
pub fn write_requests(
    requests: impl IntoIterator<Item = ExportLogsServiceRequest>,
    encoding: Encoding,
    writer: &mut impl Write,
) -> io::Result<u64> {
    let mut num_written = 0;
    let mut separator: &[u8] = b"{\"resourceLogs\":[";
    for request in requests {
        num_written += num_records(&request);
        match encoding {
            // Protobuf messages written one after the other are one message with all their elements.
            Encoding::Protobuf => writer.write_all(&to_protobuf(&request))?,
            Encoding::NdJson => {
                writer.write_all(&to_json(&request))?;
                writer.write_all(b"\n")?;
            }
            Encoding::Json => {
                for resource_logs in &request.resource_logs {
                    writer.write_all(separator)?;
                    serde_json::to_writer(&mut *writer, resource_logs)?;
                    separator = b",\n";
                }
            }
        }
    }
    if encoding == Encoding::Json {
        let is_empty = num_written == 0;
        writer.write_all(if is_empty { b"{\"resourceLogs\":[]}\n" } else { b"]}\n" })?;
    }
    Ok(num_written)
}

/// Writes activity entries as one JSON array, an entry per line, and returns their number.
///
/// # Errors
/// What the writer answers.
pub fn write_activity(
    entries: impl IntoIterator<Item = ActivityEntry>,
    writer: &mut impl Write,
) -> io::Result<u64> {
    let mut num_written = 0;
    writer.write_all(b"[")?;
    for entry in entries {
        writer.write_all(if num_written == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *writer, &entry)?;
        num_written += 1;
    }
    writer.write_all(b"\n]\n")?;
    Ok(num_written)
}
