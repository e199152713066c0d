//! The bytes of the recipe `attribute_values`, before compression; varints as in `index/bytes.rs`.
//!
//! Three tables follow each other: columns, attributes, resource attributes. A table:
//!
//! | content | |
//! |---|---|
//! | 1 when it has all keys, else 0 | varint |
//! | keys: number, texts | varint, list |
//! | … number of rows of each, less one | varints |
//! | … number of values of each; 0 when they are not kept | varints |
//! | … lower bound of the number of values, of each key that keeps none | varints |
//! | values of all keys: texts | list |
//! | … number of rows of each, less one | varints |
//!
//! Keys are sorted, and so are the values within a key. How many rows the file has stands in the head of the
//! sidecar.

use super::AttributeValues;
use super::key_table::KeyTable;
use crate::index::bytes::{Decoded, Reader, Refused, ensure, push_varint};
use crate::index::text_list::TextList;

impl AttributeValues {
    pub(in crate::index) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.tables().into_iter().for_each(|table| table.encode(&mut out));
        out
    }

    /// Reads what [`Self::encode`] wrote of the rows of a file with `num_rows` rows.
    pub(in crate::index) fn decode(bytes: &[u8], num_rows: u64) -> Decoded<Self> {
        let mut reader = Reader::new(bytes);
        let mut table = || KeyTable::decode(&mut reader, num_rows);
        let tables = [table()?, table()?, table()?];
        reader.end()?;
        Ok(Self::from_tables(num_rows, tables))
    }
}

impl KeyTable {
    fn encode(&self, out: &mut Vec<u8>) {
        push_varint(out, u64::from(self.is_complete));
        push_varint(out, self.num_keys() as u64);
        self.keys.encode(out);
        self.num_rows.iter().for_each(|num_rows| push_varint(out, num_rows - 1));
        let num_values = |key| self.values_of(key).len() as u64;
        (0..self.num_keys()).for_each(|key| push_varint(out, num_values(key)));
        let without_values = (0..self.num_keys()).filter(|&key| num_values(key) == 0);
        without_values.for_each(|key| push_varint(out, self.min_distinct[key]));
        self.values.encode(out);
        self.counts.iter().for_each(|count| push_varint(out, count - 1));
    }

    fn decode(reader: &mut Reader<'_>, num_rows_of_file: u64) -> Decoded<Self> {
        let is_complete = match reader.varint()? {
            0 => false,
            1 => true,
            _ => return Err(Refused::Damaged("a table is neither complete nor incomplete")),
        };
        let num_keys = reader.count()?;
        let keys = TextList::decode(reader, num_keys)?;
        ensure(keys.iter().is_sorted_by(|left, right| left < right), "keys are not in order")?;
        let num_rows = decode_num_rows(reader, num_keys, num_rows_of_file)?;
        let value_ends = decode_ends(reader, num_keys)?;
        let min_distinct = decode_min_distinct(reader, &value_ends)?;
        let num_values = value_ends.last().map_or(0, |&end| end as usize);
        let values = TextList::decode(reader, num_values)?;
        let counts = decode_num_rows(reader, num_values, num_rows_of_file)?;
        let table = Self { is_complete, keys, num_rows, value_ends, min_distinct, values, counts };
        (0..num_keys).try_for_each(|key| table.check_values(key))?;
        Ok(table)
    }

    /// The values of a key that keeps them are in order, and have the rows of the key together.
    fn check_values(&self, key: usize) -> Decoded<()> {
        let values = self.values_of(key);
        if values.is_empty() {
            return Ok(());
        }
        let texts = values.clone().map(|value| self.values.get(value));
        ensure(texts.is_sorted_by(|left, right| left < right), "values are not in order")?;
        let sum = self.counts[values].iter().try_fold(0_u64, |sum, &count| sum.checked_add(count));
        ensure(sum == Some(self.num_rows[key]), "values have not the rows of their key")
    }
}

fn decode_num_rows(reader: &mut Reader<'_>, count: usize, most: u64) -> Decoded<Box<[u64]>> {
    let less_one = reader.varints(count)?;
    ensure(less_one.iter().all(|&less_one| less_one < most), "a key has more rows than the file")?;
    Ok(less_one.into_iter().map(|less_one| less_one + 1).collect())
}

fn decode_ends(reader: &mut Reader<'_>, num_keys: usize) -> Decoded<Box<[u32]>> {
    let mut end = 0_u32;
    let ends = reader.varints_u32(num_keys)?.into_iter().map(|num_values| {
        end = end.checked_add(num_values).ok_or(Refused::Damaged("there are too many values"))?;
        Ok(end)
    });
    ends.collect()
}

fn decode_min_distinct(reader: &mut Reader<'_>, value_ends: &[u32]) -> Decoded<Box<[u64]>> {
    let mut start = 0;
    let bounds = value_ends.iter().map(|&end| {
        let has_values = std::mem::replace(&mut start, end) < end;
        if has_values { Ok(0) } else { reader.varint() }
    });
    bounds.collect()
}
