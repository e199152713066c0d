//! A workbook (Office Open XML) of entries, row by row in bounded memory.
//!
//! A sheet has a bounded number of rows and a cell a bounded number of characters. More rows go to further sheets, a
//! longer text is cut, and a last sheet says so. Every cell is text, which no spreadsheet computes.

use std::fs::File;
use std::io;
use std::path::Path;

use super::flat::COLUMNS;
use super::zip_file::{Member, ZipFile};

/// Rows of a sheet with its header, by the format.
const MAX_SHEET_ROWS: u32 = 1_048_576;
/// Characters of a cell, by the format.
const MAX_CELL_CHARS: usize = 32_767;
const CUT: &str = " [cut: the CSV and NDJSON exports have it whole]";

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#;
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const RELATIONS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
const SHEET_TYPE: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml";
const WORKBOOK_TYPE: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml";

/// A workbook while it is written.
pub(super) struct Workbook {
    writing: Writing,
    max_sheet_rows: u32,
    /// Names of the sheets; the last one is being written.
    sheets: Vec<String>,
    /// Rows of the last sheet, its header among them.
    sheet_rows: u32,
    num_rows: u64,
    num_cut: u64,
}

enum Writing {
    Between(ZipFile),
    Sheet(Box<Member>),
    /// A write has failed.
    Failed,
}

impl Workbook {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Self::with_sheets_of(path, MAX_SHEET_ROWS)
    }

    fn with_sheets_of(path: &Path, max_sheet_rows: u32) -> io::Result<Self> {
        let writing = Writing::Between(ZipFile::new(File::create(path)?));
        Ok(Self { writing, max_sheet_rows, sheets: Vec::new(), sheet_rows: 0, num_rows: 0, num_cut: 0 })
    }

    /// Bytes of the file so far, about.
    pub(super) fn num_bytes(&self) -> u64 {
        match &self.writing {
            Writing::Sheet(member) => member.archive_bytes(),
            Writing::Between(_) | Writing::Failed => 0,
        }
    }

    /// Adds a row.
    pub(super) fn add(&mut self, cells: &[String; COLUMNS.len()]) -> io::Result<()> {
        if self.sheets.is_empty() || self.sheet_rows >= self.max_sheet_rows {
            let name = match self.sheets.len() {
                0 => "activity".to_owned(),
                others => format!("activity {}", others + 1),
            };
            self.begin_sheet(name)?;
            self.write_row(&COLUMNS)?;
        }
        self.num_rows += 1;
        self.write_row(cells)
    }

    fn begin_sheet(&mut self, name: String) -> io::Result<()> {
        self.sheets.push(name);
        self.sheet_rows = 0;
        let zip = self.end_sheet()?;
        let mut member = zip.begin(&sheet_path(self.sheets.len()))?;
        member.write(format!("{HEAD}<worksheet xmlns=\"{MAIN}\"><sheetData>").as_bytes())?;
        self.writing = Writing::Sheet(Box::new(member));
        Ok(())
    }

    fn end_sheet(&mut self) -> io::Result<ZipFile> {
        match std::mem::replace(&mut self.writing, Writing::Failed) {
            Writing::Between(zip) => Ok(zip),
            Writing::Sheet(mut member) => {
                member.write(b"</sheetData></worksheet>")?;
                member.end()
            }
            Writing::Failed => Err(io::Error::other("an earlier write of the workbook has failed")),
        }
    }

    fn write_row(&mut self, cells: &[impl AsRef<str>]) -> io::Result<()> {
        self.sheet_rows += 1;
        let mut row = format!("<row r=\"{}\">", self.sheet_rows);
        for cell in cells {
            let cell = cell.as_ref();
            let cut = fitting(cell);
            self.num_cut += u64::from(cut.is_some());
            row.push_str("<c t=\"inlineStr\"><is><t xml:space=\"preserve\">");
            push_escaped(&mut row, cut.as_deref().unwrap_or(cell));
            row.push_str("</t></is></c>");
        }
        row.push_str("</row>");
        match &mut self.writing {
            Writing::Sheet(member) => member.write(row.as_bytes()),
            Writing::Between(_) | Writing::Failed => Err(io::Error::other("a row without a sheet")),
        }
    }

    /// Ends the file, durably. Without rows it says `no_rows`, one below the other.
    pub(super) fn finish(mut self, no_rows: [&str; 2]) -> io::Result<()> {
        let notes = self.notes();
        if self.num_rows == 0 {
            self.begin_sheet("activity".to_owned())?;
            no_rows.iter().try_for_each(|line| self.write_row(&[line]))?;
        } else if !notes.is_empty() {
            self.begin_sheet("notes".to_owned())?;
            notes.iter().try_for_each(|note| self.write_row(&[note]))?;
        }
        let mut zip = self.end_sheet()?;
        for (name, content) in package(&self.sheets) {
            zip = zip.add(name, &content)?;
        }
        zip.finish()
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.sheets.len() > 1 {
            let (rows, sheets, most) = (self.num_rows, self.sheets.len(), self.max_sheet_rows);
            notes.push(format!("{rows} entries on {sheets} sheets: a sheet has at most {most} rows."));
        }
        if self.num_cut > 0 {
            let count = self.num_cut;
            notes.push(format!(
                "{count} cells had more than the {MAX_CELL_CHARS} characters of a cell and are cut."
            ));
        }
        notes
    }
}

fn sheet_path(number: usize) -> String {
    format!("xl/worksheets/sheet{number}.xml")
}

/// What makes a workbook of sheets.
fn package(sheets: &[String]) -> [(&'static str, String); 4] {
    let numbered = || sheets.iter().enumerate().map(|(index, name)| (index + 1, name));
    let overrides: String = numbered()
        .map(|(number, _)| {
            format!("<Override PartName=\"/{}\" ContentType=\"{SHEET_TYPE}\"/>", sheet_path(number))
        })
        .collect();
    let listed: String = numbered()
        .map(|(number, name)| format!("<sheet name=\"{name}\" sheetId=\"{number}\" r:id=\"rId{number}\"/>"))
        .collect();
    let related: String = numbered()
        .map(|(number, _)| {
            format!(
                "<Relationship Id=\"rId{number}\" Type=\"{RELATIONS}/worksheet\" Target=\"worksheets/sheet{number}.xml\"/>"
            )
        })
        .collect();
    [
        (
            "[Content_Types].xml",
            format!(
                "{HEAD}<Types xmlns=\"{PACKAGE}/content-types\">\
                 <Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>\
                 <Default Extension=\"xml\" ContentType=\"application/xml\"/>\
                 <Override PartName=\"/xl/workbook.xml\" ContentType=\"{WORKBOOK_TYPE}\"/>{overrides}</Types>"
            ),
        ),
        (
            "_rels/.rels",
            format!(
                "{HEAD}<Relationships xmlns=\"{PACKAGE}/relationships\">\
                 <Relationship Id=\"rId1\" Type=\"{RELATIONS}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                "{HEAD}<workbook xmlns=\"{MAIN}\" xmlns:r=\"{RELATIONS}\"><sheets>{listed}</sheets></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!("{HEAD}<Relationships xmlns=\"{PACKAGE}/relationships\">{related}</Relationships>"),
        ),
    ]
}

/// Text of an element. What XML has no character for is written as the format has it, `_x0000_`.
fn push_escaped(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\t' | '\n' => out.push(character),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => out.push_str(&format!("_x{:04X}_", character as u32)),
            other => out.push(other),
        }
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
    use std::io::Read;

    use flate2::read::DeflateDecoder;

    use super::*;

    fn row(text: &str) -> [String; COLUMNS.len()] {
        std::array::from_fn(|_| text.to_owned())
    }

    /// The content of a member, found by its local header.
    fn member(archive: &[u8], name: &str) -> Option<String> {
        let number = |at: usize, width: usize| {
            archive[at..at + width]
                .iter()
                .rev()
                .fold(0_usize, |number, byte| number << 8 | usize::from(*byte))
        };
        let mut at = 0;
        while archive[at..].starts_with(b"PK\x03\x04") {
            let (packed, whole, name_bytes) = (number(at + 18, 4), number(at + 22, 4), number(at + 26, 2));
            let data = at + 30 + name_bytes;
            if &archive[at + 30..data] == name.as_bytes() {
                let mut text = String::new();
                DeflateDecoder::new(&archive[data..data + packed]).read_to_string(&mut text).unwrap();
                assert_eq!(text.len(), whole);
                assert_eq!(crc32fast::hash(text.as_bytes()) as usize, number(at + 14, 4));
                return Some(text);
            }
            at = data + packed;
        }
        None
    }

    fn written(max_sheet_rows: u32, rows: &[[String; COLUMNS.len()]]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let mut workbook = Workbook::with_sheets_of(&path, max_sheet_rows).unwrap();
        rows.iter().for_each(|row| workbook.add(row).unwrap());
        workbook.finish(["error", "none"]).unwrap();
        std::fs::read(&path).unwrap()
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        assert_eq!(fitting(&"x".repeat(MAX_CELL_CHARS)), None);
        let cut = fitting(&"𝄞".repeat(MAX_CELL_CHARS)).unwrap();
        assert!(cut.encode_utf16().count() <= MAX_CELL_CHARS && cut.ends_with(CUT));
        let archive = written(10, &[row(&"x".repeat(MAX_CELL_CHARS + 1))]);
        assert!(member(&archive, "xl/worksheets/sheet2.xml").unwrap().contains("13 cells had more"));
    }

    #[test]
    fn rows_beyond_a_sheet_go_to_the_next() {
        let rows: Vec<_> = (0..5).map(|number| row(&format!("=1+{number}"))).collect();
        let archive = written(3, &rows);
        let sheets: Vec<String> = (1..5).filter_map(|number| member(&archive, &sheet_path(number))).collect();
        let counts: Vec<_> = sheets.iter().map(|sheet| sheet.matches("<row ").count()).collect();
        assert_eq!(counts, [3, 3, 2, 1]);
        assert!(sheets[2].contains("preserve\">=1+4</t>") && !sheets[2].contains("<f>"));
        assert!(sheets[3].contains("5 entries on 3 sheets"));
        let workbook = member(&archive, "xl/workbook.xml").unwrap();
        assert!(workbook.contains("\"activity 3\"") && workbook.contains("\"notes\""), "{workbook}");
    }

    #[test]
    fn text_is_xml_whatever_is_in_it() {
        let mut out = String::new();
        push_escaped(&mut out, "a<b>&\u{0}\r\n\u{1b}é");
        assert_eq!(out, "a&lt;b&gt;&amp;_x0000__x000D_\n_x001B_é");
    }

    #[test]
    fn nothing_found_is_said() {
        let archive = written(10, &[]);
        assert!(member(&archive, "xl/worksheets/sheet1.xml").unwrap().contains("none"));
        for part in ["[Content_Types].xml", "_rels/.rels", "xl/_rels/workbook.xml.rels"] {
            assert!(member(&archive, part).unwrap().starts_with("<?xml"), "{part}");
        }
    }
}
