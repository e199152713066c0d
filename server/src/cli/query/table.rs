//! A row as one line for people.

use serde_json::Value;

/// Width of the service's column; longer names push the body to the right.
const SERVICE_WIDTH: usize = 20;

/// Time, severity, service and body. What a terminal would act upon is replaced: the text is somebody else's.
pub(super) fn line(row: &Value) -> String {
    let text = |member: &Value| harmless(member.as_str().unwrap_or_default());
    let service = &row["resource_attributes"]["service.name"];
    format!(
        "{:<27}  {:<5}  {:<SERVICE_WIDTH$}  {}\n",
        text(&row["timestamp"]),
        text(&row["level"]),
        text(service),
        text(&row["body"])
    )
}

fn harmless(text: &str) -> String {
    text.chars()
        .map(|char| match char {
            '\n' | '\t' | '\r' => ' ',
            _ if char.is_control() => '\u{fffd}',
            _ => char,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_is_one_line_that_a_terminal_cannot_act_upon() {
        let row = json!({
            "timestamp": "2025-12-16T10:32:36Z", "level": "error", "body": "a\nb\u{1b}[2Jc",
            "resource_attributes": { "service.name": "api" },
        });
        let line = line(&row);
        assert_eq!(line.lines().count(), 1);
        assert!(!line.contains('\u{1b}'));
        assert!(line.ends_with("a b\u{fffd}[2Jc\n"), "{line}");
    }
}
