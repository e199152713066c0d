//! The tables of `pg_catalog`.
//!
//! Most are those of the library. Some of these tell of relations of PostgreSQL's own that are not here, and have no rows;
//! some lack columns; a few tables are missing.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock, OnceLock};

use arrow::array::{RecordBatch, new_null_array};
use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::catalog::{CatalogProviderList, MemTable, MemoryCatalogProviderList, SchemaProvider};
use datafusion::common::Result;
use datafusion::datasource::TableProvider;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion_pg_catalog::pg_catalog::{
    PG_CATALOG_TABLES, PgCatalogSchemaProvider, PgCatalogStaticTables, PgCatalogTable,
};
use futures::StreamExt;

use super::lacking::{Columns, Kind, LACKING, MISSING, empty_of, field, of, without_rows};
use super::seen::{Roles, Sorted};

/// The tables as the library knows them.
pub(super) type Library = PgCatalogSchemaProvider<Sorted, Roles>;

/// Tables whose rows would be about PostgreSQL's own relations and roles.
const FOREIGN: [&str; 13] = [
    "pg_attrdef",
    "pg_auth_members",
    "pg_authid",
    "pg_constraint",
    "pg_depend",
    "pg_index",
    "pg_init_privs",
    "pg_rewrite",
    "pg_shdepend",
    "pg_shdescription",
    "pg_statistic",
    "pg_trigger",
    "pg_user_mapping",
];

/// Whether the catalog has a table of this name.
pub(super) fn is_of_catalog(name: &str) -> bool {
    PG_CATALOG_TABLES.iter().any(|known| known.eq_ignore_ascii_case(name)) || of(&MISSING, name).is_some()
}

/// Whether a table of the catalog has no rows, whoever asks.
pub(super) fn has_no_rows(name: &str) -> bool {
    static WITHOUT: LazyLock<HashSet<&str>> = LazyLock::new(|| {
        let nothing: Arc<dyn CatalogProviderList> = Arc::new(MemoryCatalogProviderList::new());
        // Without the library's tables nothing is known of them; that they are not there is told by who reads one.
        let Ok(library) = library(nothing, "") else { return HashSet::new() };
        let is_empty = |name: &&&str| match library.build_table_by_name(name) {
            Ok(Some(PgCatalogTable::Static(table))) => {
                FOREIGN.contains(*name) || table.data().iter().all(|rows| rows.num_rows() == 0)
            }
            Ok(Some(PgCatalogTable::Empty(_))) => true,
            _ => false,
        };
        PG_CATALOG_TABLES.iter().filter(is_empty).copied().collect()
    });
    of(&MISSING, name).is_some() || WITHOUT.contains(name.to_ascii_lowercase().as_str())
}

/// What names of columns of privileges end with.
const PRIVILEGES: &str = "acl";

/// Whether a column of lists in the catalog is null in every row.
pub(super) fn is_always_null(name: &str) -> bool {
    let mut lacking = LACKING.iter().flat_map(|(_, columns)| columns.iter());
    name.ends_with(PRIVILEGES)
        || lacking.any(|(known, kind)| matches!(kind, Kind::Texts) && known.eq_ignore_ascii_case(name))
}

/// What is the same in every PostgreSQL, read once in a process.
///
/// # Errors
/// When it cannot be read.
pub(super) fn static_tables() -> Result<Arc<PgCatalogStaticTables>> {
    static TABLES: OnceLock<Arc<PgCatalogStaticTables>> = OnceLock::new();
    if let Some(tables) = TABLES.get() {
        return Ok(Arc::clone(tables));
    }
    let made = Arc::new(PgCatalogStaticTables::try_new()?);
    Ok(Arc::clone(TABLES.get_or_init(|| made)))
}

/// The library's tables over what there is to see, for somebody.
///
/// # Errors
/// As [`static_tables`].
pub(super) fn library(seen: Arc<dyn CatalogProviderList>, caller: &str) -> Result<Library> {
    Library::try_new(Sorted(seen), static_tables()?, Roles(caller.into()))
}

/// The schema.
#[derive(Debug)]
pub(super) struct Catalog {
    /// Knows the numbers of what it has told of.
    pub(super) library: Arc<Library>,
    /// Tables in place of the library's.
    pub(super) own: HashMap<&'static str, Arc<dyn TableProvider>>,
}

#[async_trait]
impl SchemaProvider for Catalog {
    fn table_names(&self) -> Vec<String> {
        let missing = MISSING.iter().map(|(name, _)| (*name).to_owned());
        self.library.table_names().into_iter().chain(missing).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let name = name.to_ascii_lowercase();
        if let Some(table) = self.own.get(name.as_str()) {
            return Ok(Some(Arc::clone(table)));
        }
        if let Some(table) = empty_of(&MISSING, &name)? {
            return Ok(Some(table));
        }
        let Some(table) = self.library.build_table_by_name(&name)? else { return Ok(None) };
        Ok(Some(match (table, of(&LACKING, &name)) {
            (table, _) if FOREIGN.contains(&name.as_str()) => without_rows(table.schema())?,
            (PgCatalogTable::Dynamic(rows), Some(columns)) => {
                let schema = widened_schema(rows.schema(), columns);
                let rows: Arc<dyn PartitionStream> = Arc::new(Widened { schema: Arc::clone(&schema), rows });
                Arc::new(StreamingTable::try_new(schema, vec![rows])?)
            }
            (PgCatalogTable::Static(table), columns) => {
                let schema = widened_schema(&table.schema(), columns.unwrap_or_default());
                of_lists(&schema, table.data().to_vec())?
            }
            (table, _) => table.try_into_table_provider()?,
        }))
    }

    fn table_exist(&self, name: &str) -> bool {
        is_of_catalog(name)
    }
}

/// A table whose lists of privileges, which the library has as texts, are none.
///
/// # Errors
/// When the rows are not of the schema.
pub(super) fn of_lists(schema: &Schema, rows: Vec<RecordBatch>) -> Result<Arc<dyn TableProvider>> {
    let fields = schema.fields().iter().map(|known| match known.name().ends_with(PRIVILEGES) {
        true => field(&(known.name().as_str(), Kind::Texts)),
        false => known.as_ref().clone(),
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let rows = rows.iter().map(|rows| widened(rows, &schema)).collect::<Result<_>>()?;
    Ok(Arc::new(MemTable::try_new(schema, vec![rows])?))
}

fn widened_schema(schema: &Schema, columns: Columns) -> SchemaRef {
    let mut fields: Vec<Field> = schema.fields().iter().map(|field| field.as_ref().clone()).collect();
    for column in columns.iter().map(field) {
        match fields.iter_mut().find(|known| known.name() == column.name()) {
            Some(known) => *known = column,
            None => fields.push(column),
        }
    }
    Arc::new(Schema::new(fields))
}

/// A table of the library, with the columns that it lacks.
#[derive(Debug)]
struct Widened {
    schema: SchemaRef,
    rows: Arc<dyn PartitionStream>,
}

impl PartitionStream for Widened {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.schema);
        let rows = self.rows.execute(context).map(move |rows| widened(&rows?, &schema));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))
    }
}

fn widened(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let column = |field: &Arc<Field>| match rows.column_by_name(field.name()) {
        Some(column) if column.data_type() == field.data_type() => Arc::clone(column),
        _ => new_null_array(field.data_type(), rows.num_rows()),
    };
    Ok(RecordBatch::try_new(Arc::clone(schema), schema.fields().iter().map(column).collect())?)
}
