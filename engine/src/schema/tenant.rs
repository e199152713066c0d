//! Who owns rows: datasets, projects, and the table of one tenant.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// A kind of record with its own schema, files and retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dataset {
    /// OpenTelemetry log records; a row belongs to a project.
    Logs,
}

impl Dataset {
    /// Every dataset.
    pub const ALL: &[Self] = &[Self::Logs];

    /// The name in paths, the catalog and the write-ahead log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logs => "logs",
        }
    }
}

impl FromStr for Dataset {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "logs" => Ok(Self::Logs),
            _ => Err(Error::corrupt_data(format!("unknown dataset {text:?}"))),
        }
    }
}

/// The id of a project: a positive integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProjectId(pub i64);

impl fmt::Display for ProjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One tenant's part of one dataset: the unit that rows are buffered, flushed and queried by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId {
    /// Which kind of record.
    pub dataset: Dataset,
    /// Whose rows.
    pub project: ProjectId,
}

impl TableId {
    /// The logs of a project.
    pub fn logs(project: ProjectId) -> Self {
        Self { dataset: Dataset::Logs, project }
    }
}

impl FromStr for TableId {
    type Err = Error;

    /// Reads what `Display` writes.
    fn from_str(text: &str) -> Result<Self> {
        let unknown = || Error::corrupt_data(format!("{text:?} is no table"));
        let (dataset, project) = text.split_once("/project=").ok_or_else(unknown)?;
        let project = project.parse().map_err(|error| unknown().with_source(error))?;
        Ok(Self { dataset: dataset.parse()?, project: ProjectId(project) })
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/project={}", self.dataset.as_str(), self.project)
    }
}
