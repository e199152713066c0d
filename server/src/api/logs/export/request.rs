//! What a body that asks for an export says.

use engine::query::model::LogQuery;
use engine::schema::ProjectId;
use serde_json::{Map, Value};

use super::super::request::query_object;
use super::super::rows_request::RowsRequest;
use crate::api::fields::{Fields, invalid};
use crate::api::iso_time;
use crate::error::ApiError;
use crate::state::AppState;

/// The `query` member, which an export needs.
///
/// # Errors
/// 400, in the simple form when there is none.
pub(super) fn required_query(body: &Value) -> Result<&Map<String, Value>, ApiError> {
    query_object(body)?.ok_or_else(|| ApiError::bad_request("no query was given"))
}

/// Reads a query of which every row is wanted: a limit and the place of a page are not read.
///
/// # Errors
/// 400 that names the first member that is wrong.
pub(super) fn parse_unlimited(query: &Map<String, Value>) -> Result<RowsRequest, ApiError> {
    let mut query = query.clone();
    query.remove("limit");
    query.remove("after");
    RowsRequest::parse(&Fields::of(&Value::Object(query), "")?)
}

/// The form of a streamed export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Ndjson,
    Parquet,
}

impl Format {
    /// Reads the `format` member; CSV when there is none.
    ///
    /// # Errors
    /// 400 that names the words.
    pub(super) fn parse(body: &Value) -> Result<Self, ApiError> {
        match Fields::of(body, "")?.text("format")? {
            None | Some("csv") => Ok(Self::Csv),
            Some("ndjson") => Ok(Self::Ndjson),
            Some("parquet") => Ok(Self::Parquet),
            Some(other) => Err(invalid("format", &format!("{other:?} is not one of csv, ndjson, parquet"))),
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Ndjson => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }
}

/// The engine's question, with relative times counted from `now_us`, and the checkpoint that its rows carry.
pub(super) async fn resolve(
    state: &AppState,
    project: ProjectId,
    request: &RowsRequest,
    now_us: i64,
) -> Result<(LogQuery, Option<String>), ApiError> {
    resolve_with(state.engine(), project, request, now_us).await
}

/// [`resolve`] for who has only an engine.
pub(super) async fn resolve_with(
    engine: &engine::Engine,
    project: ProjectId,
    request: &RowsRequest,
    now_us: i64,
) -> Result<(LogQuery, Option<String>), ApiError> {
    let range = request.date_range.resolve(now_us, engine::query::Rounding::Rows);
    let query = request.to_query(&range, engine.earliest_of(project, &range).await?);
    Ok((query, engine.live_checkpoint_us(project).map(iso_time::format)))
}
