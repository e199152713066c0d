//! Decoded rows as bytes: one Arrow IPC stream holding one batch.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use bytes::Bytes;

use crate::error::{Error, Result};

/// Encodes decoded rows.
pub(crate) fn encode_payload(rows: &RecordBatch) -> Result<Bytes> {
    let encode = || -> Result<Vec<u8>, ArrowError> {
        let mut writer = StreamWriter::try_new(Vec::new(), &rows.schema())?;
        writer.write(rows)?;
        writer.into_inner()
    };
    encode()
        .map(Bytes::from)
        .map_err(|error| Error::internal("cannot encode rows for the write-ahead log").with_source(error))
}

/// Decodes what [`encode_payload`] made.
///
/// # Errors
/// `CorruptData` when it is something else.
pub(crate) fn decode_payload(payload: &Bytes) -> Result<RecordBatch> {
    let decode = || -> Result<Option<RecordBatch>, ArrowError> {
        StreamReader::try_new(payload.as_ref(), None)?.next().transpose()
    };
    match decode() {
        Ok(Some(rows)) => Ok(rows),
        Ok(None) => Err(Error::corrupt_data("a payload of the write-ahead log holds no rows")),
        Err(error) => {
            Err(Error::corrupt_data("cannot decode rows of the write-ahead log").with_source(error))
        }
    }
}
