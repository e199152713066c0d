//! Integers as sidecars write them, and reading them safely from any bytes.
//!
//! A *varint* is LEB128: seven bits to a byte, the lowest first, at most ten bytes. A *signed* one is the
//! varint of its zigzag form. Whatever claims a number of things is checked against the bytes that are left
//! before memory is taken for them.

/// Why bytes are not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// They are not what was once written.
    Damaged(&'static str),
    /// A newer program wrote them.
    Newer { version: u32, known: u32 },
}

pub(super) type Decoded<T> = Result<T, Refused>;

/// `Ok` when something holds that was true when the bytes were written.
pub(super) fn ensure(holds: bool, otherwise: &'static str) -> Decoded<()> {
    if holds { Ok(()) } else { Err(Refused::Damaged(otherwise)) }
}

pub(super) fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn push_signed(out: &mut Vec<u8>, value: i64) {
    push_varint(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Bytes that are read from the front.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn take(&mut self, length: usize) -> Decoded<&'a [u8]> {
        let (taken, rest) =
            self.rest.split_at_checked(length).ok_or(Refused::Damaged("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        Ok(self.take(N)?.try_into().expect("BUG: as many bytes were taken"))
    }

    pub(super) fn u16(&mut self) -> Decoded<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Decoded<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Decoded<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn varint(&mut self) -> Decoded<u64> {
        let mut value = 0_u64;
        for (index, &byte) in self.rest.iter().take(10).enumerate() {
            let bits = u64::from(byte & 0x7F);
            // The tenth byte has room for the last bit only.
            ensure(index < 9 || bits <= 1, "an integer has more than 64 bits")?;
            value |= bits << (7 * index);
            if byte < 0x80 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(Refused::Damaged("an integer does not end"))
    }

    pub(super) fn signed(&mut self) -> Decoded<i64> {
        self.varint().map(|value| (value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A varint that has to fit in 32 bits.
    pub(super) fn varint_u32(&mut self) -> Decoded<u32> {
        u32::try_from(self.varint()?).map_err(|_| Refused::Damaged("an integer has more than 32 bits"))
    }

    /// The number of things that follow, each of at least one byte.
    pub(super) fn count(&mut self) -> Decoded<usize> {
        let count = self.varint()?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        ensure(count <= self.rest.len(), "it counts more than its bytes hold")?;
        Ok(count)
    }

    /// As many varints.
    pub(super) fn varints(&mut self, count: usize) -> Decoded<Vec<u64>> {
        ensure(count <= self.rest.len(), "it counts more than its bytes hold")?;
        (0..count).map(|_| self.varint()).collect()
    }

    /// As many varints that have to fit in 32 bits.
    pub(super) fn varints_u32(&mut self, count: usize) -> Decoded<Vec<u32>> {
        ensure(count <= self.rest.len(), "it counts more than its bytes hold")?;
        (0..count).map(|_| self.varint_u32()).collect()
    }

    /// Nothing may follow.
    pub(super) fn end(&self) -> Decoded<()> {
        ensure(self.rest.is_empty(), "bytes follow its end")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_round_trip(values in prop::collection::vec((any::<u64>(), any::<i64>(), 0_u32..64), 0..20)) {
            let mut out = Vec::new();
            for &(value, signed, shift) in &values {
                push_varint(&mut out, value >> shift);
                push_signed(&mut out, signed >> shift);
            }
            let mut reader = Reader::new(&out);
            for (value, signed, shift) in values {
                prop_assert_eq!(reader.varint(), Ok(value >> shift));
                prop_assert_eq!(reader.signed(), Ok(signed >> shift));
            }
            prop_assert_eq!(reader.end(), Ok(()));
        }
    }

    #[test]
    fn extremes_round_trip() {
        for value in [0, 127, 128, u64::MAX] {
            let mut out = Vec::new();
            push_varint(&mut out, value);
            assert_eq!(Reader::new(&out).varint(), Ok(value));
        }
        for value in [i64::MIN, -1, 0, 1, i64::MAX] {
            let mut out = Vec::new();
            push_signed(&mut out, value);
            assert_eq!(Reader::new(&out).signed(), Ok(value));
        }
    }

    #[test]
    fn an_integer_that_is_too_long_is_refused() {
        assert!(Reader::new(&[0xFF; 9]).varint().is_err());
        assert!(Reader::new(&[0xFF; 20]).varint().is_err());
        let mut two_bits_too_many = [0x80; 10];
        two_bits_too_many[9] = 2;
        assert!(Reader::new(&two_bits_too_many).varint().is_err());
        assert!(Reader::new(&[0x80, 0x80, 0x80, 0x80, 0x10]).varint_u32().is_err());
    }

    #[test]
    fn a_count_beyond_the_bytes_is_refused_before_memory_is_taken() {
        let mut out = Vec::new();
        push_varint(&mut out, u64::MAX);
        assert!(Reader::new(&out).count().is_err());
        assert!(Reader::new(&[1, 2, 3]).varints(usize::MAX).is_err());
        assert_eq!(Reader::new(&[1, 2, 3]).varints(3), Ok(vec![1, 2, 3]));
    }
}
