//! Questions and their answers.
//!
//! | module | what |
//! |---|---|
//! | `model` | what can be asked, free of how it was written |
//! | `time_range`, `interval` | what a date range means, and how wide its time buckets are |
//! | `filter` | what a filter means: the one translator |
//! | `table`, `data_file_reader` | a snapshot as a DataFusion table |
//! | `file_columns`, `attribute_value` | what a data file has in another form than whole rows |
//! | `unexpired` | the scan of files and segments some of whose rows have expired |
//! | `context` | answers questions: the way in |
//! | `session`, `settings`, `threads` | what one query has, what it may use, where it runs |
//! | `rows`, `count`, `sparkline`, `earliest`, `expiry`, `sampled` | the questions |
//! | `stream` | answers handed out while they are made |
//! | `error` | where DataFusion's errors become the engine's |

mod attribute_value;
mod context;
mod count;
mod data_file_reader;
mod earliest;
mod error;
mod expiry;
mod file_columns;
pub mod filter;
pub mod interval;
pub mod model;
mod rows;
mod sampled;
mod session;
mod settings;
mod sparkline;
mod stream;
mod table;
mod threads;
mod time_range;
mod unexpired;

pub use context::QueryContext;
pub use error::{QueryOrigin, from_datafusion};
pub use expiry::{ExpiredRows, ExpiryByKind, KindExpiry, RetentionPreview};
pub use rows::{LogPage, LogRow};
pub use sampled::{KeptAndDropped, SampledRows};
pub use settings::QuerySettings;
pub use sparkline::{SparklineEntry, SparklineRequest};
pub use time_range::{DateRange, LowerBound, ResolvedRange, Rounding, TimeRange};

pub(crate) use session::QuerySession;
