//! What the catalog tells of: the tables of a statement's session, in an order of their own, and who asks.
//!
//! Clients ask for the number of a table first and for the columns of that number then, in another statement. The numbers
//! are given in the order in which things are met, so that they are met by name.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::CatalogProviderList;
use datafusion::common::Result;
use datafusion::datasource::TableType;
use datafusion_pg_catalog::pg_catalog::catalog_info::CatalogInfo;
use datafusion_pg_catalog::pg_catalog::context::{PgCatalogContextProvider, Role};

/// What a session has, by name.
#[derive(Clone, Debug)]
pub(super) struct Sorted(pub(super) Arc<dyn CatalogProviderList>);

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

/// The only role that somebody sees: their own.
#[derive(Clone, Debug)]
pub(super) struct Roles(pub(super) Arc<str>);

#[async_trait]
impl PgCatalogContextProvider for Roles {
    async fn roles(&self) -> Vec<String> {
        vec![self.0.to_string()]
    }

    async fn role(&self, name: &str) -> Option<Role> {
        (*self.0 == *name).then(|| Role {
            name: name.to_owned(),
            is_superuser: false,
            can_login: true,
            can_create_db: false,
            can_create_role: false,
            can_create_user: false,
            can_replication: false,
            grants: Vec::new(),
            inherited_roles: Vec::new(),
        })
    }
}
