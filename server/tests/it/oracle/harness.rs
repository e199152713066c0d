//! The server in process, over a folder of its own: requests go through the whole router, without a socket.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use serde_json::{Value as Json, json};
use server::config::ServerConfig;
use server::state::AppState;
use tempfile::TempDir;
use tower::ServiceExt;

use super::sent::{Encoding, Group, encode};

/// A running server with one project.
pub(super) struct Server {
    router: Router,
    state: AppState,
    project_id: i64,
    ingest_token: String,
    personal_api_key: String,
    /// Kept until the server is gone.
    _folder: TempDir,
}

/// Status and JSON body of an answer; a body that is not JSON is a JSON string.
pub(super) type Answer = (StatusCode, Json);

impl Server {
    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = ServerConfig { data_dir: folder.path().join("data"), ..ServerConfig::default() };
        let state = AppState::open(&config).await.expect("the server opens a new folder");
        todo_keys(state, folder)
    }

    /// Sends log records and expects them to be taken.
    pub(super) async fn store(&self, groups: &[Group], encoding: Encoding) {
        let (status, body) = self.export(encode(groups, encoding), encoding.content_type()).await;
        assert_eq!(status, StatusCode::OK, "{body}");
    }

    /// Sends any bytes as log records.
    pub(super) async fn export(&self, body: Vec<u8>, content_type: &str) -> Answer {
        let request = Request::post("/v1/logs")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.ingest_token))
            .header(header::CONTENT_TYPE, content_type);
        self.answer(request.body(Body::from(body)).expect("a request")).await
    }

    /// Asks a reading endpoint with a `query` object.
    pub(super) async fn ask(&self, endpoint: &str, query: &Json) -> Answer {
        self.post(endpoint, json!({ "query": query }).to_string()).await
    }

    /// Asks a reading endpoint with any body.
    pub(super) async fn post(&self, endpoint: &str, body: String) -> Answer {
        let request = Request::post(self.path(endpoint)).header(header::CONTENT_TYPE, "application/json");
        self.answer(self.signed(request).body(Body::from(body)).expect("a request")).await
    }

    pub(super) async fn get(&self, endpoint: &str) -> Answer {
        let request = Request::get(self.path(endpoint));
        self.answer(self.signed(request).body(Body::empty()).expect("a request")).await
    }

    /// Writes everything received so far to data files.
    pub(super) async fn flush(&self) {
        self.state.engine.flush().await.expect("a flush");
    }

    fn path(&self, endpoint: &str) -> String {
        format!("/api/projects/{}/logs/{endpoint}", self.project_id)
    }

    fn signed(&self, request: axum::http::request::Builder) -> axum::http::request::Builder {
        request.header(header::AUTHORIZATION, format!("Bearer {}", self.personal_api_key))
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
