//! The server in process, over a folder of its own: requests go through the whole router, without a socket.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use engine::clock::{Clock, ManualClock};
use serde_json::{Value as Json, json};
use server::config::ServerConfig;
use server::meta::bootstrap::Credentials;
use server::state::AppState;
use tempfile::TempDir;
use tower::ServiceExt;

use super::sent::{Encoding, Group, encode};
use super::strategies::NOW;

/// A running server with one project, whose clock the test sets.
pub(super) struct Server {
    router: Router,
    state: AppState,
    clock: Arc<ManualClock>,
    credentials: Credentials,
    /// Kept until the server is gone.
    _folder: TempDir,
}

/// Status and JSON body of an answer; a body that is not JSON is a JSON string.
pub(super) type Answer = (StatusCode, Json);

impl Server {
    /// Starts on a new folder; the clock stands at [`NOW`].
    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = ServerConfig::new(folder.path().join("data"));
        // Allocated on the disk at every start.
        config.engine.wal_segment_bytes = 1 << 20;
        // Small files have sidecars too, so that every source answers.
        config.engine.min_sidecar_rows = 1;
        let clock = Arc::new(ManualClock::new(NOW));
        let shared_clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let opened = AppState::open_with_clock(&config, shared_clock).await;
        let (state, credentials) = opened.expect("the server opens a new folder");
        let credentials = credentials.expect("a new folder has new credentials");
        Self { router: server::app(state.clone()), state, clock, credentials, _folder: folder }
    }

    pub(super) fn set_clock(&self, now_us: i64) {
        self.clock.set(now_us);
    }

    /// Sends log records and expects them to be taken.
    pub(super) async fn store(&self, groups: &[Group], encoding: Encoding) {
        let (status, body) = self.export(encode(groups, encoding), encoding.content_type()).await;
        assert_eq!(status, StatusCode::OK, "{body}");
    }

    /// Sends any bytes as log records.
    pub(super) async fn export(&self, body: Vec<u8>, content_type: &str) -> Answer {
        let request = Request::post("/v1/logs")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.credentials.ingest_token.reveal()))
            .header(header::CONTENT_TYPE, content_type);
        self.answer(request.body(Body::from(body)).expect("a request")).await
    }

    /// Asks a reading endpoint with a `query` object.
    pub(super) async fn ask(&self, endpoint: &str, query: &Json) -> Answer {
        self.post(endpoint, json!({ "query": query }).to_string()).await
    }

    /// Asks a reading endpoint with any body.
    pub(super) async fn post(&self, endpoint: &str, body: String) -> Answer {
        self.post_to(&self.path(endpoint), body).await
    }

    pub(super) async fn post_to(&self, path: &str, body: String) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        self.answer(self.signed(request).body(Body::from(body)).expect("a request")).await
    }

    /// Calls an endpoint with any method.
    pub(super) async fn change(&self, method: axum::http::Method, endpoint: &str, body: &Json) -> Answer {
        let request = Request::builder().method(method).uri(self.path(endpoint));
        let request = request.header(header::CONTENT_TYPE, "application/json");
        self.answer(self.signed(request).body(Body::from(body.to_string())).expect("a request")).await
    }

    pub(super) async fn get(&self, endpoint: &str) -> Answer {
        let request = Request::get(self.path(endpoint));
        self.answer(self.signed(request).body(Body::empty()).expect("a request")).await
    }

    /// Writes everything received so far to data files.
    pub(super) async fn flush(&self) {
        self.state.engine().flush().await.expect("a flush");
    }

    /// Merges data files as if all time buckets were quiet.
    pub(super) async fn compact(&self) {
        self.state.engine().compact(true).await.expect("a merge");
    }

    /// Stops in order and gives the folder back.
    pub(super) async fn stop(self) {
        self.state.close().await.expect("an orderly stop");
    }

    pub(super) fn project_id(&self) -> i64 {
        self.credentials.project_id.0
    }

    fn path(&self, endpoint: &str) -> String {
        format!("/api/projects/{}/logs/{endpoint}", self.project_id())
    }

    fn signed(&self, request: axum::http::request::Builder) -> axum::http::request::Builder {
        request
            .header(header::AUTHORIZATION, format!("Bearer {}", self.credentials.personal_api_key.reveal()))
    }

    async fn answer(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("the router answers");
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.expect("a whole body");
        let json = serde_json::from_slice(&body)
            .unwrap_or_else(|_| Json::from(String::from_utf8_lossy(&body).into_owned()));
        (status, json)
    }
}
