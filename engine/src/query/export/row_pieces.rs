//! An export as rows.

use arrow::array::RecordBatch;
use datafusion::common::Result;

use super::super::rows::{LogRow, rows_of};
use super::stream::Pieces;

/// Text of one piece; the last row of it may go beyond.
const PIECE_BYTES: usize = 1 << 20;

/// Hands rows on as they come.
pub(super) struct RowPieces;

impl Pieces for RowPieces {
    type Piece = Vec<LogRow>;

    fn take(&mut self, rows: &RecordBatch) -> Result<Vec<Vec<LogRow>>> {
        let mut pieces = Vec::new();
        let (mut piece, mut num_bytes) = (Vec::new(), 0);
        for row in rows_of(rows)? {
            num_bytes += size_of(&row);
            piece.push(row);
            if num_bytes >= PIECE_BYTES {
                pieces.push(std::mem::take(&mut piece));
                num_bytes = 0;
            }
        }
        if !piece.is_empty() {
            pieces.push(piece);
        }
        Ok(pieces)
    }

    fn finish(self) -> Result<Option<Vec<LogRow>>> {
        Ok(None)
    }
}

fn size_of(row: &LogRow) -> usize {
    let entries = row.attributes.iter().chain(&row.resource_attributes);
    row.body.len() + entries.map(|(key, value)| key.len() + value.len()).sum::<usize>()
}
