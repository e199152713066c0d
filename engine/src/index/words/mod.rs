//! The recipe `words`: in which rows of a file a text can be, told by the words that it is made of.
//!
//! The text of a row is the body of a log record, or the detail of an entry of the audit trail.
//! A *word* is what letters without anything in between make of a text, ignoring case; letters are those of ASCII and
//! the two characters that fold to one. The recipe knows words of three letters or more, apart from those of the
//! letters a to f alone: of them hexadecimal ids are full. For each word it has the number of its rows in every
//! *block* of the file.
//!
//! A text that is looked for is cut into words in the same way. Each of its words has to be a word of a row that has the
//! text: whole where something else stands on both sides of it, else at the beginning or the end of one, or anywhere in
//! one. So blocks without such a word have no row with the text, and where the text is nothing but one word's part, and
//! one word of the block has it, the number of rows is known too. All other blocks have to be read.
//!
//! | module | what |
//! |---|---|
//! | `needle` | a text that is looked for, as words |
//! | `builder` | counting while rows pass by |
//! | `format` | the recipe's bytes |

mod builder;
mod format;
mod needle;

use std::collections::BTreeMap;

pub(super) use builder::WordsBuilder;
pub use needle::Needle;

use self::needle::Run;
use super::text_list::TextList;

/// Rows of a block, the last one apart: about as many as a page of bodies has.
pub const BLOCK_ROWS: u64 = 2_048;

/// The words of a file's texts, and how many rows of each block have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    pub(super) num_rows: u64,
    /// Sorted, each once.
    pub(super) words: TextList,
    /// Where the entries of each word end; they begin where those of the word before end.
    pub(super) ends: Box<[u32]>,
    /// Of each entry, rising within a word.
    pub(super) blocks: Box<[u32]>,
    /// Rows of each entry, at least 1.
    pub(super) counts: Box<[u16]>,
}

/// A block that may have rows with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockMatch {
    /// Its number: it has the rows of the file from `block * BLOCK_ROWS` on.
    pub block: u32,
    /// How many rows have the text, where that is known.
    pub num_rows: Option<u64>,
}

impl Words {
    /// The blocks that may have rows with a text, rising; none when it has no word that is known, so that any may.
    /// Costs one pass over the words.
    pub fn blocks_with(&self, needle: &Needle) -> Option<Vec<BlockMatch>> {
        let mut blocks: Option<BTreeMap<u32, Option<u64>>> = None;
        for run in needle.known_runs() {
            let of_run = self.blocks_of(run, needle.is_one_run());
            blocks = Some(match blocks {
                None => of_run,
                Some(mut blocks) => {
                    blocks.retain(|block, _| of_run.contains_key(block));
                    blocks
                }
            });
        }
        let blocks = blocks?.into_iter();
        Some(blocks.map(|(block, num_rows)| BlockMatch { block, num_rows }).collect())
    }

    /// Number of rows of the file.
    pub fn num_rows(&self) -> u64 {
        self.num_rows
    }

    /// Memory that it takes.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.words.memory_bytes()
            + size_of_val::<[u32]>(&self.ends)
            + size_of_val::<[u32]>(&self.blocks)
            + size_of_val::<[u16]>(&self.counts)
    }

    /// Blocks with a word that has a run, with their number of rows where only one word of them has it.
    fn blocks_of(&self, run: &Run, counts: bool) -> BTreeMap<u32, Option<u64>> {
        let mut blocks = BTreeMap::new();
        let candidates = match run.whole_word() {
            Some(word) => {
                self.words.find(0..self.words.len(), word).map_or(0..0, |number| number..number + 1)
            }
            None => 0..self.words.len(),
        };
        for number in candidates {
            if !run.is_in(self.words.get(number)) {
                continue;
            }
            let start = if number == 0 { 0 } else { self.ends[number - 1] as usize };
            for entry in start..self.ends[number] as usize {
                let known = counts.then(|| u64::from(self.counts[entry]));
                // Rows with two such words would count twice.
                blocks.entry(self.blocks[entry]).and_modify(|known| *known = None).or_insert(known);
            }
        }
        blocks
    }
}
