//! The path of every data file.
//!
//! `<dataset>/project=<id>/date=YYYY-MM-DD/<file id>.parquet`, and for rows of many days
//! `<dataset>/project=<id>/wide/<file id>.parquet`; a file of a month has `date=YYYY-MM`. Hive style, so that outside readers see the project and
//! the date as columns.

use chrono::{DateTime, Datelike, NaiveDate};
use object_store::path::Path;
use uuid::Uuid;

use crate::schema::TableId;

/// A stretch of time whose rows share files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum TimeBucket {
    /// A day in UTC.
    Day(NaiveDate),
    /// The month in UTC that a day is in.
    Month(NaiveDate),
    /// Any time.
    Wide,
}

impl TimeBucket {
    /// The day of an instant. Days whose year has not four digits have no path of their own.
    pub(crate) fn of(timestamp_us: i64) -> Self {
        match DateTime::from_timestamp_micros(timestamp_us).map(|instant| instant.date_naive()) {
            Some(date) if (0..=9999).contains(&date.year()) => Self::Day(date),
            _ => Self::Wide,
        }
    }

    /// The narrowest stretch with both instants.
    pub(crate) fn spanning(first_us: i64, last_us: i64) -> Self {
        match (Self::of(first_us), Self::of(last_us)) {
            (Self::Day(first), Self::Day(last)) if first == last => Self::Day(first),
            (Self::Day(first), Self::Day(last)) => match (first.with_day(1), last.with_day(1)) {
                (Some(first), Some(last)) if first == last => Self::Month(first),
                _ => Self::Wide,
            },
            _ => Self::Wide,
        }
    }

    /// The part of a path.
    fn directory(self) -> String {
        match self {
            Self::Day(date) => format!("date={}", date.format("%Y-%m-%d")),
            Self::Month(date) => format!("date={}", date.format("%Y-%m")),
            Self::Wide => "wide".to_owned(),
        }
    }
}

/// What the path of a data file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DataFilePath {
    pub(crate) table: TableId,
    pub(crate) bucket: TimeBucket,
    pub(crate) id: Uuid,
}

impl DataFilePath {
    pub(crate) fn to_path(self) -> Path {
        Path::from(format!("{}/{}/{}.parquet", self.table, self.bucket.directory(), self.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ProjectId;

    #[track_caller]
    fn check(timestamp_us: i64, expected: &str) {
        let (table, bucket) = (TableId::logs(ProjectId(7)), TimeBucket::of(timestamp_us));
        let path = DataFilePath { table, bucket, id: Uuid::nil() }.to_path();
        assert_eq!(path.to_string(), format!("logs/project=7/{expected}/{}.parquet", Uuid::nil()));
    }

    #[test]
    fn files_lie_below_the_day_of_their_rows() {
        check(0, "date=1970-01-01");
        check(-1, "date=1969-12-31");
        check(1_765_881_156_184_820, "date=2025-12-16");
        check(i64::MAX, "wide");
        check(i64::MIN, "wide");
    }

    #[test]
    fn a_file_of_several_days_lies_below_their_month() {
        const DAY_US: i64 = 86_400_000_000;
        let directory = |first, last| TimeBucket::spanning(first, last).directory();
        assert_eq!(directory(0, DAY_US - 1), "date=1970-01-01");
        assert_eq!(directory(0, 30 * DAY_US), "date=1970-01");
        assert_eq!(directory(0, 31 * DAY_US), "wide");
        assert_eq!(directory(0, i64::MAX), "wide");
    }
}
