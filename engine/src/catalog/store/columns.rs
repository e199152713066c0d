//! Reading the columns of the catalog's rows.

use object_store::path::Path as ObjectPath;
use sqlx::Row;
use sqlx::any::AnyRow;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::schema::{Dataset, ProjectId, TableId};

/// A table from its dataset's column and the project's after it.
pub(super) fn table_at(row: &AnyRow, index: usize) -> Result<TableId> {
    let dataset: Dataset = column::<String>(row, index)?.parse()?;
    Ok(TableId { dataset, project: ProjectId(column(row, index + 1)?) })
}

pub(super) fn uuid_at(row: &AnyRow, index: usize) -> Result<Uuid> {
    let text: String = column(row, index)?;
    Uuid::parse_str(&text)
        .map_err(|error| Error::corrupt_data(format!("bad id {text:?} in the catalog")).with_source(error))
}

pub(super) fn path_at(row: &AnyRow, index: usize) -> Result<ObjectPath> {
    let text: String = column(row, index)?;
    ObjectPath::parse(&text)
        .map_err(|error| Error::corrupt_data(format!("bad path {text:?} in the catalog")).with_source(error))
}

/// A number that is never negative.
pub(super) fn count_at(row: &AnyRow, index: usize) -> Result<u64> {
    let number: i64 = column(row, index)?;
    u64::try_from(number).map_err(|error| {
        Error::corrupt_data(format!("{number} in the catalog is no count")).with_source(error)
    })
}

pub(super) fn column<'r, T>(row: &'r AnyRow, index: usize) -> Result<T>
where
    T: sqlx::Decode<'r, sqlx::Any> + sqlx::Type<sqlx::Any>,
{
    row.try_get(index).map_err(|error| Error::corrupt_data("bad column in the catalog").with_source(error))
}

/// What a statement that failed becomes.
pub(super) fn failed(error: sqlx::Error) -> Error {
    Error::unavailable("the catalog database does not answer").with_source(error)
}
