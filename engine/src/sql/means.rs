//! What statements run with: memory, threads and places of their own.

use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::SessionContext;
use tokio::runtime::Handle;

use super::dialect::SqlDialect;
use super::lanes::Lanes;
use super::pool::SharePool;
use super::running::Statements;
use super::template::SqlTemplate;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::query::{QuerySettings, QueryThreads};

/// What statements run with, apart from all other questions: whatever somebody asks in SQL, a quarter of the memory
/// and half of the threads are left to the others.
pub(crate) struct SqlMeans {
    env: Arc<RuntimeEnv>,
    template: SqlTemplate,
    threads: QueryThreads,
    lanes: Arc<Lanes>,
    statements: Arc<Statements>,
}

impl SqlMeans {
    /// `env` is that of all queries.
    ///
    /// # Errors
    /// `Unavailable` when the threads cannot be made.
    pub(crate) fn new(env: &RuntimeEnv, settings: &QuerySettings, clock: &Arc<dyn Clock>) -> Result<Self> {
        let pool = SharePool::new(Arc::clone(&env.memory_pool), settings.max_memory_bytes / 4 * 3);
        let env = Arc::new(RuntimeEnv { memory_pool: Arc::new(pool), ..env.clone() });
        let template = SqlTemplate::new(settings.session_config(), Arc::clone(&env))
            .map_err(|error| Error::internal("the functions of SQL cannot be made").with_source(error))?;
        Ok(Self {
            env,
            template,
            threads: QueryThreads::start("sql", settings.num_sql_threads())?,
            lanes: Arc::new(Lanes::new(settings.max_sql_statements)),
            statements: Arc::new(Statements::new(Arc::clone(clock))),
        })
    }

    /// The same with another clock.
    pub(crate) fn with_clock(self, clock: &Arc<dyn Clock>) -> Self {
        Self { statements: Arc::new(Statements::new(Arc::clone(clock))), ..self }
    }

    /// What a session of a statement is made of, and its memory, caches and stores.
    pub(crate) fn session(&self, dialect: &SqlDialect) -> (SessionContext, Arc<RuntimeEnv>) {
        (self.template.session(dialect), Arc::clone(&self.env))
    }

    pub(crate) fn threads(&self) -> &Handle {
        self.threads.handle()
    }

    pub(super) fn lanes(&self) -> &Arc<Lanes> {
        &self.lanes
    }

    pub(crate) fn statements(&self) -> &Arc<Statements> {
        &self.statements
    }
}
