//! Time ranges: what a request's `dateRange` means.

/// Instants from `start_us` up to but not including `end_us`, microseconds since the epoch, UTC.
///
/// `end_us <= start_us` is the empty range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// The first instant.
    pub start_us: i64,
    /// The first instant after the range.
    pub end_us: i64,
}

/// A `dateRange` as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DateRange {
    /// Lower bound; `all` is the earliest row.
    pub date_from: Option<String>,
    /// Upper bound; absent is now.
    pub date_to: Option<String>,
    /// True when `date_to` is not to be rounded in aggregations.
    pub explicit_date: bool,
}
