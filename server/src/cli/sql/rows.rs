//! Reading a document row by row while it comes in.
//!
//! The server writes the names of the columns, each row, and the end on lines of their own, so that no answer has to be
//! held whole.

use bytes::Bytes;
use serde_json::Value;

use super::super::CliError;
use super::super::remote::malformed;

/// What a line says.
#[derive(Debug, PartialEq)]
pub(super) enum Part {
    /// Names and types of the columns.
    Columns(Vec<(String, String)>),
    /// Values of a row.
    Row(Vec<Value>),
    /// The end, with what the statement failed with after some rows.
    End(Option<String>),
}

/// Lines of a document that are not whole yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    rest: Vec<u8>,
    has_begun: bool,
}

impl Lines {
    /// Takes a piece, and gives what its lines say.
    ///
    /// # Errors
    /// When it is no such document.
    pub(super) fn take(&mut self, piece: &Bytes) -> Result<Vec<Part>, CliError> {
        self.rest.extend_from_slice(piece);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return Ok(Vec::new()) };
        let whole: Vec<u8> = self.rest.drain(..=end).collect();
        let lines = whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| self.read(line).ok_or_else(malformed)).collect()
    }

    fn read(&mut self, line: &[u8]) -> Option<Part> {
        let line = std::str::from_utf8(line).ok()?;
        if !self.has_begun {
            self.has_begun = true;
            let head: Value = serde_json::from_str(&format!("{line}]}}")).ok()?;
            let text = |column: &Value, key: &str| Some(column[key].as_str()?.to_owned());
            let columns = head["columns"].as_array()?.iter();
            let columns: Option<_> =
                columns.map(|column| Some((text(column, "name")?, text(column, "type")?))).collect();
            return columns.map(Part::Columns);
        }
        if let Some(end) = line.strip_prefix("],") {
            let end: Value = serde_json::from_str(&format!("{{{end}")).ok()?;
            return Some(Part::End(end["error"]["detail"].as_str().map(str::to_owned)));
        }
        serde_json::from_str(line.strip_suffix(',').unwrap_or(line)).ok().map(Part::Row)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_is_read_line_by_line_however_it_is_cut() {
        let document = "{\"columns\":[{\"name\":\"a\",\"type\":\"integer\"},{\"name\":\"b\",\"type\":\"text\"}],\"rows\":[\n\
                        [1,\"x\\n],\"],\n[null,\"é\"]\n],\"row_count\":2,\"error\":null}\n";
        let column = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
        let expected = [
            Part::Columns(vec![column("a", "integer"), column("b", "text")]),
            Part::Row(vec![json!(1), json!("x\n],")]),
            Part::Row(vec![json!(null), json!("é")]),
            Part::End(None),
        ];
        for size in [1, 7, 1000] {
            let mut lines = Lines::default();
            let mut parts = Vec::new();
            for piece in document.as_bytes().chunks(size) {
                parts.extend(lines.take(&Bytes::copy_from_slice(piece)).unwrap());
            }
            assert_eq!(parts, expected, "{size}");
        }
    }

    #[test]
    fn the_end_says_what_went_wrong() {
        let mut lines = Lines::default();
        let document =
            "{\"columns\":[],\"rows\":[\n],\"row_count\":0,\"error\":{\"code\":\"x\",\"detail\":\"late\"}}\n";
        let parts = lines.take(&Bytes::from(document)).unwrap();
        assert_eq!(parts[1], Part::End(Some("late".to_owned())));
        assert!(Lines::default().take(&Bytes::from("<html>\n")).is_err());
    }
}
