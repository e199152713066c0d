//! What to generate.

use std::fmt;
use std::str::FromStr;

use crate::incident::{self, Incident};

/// 2026-01-12T00:00:00Z, a Monday.
const DEFAULT_START_US: i64 = 1_768_176_000_000_000;
const WEEK_US: i64 = 7 * 24 * 3_600 * 1_000_000;
/// OTLP times are nanoseconds, and readers commonly hold them in 64 signed bits.
const MAX_TIME_US: i64 = i64::MAX / 1_000;

/// What a [`LogGenerator`](crate::LogGenerator) makes. Times are microseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSpec {
    /// The same seed gives the same records.
    pub seed: u64,
    /// Number of log records in all.
    pub rows: u64,
    /// Start of the time range, inclusive.
    pub start_us: i64,
    /// End of the time range, exclusive.
    pub end_us: i64,
    /// Number of distinct log attribute keys; reached once there are about three rows per key.
    pub num_attribute_keys: AttributeKeys,
    /// Whether things go wrong.
    pub incidents: Incidents,
    /// Which ids and how many attributes the records have.
    pub shape: RecordShape,
    /// Log records per export request, at least 1; the last request may hold fewer.
    pub records_per_request: u32,
}

impl Default for LogSpec {
    /// 10,000 records over the week from Monday 2026-01-12, with incidents and 20 attribute keys.
    fn default() -> Self {
        Self {
            seed: 1,
            rows: 10_000,
            start_us: DEFAULT_START_US,
            end_us: DEFAULT_START_US + WEEK_US,
            num_attribute_keys: AttributeKeys::K20,
            incidents: Incidents::Staged,
            shape: RecordShape::Natural,
            records_per_request: 1_000,
        }
    }
}

impl LogSpec {
    /// The incidents that the generated logs show, in order of their start; none when quiet.
    pub fn incidents(&self) -> Vec<Incident> {
        match self.incidents {
            Incidents::Staged => incident::staged(self.start_us, self.end_us),
            Incidents::Quiet => Vec::new(),
        }
    }

    /// Checks the bounds of every field.
    ///
    /// # Errors
    /// The first field that is out of its bounds, with its value.
    pub fn validate(&self) -> Result<(), SpecError> {
        validate_range(self.start_us, self.end_us)?;
        if self.records_per_request == 0 {
            return Err(SpecError::NoRecordsPerRequest);
        }
        Ok(())
    }
}

/// Checks that a time range is not empty and can be told in OTLP.
pub(crate) fn validate_range(start_us: i64, end_us: i64) -> Result<(), SpecError> {
    if start_us < 0 || end_us > MAX_TIME_US {
        return Err(SpecError::RangeOutOfBounds { start_us, end_us });
    }
    if start_us >= end_us {
        return Err(SpecError::EmptyRange { start_us, end_us });
    }
    Ok(())
}

/// How many distinct log attribute keys the records use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AttributeKeys {
    /// 20: one well-kept convention.
    #[default]
    K20,
    /// 500: several teams, each with its own keys.
    K500,
    /// 5,000: anything goes.
    K5000,
}

impl AttributeKeys {
    /// The number of distinct keys.
    pub fn num_keys(self) -> usize {
        match self {
            Self::K20 => 20,
            Self::K500 => 500,
            Self::K5000 => 5_000,
        }
    }
}

impl FromStr for AttributeKeys {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        [Self::K20, Self::K500, Self::K5000]
            .into_iter()
            .find(|keys| text == keys.num_keys().to_string())
            .ok_or_else(|| SpecError::UnknownAttributeKeys(text.to_owned()))
    }
}

/// Whether the generated systems have incidents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Incidents {
    /// An error burst, a latency step and a deploy, at fixed fractions of the time range.
    #[default]
    Staged,
    /// Nothing special happens: for a short or live stretch.
    Quiet,
}

/// Which ids and how many attributes the records have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordShape {
    /// What each service would log, and no two services alike.
    #[default]
    Natural,
    /// Even enough that sizes can be compared with those of other data: a unique request id of 16 bytes on
    /// every record, a trace id on 40 % of them, 4 to 7 attributes besides those of the long tail of keys, and
    /// 5 resource attributes. Times, services and most bodies are as natural as ever.
    Sizing,
}

impl RecordShape {
    /// The word for it, from which it can be parsed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Natural => "natural",
            Self::Sizing => "sizing",
        }
    }
}

impl FromStr for RecordShape {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        [Self::Natural, Self::Sizing]
            .into_iter()
            .find(|shape| shape.as_str() == text)
            .ok_or_else(|| SpecError::UnknownShape(text.to_owned()))
    }
}

/// Why a spec cannot be generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpecError {
    /// The range ends before it starts, or where it starts.
    EmptyRange {
        /// Its start.
        start_us: i64,
        /// Its end.
        end_us: i64,
    },
    /// The range starts before 1970 or ends after 2262.
    RangeOutOfBounds {
        /// Its start.
        start_us: i64,
        /// Its end.
        end_us: i64,
    },
    /// A request cannot hold zero records.
    NoRecordsPerRequest,
    /// The number of attribute keys is none of the offered ones.
    UnknownAttributeKeys(String),
    /// The shape of the records is none of the offered ones.
    UnknownShape(String),
    /// An activity spec names no project.
    NoProjects,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyRange { start_us, end_us } => {
                write!(f, "empty time range: end {end_us} us must be after start {start_us} us")
            }
            Self::RangeOutOfBounds { start_us, end_us } => {
                write!(f, "time range {start_us} us to {end_us} us must lie within 0 to {MAX_TIME_US} us")
            }
            Self::NoRecordsPerRequest => write!(f, "records per request must be at least 1, not 0"),
            Self::UnknownAttributeKeys(text) => {
                write!(f, "number of attribute keys must be 20, 500 or 5000, not {text:?}")
            }
            Self::UnknownShape(text) => write!(f, "shape must be natural or sizing, not {text:?}"),
            Self::NoProjects => write!(f, "an activity spec needs at least 1 project, not 0"),
        }
    }
}

impl std::error::Error for SpecError {}
