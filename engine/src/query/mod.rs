//! Questions and their answers.

mod data_file_reader;
mod error;
pub mod filter;
pub mod interval;
pub mod model;
mod table;
mod time_range;

pub use error::{QueryOrigin, from_datafusion};
pub use table::SnapshotTable;
pub use time_range::{DateRange, LowerBound, ResolvedRange, Rounding, TimeRange};
