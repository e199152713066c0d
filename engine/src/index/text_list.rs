//! Many texts in one piece of memory, and their bytes in a sidecar.
//!
//! | bytes | content |
//! |---|---|
//! | … | for each text a varint: how many bytes it shares with the front of the one before |
//! | … | for each text a varint: how many bytes follow them |
//! | … | those bytes, without gaps |
//!
//! How many texts there are is written by the owner of the list.

use std::fmt;
use std::ops::Range;

use super::bytes::{Decoded, Reader, Refused, ensure, push_varint};

/// Most bytes that a list decodes to. Shared fronts can make a few bytes stand for very many.
const MAX_TEXT_BYTES: usize = 32 << 20;

/// Texts by number.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct TextList {
    texts: Box<str>,
    /// Where each text ends; it begins where the one before ends.
    ends: Box<[u32]>,
}

impl fmt::Debug for TextList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl TextList {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, number: usize) -> &str {
        let start = if number == 0 { 0 } else { self.ends[number - 1] as usize };
        &self.texts[start..self.ends[number] as usize]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|number| self.get(number))
    }

    /// The number of a text among `numbers`, whose texts rise.
    pub(super) fn find(&self, numbers: Range<usize>, text: &str) -> Option<usize> {
        let (mut low, mut high) = (numbers.start, numbers.end);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle).cmp(text) {
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.texts.len() + size_of_val::<[u32]>(&self.ends)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut lengths = Vec::with_capacity(self.len());
        let mut bytes = Vec::with_capacity(self.texts.len());
        let mut before: &[u8] = &[];
        for text in self.iter().map(str::as_bytes) {
            let shared = before.iter().zip(text).take_while(|(left, right)| left == right).count();
            push_varint(out, shared as u64);
            push_varint(&mut lengths, (text.len() - shared) as u64);
            bytes.extend_from_slice(&text[shared..]);
            before = text;
        }
        out.extend(lengths);
        out.extend(bytes);
    }

    pub(super) fn decode(reader: &mut Reader<'_>, num_texts: usize) -> Decoded<Self> {
        let shared = reader.varints_u32(num_texts)?;
        let lengths = reader.varints_u32(num_texts)?;
        let mut texts: Vec<u8> = Vec::new();
        let mut ends = Vec::with_capacity(num_texts);
        let mut start = 0;
        for (shared, length) in shared.into_iter().zip(lengths) {
            let (shared, length) = (shared as usize, length as usize);
            let before_length = texts.len() - start;
            ensure(shared <= before_length, "a text shares more than there is")?;
            ensure(texts.len() + shared + length <= MAX_TEXT_BYTES, "its texts are too long")?;
            let rest = reader.take(length)?;
            let before = start;
            start = texts.len();
            texts.extend_from_within(before..before + shared);
            texts.extend_from_slice(rest);
            ends.push(u32::try_from(texts.len()).expect("BUG: the limit is below 4 GiB"));
        }
        let texts = String::from_utf8(texts).map_err(|_| Refused::Damaged("a text is not UTF-8"))?;
        let are_whole = ends.iter().all(|&end| texts.is_char_boundary(end as usize));
        ensure(are_whole, "a text is not UTF-8")?;
        Ok(Self { texts: texts.into_boxed_str(), ends: ends.into_boxed_slice() })
    }
}

impl<'a> FromIterator<&'a str> for TextList {
    fn from_iter<I: IntoIterator<Item = &'a str>>(texts: I) -> Self {
        let mut builder = TextListBuilder::default();
        texts.into_iter().for_each(|text| builder.push(text));
        builder.finish()
    }
}

/// Makes a [`TextList`].
#[derive(Debug, Default)]
pub(super) struct TextListBuilder {
    texts: String,
    ends: Vec<u32>,
}

impl TextListBuilder {
    pub(super) fn push(&mut self, text: &str) {
        self.texts.push_str(text);
        self.ends.push(u32::try_from(self.texts.len()).expect("BUG: budgets are far below 4 GiB"));
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn finish(self) -> TextList {
        TextList { texts: self.texts.into_boxed_str(), ends: self.ends.into_boxed_slice() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lists_round_trip(texts in prop::collection::vec("[aä€]{0,4}", 0..30)) {
            let list: TextList = texts.iter().map(String::as_str).collect();
            let mut out = Vec::new();
            list.encode(&mut out);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(TextList::decode(&mut reader, texts.len()), Ok(list.clone()));
            prop_assert_eq!(reader.end(), Ok(()));
            prop_assert_eq!(list.iter().collect::<Vec<_>>(), texts);
        }

        #[test]
        fn any_bytes_are_a_list_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100), count in 0_usize..40) {
            if let Ok(list) = TextList::decode(&mut Reader::new(&bytes), count) {
                prop_assert_eq!(list.iter().count(), count);
            }
        }
    }

    #[test]
    fn texts_are_found_by_their_order() {
        let list: TextList = ["", "a", "b", "bb", "c"].into_iter().collect();
        for (number, text) in ["", "a", "b", "bb", "c"].into_iter().enumerate() {
            assert_eq!(list.find(0..5, text), Some(number));
        }
        assert_eq!(list.find(0..5, "ab"), None);
        assert_eq!(list.find(1..3, "c"), None);
    }

    /// A text of 1 MiB, and a hundred more that share all of it.
    #[test]
    fn shared_fronts_cannot_take_unbounded_memory() {
        const LONG: usize = 1 << 20;
        let mut bytes = Vec::new();
        push_varint(&mut bytes, 0);
        (0..100).for_each(|_| push_varint(&mut bytes, LONG as u64));
        push_varint(&mut bytes, LONG as u64);
        (0..100).for_each(|_| push_varint(&mut bytes, 0));
        bytes.extend(vec![b'a'; LONG]);
        assert_eq!(
            TextList::decode(&mut Reader::new(&bytes), 101),
            Err(Refused::Damaged("its texts are too long"))
        );
    }

    #[test]
    fn a_text_that_splits_a_character_is_refused() {
        let list: TextList = ["ä", "äb"].into_iter().collect();
        let mut bytes = Vec::new();
        list.encode(&mut bytes);
        // The second text shares one byte of the two of the first, and brings the other one itself.
        assert_eq!(bytes, [0, 2, 2, 1, 0xC3, 0xA4, b'b']);
        let whole = [0, 1, 2, 1, 0xC3, 0xA4, 0xA4];
        assert!(TextList::decode(&mut Reader::new(&whole), 2).is_ok(), "shared in the middle of a character");
        let split = [0, 0, 1, 1, 0xC3, 0xA4];
        assert_eq!(
            TextList::decode(&mut Reader::new(&split), 2),
            Err(Refused::Damaged("a text is not UTF-8"))
        );
    }
}
