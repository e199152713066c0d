//! Numbers of databases, schemas and tables in PostgreSQL's catalog, the same in every statement.
//!
//! Clients ask for the number of a table first and for the columns of that number then, in another statement. The numbers
//! are given in the order in which things are met, so that they are met here in an order of their own.

use std::sync::{Arc, OnceLock};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{CatalogProviderList, SchemaProvider};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::datasource::TableType;
use datafusion::prelude::SessionContext;
use datafusion_pg_catalog::pg_catalog::catalog_info::CatalogInfo;
use datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_pg_catalog::pg_catalog::{PgCatalogSchemaProvider, PgCatalogStaticTables};

/// The schema that describes the others.
pub(super) const PG_CATALOG: &str = "pg_catalog";
/// What is numbered, in this order.
const NUMBERED: [&str; 3] = ["pg_database", "pg_namespace", "pg_class"];

/// Numbers what a session has, and describes it by these numbers from then on.
///
/// # Errors
/// When the catalog cannot be made.
pub(super) async fn number(session: &SessionContext, catalog: &str) -> Result<()> {
    let list = Sorted(Arc::clone(session.state().catalog_list()));
    let described = PgCatalogSchemaProvider::try_new(list, static_tables()?, EmptyContextProvider)?;
    for name in NUMBERED {
        if let Some(table) = described.table(name).await? {
            session.read_table(table)?.collect().await?;
        }
    }
    let catalog =
        session.catalog(catalog).ok_or_else(|| internal_datafusion_err!("a session without a catalog"))?;
    catalog.register_schema(PG_CATALOG, Arc::new(described))?;
    Ok(())
}

/// What is the same in every PostgreSQL.
fn static_tables() -> Result<Arc<PgCatalogStaticTables>> {
    static TABLES: OnceLock<Arc<PgCatalogStaticTables>> = OnceLock::new();
    if let Some(tables) = TABLES.get() {
        return Ok(Arc::clone(tables));
    }
    let made = Arc::new(PgCatalogStaticTables::try_new()?);
    Ok(Arc::clone(TABLES.get_or_init(|| made)))
}

/// What a session has, by name.
#[derive(Clone, Debug)]
struct Sorted(Arc<dyn CatalogProviderList>);

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names
}

#[async_trait]
impl CatalogInfo for Sorted {
    async fn catalog_names(&self) -> Result<Vec<String>> {
        CatalogInfo::catalog_names(&self.0).await.map(sorted)
    }

    async fn schema_names(&self, catalog: &str) -> Result<Option<Vec<String>>> {
        Ok(CatalogInfo::schema_names(&self.0, catalog).await?.map(sorted))
    }

    async fn table_names(&self, catalog: &str, schema: &str) -> Result<Option<Vec<String>>> {
        Ok(CatalogInfo::table_names(&self.0, catalog, schema).await?.map(sorted))
    }

    async fn table_schema(&self, catalog: &str, schema: &str, table: &str) -> Result<Option<SchemaRef>> {
        CatalogInfo::table_schema(&self.0, catalog, schema, table).await
    }

    async fn table_type(&self, catalog: &str, schema: &str, table: &str) -> Result<Option<TableType>> {
        CatalogInfo::table_type(&self.0, catalog, schema, table).await
    }
}
