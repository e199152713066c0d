//! Counting words while rows pass by.

use arrow::array::{Array, AsArray, RecordBatch};

use super::needle::for_each_word;
use super::{BLOCK_ROWS, Words};
use crate::error::{Error, Result};
use crate::index::absence::{Absence, Recipe};
use crate::index::limits::SidecarLimits;
use crate::index::text_list::TextList;
use crate::index::text_table::TextTable;
use crate::schema::columns;

/// However few rows there are.
const MIN_ENTRIES: u64 = 4_096;

/// Counts the rows of each word by block. Over its budget it lets go of everything.
#[derive(Debug)]
pub(in crate::index) struct WordsBuilder {
    counting: Option<Counting>,
    num_rows: u64,
    max_entries: usize,
    max_text_bytes: usize,
    /// An entry takes somewhat more than a byte.
    rows_per_entry: u64,
    /// Room for a word.
    word: String,
}

#[derive(Debug)]
struct Counting {
    words: TextTable,
    /// Of each word, in the block that is being counted.
    in_block: Vec<InBlock>,
    /// Words of the block that is being counted.
    touched: Vec<u32>,
    /// Word, block and number of rows.
    entries: Vec<(u32, u32, u16)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct InBlock {
    num_rows: u16,
    /// The last row that was counted, plus one.
    last_row: u64,
}

impl WordsBuilder {
    pub(in crate::index) fn new(limits: &SidecarLimits) -> Self {
        let counting = Counting {
            words: TextTable::new(),
            in_block: Vec::new(),
            touched: Vec::new(),
            entries: Vec::new(),
        };
        Self {
            counting: Some(counting),
            num_rows: 0,
            max_entries: limits.max_word_entries,
            max_text_bytes: limits.max_word_bytes,
            rows_per_entry: limits.rows_per_word_entry.max(1),
            word: String::new(),
        }
    }

    /// Adds rows, in the order of the file.
    ///
    /// # Errors
    /// `Internal` when there are no bodies.
    pub(in crate::index) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let bodies = batch.column_by_name(columns::BODY).and_then(|column| column.as_string_view_opt());
        let bodies =
            bodies.ok_or_else(|| Error::internal(format!("rows without the column {}", columns::BODY)))?;
        (0..bodies.len()).for_each(|row| self.add_row([bodies.value(row)]));
        Ok(())
    }

    /// Adds a row that has the words of some texts.
    pub(in crate::index) fn add_row<'t>(&mut self, texts: impl IntoIterator<Item = &'t str>) {
        self.num_rows += 1;
        let row_number = self.num_rows;
        let Some(counting) = &mut self.counting else { return };
        for text in texts {
            for_each_word(text, &mut self.word, |word| counting.add(word, row_number));
        }
        if row_number.is_multiple_of(BLOCK_ROWS) {
            counting.end_block((row_number - 1) / BLOCK_ROWS);
        }
        if counting.entries.len() + counting.touched.len() > self.max_entries
            || counting.words.text_bytes() > self.max_text_bytes
        {
            self.counting = None;
        }
    }

    pub(in crate::index) fn memory_bytes(&self) -> usize {
        self.counting.as_ref().map_or(0, |counting| {
            counting.words.memory_bytes()
                + counting.in_block.capacity() * size_of::<InBlock>()
                + counting.touched.capacity() * size_of::<u32>()
                + counting.entries.capacity() * size_of::<(u32, u32, u16)>()
        })
    }

    /// What became of the rows.
    pub(in crate::index) fn finish(self) -> Recipe<Words> {
        let Some(mut counting) = self.counting else { return Recipe::Absent(Absence::OverBudget) };
        if !self.num_rows.is_multiple_of(BLOCK_ROWS) {
            counting.end_block((self.num_rows - 1) / BLOCK_ROWS);
        }
        if counting.entries.len() as u64 > (self.num_rows / self.rows_per_entry).max(MIN_ENTRIES) {
            return Recipe::Absent(Absence::AsLargeAsData);
        }
        Recipe::Present(counting.finish(self.num_rows).into())
    }
}

impl Counting {
    fn add(&mut self, word: &str, row_number: u64) {
        let number = self.words.intern(0, word);
        if number as usize == self.in_block.len() {
            self.in_block.push(InBlock::default());
        }
        let in_block = &mut self.in_block[number as usize];
        if in_block.last_row == row_number {
            return;
        }
        in_block.last_row = row_number;
        if in_block.num_rows == 0 {
            self.touched.push(number);
        }
        in_block.num_rows += 1;
    }

    fn end_block(&mut self, block: u64) {
        let block = u32::try_from(block).expect("BUG: a file has far fewer blocks than 2^32");
        for number in self.touched.drain(..) {
            let num_rows = std::mem::take(&mut self.in_block[number as usize].num_rows);
            self.entries.push((number, block, num_rows));
        }
    }

    fn finish(mut self, num_rows: u64) -> Words {
        let words = &self.words;
        let mut order: Vec<u32> = (0..words.len() as u32).collect();
        order.sort_unstable_by_key(|number| words.text(*number));
        let mut places = vec![0; order.len()];
        for (place, number) in order.iter().enumerate() {
            places[*number as usize] = place as u32;
        }
        for entry in &mut self.entries {
            entry.0 = places[entry.0 as usize];
        }
        self.entries.sort_unstable();
        let mut ends = vec![0; order.len()];
        for (place, (word, ..)) in self.entries.iter().enumerate() {
            ends[*word as usize] = place as u32 + 1;
        }
        Words {
            num_rows,
            words: order.iter().map(|number| words.text(*number)).collect::<TextList>(),
            ends: ends.into_boxed_slice(),
            blocks: self.entries.iter().map(|(_, block, _)| *block).collect(),
            counts: self.entries.iter().map(|(.., num_rows)| *num_rows).collect(),
        }
    }
}
