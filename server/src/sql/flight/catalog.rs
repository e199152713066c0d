//! Which catalogs, schemas and tables there are: those that the caller may read.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use arrow_flight::error::FlightError;
use arrow_flight::sql::{CommandGetCatalogs, CommandGetDbSchemas, CommandGetTableTypes, CommandGetTables};
use engine::sql::{SYSTEM_SCHEMA, SqlQuery};
use futures::TryStreamExt;
use tonic::Status;

use super::status_of;
use crate::error::ApiError;
use crate::sql::Asker;
use crate::state::AppState;

/// The one catalog.
const CATALOG: &str = "timberline";
/// The schema of the tables that need no schema before their name.
const PUBLIC: &str = "public";
const TABLE: &str = "TABLE";
const SYSTEM_TABLE: &str = "SYSTEM TABLE";

pub(super) fn catalogs(command: CommandGetCatalogs) -> Result<RecordBatch, Status> {
    let mut catalogs = command.into_builder();
    catalogs.append(CATALOG);
    catalogs.build().map_err(broken)
}

pub(super) fn schemas(command: CommandGetDbSchemas) -> Result<RecordBatch, Status> {
    let mut schemas = command.into_builder();
    schemas.append(CATALOG, PUBLIC);
    schemas.append(CATALOG, SYSTEM_SCHEMA);
    schemas.build().map_err(broken)
}

pub(super) fn table_types(command: CommandGetTableTypes) -> Result<RecordBatch, Status> {
    let mut types = command.into_builder();
    types.append(TABLE);
    types.append(SYSTEM_TABLE);
    types.build().map_err(broken)
}

/// The tables that the caller may read, with their columns when they are asked for.
pub(super) async fn tables(
    state: &AppState,
    asker: &Asker,
    command: CommandGetTables,
) -> Result<RecordBatch, Status> {
    let names = names(state, asker).await.map_err(status_of)?;
    let is_with_columns = command.include_schema;
    let mut tables = command.into_builder();
    for name in names {
        let columns = match is_with_columns {
            true => columns(state, asker, &name).await.map_err(status_of)?,
            false => SchemaRef::new(Schema::empty()),
        };
        let (schema, table, kind) = match name.split_once('.') {
            Some((schema, table)) => (schema, table, SYSTEM_TABLE),
            None => (PUBLIC, name.as_str(), TABLE),
        };
        tables.append(CATALOG, schema, table, kind, &columns).map_err(broken)?;
    }
    tables.build().map_err(broken)
}

async fn names(state: &AppState, asker: &Asker) -> Result<Vec<String>, ApiError> {
    let query = SqlQuery::of("SELECT name FROM system.tables ORDER BY name");
    let rows: Vec<RecordBatch> = asker.ask(state, query).await?.into_batches().try_collect().await?;
    let names = rows.iter().flat_map(|rows| rows.column(0).as_string::<i32>().iter().flatten());
    Ok(names.map(str::to_owned).collect())
}

async fn columns(state: &AppState, asker: &Asker, table: &str) -> Result<SchemaRef, ApiError> {
    let description = asker.describe(state, SqlQuery::of(format!("SELECT * FROM {table}"))).await?;
    Ok(super::rows::sent_schema(&description.schema))
}

fn broken(error: FlightError) -> Status {
    status_of(ApiError::internal(error))
}
