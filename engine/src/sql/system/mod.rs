//! The schema `system`: what there is to read, and where it is.
//!
//! | module | what |
//! |---|---|
//! | `described` | what the columns of `logs` and `activity` mean |
//! | `tables` | the tables of this schema that the engine fills |
//! | `batch` | rows of values as Arrow |

mod batch;
mod described;
mod tables;

use std::sync::Arc;

use datafusion::catalog::{MemTable, MemorySchemaProvider, SchemaProvider};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::prelude::SessionContext;

use super::request::SqlSources;
use super::running::SqlStatementInfo;

/// The name of the schema.
pub const SYSTEM_SCHEMA: &str = "system";

/// Makes the tables of a statement's session.
pub(super) fn register(
    session: &SessionContext,
    catalog: &str,
    sources: &SqlSources,
    listed: &[SqlStatementInfo],
) -> Result<()> {
    let schema = MemorySchemaProvider::new();
    let mut tables =
        vec![tables::data_files(&sources.logs), tables::memory(&sources.logs), tables::queries(listed)];
    tables.extend(sources.system.iter().cloned());
    tables.push(tables::functions(session));
    let described = [tables::tables(&tables, sources), tables::columns(&tables, sources)];
    for table in tables.iter().chain(&described) {
        let rows = batch::of_table(table)?;
        let provider = MemTable::try_new(rows.schema(), vec![vec![rows]])?;
        schema.register_table(table.name.to_owned(), Arc::new(provider))?;
    }
    let catalog =
        session.catalog(catalog).ok_or_else(|| internal_datafusion_err!("a session without a catalog"))?;
    catalog.register_schema(SYSTEM_SCHEMA, Arc::new(schema))?;
    Ok(())
}
