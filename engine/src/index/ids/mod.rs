//! The recipe `ids`: in which stretches of a file an id can be.
//!
//! An id is a trace id, or the value of an attribute of which almost every row has another one, like the ids of requests.
//! Of entries of the audit trail it is the value of some columns, and every text and number in their details.
//! For each *stretch* of the file's rows there is one filter of all its ids: it has every id of the stretch, and seems to
//! have one in 256 of the others. So a row is found by its id by reading one stretch, and now and then another one.
//!
//! | module | what |
//! |---|---|
//! | `filter` | a set of numbers in nine to ten bits each |
//! | `builder` | choosing attributes, and making filters while rows pass by |
//! | `entries` | the same of entries of the audit trail |
//! | `stretches` | the filters that are made |
//! | `format` | the recipe's bytes |

mod builder;
mod entries;
mod filter;
mod format;
mod stretches;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

pub(super) use builder::IdsBuilder;
pub use entries::{DETAIL_VALUES, ID_COLUMNS, number_in_detail, text_in_detail};
pub(super) use entries::{EntryIds, EntryIdsBuilder};

use self::filter::Filter;
use super::text_list::TextList;

/// Rows of a stretch, the last one apart: those of a slice of a data file.
pub const STRETCH_ROWS: u64 = 32_768;

/// What ids are of: the column, or an attribute of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdSource<'a> {
    /// The column `trace_id`.
    TraceId,
    /// A key of a record's attributes.
    Attribute(&'a str),
    /// A column of entries, one of [`ID_COLUMNS`], or [`DETAIL_VALUES`].
    Column(&'a str),
}

/// The ids of a file by stretch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    pub(super) num_rows: u64,
    /// The attributes or columns whose values are ids in this file, sorted.
    pub(super) keys: TextList,
    /// One for each stretch.
    filters: Box<[Filter]>,
}

impl Ids {
    /// The stretches that may have rows with one of some ids, rising; none when the file has no filters for the source.
    pub fn stretches_with(&self, source: IdSource<'_>, ids: &[&[u8]]) -> Option<Vec<u32>> {
        if let IdSource::Attribute(key) | IdSource::Column(key) = source {
            self.keys.find(0..self.keys.len(), key)?;
        }
        let seed = seed_of(source);
        let hashes: Vec<u64> = ids.iter().map(|id| hash_of(seed, id)).collect();
        let has_one = |filter: &Filter| hashes.iter().any(|hash| filter.may_have(*hash));
        let stretches = self.filters.iter().enumerate().filter(|(_, filter)| has_one(filter));
        Some(stretches.map(|(stretch, _)| stretch as u32).collect())
    }

    /// Memory that it takes.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.keys.memory_bytes()
            + self.filters.iter().map(Filter::memory_bytes).sum::<usize>()
    }
}

/// Ids of different sources have different numbers.
fn seed_of(source: IdSource<'_>) -> u64 {
    match source {
        IdSource::TraceId => 0,
        IdSource::Attribute(key) => xxh3_64(key.as_bytes()) | 1,
        IdSource::Column(name) => xxh3_64_with_seed(name.as_bytes(), 1) | 1,
    }
}

fn hash_of(seed: u64, id: &[u8]) -> u64 {
    xxh3_64_with_seed(id, seed)
}
