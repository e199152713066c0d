//! A file of records, cut into requests that a server takes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Format;
use crate::cli::CliError;

/// Bytes at which a request is full; one line, or one resource's records, is never cut.
const FULL_BYTES: usize = 4 << 20;
/// Longest line, and longest resource of a protobuf request.
const MAX_PIECE_BYTES: u64 = 256 << 20;
/// The first byte of `ExportLogsServiceRequest.resource_logs`: field 1, a length and that many bytes.
const RESOURCE_LOGS_TAG: u8 = 0x0a;

/// The form of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartForm {
    Protobuf,
    Json,
}

impl PartForm {
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// One request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) body: Vec<u8>,
    pub(super) form: PartForm,
    /// How much of the file it is.
    pub(super) file_bytes: u64,
}

/// Reads a file part by part.
#[derive(Debug)]
pub(super) struct Parts {
    path: PathBuf,
    file_bytes: u64,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Lines(BufReader<File>),
    Protobuf(BufReader<File>),
    /// What is left of a document's `resourceLogs`, and the bytes of the file that each of them stands for.
    Document {
        resources: std::vec::IntoIter<Value>,
        bytes_each: u64,
    },
}

impl Parts {
    /// Opens a file, and finds out its form unless it is given.
    pub(super) fn open(path: &Path, format: Format) -> Result<Self, CliError> {
        let cannot_read = |error| CliError::Read { path: path.to_owned(), error };
        let file = File::open(path).map_err(cannot_read)?;
        let file_bytes = file.metadata().map_err(cannot_read)?.len();
        let mut reader = BufReader::new(file);
        let format = match format {
            Format::Auto => detect(reader.fill_buf().map_err(cannot_read)?),
            format => format,
        };
        let source = match format {
            Format::OtlpProtobuf => Source::Protobuf(reader),
            Format::OtlpJson => document(reader, file_bytes).map_err(cannot_read)?,
            Format::Auto | Format::Ndjson => Source::Lines(reader),
        };
        Ok(Self { path: path.to_owned(), file_bytes, source })
    }

    /// Size of the file.
    pub(super) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// The next request; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Part>, CliError> {
        let read = match &mut self.source {
            Source::Lines(reader) => next_lines(reader),
            Source::Protobuf(reader) => next_fields(reader),
            Source::Document { resources, bytes_each } => Ok(next_resources(resources, *bytes_each)),
        };
        read.map_err(|error| CliError::Read { path: self.path.clone(), error })
    }
}

/// Protobuf begins with the tag of its one field; JSON with a brace, and is one document if its first line is not.
fn detect(start: &[u8]) -> Format {
    let text = start.trim_ascii_start();
    if !text.starts_with(b"{") {
        return Format::OtlpProtobuf;
    }
    let first_line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_cut = first_line.len() == text.len();
    let is_whole = serde_json::from_slice::<serde::de::IgnoredAny>(first_line).is_ok();
    if is_whole || is_cut { Format::Ndjson } else { Format::OtlpJson }
}

fn next_lines(reader: &mut BufReader<File>) -> io::Result<Option<Part>> {
    let mut body = Vec::new();
    while body.len() < FULL_BYTES {
        let read = reader.by_ref().take(MAX_PIECE_BYTES).read_until(b'\n', &mut body)?;
        if read as u64 == MAX_PIECE_BYTES {
            return Err(too_long());
        }
        if read == 0 {
            break;
        }
    }
    let file_bytes = body.len() as u64;
    Ok((!body.is_empty()).then_some(Part { body, form: PartForm::Json, file_bytes }))
}

/// Whole fields of a request are a request.
fn next_fields(reader: &mut BufReader<File>) -> io::Result<Option<Part>> {
    let mut body = Vec::new();
    while body.len() < FULL_BYTES && !reader.fill_buf()?.is_empty() {
        let tag = read_byte(reader, &mut body)?;
        if tag != RESOURCE_LOGS_TAG {
            return Err(not_a_request());
        }
        let length = read_length(reader, &mut body)?;
        if length > MAX_PIECE_BYTES {
            return Err(too_long());
        }
        let read = reader.by_ref().take(length).read_to_end(&mut body)?;
        if read as u64 != length {
            return Err(not_a_request());
        }
    }
    let file_bytes = body.len() as u64;
    Ok((!body.is_empty()).then_some(Part { body, form: PartForm::Protobuf, file_bytes }))
}

fn read_byte(reader: &mut BufReader<File>, body: &mut Vec<u8>) -> io::Result<u8> {
    let mut byte = [0];
    reader.read_exact(&mut byte).map_err(|_| not_a_request())?;
    body.push(byte[0]);
    Ok(byte[0])
}

/// A number in protobuf's base of 128.
fn read_length(reader: &mut BufReader<File>, body: &mut Vec<u8>) -> io::Result<u64> {
    let mut length = 0;
    for shift in (0..35).step_by(7) {
        let byte = read_byte(reader, body)?;
        length |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(length);
        }
    }
    Err(not_a_request())
}

fn document(reader: BufReader<File>, file_bytes: u64) -> io::Result<Source> {
    let mut document: Value = serde_json::from_reader(reader)?;
    let key = if document.get("resource_logs").is_some() { "resource_logs" } else { "resourceLogs" };
    let Some(Value::Array(resources)) = document.get_mut(key).map(Value::take) else {
        return Err(not_a_request());
    };
    let bytes_each = file_bytes / (resources.len() as u64).max(1);
    Ok(Source::Document { resources: resources.into_iter(), bytes_each })
}

fn next_resources(resources: &mut std::vec::IntoIter<Value>, bytes_each: u64) -> Option<Part> {
    let (mut taken, mut size_bytes) = (Vec::new(), 0);
    while size_bytes < FULL_BYTES
        && let Some(resource) = resources.next()
    {
        size_bytes += resource.to_string().len();
        taken.push(resource);
    }
    let file_bytes = bytes_each * taken.len() as u64;
    let body = json!({ "resourceLogs": taken }).to_string().into_bytes();
    (size_bytes > 0).then_some(Part { body, form: PartForm::Json, file_bytes })
}

fn not_a_request() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is not an OTLP logs request in the form that was expected")
}

fn too_long() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("a piece of it is longer than {MAX_PIECE_BYTES} bytes"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts_of(content: &[u8], format: Format) -> Result<Vec<Part>, CliError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, content).unwrap();
        let mut parts = Parts::open(&path, format)?;
        let mut read = Vec::new();
        while let Some(part) = parts.next()? {
            read.push(part);
        }
        Ok(read)
    }

    fn field(content: &[u8]) -> Vec<u8> {
        let mut field = vec![RESOURCE_LOGS_TAG];
        let mut length = content.len();
        while length >= 0x80 {
            field.push((length as u8 & 0x7f) | 0x80);
            length >>= 7;
        }
        field.push(length as u8);
        [&field, content].concat()
    }

    #[test]
    fn the_form_shows_in_the_first_bytes() {
        for (start, expected) in [
            (&b"{\"resourceLogs\":[]}\n{\"resourceLogs\":[]}"[..], Format::Ndjson),
            (b"{\"resourceLogs\":[]}", Format::Ndjson),
            (b"\n  {\n  \"resourceLogs\": []\n}", Format::OtlpJson),
            (b"\x0a\x02ab", Format::OtlpProtobuf),
            (b"", Format::OtlpProtobuf),
        ] {
            assert_eq!(detect(start), expected, "{start:?}");
        }
    }

    #[test]
    fn parts_are_the_whole_file_and_cut_between_pieces() {
        let line = format!("{}\n", json!({ "resourceLogs": ["x".repeat(3 << 20)] }));
        let lines = line.repeat(5);
        let fields = field(&vec![7; 3 << 20]).repeat(5);
        for (content, format, piece) in [
            (lines.as_bytes(), Format::Ndjson, line.len()),
            (&fields, Format::OtlpProtobuf, fields.len() / 5),
        ] {
            let parts = parts_of(content, format).unwrap();
            assert_eq!(
                parts.iter().map(|part| part.body.len()).collect::<Vec<_>>(),
                [2 * piece, 2 * piece, piece]
            );
            let joined: Vec<u8> = parts.iter().flat_map(|part| part.body.iter().copied()).collect();
            assert!(joined == content);
        }
    }

    #[test]
    fn a_document_is_cut_between_resources() {
        let resource = json!({ "a": "x".repeat(3 << 20) });
        let document = json!({ "resourceLogs": vec![resource; 3] });
        let text = serde_json::to_string_pretty(&document).unwrap();
        let parts = parts_of(text.as_bytes(), Format::Auto).unwrap();
        let counts: Vec<usize> = parts
            .iter()
            .map(|part| {
                serde_json::from_slice::<Value>(&part.body).unwrap()["resourceLogs"].as_array().unwrap().len()
            })
            .collect();
        assert_eq!(counts, [2, 1]);
    }

    #[test]
    fn what_is_cut_off_or_something_else_is_an_error() {
        for content in [
            &field(b"abc")[..3],
            &[RESOURCE_LOGS_TAG][..],
            b"PK\x03\x04",
            &[RESOURCE_LOGS_TAG, 255, 255, 255, 255, 255, 255][..],
        ] {
            assert!(parts_of(content, Format::Auto).is_err(), "{content:?}");
        }
        assert!(parts_of(b"{\n \"a\": 1}", Format::Auto).is_err());
        assert!(parts_of(b"[1]", Format::OtlpJson).is_err());
        assert!(parts_of(b"", Format::Auto).unwrap().is_empty());
    }
}
