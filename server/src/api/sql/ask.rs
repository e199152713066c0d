//! `POST sql`: one statement, answered while it runs.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use engine::query::ActivityFilter;
use engine::schema::OrganizationId;
use engine::sql::{ACTIVITY_TABLE, ReadOnlyStatement, SqlAnswer, SqlCaller, SqlFormat, parse};
use futures::stream::{self, BoxStream, StreamExt};
use tokio::time::timeout;

use super::request::{content_type, format, query};
use super::system;
use crate::api::activity::Reader;
use crate::api::project_call::ProjectCall;
use crate::auth::{Access, Caller, Member, Scope};
use crate::error::ApiError;
use crate::meta::project::Project;
use crate::state::AppState;

/// Header of answers with the id that a statement can be ended by.
const QUERY_ID: HeaderName = HeaderName::from_static("x-timberline-query-id");
/// How long the answer's status waits for the first rows: what fails until then is answered with a status of its own.
const STATUS_PATIENCE: Duration = Duration::from_secs(1);

type Pieces = BoxStream<'static, Result<Bytes, ApiError>>;

/// Who asks about which project.
pub(super) struct Asker {
    pub(super) project: Project,
    pub(super) member: Member,
    pub(super) caller: Caller,
    pub(super) access: Access,
}

impl Asker {
    pub(super) async fn of(state: &AppState, call: &ProjectCall) -> Result<Self, ApiError> {
        let (project, member, caller) = call.authorize_project(state, Scope::LOGS_READ).await?;
        let access = caller.access(state.meta(), &member, project.id).await?;
        Ok(Self { project, member, caller, access })
    }

    /// As the list of statements knows them. Who may change logs sees the statements of everybody.
    pub(super) fn listed(&self) -> SqlCaller {
        let scope = Scope::LOGS_WRITE;
        let sees_all = self.caller.has_scope(scope) && self.access.require_scope(scope).is_ok();
        SqlCaller { name: self.caller.user().email.clone(), sees_all }
    }

    /// What a statement may read of the audit trail, if it reads that. What was done before the call is in the trail
    /// when this returns.
    async fn activity(
        &self,
        state: &AppState,
        statement: &ReadOnlyStatement,
    ) -> Result<Option<(OrganizationId, ActivityFilter)>, ApiError> {
        if !statement.reads(ACTIVITY_TABLE) {
            return Ok(None);
        }
        self.caller.require_scope(Scope::ACTIVITY_READ)?;
        self.access.require_scope(Scope::ACTIVITY_READ)?;
        let reader = Reader::of_project(&self.project, self.caller.user().is_staff)?;
        state.activity().deliver().await?;
        Ok(Some((reader.organization, reader.everything())))
    }
}

pub(super) async fn ask(State(state): State<AppState>, call: ProjectCall) -> Result<Response, ApiError> {
    let asker = Asker::of(&state, &call).await?;
    let format = format(call.json()?, call.headers())?;
    let query = query(call.json()?, state.config().sql.max_rows)?;
    let statement = parse(&query.text).map_err(about_query)?;
    let activity = asker.activity(&state, &statement).await?;
    let tables = system::tables(&state, &asker, &statement).await;
    let answer = state.engine().run_sql(asker.project.id, activity, tables, asker.listed(), query).await;
    respond(answer.map_err(about_query)?, format).await
}

/// What is wrong with a statement is wrong with the member that it stands in.
fn about_query(error: engine::Error) -> ApiError {
    let attr = if error.message().starts_with("parameters: ") { "parameters" } else { "query" };
    let error = ApiError::from(error);
    if error.status() == 400 { error.with_attr(attr) } else { error }
}

/// The stream ends with an error when the statement does, and then the connection is cut: what was received does not
/// look whole.
async fn respond(answer: SqlAnswer, format: SqlFormat) -> Result<Response, ApiError> {
    let id = answer.id();
    let pieces = answer.encode(format).map_err(about_query)?;
    let mut pieces: Pieces = pieces.map(|piece| piece.map_err(about_query)).boxed();
    let body = match timeout(STATUS_PATIENCE, pieces.next()).await {
        Ok(Some(Err(error))) => return Err(error),
        Ok(Some(Ok(first))) => Body::from_stream(stream::iter([Ok(first)]).chain(logged(pieces))),
        Ok(None) => Body::empty(),
        Err(_elapsed) => Body::from_stream(logged(pieces)),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(format)));
    headers.insert(QUERY_ID, HeaderValue::try_from(id.to_string()).map_err(ApiError::internal)?);
    Ok(response)
}

fn logged(pieces: Pieces) -> Pieces {
    let tell = |piece: &Result<Bytes, ApiError>| {
        if let Err(error) = piece {
            error.log();
        }
    };
    pieces.inspect(tell).boxed()
}
