//! A workbook of entries, row by row in bounded memory.
//!
//! A sheet has a bounded number of rows and a cell a bounded number of characters. More rows go to further sheets, a
//! longer detail is cut, and a last sheet says so. Every cell is text, which no spreadsheet computes.

use std::io;
use std::path::Path;

use rust_xlsxwriter::{Workbook as XlsxWorkbook, Worksheet, XlsxError};

use super::flat::COLUMNS;

/// Rows of a sheet with its header, by the format.
const MAX_SHEET_ROWS: u32 = 1_048_576;
/// Characters of a cell, by the format.
const MAX_CELL_CHARS: usize = 32_767;
const CUT: &str = " [cut: the CSV and NDJSON exports have it whole]";

/// A workbook while it is written.
pub(super) struct Workbook {
    workbook: XlsxWorkbook,
    max_sheet_rows: u32,
    /// The last sheet is being written.
    num_sheets: usize,
    /// The next row of the last sheet; the header is row 0.
    next_row: u32,
    num_rows: u64,
    num_cut: u64,
    /// Of the text so far.
    num_bytes: u64,
}

impl Workbook {
    /// A workbook whose rows wait in temporary files of a folder.
    pub(super) fn new(folder: Option<&Path>) -> io::Result<Self> {
        Self::with_sheets_of(folder, MAX_SHEET_ROWS)
    }

    fn with_sheets_of(folder: Option<&Path>, max_sheet_rows: u32) -> io::Result<Self> {
        let mut workbook = XlsxWorkbook::new();
        if let Some(folder) = folder {
            workbook.set_tempdir(folder).map_err(io::Error::other)?;
        }
        Ok(Self {
            workbook,
            max_sheet_rows,
            num_sheets: 0,
            next_row: 0,
            num_rows: 0,
            num_cut: 0,
            num_bytes: 0,
        })
    }

    /// Bytes of the text so far, which compress.
    pub(super) fn num_bytes(&self) -> u64 {
        self.num_bytes
    }

    /// Adds a row.
    pub(super) fn add(&mut self, cells: &[String; COLUMNS.len()]) -> io::Result<()> {
        if self.num_sheets == 0 || self.next_row >= self.max_sheet_rows {
            self.begin_sheet().map_err(io::Error::other)?;
        }
        let (row, mut num_cut, mut num_bytes) = (self.next_row, 0, 0);
        let sheet = self.sheet()?;
        for (column, cell) in (0_u16..).zip(cells) {
            let shown = fitting(cell);
            num_cut += u64::from(shown.is_some());
            num_bytes += cell.len() as u64;
            sheet.write_string(row, column, shown.as_deref().unwrap_or(cell)).map_err(io::Error::other)?;
        }
        self.next_row += 1;
        self.num_rows += 1;
        self.num_cut += num_cut;
        self.num_bytes += num_bytes;
        Ok(())
    }

    fn begin_sheet(&mut self) -> Result<(), XlsxError> {
        self.num_sheets += 1;
        let name = if self.num_sheets == 1 {
            "activity".to_owned()
        } else {
            format!("activity {}", self.num_sheets)
        };
        let sheet = self.workbook.add_worksheet_with_constant_memory()?;
        sheet.set_name(name)?;
        for (column, title) in (0_u16..).zip(COLUMNS) {
            sheet.write_string(0, column, title)?;
        }
        self.next_row = 1;
        Ok(())
    }

    fn sheet(&mut self) -> io::Result<&mut Worksheet> {
        self.workbook.worksheet_from_index(self.num_sheets.saturating_sub(1)).map_err(io::Error::other)
    }

    /// Writes the file. Without rows it says `no_rows`, one below the other.
    pub(super) fn finish(mut self, path: &Path, no_rows: [&str; 2]) -> io::Result<()> {
        self.add_notes(no_rows).map_err(io::Error::other)?;
        self.workbook.save(path).map_err(io::Error::other)
    }

    fn add_notes(&mut self, no_rows: [&str; 2]) -> Result<(), XlsxError> {
        if self.num_rows == 0 {
            let sheet = self.workbook.add_worksheet();
            sheet.set_name("activity")?;
            for (row, line) in (0_u32..).zip(no_rows) {
                sheet.write_string(row, 0, line)?;
            }
            return Ok(());
        }
        let mut notes = Vec::new();
        if self.num_sheets > 1 {
            let (rows, sheets, most) = (self.num_rows, self.num_sheets, self.max_sheet_rows);
            notes.push(format!("{rows} entries on {sheets} sheets: a sheet has at most {most} rows."));
        }
        if self.num_cut > 0 {
            notes.push(format!(
                "{} cells were longer than the {MAX_CELL_CHARS} characters that a cell may have and are cut.",
                self.num_cut
            ));
        }
        if notes.is_empty() {
            return Ok(());
        }
        let sheet = self.workbook.add_worksheet();
        sheet.set_name("notes")?;
        (0_u32..).zip(notes).try_for_each(|(row, note)| sheet.write_string(row, 0, note).map(drop))
    }
}

/// The text that is shown in place of one that is too long for a cell. Characters count as UTF-16 has them.
fn fitting(cell: &str) -> Option<String> {
    if cell.len() <= MAX_CELL_CHARS || cell.encode_utf16().count() <= MAX_CELL_CHARS {
        return None;
    }
    let mut left = MAX_CELL_CHARS - CUT.len();
    let kept = cell.chars().take_while(|character| {
        let fits = character.len_utf16() <= left;
        left = left.saturating_sub(character.len_utf16());
        fits
    });
    Some(kept.collect::<String>() + CUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str) -> [String; COLUMNS.len()] {
        std::array::from_fn(|_| text.to_owned())
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        assert_eq!(fitting(&"x".repeat(MAX_CELL_CHARS)), None);
        let cut = fitting(&"𝄞".repeat(MAX_CELL_CHARS)).unwrap();
        assert!(cut.encode_utf16().count() <= MAX_CELL_CHARS && cut.ends_with(CUT));
    }

    #[test]
    fn rows_beyond_a_sheet_go_to_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let mut workbook = Workbook::with_sheets_of(Some(folder.path()), 3).unwrap();
        for number in 0..5 {
            workbook.add(&row(&format!("=1+{number}"))).unwrap();
        }
        assert_eq!((workbook.num_sheets, workbook.num_rows, workbook.next_row), (3, 5, 2));
        let path = folder.path().join("x");
        workbook.finish(&path, ["error", "none"]).unwrap();
        assert!(std::fs::read(&path).unwrap().starts_with(b"PK"));
    }
}
