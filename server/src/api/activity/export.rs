//! `advanced_activity_logs/export`: entries as a file that is made in the background.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

pub(crate) use super::file::{Making, Unmade, make};

use super::access::{Reader, organization_reader, project_reader};
use super::request;
use super::values::Values;
use crate::api::api_call::ApiCall;
use crate::api::approvals::gated;
use crate::approvals::action::{ExportWrite, Write};
use crate::auth::Caller;
use crate::error::ApiError;
use crate::meta::approval::Place;
use crate::meta::export_asset::{ExportKind, ExportOwner, NewExportAsset};
use crate::state::AppState;

/// Most exports of a project or an organization that are kept at a time.
pub(crate) const MAX_ASSETS: i64 = 1_000;
/// Largest body that is kept.
const MAX_REQUEST_BYTES: usize = 256 * 1024;

/// The form of a file.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// For people and programs.
    Csv,
    /// A workbook.
    Xlsx,
    /// One JSON object per line, with every member of an entry.
    Ndjson,
}

impl Format {
    const ALL: [Self; 3] = [Self::Csv, Self::Xlsx, Self::Ndjson];

    /// Its name, which is also the extension of files.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Ndjson => "ndjson",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Ndjson => "application/x-ndjson",
        }
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }
}

pub(super) async fn of_project(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let (reader, project, caller) = project_reader(&state, &call).await?;
    let place = Place::project(&project.organization_id, project.id);
    create(&state, &call, &reader, &caller, place).await
}

pub(super) async fn of_organization(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let (reader, member, caller) = organization_reader(&state, &call).await?;
    create(&state, &call, &reader, &caller, Place::organization(&member.organization.id)).await
}

/// What is wrong with the request is told at once, in the simple form.
async fn create(
    state: &AppState,
    call: &ApiCall,
    reader: &Reader,
    caller: &Caller,
    place: Place,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let asked = asked(call.json()?).map_err(ApiError::simple)?;
    let checked = request::filter(&Values::Body(&asked.filters), reader, state.meta()).await;
    checked.map_err(ApiError::simple_if_bad_request)?;
    if asked.text().len() > MAX_REQUEST_BYTES {
        let detail = format!("a request for an export has at most {MAX_REQUEST_BYTES} bytes");
        return Err(ApiError::too_large(detail));
    }
    let answered = asked.format.as_str();
    let write = Write::ActivityLog(ExportWrite::Create { export: asked });
    let done = gated::perform(state, place, &call.actor(caller), ("POST", write)).await?;
    let id: i64 = done.resource_id.parse().map_err(ApiError::internal)?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "id": id, "export_format": answered }))))
}

/// An export to make.
pub(crate) fn new_asset(asked: &Asked, owner: ExportOwner, kept_us: i64, now_us: i64) -> NewExportAsset {
    NewExportAsset {
        owner,
        kind: ExportKind::Activity,
        export_format: asked.format.media_type(),
        filename: filename(asked, now_us),
        request: asked.text(),
        created_us: now_us,
        expires_us: now_us.saturating_add(kept_us),
    }
}

/// There are as many exports as may be.
pub(crate) fn too_many() -> ApiError {
    ApiError::unavailable("as many exports are kept as may be: try again when some have expired")
}

/// What a body asks for.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Asked {
    pub(super) format: Format,
    pub(super) filters: Map<String, Value>,
}

impl Asked {
    /// The form of the file.
    pub(crate) fn format(&self) -> &'static str {
        self.format.as_str()
    }

    /// Which entries are in it.
    pub(crate) fn filters(&self) -> &Map<String, Value> {
        &self.filters
    }

    /// What tells files with other filters apart.
    pub(crate) fn name(&self) -> String {
        match short_digest(self) {
            Some(short) => format!("{short}.{}", self.format()),
            None => format!("all.{}", self.format()),
        }
    }

    fn text(&self) -> String {
        json!({ "format": self.format(), "filters": self.filters }).to_string()
    }
}

pub(super) fn asked(body: &Value) -> Result<Asked, ApiError> {
    let bad = |reason: String| ApiError::validation("invalid_input", None, reason);
    let Some(body) = body.as_object() else {
        return Err(bad("the request body must be an object".to_owned()));
    };
    let format = match body.get("format") {
        None | Some(Value::Null) => Format::Csv,
        Some(Value::String(name)) => Format::of(name)
            .ok_or_else(|| bad(format!("unknown export format {name:?}: csv, xlsx and ndjson are known")))?,
        Some(other) => return Err(bad(format!("unknown export format {other}"))),
    };
    let filters = match body.get("filters") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(filters)) => filters.clone(),
        Some(_) => return Err(bad("filters must be an object".to_owned())),
    };
    Ok(Asked { format, filters })
}

/// A name that tells exports with other filters apart.
fn filename(asked: &Asked, now_us: i64) -> String {
    let date = DateTime::from_timestamp_micros(now_us).map(|now| now.format("%Y%m%d").to_string());
    let date = date.unwrap_or_default();
    let extension = asked.format.as_str();
    match short_digest(asked) {
        Some(short) => format!("activity_logs_{short}_{date}.{extension}"),
        None => format!("activity_logs_all_{date}.{extension}"),
    }
}

/// A few letters for the filters; none without any.
fn short_digest(asked: &Asked) -> Option<String> {
    let is_said = |value: &Value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    };
    if !asked.filters.values().any(is_said) {
        return None;
    }
    // Members of an object are in the order of their names.
    let digest = Sha256::digest(Value::Object(asked.filters.clone()).to_string());
    Some(digest.iter().take(3).map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_names_format_and_filters() {
        assert_eq!(asked(&json!({})).unwrap().format, Format::Csv);
        let all = asked(&json!({ "format": "xlsx", "filters": { "scopes": ["Role"] } })).unwrap();
        assert_eq!((all.format, all.filters.len()), (Format::Xlsx, 1));
        for (body, part) in [
            (json!([]), "must be an object"),
            (json!({ "format": "pdf" }), "\"pdf\""),
            (json!({ "format": 5 }), "5"),
            (json!({ "filters": [] }), "filters must be"),
        ] {
            assert!(asked(&body).unwrap_err().detail().contains(part), "{body}");
        }
    }

    #[test]
    fn names_tell_filters_apart() {
        let name = |body: Value| filename(&asked(&body).unwrap(), 1_765_881_180_000_000);
        assert_eq!(
            name(json!({ "filters": { "scopes": [], "search_text": "" } })),
            "activity_logs_all_20251216.csv"
        );
        let (one, other) = (
            name(json!({ "format": "xlsx", "filters": { "is_system": false } })),
            name(json!({ "format": "xlsx", "filters": { "is_system": true } })),
        );
        assert!(
            one.starts_with("activity_logs_") && one.ends_with("_20251216.xlsx") && one != other,
            "{one} {other}"
        );
    }
}
