//! Who asks about which project, and what of it they may read.

use engine::query::ActivityFilter;
use engine::schema::OrganizationId;
use engine::sql::{
    ACTIVITY_TABLE, ReadOnlyStatement, SqlAnswer, SqlCaller, SqlDescription, SqlDialect, SqlQuery,
    SystemTable, parse_as,
};
use futures::future::BoxFuture;

use super::system;
use crate::api::activity::Reader;
use crate::api::api_call::ApiCall;
use crate::auth::{Access, Caller, Member, Scope};
use crate::error::ApiError;
use crate::meta::project::Project;
use crate::rate_limits::RequestClass;
use crate::state::AppState;

/// Somebody who asks about one project.
#[derive(Debug)]
pub(crate) struct Asker {
    pub(crate) project: Project,
    pub(crate) member: Member,
    pub(crate) caller: Caller,
    pub(crate) access: Access,
}

impl Asker {
    /// Who calls the API.
    ///
    /// # Errors
    /// 401, 403 or 404.
    pub(crate) async fn of(state: &AppState, call: &ApiCall) -> Result<Self, ApiError> {
        let (project, member, caller) = call.authorize_project(state, Scope::LOGS_READ).await?;
        let access = caller.access(state.meta(), &member, project.id).await?;
        Ok(Self { project, member, caller, access })
    }

    /// Who shows a personal API key elsewhere. Without the number of a project it is the only one that the key is for,
    /// else its owner's current one.
    ///
    /// # Errors
    /// 401, 403, 404, or 429 when the key has been used too often.
    pub(crate) fn of_key<'a>(
        state: &'a AppState,
        key: &'a str,
        project: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Self, ApiError>> {
        Box::pin(Self::who_shows(state, key, project))
    }

    async fn who_shows(state: &AppState, key: &str, project: Option<&str>) -> Result<Self, ApiError> {
        let now_us = state.clock().now_us();
        let caller = Caller::of_password(state.meta(), key, now_us).await?;
        caller.require_scope(Scope::LOGS_READ)?;
        let only = caller.only_project().map(|project| project.0.to_string());
        let project = project.or(only.as_deref()).unwrap_or("@current");
        let (project, member) = caller.require_project_member(state.meta(), project).await?;
        let access = caller.access(state.meta(), &member, project.id).await?;
        access.require_scope(Scope::LOGS_READ)?;
        if let Some(key_id) = caller.key_id() {
            state.rate_limits().take(RequestClass::Usual, key_id, Some(project.id), now_us)?;
        }
        Ok(Self { project, member, caller, access })
    }

    /// As the list of statements knows them. Who may change logs sees the statements of everybody.
    pub(crate) fn listed(&self) -> SqlCaller {
        SqlCaller { name: self.caller.user().email.clone(), sees_all: self.may(Scope::LOGS_WRITE) }
    }

    /// Whether both the key and the access level allow what a scope stands for.
    pub(crate) fn may(&self, scope: Scope) -> bool {
        self.caller.has_scope(scope) && self.access.require_scope(scope).is_ok()
    }

    /// Starts a statement. What is wrong with it is told of `query`, and of `parameters` what is wrong with those.
    ///
    /// # Errors
    /// 400, 403 for the audit trail without its scope, 503 and 504.
    pub(crate) fn ask<'a>(
        &'a self,
        state: &'a AppState,
        query: SqlQuery,
    ) -> BoxFuture<'a, Result<SqlAnswer, ApiError>> {
        Box::pin(self.run(state, query))
    }

    async fn run(&self, state: &AppState, mut query: SqlQuery) -> Result<SqlAnswer, ApiError> {
        query.max_rows = [query.max_rows, state.config().sql.max_rows].into_iter().flatten().min();
        let (activity, tables) = self.beside_logs(state, &query).await?;
        let answer = state.engine().run_sql(self.project.id, activity, tables, self.listed(), query);
        answer.await.map_err(about_query)
    }

    /// What a statement takes and would answer.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub(crate) fn describe<'a>(
        &'a self,
        state: &'a AppState,
        query: SqlQuery,
    ) -> BoxFuture<'a, Result<SqlDescription, ApiError>> {
        Box::pin(self.plan(state, query))
    }

    async fn plan(&self, state: &AppState, query: SqlQuery) -> Result<SqlDescription, ApiError> {
        let (activity, tables) = self.beside_logs(state, &query).await?;
        let description =
            state.engine().describe_sql(self.project.id, activity, tables, self.listed(), query);
        description.await.map_err(about_query)
    }

    /// A statement of a client of PostgreSQL, which calls the project's tables a database.
    pub(crate) fn dialect_of_postgres(&self) -> SqlDialect {
        SqlDialect::Postgres { database: self.project.id.0.to_string() }
    }

    /// What a statement may read beside the logs: entries of the audit trail, and tables of the server.
    async fn beside_logs(
        &self,
        state: &AppState,
        query: &SqlQuery,
    ) -> Result<(Option<(OrganizationId, ActivityFilter)>, Vec<SystemTable>), ApiError> {
        let statement = parse_as(&query.text, &query.dialect).map_err(about_query)?;
        let activity = self.activity(state, &statement).await?;
        let tables = system::tables(state, self, &statement).await?;
        Ok((activity, tables))
    }

    /// What a statement may read of the audit trail, if it reads that. What was done before the call is in the trail
    /// when this returns.
    async fn activity(
        &self,
        state: &AppState,
        statement: &ReadOnlyStatement,
    ) -> Result<Option<(OrganizationId, ActivityFilter)>, ApiError> {
        let is_asked = statement.reads(ACTIVITY_TABLE);
        // Who asks what tables there are is told of those that they may read.
        let is_told = statement.describes_tables() && self.may(Scope::ACTIVITY_READ);
        if !is_asked && !is_told {
            return Ok(None);
        }
        self.caller.require_scope(Scope::ACTIVITY_READ)?;
        self.access.require_scope(Scope::ACTIVITY_READ)?;
        let reader = Reader::of_project(&self.project, self.caller.user().is_staff)?;
        if is_asked {
            state.activity().deliver().await?;
        }
        Ok(Some((reader.organization, reader.everything())))
    }
}

/// What is wrong with a statement is wrong with the member that it stands in.
pub(crate) fn about_query(error: engine::Error) -> ApiError {
    let attr = if error.message().starts_with("parameters: ") { "parameters" } else { "query" };
    let error = ApiError::from(error);
    if error.status() == 400 { error.with_attr(attr) } else { error }
}
