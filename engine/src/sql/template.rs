//! What the sessions of statements are copies of.
//!
//! Making a session from nothing registers some hundred functions, and changing it copies all of them again, which took
//! longer than a short statement. So all that is the same for every statement is made once.

use std::fmt;
use std::sync::Arc;

use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider,
};
use datafusion::common::Result;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};

use super::dialect::SqlDialect;
use super::{SCHEMA, functions, pg_catalog};

/// Sessions without tables that know every function.
#[derive(Clone)]
pub(crate) struct SqlTemplate {
    generic: Arc<SessionState>,
    /// Knows PostgreSQL's names of types too.
    postgres: Arc<SessionState>,
}

impl fmt::Debug for SqlTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SqlTemplate").field(&self.generic.session_id()).finish()
    }
}

impl SqlTemplate {
    pub(super) fn new(config: SessionConfig, env: Arc<RuntimeEnv>) -> Result<Self> {
        let builder = SessionStateBuilder::new()
            .with_config(config.with_create_default_catalog_and_schema(false))
            .with_runtime_env(env)
            .with_default_features();
        let generic = functions::install(builder.build())?;
        let postgres = SessionStateBuilder::new_from_existing(generic.clone());
        let postgres = postgres.with_type_planner(pg_catalog::type_planner()).build();
        Ok(Self { generic: Arc::new(generic), postgres: Arc::new(postgres) })
    }

    /// A session like it with tables of its own, which are in a catalog that is called as the dialect calls it.
    pub(super) fn session(&self, dialect: &SqlDialect) -> SessionContext {
        let catalog = MemoryCatalogProvider::new();
        // A catalog in memory takes every schema.
        let _ = catalog.register_schema(SCHEMA, Arc::new(MemorySchemaProvider::new()));
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog(dialect.catalog().to_owned(), Arc::new(catalog));
        let template = if dialect.is_postgres() { &self.postgres } else { &self.generic };
        let mut state = SessionState::clone(template);
        state.register_catalog_list(Arc::new(catalogs));
        let config = state.config().clone();
        *state.config_mut() = config.with_default_catalog_and_schema(dialect.catalog(), SCHEMA);
        SessionContext::new_with_state(state)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::datasource::empty::EmptyTable;

    use super::*;
    use crate::schema::logs_schema;

    #[tokio::test]
    async fn copies_know_every_function_and_share_no_table() {
        let template = SqlTemplate::new(SessionConfig::new(), Arc::new(RuntimeEnv::default())).unwrap();
        let dialect = SqlDialect::Postgres { database: "7".to_owned() };
        let (one, other) = (template.session(&SqlDialect::Generic), template.session(&dialect));
        one.register_table("logs", Arc::new(EmptyTable::new(logs_schema()))).unwrap();
        assert!(one.table("timberline.public.logs").await.is_ok());
        assert!(other.table("logs").await.is_err());
        for session in [&one, &other] {
            let rows = session.sql("SELECT json_text('{\"a\": 1}', 'a'), date_bin(INTERVAL '1 hour', now())");
            assert_eq!(rows.await.unwrap().count().await.unwrap(), 1);
        }
    }
}
