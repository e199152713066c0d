//! A session of DataFusion that is made when it is first needed.
//!
//! Making one from nothing registers some hundred functions, which takes longer than many answers. Questions of the API
//! copy a template instead, and those that sidecars answer alone need no session at all.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};

/// What the sessions of questions are copies of. They share its lists of tables, which is why it has none: a question
/// reads the table that it is given, and registering one is an error.
#[derive(Clone)]
pub(super) struct SessionTemplate(Arc<SessionState>);

impl fmt::Debug for SessionTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionTemplate").field(&self.0.session_id()).finish()
    }
}

impl SessionTemplate {
    pub(super) fn new(config: SessionConfig, env: Arc<RuntimeEnv>) -> Self {
        let state = SessionStateBuilder::new()
            .with_config(config.with_create_default_catalog_and_schema(false))
            .with_runtime_env(env)
            .with_default_features()
            .build();
        Self(Arc::new(state))
    }

    /// A session like it.
    pub(super) fn session(&self) -> LazySession {
        let (state, env) = (Arc::clone(&self.0), Arc::clone(self.0.runtime_env()));
        let num_partitions = state.config().target_partitions();
        let make = move || SessionContext::new_with_state(SessionState::clone(&state));
        LazySession::made_by(env, num_partitions, make)
    }
}

/// A session, or how it is made.
pub(crate) struct LazySession {
    env: Arc<RuntimeEnv>,
    num_partitions: usize,
    session: LazyLock<SessionContext, Box<dyn FnOnce() -> SessionContext + Send>>,
}

impl LazySession {
    /// One with lists of tables of its own.
    pub(super) fn alone(config: SessionConfig, env: Arc<RuntimeEnv>) -> Self {
        let (of_session, num_partitions) = (Arc::clone(&env), config.target_partitions());
        Self::made_by(env, num_partitions, move || SessionContext::new_with_config_rt(config, of_session))
    }

    /// One that is there already.
    pub(super) fn made(session: SessionContext, env: Arc<RuntimeEnv>) -> Self {
        let num_partitions = session.copied_config().target_partitions();
        Self::made_by(env, num_partitions, move || session)
    }

    fn made_by(
        env: Arc<RuntimeEnv>,
        num_partitions: usize,
        make: impl FnOnce() -> SessionContext + Send + 'static,
    ) -> Self {
        Self { env, num_partitions: num_partitions.max(1), session: LazyLock::new(Box::new(make)) }
    }

    /// Its memory, caches and stores, which need no session.
    pub(super) fn env(&self) -> &Arc<RuntimeEnv> {
        &self.env
    }

    /// How much is done at a time; at least 1.
    pub(super) fn num_partitions(&self) -> usize {
        self.num_partitions
    }
}

impl Deref for LazySession {
    type Target = SessionContext;

    fn deref(&self) -> &SessionContext {
        &self.session
    }
}

#[cfg(test)]
mod tests {
    use datafusion::datasource::empty::EmptyTable;
    use datafusion::prelude::lit;

    use super::*;
    use crate::schema::logs_schema;

    #[tokio::test]
    async fn copies_know_every_function_and_share_no_table() {
        let template = SessionTemplate::new(SessionConfig::new(), Arc::new(RuntimeEnv::default()));
        let (one, other) = (template.session(), template.session());
        for session in [&one, &other] {
            let table = Arc::new(EmptyTable::new(logs_schema()));
            let rows = session.read_table(table).unwrap().filter(lit(true)).unwrap();
            assert_eq!(rows.collect().await.unwrap().iter().map(|rows| rows.num_rows()).sum::<usize>(), 0);
            assert!(session.state().scalar_functions().contains_key("date_bin"));
        }
        let table = Arc::new(EmptyTable::new(logs_schema()));
        assert!(one.register_table("logs", table).is_err());
        assert!(Arc::ptr_eq(one.env(), other.env()));
    }
}
