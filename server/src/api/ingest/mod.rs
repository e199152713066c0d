//! `POST /i/v1/logs`, `POST /v1/logs`: OTLP log records in, durable when they are answered 200; [`datadog`] takes
//! Datadog's the same way.
//!
//! [`token`] (which project) -> [`body`] (bytes, within the [`budget`]) -> [`compression`] -> [`format`]
//! (protobuf or JSON to the engine's batch) -> what the project's [`crate::rules`] say -> the engine -> reply in the request's form.
//! Every error is `{"error": text}`; browsers of any origin may send.

mod body;
mod budget;
mod compression;
mod cors;
pub(crate) mod datadog;
mod format;
pub(crate) mod grpc;
mod token;

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware;
use axum::response::Response;
use engine::ErrorKind;
use engine::ingest::{DecodedLogs, Rejected, decode_datadog_json};
use engine::rules::PendingMeasurements;
use engine::schema::{ProjectId, TableId};

pub(crate) use budget::IngestBudget;

use self::body::BodyLimits;
use self::budget::Reservation;
use self::compression::{ContentEncoding, DecompressError};
use self::format::Format;
use crate::api::openapi::schema::anything;
use crate::api::openapi::{Operation, Routes, post};
use crate::error::ApiError;
use crate::state::AppState;

/// Longest time that a body may take to arrive.
const MAX_BODY_TIME: Duration = Duration::from_secs(60);

/// How long an import waits for room.
const IMPORT_PAUSE: Duration = Duration::from_millis(200);

const BUSY: &str = "too many records are being received at the moment, try again shortly";

/// The endpoints.
pub(super) fn routes() -> Routes {
    let endpoint = || {
        let forms = [("application/json", anything()), ("application/x-protobuf", anything())];
        let send = Operation::for_senders("Send records").body_of(&forms);
        post(ingest_logs, send.answers_as(200, "durable", &forms))
            .options(cors::preflight, preflight())
            .otherwise(wrong_method)
    };
    Routes::new()
        .at("/i/v1/logs", endpoint())
        .at("/v1/logs", endpoint())
        .around(|router| router.layer(middleware::map_response(cors::allow_any_origin)))
        .merge(datadog::routes())
}

fn preflight() -> Operation {
    Operation::for_everyone("What pages of other origins may send").answers(200, anything())
}

async fn wrong_method(method: Method) -> ApiError {
    ApiError::method_not_allowed(method.as_str()).simple()
}

async fn ingest_logs(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let outcome = ingest(&state, request).await.map_err(ApiError::simple);
    state.telemetry().note_ingest(&outcome);
    outcome
}

async fn ingest(state: &AppState, request: Request) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let project = authorize(state, &parts).await?;
    let form = Form::Otlp { declared: Format::from_content_type(&parts.headers) };
    let received = receive(state, &parts.headers, body, form).await?;
    let (rejected, format) = store(state, project, received).await?;
    Ok(format.success(&rejected))
}

/// Reads a body whole.
async fn receive(
    state: &AppState,
    headers: &HeaderMap,
    body: Body,
    form: Form,
) -> Result<ReceivedBody, ApiError> {
    let encoding = ContentEncoding::from_headers(headers).map_err(|encoding| {
        ApiError::unsupported_encoding(format!(
            "content encoding {encoding:?} is not gzip, zstd, deflate or identity"
        ))
    })?;
    let mut reservation = state.ingest_budget().reservation();
    let bytes = body::read(body, headers, body_limits(state), &mut reservation).await?;
    Ok(ReceivedBody { bytes, encoding, form, reservation })
}

fn body_limits(state: &AppState) -> BodyLimits {
    BodyLimits { max_bytes: state.config().ingest.max_encoded_bytes, max_time: MAX_BODY_TIME }
}

/// A body that has arrived whole.
struct ReceivedBody {
    bytes: Vec<u8>,
    encoding: ContentEncoding,
    form: Form,
    reservation: Reservation,
}

/// What a body is.
enum Form {
    /// An OTLP request, in the form that its sender says.
    Otlp { declared: Option<Format> },
    /// Datadog's JSON, and what the request says beside it.
    Datadog { fallbacks: Vec<(String, String)> },
}

/// Decodes a body and makes its records durable. Returns what was not taken, and the form for the reply.
async fn store(
    state: &AppState,
    project: ProjectId,
    body: ReceivedBody,
) -> Result<(Rejected, Format), ApiError> {
    let num_bytes = body.bytes.len();
    state.rate_limits().add_ingest(project, num_bytes, state.clock().now_us());
    let Decided { logs, measured, format, reservation: _reservation } = decide(state, project, body).await?;
    let (num_rows, rejected) = (logs.num_rows(), logs.rejected.clone());
    if num_rows > 0 {
        state.engine().ingest(TableId::logs(project), logs).await?;
    }
    measured.count();
    state.telemetry().note_records(num_rows, rejected.count, num_bytes);
    Ok((rejected, format))
}

async fn authorize(state: &AppState, request: &Parts) -> Result<ProjectId, ApiError> {
    project_of_token(state, token::find(&request.headers, &query_parameters(request))).await
}

/// A query string that cannot be read has no parameters.
fn query_parameters(request: &Parts) -> Vec<(String, String)> {
    Query::try_from_uri(&request.uri).map(|Query(parameters)| parameters).unwrap_or_default()
}

async fn project_of_token(
    state: &AppState,
    token: Result<String, &'static str>,
) -> Result<ProjectId, ApiError> {
    let token = token.map_err(ApiError::authentication_failed)?;
    let project = state.meta().project_of_token(&token).await?;
    let project = project.ok_or_else(|| ApiError::authentication_failed("the project token is not known"))?;
    state.rate_limits().check_ingest(project, state.clock().now_us())?;
    Ok(project)
}

/// The records of a request as they are stored.
struct Decided {
    logs: DecodedLogs,
    /// What they measure once they are.
    measured: PendingMeasurements,
    /// Of the reply.
    format: Format,
    /// Their memory, held until the engine has taken them.
    reservation: Reservation,
}

/// Takes OTLP records from a file in, in whichever form, as if they had been sent. Waits while there is no room.
///
/// # Errors
/// As for records that are sent.
pub(crate) async fn import(
    state: &AppState,
    project: ProjectId,
    bytes: Vec<u8>,
) -> Result<Rejected, ApiError> {
    loop {
        let body = ReceivedBody {
            bytes: bytes.clone(),
            encoding: ContentEncoding::IdentityOrGzip,
            form: Form::Otlp { declared: None },
            reservation: state.ingest_budget().reservation(),
        };
        match store(state, project, body).await {
            Err(error) if error.status() == StatusCode::SERVICE_UNAVAILABLE && !state.is_stopping() => {
                tokio::time::sleep(IMPORT_PAUSE).await;
            }
            outcome => return outcome.map(|(rejected, _)| rejected),
        }
    }
}

/// Decompresses, decodes and does what the project's rules say, on a thread that may be busy for a while.
async fn decide(state: &AppState, project: ProjectId, body: ReceivedBody) -> Result<Decided, ApiError> {
    let rules = state.rules().of(project);
    let received_us = state.clock().now_us();
    let limits = state.record_limits();
    let limit_bytes = state.config().ingest.max_decompressed_bytes;
    let decided = tokio::task::spawn_blocking(move || {
        let ReceivedBody { bytes, encoding, form, mut reservation } = body;
        let bytes = compression::decompress(bytes, encoding, limit_bytes, &mut reservation)
            .map_err(|error| decompress_error(error, limit_bytes))?;
        let decoded = match form {
            Form::Otlp { declared } => format::decode(&bytes, declared, received_us, &limits),
            Form::Datadog { fallbacks } => {
                decode_datadog_json(&bytes, &fallbacks, received_us, &limits).map(|logs| (logs, Format::Json))
            }
        };
        let (logs, format) = decoded.map_err(decode_error)?;
        let (logs, measured) = match rules {
            Some(rules) => rules.apply(logs, received_us, &limits)?,
            None => (logs, PendingMeasurements::default()),
        };
        Ok(Decided { logs, measured, format, reservation })
    });
    decided.await.map_err(ApiError::internal)?
}

/// A request that unpacks to too much is too large, whatever its body measures.
fn decode_error(error: engine::Error) -> ApiError {
    match error.kind() {
        ErrorKind::LimitExceeded => ApiError::too_large(error.message().to_owned()),
        _ => error.into(),
    }
}

fn decompress_error(error: DecompressError, limit_bytes: usize) -> ApiError {
    match error {
        DecompressError::Damaged(cause) => {
            ApiError::bad_request(format!("the body cannot be decompressed: {cause}"))
        }
        DecompressError::TooLarge => {
            ApiError::too_large(format!("the decompressed body is larger than {limit_bytes} bytes"))
        }
        DecompressError::BudgetSpent => ApiError::unavailable(BUSY),
    }
}
