//! A call of the API: who calls, about which project or organization, with which body.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use axum::body::Bytes;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, OriginalUri, Path, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use engine::schema::ProjectId;
use serde_json::Value;

use super::form::{read_multipart, read_urlencoded};
use super::page::CalledAddress;
use super::parameters::Parameters;
use crate::activity::entry::Actor;
use crate::auth::{Access, Caller, Member, Presented, Scope};
use crate::error::ApiError;
use crate::meta::approval::Place;
use crate::meta::project::Project;
use crate::rate_limits::RequestClass;
use crate::state::AppState;

/// Largest body of a call that asks; a filter is kilobytes.
pub(super) const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// Header in which a client says what it is.
const CLIENT: &str = "x-posthog-client";

/// What a handler is given, of a project or not; it calls one of the `authorize` methods before it looks at the body.
#[derive(Debug)]
pub(crate) struct ApiCall {
    method: Method,
    path: HashMap<String, String>,
    /// As the routes see it, whole.
    uri: Uri,
    headers: HeaderMap,
    ip_address: Option<IpAddr>,
    parameters: Vec<(String, String)>,
    body: Result<Value, ApiError>,
    has_body: bool,
}

impl ApiCall {
    /// Finds out who calls and whether they may, in the contract's order of checks.
    ///
    /// # Errors
    /// 401, 403 or 404.
    pub(crate) async fn authorize(&self, state: &AppState, scope: Scope) -> Result<ProjectId, ApiError> {
        Ok(self.authorize_caller(state, &[scope]).await?.0)
    }

    /// The same for an endpoint that one of several scopes opens, and who calls. Without any of them the first
    /// one is missing. What each of them stands for must be within the caller's access.
    ///
    /// # Errors
    /// 401, 403 or 404.
    pub(crate) async fn authorize_caller(
        &self,
        state: &AppState,
        scopes: &[Scope],
    ) -> Result<(ProjectId, Caller), ApiError> {
        let (project, caller) = self.authorize_found(state, scopes).await?;
        Ok((project.id, caller))
    }

    async fn authorize_found(
        &self,
        state: &AppState,
        scopes: &[Scope],
    ) -> Result<(Project, Caller), ApiError> {
        let (project, access, caller) = self.find_access(state, scopes).await?;
        scopes.iter().try_for_each(|scope| access.require_scope(*scope))?;
        self.throttle(state, &caller, Some(project.id))?;
        state.question_slots().enter(&project.organization_id)?;
        Ok((project, caller))
    }

    /// The same, with where the call's writes belong.
    ///
    /// # Errors
    /// 401, 403 or 404.
    pub(crate) async fn authorize_place(
        &self,
        state: &AppState,
        scopes: &[Scope],
    ) -> Result<(Place, ProjectId, Caller), ApiError> {
        let (project, caller) = self.authorize_found(state, scopes).await?;
        Ok((Place::project(&project.organization_id, project.id), project.id, caller))
    }

    /// The same for an endpoint about things of several resources: what the caller may do in the project is for the
    /// endpoint to look at.
    ///
    /// # Errors
    /// 401, 403 or 404.
    pub(crate) async fn authorize_access(
        &self,
        state: &AppState,
        scopes: &[Scope],
    ) -> Result<(ProjectId, Access, Caller), ApiError> {
        let (project, access, caller) = self.find_access(state, scopes).await?;
        self.throttle(state, &caller, Some(project.id))?;
        Ok((project.id, access, caller))
    }

    /// Finds out who calls about which project with one of some scopes, and what the caller may do there.
    async fn find_access(
        &self,
        state: &AppState,
        scopes: &[Scope],
    ) -> Result<(Project, Access, Caller), ApiError> {
        let meta = state.meta();
        let caller = Caller::authenticate(meta, self.presented(), state.clock().now_us()).await?;
        if !scopes.iter().any(|scope| caller.has_scope(*scope)) {
            scopes.first().map_or(Ok(()), |scope| caller.require_scope(*scope))?;
        }
        let id = self.path_parameter("project_id");
        let (project, member) = caller.require_project_member(meta, id).await?;
        let access = caller.access(meta, &member, project.id).await?;
        Ok((project, access, caller))
    }

    /// Finds out who calls and how the caller stands in the organization that the path names.
    ///
    /// # Errors
    /// 401, 403 or 404.
    pub(crate) async fn authorize_organization(
        &self,
        state: &AppState,
        scope: Scope,
    ) -> Result<(Member, Caller), ApiError> {
        let caller = self.identify(state, scope).await?;
        let member =
            caller.require_organization(state.meta(), self.path_parameter("organization_id")).await?;
        self.throttle(state, &caller, None)?;
        Ok((member, caller))
    }

    /// Finds out who calls about which project, and how the caller stands in its organization.
    ///
    /// # Errors
    /// 401, 403 or 404.
    pub(crate) async fn authorize_project(
        &self,
        state: &AppState,
        scope: Scope,
    ) -> Result<(Project, Member, Caller), ApiError> {
        let caller = self.identify(state, scope).await?;
        let id = self.path_parameter("project_id");
        let (project, member) = caller.require_project_member(state.meta(), id).await?;
        caller.access(state.meta(), &member, project.id).await?.require_scope(scope)?;
        self.throttle(state, &caller, Some(project.id))?;
        Ok((project, member, caller))
    }

    /// Finds out who calls an endpoint that belongs to no project and no organization. What changes who may do what
    /// needs a recent log-in.
    ///
    /// # Errors
    /// 401 or 403.
    pub(crate) async fn authorize_user(&self, state: &AppState, scope: Scope) -> Result<Caller, ApiError> {
        let caller = self.identify(state, scope).await?;
        self.throttle(state, &caller, None)?;
        Ok(caller)
    }

    async fn identify(&self, state: &AppState, scope: Scope) -> Result<Caller, ApiError> {
        let now_us = state.clock().now_us();
        let caller = Caller::authenticate(state.meta(), self.presented(), now_us).await?;
        caller.require_scope(scope)?;
        if scope.is_sensitive() {
            caller.require_recent_log_in(state.config().auth.sensitive_max_age, now_us)?;
        }
        Ok(caller)
    }

    /// Finds out who calls an endpoint that is there for everybody.
    ///
    /// # Errors
    /// 401 for a bad key, 403 for a session that writes without its token.
    pub(crate) async fn find_caller(&self, state: &AppState) -> Result<Option<Caller>, ApiError> {
        Caller::find(state.meta(), self.presented(), state.clock().now_us()).await
    }

    fn presented(&self) -> Presented<'_> {
        let Self { method, headers, parameters, .. } = self;
        Presented { method, headers, body: self.body.as_ref().ok(), query: parameters }
    }

    /// Counts the call, once it is allowed and before anything is done for it.
    fn throttle(
        &self,
        state: &AppState,
        caller: &Caller,
        project: Option<ProjectId>,
    ) -> Result<(), ApiError> {
        let Some(key_id) = caller.key_id() else { return Ok(()) };
        let is_diff = self.uri.path().ends_with("/logs/patterns_diff");
        let class = if is_diff { RequestClass::PatternsDiff } else { RequestClass::Usual };
        state.rate_limits().take(class, key_id, project, state.clock().now_us())
    }

    /// The caller as the audit trail names it.
    pub(crate) fn actor(&self, caller: &Caller) -> Actor {
        self.actor_of(caller.user_id())
    }

    /// A user who has not shown yet who they are, as the audit trail names them.
    pub(crate) fn actor_of(&self, user_id: i64) -> Actor {
        let client = self.headers.get(CLIENT).and_then(|client| client.to_str().ok());
        Actor::user(user_id, client, self.ip_address)
    }

    /// Where the request came from.
    pub(crate) fn ip_address(&self) -> Option<IpAddr> {
        self.ip_address
    }

    /// The verb of the request.
    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    /// The headers of the request.
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The scheme and host that were called.
    pub(crate) fn origin(&self) -> String {
        let address = self.address();
        format!("{}://{}", address.scheme(), address.host())
    }

    /// Whether the request came by HTTPS, as far as is known.
    pub(crate) fn is_https(&self) -> bool {
        self.address().scheme() == "https"
    }

    /// A part of the path by its name in the route; empty when the route has no such part.
    pub(crate) fn path_parameter(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// A parameter of the query string, the first of its name.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The address that was called, for links to parts of a list.
    pub(crate) fn address(&self) -> CalledAddress<'_> {
        CalledAddress { headers: &self.headers, uri: &self.uri, parameters: &self.parameters }
    }

    /// The parameters of the query string.
    pub(crate) fn parameters(&self) -> Parameters<'_> {
        Parameters::of(&self.parameters)
    }

    /// Whether anything was sent as a body.
    pub(crate) fn has_body(&self) -> bool {
        self.has_body
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// 400 when it is not JSON, 413 when it is too large.
    pub(crate) fn into_json(self) -> Result<Value, ApiError> {
        self.body
    }

    /// The body as JSON, where the call is still needed after it.
    ///
    /// # Errors
    /// As [`Self::into_json`].
    pub(crate) fn json(&self) -> Result<&Value, ApiError> {
        self.body.as_ref().map_err(ApiError::of_body)
    }
}

impl FromRequest<AppState> for ApiCall {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let method = parts.method.clone();
        let Path(path) = Path::<HashMap<String, String>>::from_request_parts(&mut parts, state)
            .await
            .map_err(|_| ApiError::not_found("project not found"))?;
        // A query string that cannot be read carries no key: the call is then not authenticated.
        let parameters =
            Query::try_from_uri(&parts.uri).map(|Query(parameters)| parameters).unwrap_or_default();
        let headers = parts.headers.clone();
        let remote = parts.extensions.get::<ConnectInfo<SocketAddr>>().copied();
        let OriginalUri(uri) =
            OriginalUri::from_request_parts(&mut parts, state).await.unwrap_or_else(|never| match never {});
        let body = Bytes::from_request(Request::from_parts(parts, body), state).await;
        let body = body.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                ApiError::too_large(format!("the request body is larger than {MAX_BODY_BYTES} bytes"))
            }
            _ => ApiError::parse_error(None, "the request body could not be read"),
        });
        let has_body = body.as_ref().map_or(true, |body| !body.is_empty());
        let body = match body {
            Ok(body) => read_body(&headers, body).await,
            Err(error) => Err(error),
        };
        let ip_address = remote.map(|ConnectInfo(address)| address.ip());
        Ok(Self { method, path, uri, headers, ip_address, parameters, body, has_body })
    }
}

/// Reads a body as what its media type says, and as JSON when that is neither kind of form.
async fn read_body(headers: &HeaderMap, body: Bytes) -> Result<Value, ApiError> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match name.as_str() {
        "application/x-www-form-urlencoded" => read_urlencoded(&body),
        "multipart/form-data" => read_multipart(media_type, body).await,
        _ => parse_json(&body),
    }
}

fn parse_json(body: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::parse_error(None, format!("malformed JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_json_is_a_parse_error() {
        for body in [&b""[..], b" ", b"{", b"{} x", b"\xff", b"'a'"] {
            assert!(parse_json(body).unwrap_err().to_string().starts_with("400 parse_error: malformed JSON"));
        }
        let deep = "[".repeat(10_000);
        assert_eq!(parse_json(deep.as_bytes()).unwrap_err().status(), 400);
    }
}
