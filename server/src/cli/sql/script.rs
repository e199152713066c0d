//! The statements of a text.

/// Cuts a text at the semicolons between statements, and gives what stands behind the last one: an unfinished
/// statement, or nothing but blanks and comments. A line that begins with a backslash where a statement could begin is
/// one of its own.
pub(super) fn split(text: &str) -> (Vec<String>, &str) {
    let mut statements = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        let is_beginning = is_blank(&text[start..at]);
        let next = rest.chars().next().map_or(1, char::len_utf8);
        at += match rest.as_bytes()[0] {
            b'\'' => quoted(rest, '\''),
            b'"' => quoted(rest, '"'),
            b'-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            b'/' if rest.starts_with("/*") => rest[2..].find("*/").map_or(rest.len(), |end| end + 4),
            b'\\' if is_beginning => {
                let end = rest.find('\n').unwrap_or(rest.len());
                statements.push(rest[..end].trim().to_owned());
                start = at + end;
                end
            }
            b';' => {
                if !is_beginning {
                    statements.push(text[start..at].trim().to_owned());
                }
                start = at + 1;
                1
            }
            _ => next,
        };
    }
    (statements, &text[start..])
}

/// Whether a text has nothing but blanks and comments.
pub(super) fn is_blank(text: &str) -> bool {
    let mut rest = text.trim_start();
    loop {
        let end = if rest.starts_with("--") {
            rest.find('\n')
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.find("*/").map(|end| end + 4)
        } else {
            return rest.is_empty();
        };
        match end {
            Some(end) => rest = rest[end..].trim_start(),
            None => return true,
        }
    }
}

/// The length of what is in quotes at the beginning; two quotes inside of it are one.
fn quoted(text: &str, quote: char) -> usize {
    text[1..].find(quote).map_or(text.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_at_semicolons_outside_of_quotes_and_comments() {
        for (text, statements, rest) in [
            ("SELECT 1; SELECT 2", &["SELECT 1"][..], " SELECT 2"),
            ("SELECT ';', \"a;b\", 'it''s;';", &["SELECT ';', \"a;b\", 'it''s;'"], ""),
            ("-- a;b\nSELECT 1 /* ; */;", &["-- a;b\nSELECT 1 /* ; */"], ""),
            ("SELECT 1 -- last;", &[], "SELECT 1 -- last;"),
            (";;", &[], ""),
            ("\\d logs\nSELECT 1;\n\\timing", &["\\d logs", "SELECT 1", "\\timing"], ""),
            ("SELECT '\\d';", &["SELECT '\\d'"], ""),
            ("SELECT 'open; \n", &[], "SELECT 'open; \n"),
            ("SELECT 'é;' ; é", &["SELECT 'é;'"], " é"),
        ] {
            assert_eq!(
                split(text),
                (statements.iter().map(|text| (*text).to_owned()).collect(), rest),
                "{text}"
            );
        }
    }

    #[test]
    fn comments_are_blank() {
        for (text, expected) in
            [("", true), (" \n-- x", true), ("/* a */ -- b\n", true), ("/* open", true), ("-- x\n1", false)]
        {
            assert_eq!(is_blank(text), expected, "{text}");
        }
    }
}
