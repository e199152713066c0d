//! Bodies that are forms, as objects of their texts.

use std::convert::Infallible;

use bytes::Bytes;
use futures::stream;
use multer::Multipart;
use serde_json::{Map, Value};

use crate::error::ApiError;

/// What marks an object that was sent as a form, whose values are all text. No JSON that clients write has it.
const MARK: &str = "\0form";
/// Most fields of a form.
const MAX_FIELDS: usize = 1_000;

/// Whether an object was sent as a form.
pub(super) fn is_form(object: &Map<String, Value>) -> bool {
    object.contains_key(MARK)
}

/// A form in the encoding of query strings (`application/x-www-form-urlencoded`). What is given several times is a
/// list.
///
/// # Errors
/// 400 when it is not UTF-8 or has too many fields.
pub(super) fn read_urlencoded(body: &[u8]) -> Result<Value, ApiError> {
    let text = std::str::from_utf8(body).map_err(|_| refuse("the form is not UTF-8"))?;
    // The rules of a form are those of a query string.
    let mut address = reqwest::Url::parse("form:/").map_err(ApiError::internal)?;
    address.set_query(Some(text));
    let mut fields = Fields::default();
    for (name, value) in address.query_pairs() {
        fields.add(name.into_owned(), value.into_owned())?;
    }
    Ok(fields.into_object())
}

/// A form of several parts (`multipart/form-data`), with the boundary that its media type names. A file is the text
/// that is in it.
///
/// # Errors
/// 400 when its parts cannot be told apart, have no name, are not UTF-8 or are too many.
pub(super) async fn read_multipart(media_type: &str, body: Bytes) -> Result<Value, ApiError> {
    let malformed = |error: multer::Error| refuse(format!("malformed form: {error}"));
    let boundary = multer::parse_boundary(media_type).map_err(malformed)?;
    let mut parts = Multipart::new(stream::iter([Ok::<_, Infallible>(body)]), boundary);
    let mut fields = Fields::default();
    while let Some(part) = parts.next_field().await.map_err(malformed)? {
        let name = part.name().ok_or_else(|| refuse("malformed form: a part has no name"))?.to_owned();
        let value = part.bytes().await.map_err(malformed)?;
        let value = String::from_utf8(value.into());
        let value =
            value.map_err(|_| ApiError::parse_error(Some(name.clone()), format!("{name} is not UTF-8")))?;
        fields.add(name, value)?;
    }
    Ok(fields.into_object())
}

fn refuse(detail: impl Into<String>) -> ApiError {
    ApiError::parse_error(None, detail.into())
}

/// The fields that have been read.
#[derive(Default)]
struct Fields {
    object: Map<String, Value>,
    number: usize,
}

impl Fields {
    fn add(&mut self, name: String, value: String) -> Result<(), ApiError> {
        if self.number == MAX_FIELDS {
            return Err(refuse(format!("a form has at most {MAX_FIELDS} fields")));
        }
        self.number += 1;
        let value = Value::String(value);
        match self.object.get_mut(&name) {
            None => drop(self.object.insert(name, value)),
            Some(Value::Array(list)) => list.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
        Ok(())
    }

    fn into_object(mut self) -> Value {
        self.object.insert(MARK.to_owned(), Value::Bool(true));
        Value::Object(self.object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MULTIPART: &str = "multipart/form-data; boundary=\"x y\"";

    async fn multipart(parts: &[(&str, &str)]) -> Result<Value, ApiError> {
        let part = |(head, value): &(&str, &str)| {
            format!("--x y\r\nContent-Disposition: form-data{head}\r\n\r\n{value}\r\n")
        };
        let body: String = parts.iter().map(part).chain(["--x y--\r\n".to_owned()]).collect();
        read_multipart(MULTIPART, body.into()).await
    }

    #[tokio::test]
    async fn both_kinds_of_form_are_the_same_object() {
        let encoded = read_urlencoded(b"t=a+b%26c&l=x&l=%C3%BC&l=&n=").unwrap();
        let parts = [("; name=t", "a b&c"), ("; name=\"l\"", "x"), ("; name=l; filename=\"f\"", "ü")];
        let parts = [&parts[..], &[("; name=l", ""), ("; name=n", "")]].concat();
        assert_eq!(multipart(&parts).await.unwrap(), encoded);
        assert!(is_form(encoded.as_object().unwrap()));
        assert_eq!(multipart(&[]).await.unwrap(), read_urlencoded(b"").unwrap());
    }

    #[tokio::test]
    async fn what_is_no_form_is_a_parse_error() {
        assert_eq!(read_urlencoded(b"\xff").unwrap_err().code(), "parse_error");
        assert_eq!(read_urlencoded("a=1&".repeat(1_001).as_bytes()).unwrap_err().code(), "parse_error");
        assert_eq!(multipart(&[("; name=a", "1"); 1_001]).await.unwrap_err().code(), "parse_error");
        assert_eq!(multipart(&[("", "1")]).await.unwrap_err().code(), "parse_error");
        for (media_type, body) in [
            ("multipart/form-data", &b"--x--\r\n"[..]),
            (MULTIPART, b""),
            (MULTIPART, b"--x y\r\nContent-Disposition: form-data; name=a\r\n\r\nno end"),
            (MULTIPART, b"--x y\r\nContent-Disposition: form-data; name=a\r\n\r\n\xff\r\n--x y--\r\n"),
        ] {
            let error = read_multipart(media_type, Bytes::from_static(body)).await.unwrap_err();
            assert_eq!((error.status().as_u16(), error.code()), (400, "parse_error"), "{body:?}");
        }
    }
}
