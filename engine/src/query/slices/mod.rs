//! Rows by slices: questions that read columns of short stretches of data files, without a plan of DataFusion.
//!
//! A *slice* is what a data file has between two page ends of its `timestamp`: some ten thousand rows of a stretch of
//! time, of which the page index knows the bounds. A question that wants the newest rows looks at slices from the
//! newest to the oldest and stops as soon as no other can have one; a question that counts looks at those that its
//! range touches. Of each slice it reads the columns of its condition, and of the rows that it hands out the rest.
//!
//! | module | what |
//! |---|---|
//! | `open_file` | a data file whose footer is known: its slices and its schema |
//! | `cache` | decoded columns of slices, within a budget |
//! | `reader` | columns of slices, from the cache or decoded |
//! | `condition`, `met_rows` | a condition over whole rows as it is tested on the columns of a file, and the rows that meet it |
//! | `prune` | which rows need not be looked at, by what sidecars say |
//! | `newest` | the first rows in the order of time |
//! | `whole_rows` | what is handed out of rows that were found |
//! | `times` | when the rows were that meet a condition |
//! | `projection`, `values` | expressions over the rows that meet a condition |
//!
//! Every row that is found was tested with the condition itself; what knows which slices need not be read only saves
//! reading. Files some of whose rows may have expired are not read here.

mod cache;
mod condition;
mod met_rows;
mod newest;
mod open_file;
mod projection;
mod prune;
mod reader;
mod times;
mod values;
mod whole_rows;

pub(super) use cache::SliceCache;
pub(super) use newest::{NewestQuestion, find};
pub(super) use reader::SliceReader;
pub(super) use times::{Seen, Wanted, visit_times};
pub(super) use values::{Make, VisitedRows, visit_values};
pub(super) use whole_rows::{entries_at, records_at};

/// Pages of more rows are sorted by DataFusion, which can spill.
pub(super) const MAX_SLICED_PAGE: usize = 10_000;
