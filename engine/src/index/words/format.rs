//! The bytes of the recipe `words`, before compression; varints as in `index/bytes.rs`.
//!
//! | content | |
//! |---|---|
//! | words: number, texts | varint, list |
//! | … number of entries of each, less one | varints |
//! | of each entry: how many blocks lie between it and the one before of the same word | varints |
//! | … number of rows, less one | varints |
//!
//! Words are sorted. How many rows the file has stands in the head of the sidecar.

use super::{BLOCK_ROWS, Words};
use crate::index::bytes::{Decoded, Reader, Refused, ensure, push_varint};
use crate::index::text_list::TextList;

/// Most entries that are decoded: far above any budget.
const MAX_ENTRIES: u64 = 1 << 24;

impl Words {
    pub(in crate::index) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        push_varint(&mut out, self.words.len() as u64);
        self.words.encode(&mut out);
        let mut start = 0;
        for end in &self.ends {
            push_varint(&mut out, u64::from(end - start - 1));
            start = *end;
        }
        let mut start = 0;
        for end in &self.ends {
            let mut next = 0;
            for block in &self.blocks[start as usize..*end as usize] {
                push_varint(&mut out, u64::from(block - next));
                next = block + 1;
            }
            start = *end;
        }
        self.counts.iter().for_each(|count| push_varint(&mut out, u64::from(count - 1)));
        out
    }

    pub(in crate::index) fn decode(bytes: &[u8], num_rows: u64) -> Decoded<Self> {
        let mut reader = Reader::new(bytes);
        let num_words = reader.count()?;
        let words = TextList::decode(&mut reader, num_words)?;
        ensure(
            (1..words.len()).all(|word| words.get(word - 1) < words.get(word)),
            "its words are in no order",
        )?;
        let mut num_entries = 0_u64;
        let mut ends = Vec::with_capacity(num_words);
        for more in reader.varints(num_words)? {
            num_entries = more.saturating_add(num_entries).saturating_add(1);
            ensure(num_entries <= MAX_ENTRIES, "it claims too many entries")?;
            ends.push(num_entries as u32);
        }
        let gaps = reader.varints_u32(num_entries as usize)?;
        let counts = reader.varints(num_entries as usize)?;
        reader.end()?;
        let mut blocks = Vec::with_capacity(gaps.len());
        let mut start = 0;
        for end in &ends {
            let mut next = 0_u32;
            for gap in &gaps[start as usize..*end as usize] {
                let block = next.checked_add(*gap).ok_or(Refused::Damaged("a block is beyond all rows"))?;
                blocks.push(block);
                next = block.saturating_add(1);
            }
            start = *end;
        }
        let counts = blocks.iter().zip(counts).map(|(block, count)| {
            let rows_before = u64::from(*block) * BLOCK_ROWS;
            let in_block = num_rows.saturating_sub(rows_before).min(BLOCK_ROWS);
            ensure(count < in_block, "a word has more rows than its block")?;
            Ok(count as u16 + 1)
        });
        Ok(Self {
            num_rows,
            words,
            ends: ends.into_boxed_slice(),
            counts: counts.collect::<Decoded<Box<_>>>()?,
            blocks: blocks.into_boxed_slice(),
        })
    }
}
