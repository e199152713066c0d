//! The HTTP API: one file or folder per resource, each with its own router.
//!
//! | method and path | handler | bound |
//! |---|---|---|
//! | `POST /i/v1/logs`, `POST /v1/logs` | [`ingest`] | body bytes, encoded and decompressed; bytes in flight |
//! | `POST /i/v1/logs/datadog/{token}`, `POST /i/v1/logs/datadog`, `POST /api/v2/logs` | [`ingest::datadog`] | as above |
//! | `OPTIONS` on all of these | [`ingest`] | - |
//! | `/api/organizations`, `/api/organizations/{id}` and what is below | [`organizations`] | 1,000 per page |
//! | `/api/personal_api_keys`, `/api/personal_api_keys/{id}` and `.../roll` | [`personal_api_keys`] | 10 keys per user |
//! | `GET`, `PATCH /api/users/@me` | [`users`] | failed passwords of an account and an address |
//! | `POST /api/login`, `POST /api/logout` | [`login`] | failed passwords of an account and an address |
//! | `GET /api/sign_on`, `GET /api/sign_on/callback` | [`sign_on`] | bytes and time of the provider, 16 at a time |
//! | `GET`, `POST /api/signup/{secret}` | [`signup`] | passwords hashed at a time |
//! | `GET /api/projects` | [`project`] | 1,000 per page |
//! | `GET`, `PUT`, `PATCH`, `DELETE /api/projects/{id}` | [`project`] | - |
//! | `/api/projects/{id}/tokens`, `/api/projects/{id}/tokens/{token_id}` | [`project`] | 100 tokens per project |
//! | `GET`, `PUT /api/projects/{id}/access_controls` | [`project`] | 10,000 rules per project |
//! | `/api/projects/{id}/integrations`, `/api/projects/{id}/integrations/{integration_id}` | [`project`] | 100 per project |
//! | `POST /api/projects/{id}/logs/query` | [`logs`] | 2,000 rows; the engine's memory and time |
//! | `POST /api/projects/{id}/logs/count` | [`logs`] | the engine's memory and time |
//! | `POST /api/projects/{id}/logs/count-ranges` | [`logs`] | 10,000 buckets; the engine's memory and time |
//! | `POST /api/projects/{id}/logs/services` | [`logs`] | 10,000 services, 25 sparklines; the engine's memory and time |
//! | `POST /api/projects/{id}/logs/group-by` | [`logs`] | 500 groups; the engine's memory and time |
//! | `POST /api/projects/{id}/logs/impact` | [`logs`] | the engine's memory and time |
//! | `POST /api/projects/{id}/logs/sparkline` | [`logs`] | the engine's memory and time |
//! | `GET /api/projects/{id}/logs/has_logs` | [`logs`] | - |
//! | `POST /api/projects/{id}/logs/explainLogWithAI` | [`logs`] | requests of a caller; bytes and time of the model |
//! | `POST /api/projects/{id}/logs/export` | [`logs`] | 10,000 rows, bytes of a file, 1,000 exports |
//! | `POST /api/projects/{id}/logs/export/stream` | [`logs`] | streams at a time; the engine's memory |
//! | `GET /api/projects/{id}/exports`, `.../{export_id}`, `.../{export_id}/content` | [`logs`] | 1,000 per page |
//! | `GET`, `POST /api/projects/{id}/logs/views` | [`logs`] | 10,000 views, 1,000 per page |
//! | `GET`, `PUT`, `PATCH`, `DELETE /api/projects/{id}/logs/views/{short_id}` | [`logs`] | - |
//! | `GET`, `POST`, `PATCH`, `PUT`, `DELETE /api/projects/{id}/logs/{sampling,retention,metric}_rules` and below | [`rules`] | 100 rules of a kind |
//! | `POST /api/projects/{id}/logs/sampling_rules/{rule}/simulate` | [`rules`] | the engine's memory and time |
//! | `GET /api/projects/{id}/logs/metric_rules/metrics` | [`rules`] | 1,000 series a rule |
//! | `GET /api/projects/{id}/logs/attributes` | [`logs`] | 10,000 keys; the engine's memory and time |
//! | `GET /api/projects/{id}/logs/values` | [`logs`] | 10,000 values; the engine's memory and time |
//! | `POST /api/projects/{id}/logs/facet_values` | [`logs`] | 100 facets of 100 values; the engine's memory and time |
//! | `POST /api/projects/{id}/logs/patterns`, `.../patterns_diff` | [`logs`] | 200 patterns; the engine's memory and time |
//! | `GET /api/projects/{id}/advanced_activity_logs`, `.../available_filters`, `GET .../activity_log` | [`activity`] | 1,000 entries; the engine's memory and time |
//! | `POST /api/projects/{id}/activity_log` | [`activity`] | 1,000 entries, 256 KiB of a detail |
//! | `/api/projects/{id}/activity_log/subscriptions`, `.../subscriptions/{subscription_id}` | [`activity`] | 100 per project |
//! | `POST /api/projects/{id}/advanced_activity_logs/export` | [`activity`] | bytes of a file, 1,000 exports |
//! | `/api/organizations/{id}/advanced_activity_logs` and below, `.../activity_log/checkpoints`, `/verify`, `/retention` | [`activity`] | as above |
//! | `/api/organizations/{id}/exports` and below | [`logs`] | 1,000 per page |
//! | `GET /api/projects/{id}/logs/tail` | [`logs`] | subscribers per project and in all; bytes that wait for each |
//! | `POST /api/projects/{id}/logs/alerts/simulate` | [`alerts`] | 15,000 checks; the engine's memory and time |
//! | `/api/projects/{id}/logs/alerts`, `.../{alert_id}` and below | [`alerts`] | 1,000 per page; alerts of a project, by a setting |
//! | `GET /project/{id}/logs`, `/project/{id}/logs/alerts/{alert_id}`, and `.../approvals/{request_id}` of a project and an organization | [`alerts`] | - |
//! | `/api/projects/{id}/approval_policies`, `.../{policy_id}`, and the same of an organization | [`approvals`] | 500 of a place, 1,000 per page |
//! | `/api/projects/{id}/change_requests`, `.../{request_id}` and below, and the same of an organization | [`approvals`] | 1,000 open ones of a place, 1,000 per page |
//! | `POST /api/projects/{id}/retention/preview` | [`retention`] | 100 rules; the engine's memory and time |
//! | `POST /api/projects/{id}/sql` | [`sql`] | statements at a time; three quarters of the memory and half of the threads of queries; their time |
//! | `GET /api/projects/{id}/sql/queries`, `DELETE .../{query_id}` | [`sql`] | 256 statements that have ended |
//! | gRPC `LogsService/Export`, on its own address | [`ingest::grpc`] | as over HTTP |
//! | `GET /metrics` | [`metrics`] | one series per route, method and status |
//! | `GET /api/schema`, `GET /api/docs` and below | [`openapi`] | - |
//! | `GET /_liveness`, `GET /_readiness` | [`health`] | - |
//!
//! `/api/environments/` is another name of `/api/projects/`, and a trailing slash means nothing: both are
//! removed before routing, by [`canonical_path`].

pub(crate) mod activity;
mod alerts;
pub(crate) mod api_call;
mod approvals;
mod basic_user;
mod destinations;
mod fields;
mod form;
mod health;
pub(crate) mod ingest;
mod input;
pub(crate) mod iso_time;
pub(crate) mod login;
pub(crate) mod logs;
mod metrics;
mod openapi;
mod organizations;
mod page;
mod parameters;
mod personal_api_keys;
mod project;
mod retention;
pub(crate) mod rules;
mod sign_on;
pub(crate) mod signup;
mod sql;
mod streamed;
mod users;

pub(crate) use alerts::{Absent, AlertChange, of_stored as alert_filters};
pub(crate) use logs::TailSubscribers;
pub(crate) use organizations::OrganizationChange;
pub(crate) use project::ProjectChange;

use std::borrow::Cow;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::uri::PathAndQuery;
use axum::http::{Method, Uri};

use self::openapi::Routes;
use crate::error::ApiError;
use crate::state::AppState;

/// Every endpoint with its description; paths are canonical.
fn routes() -> Routes {
    let of_project = activity::routes()
        .merge(logs::routes())
        .merge(alerts::routes())
        .merge(approvals::project_routes())
        .merge(retention::routes())
        .merge(project::routes())
        .merge(rules::routes())
        .merge(sql::routes());
    Routes::new()
        .nest("/api/projects/{project_id}", of_project)
        .merge(project::list_routes())
        .merge(organizations::routes())
        .merge(personal_api_keys::routes())
        .merge(users::routes())
        .merge(login::routes())
        .merge(sign_on::routes())
        .merge(signup::routes())
        .merge(alerts::page_routes())
        .merge(openapi::page::routes())
        .around(|router| router.layer(DefaultBodyLimit::max(api_call::MAX_BODY_BYTES)))
        .merge(ingest::routes())
        .merge(health::routes())
        .merge(metrics::routes())
}

/// All routes.
pub(crate) fn router() -> Router<AppState> {
    routes().into_router().fallback(unknown_path).method_not_allowed_fallback(wrong_method)
}

async fn unknown_path() -> ApiError {
    ApiError::not_found("there is nothing at this path")
}

async fn wrong_method(method: Method) -> ApiError {
    ApiError::method_not_allowed(method.as_str())
}

/// Gives a request the one spelling of its path that the routes know.
pub(crate) fn canonical_path(mut request: Request) -> Request {
    if let Cow::Owned(path) = canonical(request.uri().path()) {
        let path_and_query = match request.uri().query() {
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        let mut parts = request.uri().clone().into_parts();
        // A part of a valid path is a valid path; if that were ever wrong, the request keeps its own spelling.
        if let Ok(path_and_query) = PathAndQuery::try_from(path_and_query) {
            parts.path_and_query = Some(path_and_query);
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
        }
    }
    request
}

fn canonical(path: &str) -> Cow<'_, str> {
    let without_slash = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
    match without_slash.strip_prefix("/api/environments/") {
        Some(rest) => Cow::Owned(format!("/api/projects/{rest}")),
        None if without_slash.len() < path.len() => Cow::Owned(without_slash.to_owned()),
        None => Cow::Borrowed(path),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn a_path_has_one_spelling() {
        for (path, expected) in [
            ("/", "/"),
            ("/v1/logs", "/v1/logs"),
            ("/v1/logs/?token=a/", "/v1/logs?token=a/"),
            ("/api/projects/1/logs/query/", "/api/projects/1/logs/query"),
            ("/api/environments/1/logs/query", "/api/projects/1/logs/query"),
            ("/api/environments/@current/logs/count/?a=b", "/api/projects/@current/logs/count?a=b"),
            ("/api/environments", "/api/environments"),
            ("/x/api/environments/1", "/x/api/environments/1"),
            ("//", "/"),
        ] {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            assert_eq!(canonical_path(request).uri().to_string(), expected, "{path}");
        }
    }
}
