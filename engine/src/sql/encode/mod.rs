//! Answers as text and bytes, in pieces.
//!
//! | module | form |
//! |---|---|
//! | `json` | one JSON document, or one object per line |
//! | `csv` | comma-separated values |
//! | `binary` | an Arrow IPC stream, a Parquet file |
//! | `column_type` | what the type of a column is called |

mod binary;
mod column_type;
mod csv;
mod json;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use datafusion::execution::SendableRecordBatchStream;
use futures::{Stream, StreamExt, stream};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_util::task::AbortOnDropHandle;

pub use self::column_type::column_type;
pub(super) use self::json::Cell;
use crate::error::{Error, Result};
use crate::query::{QueryOrigin, from_datafusion};

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlFormat {
    /// `{"columns": [{"name", "type"}], "rows": [[..]], "row_count": n, "error": null}`.
    Json,
    /// One JSON object per line and row.
    Ndjson,
    /// Comma-separated values with a line of names.
    Csv,
    /// An Arrow IPC stream.
    Arrow,
    /// A Parquet file.
    Parquet,
}

/// A part of an answer.
pub type SqlPiece = Bytes;

/// A piece of text is handed on from this size.
const PIECE_BYTES: usize = 64 * 1024;
/// Rows between two looks at the size of a piece of text.
const SLICE_ROWS: usize = 256;
/// Pieces that wait for their reader.
const PIECES_AHEAD: usize = 2;

/// Writes rows of one answer.
trait Encoder: Send {
    /// How many rows are written at a time; all of a batch when absent.
    fn slice_rows(&self) -> Option<usize> {
        Some(SLICE_ROWS)
    }

    /// What stands before the rows.
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<()>;

    /// Some rows.
    fn rows(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<()>;

    /// What stands after the last row.
    fn end(&mut self, out: &mut Vec<u8>) -> Result<()>;

    /// What is said of an error after some rows, where there is a place for it.
    fn failed(&mut self, error: &Error, out: &mut Vec<u8>);
}

/// Encodes on `threads`, as far ahead of the reader as is bounded. Dropping the stream ends the work.
pub(super) fn encode(
    rows: SendableRecordBatchStream,
    format: SqlFormat,
    threads: &Handle,
) -> Result<impl Stream<Item = Result<SqlPiece>> + Send + use<>> {
    let encoder = encoder(format, &rows.schema())?;
    let (sender, pieces) = channel(PIECES_AHEAD);
    let work = AbortOnDropHandle::new(threads.spawn(write(rows, encoder, sender)));
    Ok(stream::unfold(Some((pieces, work)), next_piece))
}

fn encoder(format: SqlFormat, schema: &SchemaRef) -> Result<Box<dyn Encoder>> {
    Ok(match format {
        SqlFormat::Json => Box::new(json::Document::new(schema)?),
        SqlFormat::Ndjson => Box::new(json::Lines::new(schema)?),
        SqlFormat::Csv => Box::new(csv::Csv::new(schema)),
        SqlFormat::Arrow => Box::new(binary::ArrowStream::new(schema)?),
        SqlFormat::Parquet => Box::new(binary::ParquetFile::new(schema)?),
    })
}

type Encoding = (Receiver<Result<SqlPiece>>, AbortOnDropHandle<()>);

async fn next_piece(encoding: Option<Encoding>) -> Option<(Result<SqlPiece>, Option<Encoding>)> {
    let (mut pieces, work) = encoding?;
    if let Some(piece) = pieces.recv().await {
        let rest = piece.is_ok().then_some((pieces, work));
        return Some((piece, rest));
    }
    // An answer that was left off must not look whole.
    match work.await {
        Ok(()) => None,
        Err(error) => Some((Err(Error::internal("encoding an answer failed").with_source(error)), None)),
    }
}

async fn write(
    rows: SendableRecordBatchStream,
    mut encoder: Box<dyn Encoder>,
    sender: Sender<Result<SqlPiece>>,
) {
    let mut out = Vec::new();
    let mut has_sent = false;
    let Err(error) = write_all(rows, &mut *encoder, &mut out, &mut has_sent, &sender).await else { return };
    if has_sent {
        out.clear();
        encoder.failed(&error, &mut out);
        if !out.is_empty() && sender.send(Ok(out.into())).await.is_err() {
            return;
        }
    }
    // Nobody may be left to be told.
    let _is_read = sender.send(Err(error)).await;
}

async fn write_all(
    mut rows: SendableRecordBatchStream,
    encoder: &mut dyn Encoder,
    out: &mut Vec<u8>,
    has_sent: &mut bool,
    sender: &Sender<Result<SqlPiece>>,
) -> Result<()> {
    encoder.begin(out)?;
    let mut is_read = true;
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(|error| from_datafusion(error, QueryOrigin::Sql))?;
        let slice_rows = encoder.slice_rows().unwrap_or(usize::MAX).min(batch.num_rows().max(1));
        for start in (0..batch.num_rows()).step_by(slice_rows) {
            let slice = batch.slice(start, slice_rows.min(batch.num_rows() - start));
            encoder.rows(&slice, out)?;
            if out.len() >= PIECE_BYTES {
                is_read = send(out, has_sent, sender).await;
            }
            if !is_read {
                return Ok(());
            }
        }
        // Rows that are there are not held back until more come.
        if batch.num_rows() > 0 && !out.is_empty() && !send(out, has_sent, sender).await {
            return Ok(());
        }
    }
    encoder.end(out)?;
    if !out.is_empty() {
        send(out, has_sent, sender).await;
    }
    Ok(())
}

/// Whether somebody reads.
async fn send(out: &mut Vec<u8>, has_sent: &mut bool, sender: &Sender<Result<SqlPiece>>) -> bool {
    *has_sent = true;
    sender.send(Ok(std::mem::take(out).into())).await.is_ok()
}

/// An answer that a form has no place for.
fn cannot_write(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::invalid_request(format!("the answer cannot be written in this form: {error}")).with_source(error)
}
