//! Reading the columns of the catalog's rows.

use object_store::path::Path as ObjectPath;
use sqlx::Row;
use sqlx::any::AnyRow;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::schema::TableId;

/// A table from its dataset's column and those of the project and the organization after it.
pub(super) fn table_at(row: &AnyRow, index: usize) -> Result<TableId> {
    let organization = match column::<String>(row, index + 2)? {
        text if text.is_empty() => None,
        _ => Some(uuid_at(row, index + 2)?),
    };
    TableId::of_owner(&column::<String>(row, index)?, column(row, index + 1)?, organization)
}

/// What is stored of a table: the dataset, the project, and the organization, empty when there is none.
pub(super) fn of_table(table: TableId) -> (&'static str, i64, String) {
    let (project, organization) = table.owner();
    (table.dataset().as_str(), project, organization.map(|id| id.to_string()).unwrap_or_default())
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
