//! CSV as RFC 4180 has it: commas, CRLF, quotes where they are needed.

/// What happens to a cell that a spreadsheet would take for a formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Formulas {
    /// It stays as it is, for programs.
    Verbatim,
    /// It gets an apostrophe in front, for people: a log line is text that a stranger may have written.
    Escaped,
}

/// Appends one record.
pub(in crate::api) fn write_record<'a>(
    out: &mut Vec<u8>,
    cells: impl Iterator<Item = impl AsRef<str> + 'a>,
    formulas: Formulas,
) {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_cell(out, cell.as_ref(), formulas);
    }
    out.extend_from_slice(b"\r\n");
}

fn write_cell(out: &mut Vec<u8>, cell: &str, formulas: Formulas) {
    let prefix = if formulas == Formulas::Escaped && is_formula(cell) { "'" } else { "" };
    let needs_quotes = cell.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n'))
        || cell.starts_with([' ', '\t'])
        || cell.ends_with([' ', '\t']);
    if !needs_quotes {
        out.extend_from_slice(prefix.as_bytes());
        out.extend_from_slice(cell.as_bytes());
        return;
    }
    out.push(b'"');
    out.extend_from_slice(prefix.as_bytes());
    for byte in cell.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Whether a spreadsheet would compute the cell. A plain number is only a number.
fn is_formula(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(cells: &[&str], formulas: Formulas) -> String {
        let mut out = Vec::new();
        write_record(&mut out, cells.iter(), formulas);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        let cells = ["a", "b,c", "say \"hi\"", "two\nlines", "", " x", "é"];
        let expected = "a,\"b,c\",\"say \"\"hi\"\"\",\"two\nlines\",,\" x\",é\r\n";
        assert_eq!(record(&cells, Formulas::Verbatim), expected);
    }

    #[test]
    fn formulas_are_text_for_people_only() {
        let cells = ["=1+1", "+x", "-5", "-1e3", "-a", "@SUM(A1)", "\t=1", "a=1"];
        assert_eq!(record(&cells, Formulas::Escaped), "'=1+1,'+x,-5,-1e3,'-a,'@SUM(A1),\"'\t=1\",a=1\r\n");
        assert_eq!(record(&cells[..2], Formulas::Verbatim), "=1+1,+x\r\n");
    }
}
