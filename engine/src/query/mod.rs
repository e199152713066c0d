//! Questions and their answers.

pub mod model;
mod time_range;

pub use time_range::{DateRange, TimeRange};
