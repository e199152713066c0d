//! Who owns rows: datasets, projects, organizations, and the table of one tenant.

use std::fmt;
use std::str::FromStr;

use arrow::datatypes::SchemaRef;
use uuid::Uuid;

use super::{activity_schema, decoded_activity_schema, decoded_logs_schema, logs_schema};
use crate::error::{Error, Result};

/// A kind of record with its own schema, files and retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dataset {
    /// OpenTelemetry log records; a row belongs to a project.
    Logs,
    /// Entries of the audit trail; a row belongs to an organization and perhaps to one of its projects.
    Activity,
}

impl Dataset {
    /// Every dataset.
    pub const ALL: &[Self] = &[Self::Logs, Self::Activity];

    /// The name in paths, the catalog and the write-ahead log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Activity => "activity",
        }
    }

    /// The schema of stored rows.
    pub fn schema(self) -> SchemaRef {
        match self {
            Self::Logs => logs_schema(),
            Self::Activity => activity_schema(),
        }
    }

    /// The schema of rows before ingestion has given each its `uuid` and `ingested_timestamp`.
    pub fn decoded_schema(self) -> SchemaRef {
        match self {
            Self::Logs => decoded_logs_schema(),
            Self::Activity => decoded_activity_schema(),
        }
    }

    /// Whether rows have attributes, of which the frequent ones get columns of their own in data files.
    pub(crate) fn has_attributes(self) -> bool {
        self == Self::Logs
    }
}

impl FromStr for Dataset {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.iter().copied().find(|dataset| dataset.as_str() == text);
        known.ok_or_else(|| Error::corrupt_data(format!("unknown dataset {text:?}")))
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

/// The id of an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrganizationId(pub Uuid);

impl fmt::Display for OrganizationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One tenant's part of one dataset: the unit that rows are buffered, flushed and queried by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TableId {
    /// The logs of a project.
    Logs(ProjectId),
    /// The audit trail of an organization, that of its projects included: one table, so that its chain is in one
    /// order of ingestion.
    Activity(OrganizationId),
}

impl TableId {
    /// The logs of a project.
    pub const fn logs(project: ProjectId) -> Self {
        Self::Logs(project)
    }

    /// The audit trail of an organization.
    pub const fn activity(organization: OrganizationId) -> Self {
        Self::Activity(organization)
    }

    /// Which kind of record.
    pub const fn dataset(self) -> Dataset {
        match self {
            Self::Logs(_) => Dataset::Logs,
            Self::Activity(_) => Dataset::Activity,
        }
    }

    /// Whose rows, as the catalog and manifests keep it: the number of a project, 0 when the rows belong to an
    /// organization, and that.
    pub(crate) fn owner(self) -> (i64, Option<Uuid>) {
        match self {
            Self::Logs(project) => (project.0, None),
            Self::Activity(organization) => (0, Some(organization.0)),
        }
    }

    /// The table of a dataset and what [`owner`](Self::owner) has given.
    ///
    /// # Errors
    /// `CorruptData` when the dataset is unknown or the owner is not one of its kind.
    pub(crate) fn of_owner(dataset: &str, project: i64, organization: Option<Uuid>) -> Result<Self> {
        match (dataset.parse()?, organization) {
            (Dataset::Logs, None) => Ok(Self::Logs(ProjectId(project))),
            (Dataset::Activity, Some(organization)) => Ok(Self::Activity(OrganizationId(organization))),
            _ => Err(Error::corrupt_data(format!("a table of {dataset} with an owner of another dataset"))),
        }
    }
}

impl FromStr for TableId {
    type Err = Error;

    /// Reads what `Display` writes.
    fn from_str(text: &str) -> Result<Self> {
        let unknown = || Error::corrupt_data(format!("{text:?} is no table"));
        let (dataset, owner) = text.split_once('/').ok_or_else(unknown)?;
        match (dataset.parse()?, owner.split_once('=').ok_or_else(unknown)?) {
            (Dataset::Logs, ("project", id)) => {
                Ok(Self::Logs(ProjectId(id.parse().map_err(|error| unknown().with_source(error))?)))
            }
            (Dataset::Activity, ("organization", id)) => {
                Ok(Self::Activity(OrganizationId(id.parse().map_err(|error| unknown().with_source(error))?)))
            }
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dataset = self.dataset().as_str();
        match self {
            Self::Logs(project) => write!(f, "{dataset}/project={project}"),
            Self::Activity(organization) => write!(f, "{dataset}/organization={organization}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_as_they_are_written() {
        let organization = OrganizationId(Uuid::from_u128(7));
        for table in [TableId::logs(ProjectId(3)), TableId::activity(organization)] {
            assert_eq!(table.to_string().parse::<TableId>().unwrap(), table);
            let (project, organization) = table.owner();
            let dataset = table.dataset().as_str();
            assert_eq!(TableId::of_owner(dataset, project, organization).unwrap(), table);
        }
        for text in
            ["logs", "logs/organization=1", "activity/project=1", "traces/project=1", "logs/project=x"]
        {
            assert!(text.parse::<TableId>().is_err(), "{text}");
        }
        assert!(TableId::of_owner("logs", 1, Some(Uuid::nil())).is_err());
        assert!(TableId::of_owner("activity", 1, None).is_err());
    }
}
