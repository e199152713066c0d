//! `POST logs/query`: rows, newest or oldest first, page by page.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use engine::query::{LogPage, Rounding};
use serde::Serialize;
use serde_json::Value;

use super::cursor;
use super::request::query_object;
use super::row::{Row, RowShape};
use super::rows_request::RowsRequest;
use crate::api::api_call::ApiCall;
use crate::api::fields::Fields;
use crate::api::iso_time;
use crate::auth::Scope;
use crate::error::ApiError;
use crate::state::AppState;

/// What an export of the same query could hold at most; clients show it.
const MAX_EXPORTABLE_LOGS: u32 = 10_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    query: Value,
    results: Vec<Row<'a>>,
    has_more: bool,
    next_cursor: Option<String>,
    max_exportable_logs: u32,
    columns: Option<Vec<&'a str>>,
}

pub(super) async fn query_logs(State(state): State<AppState>, call: ApiCall) -> Result<Response, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let body = call.into_json()?;
    let sent = query_object(&body)?.ok_or_else(|| ApiError::bad_request("no query was given"))?;
    let request = RowsRequest::parse(&Fields::of(&body["query"], "")?)?;

    let engine = state.engine();
    let range = request.date_range.resolve(state.clock().now_us(), Rounding::Rows);
    let query = request.to_query(&range, engine.earliest_of(project, &range).await?);
    let echo = request.echo(sent, &query);
    // Taken before the rows are: what comes in between is seen twice rather than never.
    let live_logs_checkpoint = engine.live_checkpoint_us(project).map(iso_time::format);
    let page = engine
        .query_logs(project, query)
        .await
        .map_err(|error| ApiError::from(error).simple_if_bad_request())?;

    // A page can be megabytes of text; writing it would hold up the other requests of this thread.
    let encoded = tokio::task::spawn_blocking(move || encode(&page, &request, live_logs_checkpoint, echo));
    let encoded = encoded.await.map_err(ApiError::internal)?.map_err(ApiError::internal)?;
    let mut response = Response::new(Body::from(encoded));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn encode(
    page: &LogPage,
    request: &RowsRequest,
    live_logs_checkpoint: Option<String>,
    echo: Value,
) -> serde_json::Result<Vec<u8>> {
    let custom_columns = &request.custom_columns;
    let shape = RowShape { live_logs_checkpoint, custom_columns, attributes: request.attributes };
    let columns = || custom_columns.iter().map(|column| column.alias.as_str()).collect();
    serde_json::to_vec(&Answer {
        query: echo,
        results: page.rows.iter().map(|row| Row { row, shape: &shape }).collect(),
        has_more: page.has_more,
        next_cursor: page.next_cursor.as_ref().map(cursor::encode),
        max_exportable_logs: MAX_EXPORTABLE_LOGS,
        columns: (!custom_columns.is_empty()).then(columns),
    })
}
