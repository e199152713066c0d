//! PostgreSQL's catalog: what its clients ask to learn what there is.
//!
//! Statements that ask nothing of the kind only have the functions, which are made once in a process, and so are the
//! tables that are the same in every PostgreSQL. What a statement can read is told from its own session, so that nobody
//! is told of what they may not read; it is told when such a table is read.
//!
//! | module | what |
//! |---|---|
//! | `parse` | what clients write, as DataFusion understands it |
//! | `empty`, `arrays` | parts of that: what has no rows, and `ARRAY(SELECT ...)` |
//! | `functions` | functions |
//! | `settings` | settings |
//! | `tables` | the tables of `pg_catalog` |
//! | `information_schema` | those of `information_schema` |
//! | `lacking` | columns and tables that the library lacks |
//! | `objects` | numbers of tables, and what is said of them |
//! | `seen` | what there is to see, and for whom |

mod arrays;
mod empty;
mod functions;
mod information_schema;
mod lacking;
mod objects;
mod parse;
mod seen;
mod settings;
mod tables;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use datafusion::catalog::{SchemaProvider, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::prelude::SessionContext;
use datafusion_pg_catalog::pg_catalog::generate_series_arg_coercion::CoerceIntArgsToBigInt;
use datafusion_pg_catalog::pg_catalog::oid_type_planner::PgOidTypePlanner;

use self::functions::SHARED;
use self::information_schema::InformationSchema;
use self::objects::Objects;
pub(super) use self::parse::parse;
pub use self::settings::{POSTGRES_SETTINGS, POSTGRES_VERSION};
use self::tables::{Catalog, library, static_tables};
use super::SCHEMA;

/// The schema that describes the others.
pub(super) const PG_CATALOG: &str = "pg_catalog";
/// The other one that does.
pub(super) const INFORMATION_SCHEMA: &str = "information_schema";
/// Where tables are looked for.
const SEARCH_PATH: &str = SCHEMA;

/// What is said of the tables that a statement can read, by their names, with their schema where that is needed.
#[derive(Debug, Default)]
pub(super) struct About {
    /// Of the tables.
    pub(super) tables: BTreeMap<String, String>,
    /// Of their columns, in their order.
    pub(super) columns: BTreeMap<String, Vec<String>>,
    /// Bytes of the logs.
    pub(super) logs_bytes: i64,
}

/// Knows the names of PostgreSQL's types.
pub(super) fn type_planner() -> Arc<dyn TypePlanner> {
    Arc::new(PgOidTypePlanner)
}

/// Adds to a session the functions that clients call.
///
/// # Errors
/// When the session takes no functions.
pub(super) fn register_functions(session: &SessionContext, database: &str, caller: &str) -> Result<()> {
    let state = session.state_ref();
    let mut state = state.write();
    for function in SHARED.iter() {
        state.register_udf(Arc::clone(function))?;
    }
    for function in functions::of_caller(database, caller) {
        state.register_udf(Arc::new(function))?;
    }
    for (name, function) in SERIES.iter() {
        state.register_udtf(name, Arc::clone(function));
    }
    state.register_udtf("pg_get_keywords", Arc::new(Keywords));
    Ok(())
}

/// Table functions that also take the smaller numbers of PostgreSQL.
static SERIES: LazyLock<Vec<(&str, Arc<dyn TableFunctionImpl>)>> = LazyLock::new(|| {
    let session = SessionContext::new();
    CoerceIntArgsToBigInt::widen(&session);
    let state = session.state();
    let function =
        |name: &'static str| Some((name, Arc::clone(state.table_functions().get(name)?.function())));
    ["generate_series", "range"].into_iter().filter_map(function).collect()
});

/// The words that mean something in SQL.
#[derive(Debug)]
struct Keywords;

impl TableFunctionImpl for Keywords {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        static_tables()?.pg_get_keywords.call_with_args(args)
    }
}

/// Adds to a session the tables that describe what it has.
///
/// # Errors
/// When they cannot be made.
pub(super) async fn register_tables(
    session: &SessionContext,
    database: &str,
    caller: &str,
    about: &About,
) -> Result<()> {
    let catalog =
        session.catalog(database).ok_or_else(|| internal_datafusion_err!("a session without a catalog"))?;
    let seen = Arc::clone(session.state_ref().read().catalog_list());
    if let Some(schema) = InformationSchema::new(session, Arc::clone(&seen)).await? {
        catalog.register_schema(INFORMATION_SCHEMA, Arc::new(schema))?;
    }
    let library = Arc::new(library(seen, caller)?);
    // It describes itself too.
    let itself = Catalog { library: Arc::clone(&library), own: HashMap::new() };
    catalog.register_schema(PG_CATALOG, Arc::new(itself))?;
    let objects = Arc::new(Objects::number(&library, &session.task_ctx(), about).await?);
    let mut catalogued = Catalog { library, own: objects.tables()? };
    if let Some(settings) = catalogued.table("pg_settings").await? {
        catalogued.own.insert("pg_settings", settings::pg_settings(settings.schema())?);
    }
    catalog.register_schema(PG_CATALOG, Arc::new(catalogued))?;
    for function in functions::about(&objects) {
        session.register_udf(function);
    }
    Ok(())
}
