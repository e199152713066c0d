//! The bytes of the recipe `ids`, before compression; varints as in `index/bytes.rs`, other integers little-endian.
//!
//! | content | |
//! |---|---|
//! | keys: number, texts | varint, list |
//! | of each stretch: seed, length of a segment, number of segments | 8 bytes, varint, varint |
//! | … its places | as many bytes as two segments more have |
//!
//! Keys are sorted. How many rows the file has, and so how many stretches, stands in the head of the sidecar.

use super::filter::Filter;
use super::{Ids, STRETCH_ROWS};
use crate::index::bytes::{Decoded, Reader, Refused, ensure, push_varint};
use crate::index::text_list::TextList;

impl Ids {
    pub(in crate::index) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        push_varint(&mut out, self.keys.len() as u64);
        self.keys.encode(&mut out);
        for filter in &self.filters {
            out.extend_from_slice(&filter.seed.to_le_bytes());
            push_varint(&mut out, u64::from(filter.segment_length));
            push_varint(&mut out, u64::from(filter.segment_count));
            out.extend_from_slice(&filter.places);
        }
        out
    }

    pub(in crate::index) fn decode(bytes: &[u8], num_rows: u64) -> Decoded<Self> {
        let mut reader = Reader::new(bytes);
        let num_keys = reader.count()?;
        let keys = TextList::decode(&mut reader, num_keys)?;
        ensure((1..keys.len()).all(|key| keys.get(key - 1) < keys.get(key)), "its keys are in no order")?;
        let mut filters = Vec::new();
        for _ in 0..num_rows.div_ceil(STRETCH_ROWS) {
            let seed = reader.u64()?;
            let (segment_length, segment_count) = (reader.varint_u32()?, reader.varint_u32()?);
            let num_places = Filter::num_places(segment_length, segment_count)
                .ok_or(Refused::Damaged("a filter has no such shape"))?;
            let places = reader.take(num_places)?.into();
            filters.push(Filter { seed, segment_length, segment_count, places });
        }
        reader.end()?;
        Ok(Self { num_rows, keys, filters: filters.into_boxed_slice() })
    }
}
