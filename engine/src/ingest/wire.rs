//! Protobuf's wire format, read without copying: fields of a message as borrowed slices.
//!
//! Groups, which OTLP never had, are refused, so that JSON text is never taken for a protobuf message.

use std::str;

use crate::error::{Error, Result};

/// The longest varint: 64 bits in groups of seven.
const MAX_VARINT_BYTES: usize = 10;

/// Reads the fields of one message in the order they were written.
#[derive(Clone, Copy, Debug)]
pub(super) struct MessageReader<'a> {
    rest: &'a [u8],
}

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub(super) number: u32,
    value: Value<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> MessageReader<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field, or `None` at the end of the message.
    pub(super) fn next_field(&mut self) -> Result<Option<Field<'a>>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).map_err(|_| malformed("field number"))?;
        if number == 0 {
            return Err(malformed("field number"));
        }
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| malformed("length"))?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(malformed("wire type")),
        };
        Ok(Some(Field { number, value }))
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0_u64;
        for (index, &byte) in self.rest.iter().enumerate().take(MAX_VARINT_BYTES) {
            value |= u64::from(byte & 0x7F) << (7 * index);
            if byte < 0x80 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(malformed("varint"))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.take(N)?;
        Ok(bytes.try_into().expect("BUG: take returned another length"))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(|| malformed("length"))?;
        self.rest = rest;
        Ok(taken)
    }
}

impl<'a> Field<'a> {
    /// The field as the bytes of a `bytes` or message field.
    pub(super) fn bytes(&self) -> Result<&'a [u8]> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(self.wrong_type()),
        }
    }

    /// The field as a `string`.
    pub(super) fn text(&self) -> Result<&'a str> {
        str::from_utf8(self.bytes()?)
            .map_err(|_| Error::invalid_request(format!("protobuf field {} is not UTF-8", self.number)))
    }

    /// The field as a message.
    pub(super) fn message(&self) -> Result<MessageReader<'a>> {
        self.bytes().map(MessageReader::new)
    }

    /// The field as a varint: `int32`, `int64`, `bool`, `enum`.
    pub(super) fn varint(&self) -> Result<u64> {
        match self.value {
            Value::Varint(value) => Ok(value),
            _ => Err(self.wrong_type()),
        }
    }

    /// The field as a `fixed64` or the bits of a `double`.
    pub(super) fn fixed64(&self) -> Result<u64> {
        match self.value {
            Value::Fixed64(value) => Ok(value),
            _ => Err(self.wrong_type()),
        }
    }

    /// The field as a `fixed32`.
    pub(super) fn fixed32(&self) -> Result<u32> {
        match self.value {
            Value::Fixed32(value) => Ok(value),
            _ => Err(self.wrong_type()),
        }
    }

    fn wrong_type(&self) -> Error {
        Error::invalid_request(format!("protobuf field {} has the wrong type", self.number))
    }
}

fn malformed(what: &str) -> Error {
    Error::invalid_request(format!("malformed protobuf: bad {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refuses(message: &[u8]) {
        let mut reader = MessageReader::new(message);
        let error = loop {
            match reader.next_field() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("{message:x?} was accepted"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), crate::ErrorKind::InvalidRequest);
    }

    #[test]
    fn malformed_messages_are_refused() {
        refuses(b"\x0a");
        refuses(b"\x0a\x05abc");
        refuses(b"\x09\x01\x02");
        refuses(b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01");
        refuses(b"\x00\x01");
        refuses(b"\x0b");
        refuses(br#"{"resourceLogs":[]}"#);
        refuses(b"[]");
    }

    #[test]
    fn fields_are_read_in_order() {
        let mut reader = MessageReader::new(b"\x08\x96\x01\x12\x02hi\x1d\x01\x00\x00\x00");
        let first = reader.next_field().unwrap().unwrap();
        assert_eq!((first.number, first.varint().unwrap()), (1, 150));
        let second = reader.next_field().unwrap().unwrap();
        assert_eq!((second.number, second.text().unwrap()), (2, "hi"));
        let third = reader.next_field().unwrap().unwrap();
        assert_eq!((third.number, third.fixed32().unwrap()), (3, 1));
        assert!(third.text().is_err());
        assert!(reader.next_field().unwrap().is_none());
    }
}
