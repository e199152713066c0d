//! Questions and their answers.
//!
//! | module | what |
//! |---|---|
//! | `model` | what can be asked, free of how it was written |
//! | `time_range`, `interval` | what a date range means, and how wide its time buckets are |
//! | `filter` | what a filter means: the one translator |
//! | `table`, `data_file_reader` | a snapshot as a DataFusion table |
//! | `file_columns`, `attribute_value`, `attribute_keys` | what a data file has in another form than whole rows |
//! | `unexpired` | the scan of files and segments some of whose rows have expired |
//! | `context` | answers questions: the way in |
//! | `planner` | which source answers for each data file: the catalog, its sidecar or its rows |
//! | `slices` | rows read by short stretches of files, without a plan |
//! | `cost` | what questions cost, and from which sources they were answered |
//! | `session`, `settings`, `threads` | what one query has, what it may use, where it runs |
//! | `rows`, `count`, `sparkline`, `facets`, `earliest`, `expiry`, `sampled` | the questions |
//! | `count_ranges`, `count_every`, `count_cells`, `services`, `groups`, `impact` | the questions that count by time, by service and by value |
//! | `dimension`, `first_filled`, `texts`, `top` | what those share: what rows are grouped by, and the best groups |
//! | `patterns` | what bodies have in common, and how that differs between two times |
//! | `tail` | rows by their place in the order of ingestion |
//! | `export` | every row of a query, in order and in bounded memory |
//! | `activity` | the audit trail |
//! | `known_totals`, `totals_shape` | totals that SQL asks for and no row has to be read for |
//! | `scan_log` | what scans leave out and read, for explanations |
//! | `stream` | answers handed out while they are made |
//! | `error` | where DataFusion's errors become the engine's |

mod activity;
mod attribute_keys;
mod attribute_value;
mod context;
mod cost;
mod count;
mod count_cells;
mod count_every;
mod count_ranges;
mod data_file_reader;
mod dimension;
mod earliest;
mod error;
mod expiry;
mod export;
mod facets;
mod file_columns;
pub mod filter;
mod first_filled;
mod group_table;
mod groups;
mod impact;
pub mod interval;
mod known_totals;
mod lazy_session;
pub mod model;
mod patterns;
mod planner;
mod read_budget;
mod rows;
mod sampled;
mod scan_log;
mod services;
mod session;
mod settings;
mod slices;
mod sparkline;
mod stream;
mod table;
mod tail;
mod text_hash;
mod texts;
mod threads;
mod time_range;
mod top;
mod totals_shape;
mod unexpired;

pub use activity::{
    ActivityCursor, ActivityExpression, ActivityFilter, ActivityOrder, ActivityPage, ActivityQuery,
    ActivityTenant, ActivityValues, DetailFields, DetailPath, DetailTest, DetailValue, FieldType,
    HiddenEntries,
};
pub use context::QueryContext;
pub use cost::{QueryCost, with_cost};
pub use count_cells::CellCount;
pub use count_ranges::{CountRange, CountRanges, CountRangesRequest};
pub use dimension::Dimension;
pub use error::{QueryOrigin, from_datafusion};
pub use expiry::{ExpiredRows, ExpiryByKind, KindExpiry, RetentionPreview};
pub use export::{ExportStream, LogExport, PARQUET_COLUMNS};
pub use facets::{
    AttributeKey, AttributeKeys, AttributeKeysRequest, AttributeSource, Facet, FacetsRequest, ListRange,
    SearchIn, ValueCount, ValuesRequest,
};
pub use groups::{Group, GroupOrder, Groups, GroupsRequest};
pub use impact::{Impact, ImpactRequest};
pub use patterns::{
    Classification, MAX_PATTERNS, PatternChange, PatternExample, PatternSummary, PatternsAnswer,
    PatternsDiff, PatternsDiffRequest, PatternsRequest, WindowStats,
};
pub use rows::{LogPage, LogRow};
pub use sampled::{KeptAndDropped, SampledRows};
pub use services::{ServiceBucket, ServiceTotals, Services, ServicesRequest};
pub use settings::QuerySettings;
pub use sparkline::{SparklineEntry, SparklineRequest};
pub use time_range::{DateRange, LowerBound, ResolvedRange, Rounding, TimeRange};

pub(crate) use activity::tenant_table;
pub(crate) use attribute_keys::AttributeKeys as AttributeKeysFunction;
pub(crate) use attribute_value::AttributeValue;
pub(crate) use context::deadline_exceeded;
pub(crate) use known_totals::with_known_totals;
pub(crate) use scan_log::ScanLog;
pub(crate) use session::QuerySession;
pub(crate) use settings::QueryKind;
pub(crate) use stream::{StreamBounds, StreamThreads, stream_until};
pub(crate) use tail::{RowTest, SizedRow, rows_at};
pub(crate) use threads::QueryThreads;
