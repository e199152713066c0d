//! JSON with a space after each colon and comma: the text in which details are stored and searched.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// A value as JSON text with a space after each `:` and `,` between its tokens.
///
/// # Errors
/// When the value cannot be JSON: a map whose keys are no text.
pub fn spaced_json<T: Serialize>(value: &T) -> serde_json::Result<String> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut bytes, Spaced))?;
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}

struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tokens_are_apart() {
        let value = json!({"a": [1, "x,y:z", {}], "b": {"c": null, "é": true}});
        let expected = r#"{"a": [1, "x,y:z", {}], "b": {"c": null, "é": true}}"#;
        assert_eq!(spaced_json(&value).unwrap(), expected);
    }
}
