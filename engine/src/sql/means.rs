//! What statements run with: memory, threads and places of their own.

use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnv;
use tokio::runtime::Handle;

use super::lanes::Lanes;
use super::pool::SharePool;
use super::running::Statements;
use crate::clock::Clock;
use crate::error::Result;
use crate::query::{QuerySettings, QueryThreads};

/// What statements run with, apart from all other questions: whatever somebody asks in SQL, half of the memory and of
/// the threads are left to the others.
pub(crate) struct SqlMeans {
    env: Arc<RuntimeEnv>,
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
        let pool = SharePool::new(Arc::clone(&env.memory_pool), settings.max_memory_bytes / 2);
        Ok(Self {
            env: Arc::new(RuntimeEnv { memory_pool: Arc::new(pool), ..env.clone() }),
            threads: QueryThreads::start("sql", settings.num_sql_threads())?,
            lanes: Arc::new(Lanes::new(settings.max_sql_statements)),
            statements: Arc::new(Statements::new(Arc::clone(clock))),
        })
    }

    /// The same with another clock.
    pub(crate) fn with_clock(self, clock: &Arc<dyn Clock>) -> Self {
        Self { statements: Arc::new(Statements::new(Arc::clone(clock))), ..self }
    }

    pub(crate) fn env(&self) -> &Arc<RuntimeEnv> {
        &self.env
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
