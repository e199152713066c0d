//! Questions and their answers.
//!
//! | module | what |
//! |---|---|
//! | `model` | what can be asked, free of how it was written |
//! | `time_range`, `interval` | what a date range means, and how wide its time buckets are |
//! | `filter` | what a filter means: the one translator |
//! | `table`, `data_file_reader` | a snapshot as a DataFusion table |
//! | `context` | where queries run: memory, threads, time |
//! | `rows`, `count`, `sparkline` | the questions |
//! | `stream` | answers handed out while they are made |
//! | `error` | where DataFusion's errors become the engine's |

mod context;
mod count;
mod data_file_reader;
mod error;
pub mod filter;
pub mod interval;
pub mod model;
mod rows;
mod sparkline;
mod stream;
mod table;
mod time_range;

pub use context::{QueryContext, QuerySettings};
pub use error::{QueryOrigin, from_datafusion};
pub use rows::{LogPage, LogRow};
pub use sparkline::{SparklineEntry, SparklineRequest};
pub use time_range::{DateRange, LowerBound, ResolvedRange, Rounding, TimeRange};

pub(crate) use context::QuerySession;
