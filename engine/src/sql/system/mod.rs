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

use super::pg_catalog::About;
use super::request::{SqlSources, SqlValue, SystemTable};
use super::running::SqlStatementInfo;
use crate::catalog::Snapshot;

/// The name of the schema.
pub const SYSTEM_SCHEMA: &str = "system";

/// Makes the tables of a statement's session, and tells what there is to say about all that it can read.
pub(super) fn register(
    session: &SessionContext,
    catalog: &str,
    sources: &SqlSources,
    listed: &[SqlStatementInfo],
) -> Result<About> {
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
    let [of_tables, of_columns] = &described;
    Ok(about(of_tables, of_columns, &sources.logs))
}

/// What the two tables say that describe all others.
fn about(of_tables: &SystemTable, of_columns: &SystemTable, logs: &Snapshot) -> About {
    let files = logs.files.iter().map(|file| file.size_bytes.saturating_add(file.sidecar_bytes));
    let memory = logs.segments.iter().map(|segment| segment.batch.get_array_memory_size() as u64);
    let bytes = files.chain(memory).fold(0, u64::saturating_add);
    let mut about = About { logs_bytes: i64::try_from(bytes).unwrap_or(i64::MAX), ..About::default() };
    for row in &of_tables.rows {
        if let [SqlValue::Text(name), SqlValue::Text(says)] = row.as_slice() {
            about.tables.insert(name.clone(), says.clone());
        }
    }
    for row in &of_columns.rows {
        if let [SqlValue::Text(table), _, _, SqlValue::Text(says)] = row.as_slice() {
            about.columns.entry(table.clone()).or_default().push(says.clone());
        }
    }
    about
}
