//! Rows as a table for people.

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use serde_json::Value;

/// Characters of one value that are shown.
const MAX_CHARS: usize = 200;

/// A table of some rows.
pub(super) fn table(columns: &[(String, String)], rows: &[Vec<Value>], max_width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = max_width {
        table.set_width(width);
    }
    table.set_header(columns.iter().map(|(name, _)| Cell::new(harmless(name))));
    for row in rows {
        table.add_row(row.iter().zip(columns).map(|(value, (_, kind))| {
            let cell = Cell::new(shown(value));
            let is_number = matches!(kind.as_str(), "integer" | "number" | "decimal");
            if is_number { cell.set_alignment(CellAlignment::Right) } else { cell }
        }));
    }
    table.to_string()
}

/// Nothing stands for null, and two quotes for an empty text.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) if text.is_empty() => return "''".to_owned(),
        Value::String(text) => harmless(text),
        other => harmless(&other.to_string()),
    };
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// What a terminal would act upon is replaced: texts are somebody else's.
pub(super) fn harmless(text: &str) -> String {
    let replaced = |char: char| match char {
        '\n' | '\t' | '\r' => ' ',
        _ if char.is_control() => '\u{fffd}',
        _ => char,
    };
    text.chars().map(replaced).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_shown_on_one_line_that_a_terminal_cannot_act_upon() {
        let columns = [("n".to_owned(), "integer".to_owned()), ("t".to_owned(), "text".to_owned())];
        let rows = [
            vec![json!(7), json!("a\nb\u{1b}[2J")],
            vec![json!(null), json!("")],
            vec![json!(12345), json!("x".repeat(300))],
        ];
        let text = table(&columns, &rows, None);
        assert!(!text.contains('\u{1b}') && text.contains("a b\u{fffd}[2J"), "{text}");
        assert!(text.contains("''") && text.contains(&format!("{}…", "x".repeat(200))), "{text}");
        assert_eq!(text.lines().count(), 7, "{text}");
    }
}
