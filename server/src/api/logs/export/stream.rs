//! `POST logs/export/stream`: every row of a query, as it is read.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::Response;
use engine::query::{ExportStream, LogExport, LogRow, PARQUET_COLUMNS};
use futures::stream::{self, StreamExt};
use serde_json::Value;

use super::columns::{self, ExportColumns};
use super::encoder::{TextEncoder, TextForm};
use super::filename;
use super::request::{Format, parse_unlimited, required_query, resolve};
use crate::api::api_call::ApiCall;
use crate::api::streamed::{Pieces, body_of};
use crate::auth::Scope;
use crate::error::ApiError;
use crate::state::AppState;

pub(in crate::api::logs) async fn stream_logs(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Response, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let body = call.into_json()?;
    let sent = required_query(&body)?;
    let format = Format::parse(&body)?;
    let request = parse_unlimited(sent)?;
    let columns = ExportColumns::parse(body.get("columns"), &request.custom_columns);
    // Parquet has names of its own, which are checked where it is made.
    let columns = if format == Format::Parquet { None } else { Some(columns?) };

    let permit = state.exports().stream_permit()?;
    let now_us = state.clock().now_us();
    let name = format!("{}.{}", filename::base(sent, now_us), format.extension());
    let (mut query, checkpoint) = resolve(&state, project, &request, now_us).await?;
    query.limit = usize::MAX;
    if let Some(columns) = &columns {
        query.attributes = columns.attributes();
    }
    let export = state.engine().export_logs(project, &query, now_us).await;
    let export = export.map_err(|error| ApiError::from(error).simple_if_bad_request())?;
    let pieces = match (columns, format) {
        (Some(columns), Format::Csv) => {
            text(&export, TextEncoder { columns, checkpoint, form: TextForm::Csv })
        }
        (Some(columns), _) => text(&export, TextEncoder { columns, checkpoint, form: TextForm::Ndjson }),
        (None, _) => parquet(&export, &body)?,
    };
    // Held until the last piece has been taken.
    let pieces = pieces.map(move |piece| {
        let _held = &permit;
        piece
    });
    answer(pieces.boxed(), format, &name).await
}

async fn answer(pieces: Pieces, format: Format, name: &str) -> Result<Response, ApiError> {
    let mut response = Response::new(body_of(pieces).await?);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    headers.insert(CONTENT_DISPOSITION, disposition.map_err(ApiError::internal)?);
    Ok(response)
}

/// Where the text of an export is: `None` after its end.
type TextState = Option<TextRows>;

struct TextRows {
    rows: ExportStream<Vec<LogRow>>,
    encoder: TextEncoder,
    /// Goes out with the first rows, so that what fails before them is no beginning of an answer.
    header: Vec<u8>,
}

fn text(export: &LogExport, encoder: TextEncoder) -> Pieces {
    let header = encoder.header();
    stream::unfold(Some(TextRows { rows: export.rows(), encoder, header }), next_text).boxed()
}

async fn next_text(state: TextState) -> Option<(Result<Bytes, ApiError>, TextState)> {
    let TextRows { mut rows, encoder, mut header } = state?;
    match rows.next().await {
        Some(Ok(piece)) => {
            // Writing a mebibyte of text would hold up the other requests of this thread.
            let written = tokio::task::spawn_blocking(move || {
                let written = encoder.encode(&piece);
                header.extend_from_slice(written.as_deref().unwrap_or_default());
                (written.map(|_| Bytes::from(header)), encoder)
            });
            match written.await {
                Ok((Ok(text), encoder)) => {
                    Some((Ok(text), Some(TextRows { rows, encoder, header: Vec::new() })))
                }
                Ok((Err(error), _)) => Some((Err(error), None)),
                Err(error) => Some((Err(ApiError::internal(error)), None)),
            }
        }
        Some(Err(error)) => Some((Err(error.into()), None)),
        None if header.is_empty() => None,
        None => Some((Ok(header.into()), None)),
    }
}

fn parquet(export: &LogExport, body: &Value) -> Result<Pieces, ApiError> {
    let names = columns::names(body.get("columns"))?;
    let names = names.unwrap_or_else(|| PARQUET_COLUMNS.map(str::to_owned).to_vec());
    let file = export.parquet(&names).map_err(|error| ApiError::from(error).with_attr("columns"))?;
    let pieces = stream::unfold(Some(file), |file| async {
        let mut file = file?;
        match file.next().await? {
            Ok(piece) => Some((Ok(piece), Some(file))),
            Err(error) => Some((Err(error.into()), None)),
        }
    });
    Ok(pieces.boxed())
}
