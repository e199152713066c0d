//! Questions and their answers.

pub mod filter;
pub mod interval;
pub mod model;
mod time_range;

pub use time_range::{DateRange, LowerBound, ResolvedRange, Rounding, TimeRange};
