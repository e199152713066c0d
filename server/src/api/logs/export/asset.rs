//! `POST logs/export` and `exports/...`: exports that are made in the background and fetched when they are there.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use futures::stream;
use serde_json::{Value, json};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::super::custom_columns;
use super::columns::ExportColumns;
use super::filename;
use super::request::required_query;
use crate::api::api_call::ApiCall;
use crate::api::fields::Fields;
use crate::api::{iso_time, page};
use crate::auth::{Caller, Scope};
use crate::error::ApiError;
use crate::meta::export_asset::{ExportAsset, ExportKind, ExportOwner, ExportState, NewExportAsset};
use crate::state::AppState;

const EXPORT_FORMAT: &str = "text/csv";
/// Most exports of a project that are kept at a time.
const MAX_ASSETS: i64 = 1_000;
/// Largest body that is kept.
const MAX_REQUEST_BYTES: usize = 256 * 1024;
/// When to ask again for what is not there yet, seconds.
const RETRY_AFTER_SECS: u32 = 5;
const US_PER_DAY: i64 = 86_400 * 1_000_000;
const READ_BYTES: usize = 64 * 1024;

/// The query itself is looked at when the export is made; what is wrong with it is then told in place of the content.
pub(in crate::api::logs) async fn create(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let (project, caller) = call.authorize_caller(&state, &[Scope::LOGS_READ]).await?;
    let actor = call.actor(&caller);
    let body = call.into_json()?;
    let query = required_query(&body)?;
    let custom = Fields::of(&body["query"], "").and_then(|query| custom_columns::parse(&query))?;
    ExportColumns::parse(body.get("columns"), &custom)?;
    let request = json!({ "query": query, "columns": body.get("columns") }).to_string();
    if request.len() > MAX_REQUEST_BYTES {
        return Err(ApiError::too_large(format!(
            "a request for an export has at most {MAX_REQUEST_BYTES} bytes"
        )));
    }
    let now_us = state.clock().now_us();
    let kept_us = i64::from(state.config().export.keep_days).saturating_mul(US_PER_DAY);
    let asset = NewExportAsset {
        owner: project.into(),
        kind: ExportKind::Logs,
        export_format: EXPORT_FORMAT,
        filename: format!("{}.csv", filename::base(query, now_us)),
        request,
        created_us: now_us,
        expires_us: now_us.saturating_add(kept_us),
    };
    let Some(id) = state.meta().create_export_asset(&asset, &actor, MAX_ASSETS).await? else {
        return Err(ApiError::unavailable(
            "the project keeps as many exports as it may: try again when some have expired",
        ));
    };
    state.exports().wake();
    let created = json!({
        "id": id,
        "export_format": EXPORT_FORMAT,
        "created_at": iso_time::format(now_us),
        "has_content": false,
        "filename": asset.filename,
    });
    Ok((StatusCode::CREATED, Json(created)))
}

/// With `export:read` all exports of the project, else the caller's own.
pub(in crate::api::logs) async fn list(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Json<Value>, ApiError> {
    let reading = Reading::of(&state, &call).await?;
    listed(&state, &call, &reading).await
}

/// The caller's own exports of a whole organization.
pub(in crate::api::logs) async fn list_of_organization(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Json<Value>, ApiError> {
    let reading = Reading::of(&state, &call).await?;
    listed(&state, &call, &reading).await
}

async fn listed(state: &AppState, call: &ApiCall, reading: &Reading) -> Result<Json<Value>, ApiError> {
    let window = page::window(call);
    let with_others = reading.with_logs && reading.caller.has_scope(Scope::EXPORT_READ);
    let user_id = reading.caller.user_id();
    let (assets, count) = state.meta().export_assets(&reading.owner, user_id, with_others, window).await?;
    Ok(Json(page::page(&call.address(), window, count, assets.iter().map(written).collect())))
}

pub(in crate::api::logs) async fn retrieve(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Json<Value>, ApiError> {
    Ok(Json(written(&asset_of(&state, &call).await?)))
}

/// The file: inline, or to be saved with `download=true`.
pub(in crate::api::logs) async fn content(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Response, ApiError> {
    let asset = asset_of(&state, &call).await?;
    match asset.state {
        ExportState::Ready => {}
        ExportState::Pending => {
            return Err(ApiError::not_ready("the export is not ready yet", RETRY_AFTER_SECS));
        }
        ExportState::Failed { error, status: 400 } => {
            return Err(ApiError::validation("invalid_input", None, error));
        }
        ExportState::Failed { error, .. } => return Err(ApiError::failed(error)),
    }
    let gone = |_| ApiError::not_found("the content of the export is not there any more");
    let file = File::open(state.exports().path_of(asset.id)).await.map_err(gone)?;
    let length = file.metadata().await.map_err(ApiError::internal)?.len();
    let pieces = stream::unfold(Some(file), |file| async {
        let mut file = file?;
        let mut piece = vec![0; READ_BYTES];
        match file.read(&mut piece).await {
            Ok(0) => None,
            Ok(read) => {
                piece.truncate(read);
                Some((Ok(Bytes::from(piece)), Some(file)))
            }
            Err(error) => Some((Err(error), None)),
        }
    });
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    let media_type = HeaderValue::try_from(&asset.export_format).map_err(ApiError::internal)?;
    headers.insert(CONTENT_TYPE, media_type);
    headers.insert(CONTENT_LENGTH, length.into());
    let kind = if call.parameter("download") == Some("true") { "attachment" } else { "inline" };
    let disposition = HeaderValue::try_from(format!("{kind}; filename=\"{}\"", asset.filename));
    headers.insert(CONTENT_DISPOSITION, disposition.map_err(ApiError::internal)?);
    Ok(response)
}

const READING_SCOPES: [Scope; 3] = [Scope::EXPORT_READ, Scope::LOGS_READ, Scope::ACTIVITY_READ];

/// Whose exports the path is about, who calls, and what of them the caller may have.
struct Reading {
    owner: ExportOwner,
    caller: Caller,
    with_logs: bool,
    with_activity: bool,
}

impl Reading {
    async fn of(state: &AppState, call: &ApiCall) -> Result<Self, ApiError> {
        if !call.path_parameter("organization_id").is_empty() {
            let (member, caller) = call.authorize_organization(state, Scope::ACTIVITY_READ).await?;
            let owner = ExportOwner::Organization(member.organization.id);
            return Ok(Self { owner, caller, with_logs: false, with_activity: true });
        }
        let (project, access, caller) = call.authorize_access(state, &READING_SCOPES).await?;
        access.require_scope(Scope::EXPORT_READ)?;
        let of_logs = access.require_scope(Scope::LOGS_READ);
        let (with_logs, with_activity) =
            (of_logs.is_ok(), access.require_scope(Scope::ACTIVITY_READ).is_ok());
        if !with_activity {
            of_logs?;
        }
        Ok(Self { owner: project.into(), caller, with_logs, with_activity })
    }
}

/// The export that the path names. Who may not read exports sees those that the same user has asked for, and nobody
/// sees what somebody else has read of the audit trail.
async fn asset_of(state: &AppState, call: &ApiCall) -> Result<ExportAsset, ApiError> {
    let Reading { owner, caller, with_logs, with_activity } = Reading::of(state, call).await?;
    let not_found = || ApiError::not_found("export not found");
    let id = call.path_parameter("export_id").parse().map_err(|_| not_found())?;
    let asset = state.meta().export_asset(&owner, id).await?.ok_or_else(not_found)?;
    let is_own = asset.created_by == Some(caller.user_id());
    let has_export = caller.has_scope(Scope::EXPORT_READ);
    let may_read = match asset.kind {
        ExportKind::Logs => with_logs && (has_export || is_own && caller.has_scope(Scope::LOGS_READ)),
        ExportKind::Activity => {
            with_activity && is_own && (has_export || caller.has_scope(Scope::ACTIVITY_READ))
        }
    };
    if may_read { Ok(asset) } else { Err(not_found()) }
}

fn written(asset: &ExportAsset) -> Value {
    let exception = match &asset.state {
        ExportState::Failed { error, .. } => Some(error),
        ExportState::Pending | ExportState::Ready => None,
    };
    // Clients of the reference look for the first two, which only other kinds of exports have there.
    json!({
        "id": asset.id,
        "dashboard": null,
        "insight": null,
        "export_format": asset.export_format,
        "created_at": iso_time::format(asset.created_us),
        "export_context": serde_json::from_str::<Value>(&asset.request).unwrap_or_default(),
        "has_content": asset.state == ExportState::Ready,
        "filename": asset.filename,
        "expires_after": iso_time::format(asset.expires_us),
        "exception": exception,
    })
}
