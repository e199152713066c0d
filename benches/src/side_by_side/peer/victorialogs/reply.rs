//! Replies: a JSON object for each row, all values text, and no empty ones.

use anyhow::{Context, Result, ensure};
use chrono::DateTime;
use serde_json::{Map, Value};

use crate::side_by_side::answer::Answer;
use crate::side_by_side::questions::Column;

/// The columns of all rows.
///
/// # Errors
/// When a line is no object, or has not the columns that were asked for.
pub(super) fn decode(reply: &[u8], columns: &[Column]) -> Result<Answer> {
    let lines = std::str::from_utf8(reply)?.lines().filter(|line| !line.is_empty());
    let rows = lines.map(|line| {
        let row: Map<String, Value> =
            serde_json::from_str(line).with_context(|| format!("{} is no object", start(line)))?;
        let cells = columns.iter().map(|column| cell(&row, column)).collect::<Result<Vec<_>>>();
        cells.with_context(|| start(line))
    });
    rows.collect::<Result<_>>().map(Answer)
}

fn cell(row: &Map<String, Value>, column: &Column) -> Result<String> {
    let text = |name: &str| match row.get(name) {
        Some(value) => value.as_str().with_context(|| format!("{name} is no text")),
        None => Ok(""),
    };
    match column {
        Column::Time => {
            let time = DateTime::parse_from_rfc3339(text("_time")?).context("_time is no time")?;
            Ok(time.timestamp_micros().to_string())
        }
        Column::Number(name) => {
            let number = text(name)?;
            ensure!(number.parse::<u64>().is_ok(), "{name} is no number");
            Ok(number.to_owned())
        }
        Column::Text(name) => text(name).map(str::to_owned),
    }
}

/// So much of a line as an error shows.
fn start(line: &str) -> String {
    line.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_lines_and_what_is_empty_is_left_out() {
        let columns = [Column::Time, Column::Text("attr.a b".to_owned()), Column::Number("n")];
        let reply = "{\"_time\":\"2026-01-12T00:00:00.000001Z\",\"attr.a b\":\"x\\ny\",\"n\":\"7\",\"more\":\"z\"}\n\
                     {\"n\":\"0\",\"_time\":\"2026-01-12T01:00:00+01:00\"}\n";
        let rows = decode(reply.as_bytes(), &columns).unwrap().0;
        assert_eq!(rows, [["1768176000000001", "x\ny", "7"], ["1768176000000000", "", "0"]]);
        assert!(decode(b"", &columns).unwrap().0.is_empty());
    }

    #[test]
    fn what_is_no_such_row_is_an_error() {
        let columns = [Column::Time, Column::Number("n")];
        for reply in [
            "cannot parse query",
            "[]",
            "{\"_time\":\"yesterday\",\"n\":\"1\"}",
            "{\"n\":\"1\"}",
            "{\"_time\":\"2026-01-12T00:00:00Z\"}",
            "{\"_time\":\"2026-01-12T00:00:00Z\",\"n\":\"1.5\"}",
            "{\"_time\":\"2026-01-12T00:00:00Z\",\"n\":1}",
        ] {
            assert!(decode(reply.as_bytes(), &columns).is_err(), "{reply}");
        }
    }
}
