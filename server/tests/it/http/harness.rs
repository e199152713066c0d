//! A server in process over a new folder, and what tests send to it.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use engine::clock::{Clock, ManualClock};
use serde_json::{Value, json};
use server::config::ServerConfig;
use server::meta::MetaLocation;
use server::meta::bootstrap::{Credentials, FIRST_USER};
use server::meta::personal_api_key::KeyAttributes;
use server::state::AppState;
use sqlx::any::install_default_drivers;
use sqlx::{AnyPool, AssertSqlSafe, Connection, Executor};
use tempfile::TempDir;
use tower::ServiceExt;
use uuid::Uuid;

/// 2025-12-16T10:33:00Z: what the server's clock shows.
pub(super) const NOW_US: i64 = 1_765_881_180_000_000;
/// The same in nanoseconds, as senders write it.
pub(super) const NOW_NS: i64 = NOW_US * 1_000;

/// Names a server and any database on it.
const POSTGRES_URL: &str = "TIMBERLINE_TEST_POSTGRES_URL";

pub(super) struct TestServer {
    pub(super) state: AppState,
    pub(super) credentials: Credentials,
    folder: TempDir,
}

/// An answer, whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {:?}", self.body))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The status and, of the error envelope, the code and the member it is about.
    pub(super) fn refusal(&self) -> (u16, String, Value) {
        let body = self.json();
        assert!(body["type"].is_string() && body["detail"].is_string(), "{body}");
        (self.status.as_u16(), body["code"].as_str().unwrap().to_owned(), body["attr"].clone())
    }

    /// The status and the text of the simple form.
    pub(super) fn simple_refusal(&self) -> (u16, String) {
        let body = self.json();
        assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
        (self.status.as_u16(), body["error"].as_str().unwrap().to_owned())
    }
}

impl TestServer {
    pub(super) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(super) async fn start_with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        Self::start_at(Arc::new(ManualClock::new(NOW_US)), change).await
    }

    /// A server whose clock shows what the test sets.
    pub(super) async fn start_at(clock: Arc<dyn Clock>, change: impl FnOnce(&mut ServerConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = ServerConfig::new(folder.path().join("data"));
        // Allocated on the disk at every start.
        config.engine.wal_segment_bytes = 1024 * 1024;
        if let Some(url) = new_postgres_database().await {
            config.metadata_url = Some(url.parse().unwrap());
        }
        change(&mut config);
        let (state, credentials) = AppState::open_with_clock(&config, clock).await.unwrap();
        Self { state, credentials: credentials.unwrap(), folder }
    }

    pub(super) fn key(&self) -> &str {
        self.credentials.personal_api_key.reveal()
    }

    pub(super) fn token(&self) -> &str {
        self.credentials.ingest_token.reveal()
    }

    pub(super) async fn call(&self, request: Request<Body>) -> Answer {
        let response = server::app(self.state.clone()).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// A call with the first key.
    pub(super) async fn request(&self, method: Method, path: &str, body: impl Into<Body>) -> Answer {
        self.request_as(self.key(), method, path, body).await
    }

    pub(super) async fn request_as(
        &self,
        key: &str,
        method: Method,
        path: &str,
        body: impl Into<Body>,
    ) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        self.call(request.body(body.into()).unwrap()).await
    }

    /// A question to an endpoint of the first project.
    pub(super) async fn ask(&self, endpoint: &str, query: Value) -> Answer {
        let path = format!("/api/projects/1/logs/{endpoint}");
        self.request(Method::POST, &path, json!({ "query": query }).to_string()).await
    }

    /// The rows that a query finds.
    pub(super) async fn rows(&self, query: Value) -> Vec<Value> {
        let answer = self.ask("query", query).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()["results"].as_array().unwrap().clone()
    }

    /// Sends records with the project's token.
    pub(super) async fn send(&self, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request =
            Request::post("/v1/logs").header(header::AUTHORIZATION, format!("Bearer {}", self.token()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.call(request.body(body.into()).unwrap()).await
    }

    /// Sends records as one JSON document and expects all of them to be taken.
    pub(super) async fn store(&self, service: &str, records: &[Value]) {
        let answer =
            self.send(&[("content-type", "application/json")], document(service, records).to_string()).await;
        assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({})));
    }

    /// A key of the first user that may do less than everything.
    pub(super) async fn limited_key(
        &self,
        scopes: &[&str],
        projects: Option<&[i64]>,
        organizations: Option<&[String]>,
    ) -> String {
        let attributes = KeyAttributes {
            label: "limited".to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            scoped_projects: projects.map(<[i64]>::to_vec),
            scoped_organizations: organizations.map(<[String]>::to_vec),
            expires_us: None,
        };
        let key = self.state.meta().create_personal_api_key(FIRST_USER, &attributes, NOW_US).await;
        key.unwrap().reveal().to_owned()
    }

    /// The folder of the data.
    pub(super) fn data_dir(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// Stops, and starts again on the same folder with the clock moved on.
    pub(super) async fn restart_after(self, seconds: i64) -> Self {
        let Self { state, credentials, folder } = self;
        let config = state.config().clone();
        state.close().await.unwrap();
        drop(state);
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW_US + seconds * 1_000_000));
        let (state, _) = AppState::open_with_clock(&config, clock).await.unwrap();
        Self { state, credentials, folder }
    }

    /// Stops, and starts again on the same folder with other settings.
    pub(super) async fn restart_with(self, change: impl FnOnce(&mut ServerConfig)) -> Self {
        let Self { state, credentials, folder } = self;
        let mut config = state.config().clone();
        change(&mut config);
        state.close().await.unwrap();
        drop(state);
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW_US));
        let (state, _) = AppState::open_with_clock(&config, clock).await.unwrap();
        Self { state, credentials, folder }
    }

    /// Changes the metadata behind the server's back, where no endpoint exists yet.
    pub(super) async fn change_metadata(&self, sql: &str) {
        let url = match self.state.config().metadata() {
            MetaLocation::File(path) => format!("sqlite://{}", path.display()),
            MetaLocation::Postgres(url) => url,
        };
        let pool = AnyPool::connect(&url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&pool).await.unwrap();
        pool.close().await;
    }
}

/// URL of a new PostgreSQL database, if tests are to use that instead of a file.
///
/// `TIMBERLINE_TEST_METADATA=postgres` says so, and `TIMBERLINE_TEST_POSTGRES_URL` names a server on which databases
/// can be made.
async fn new_postgres_database() -> Option<String> {
    if std::env::var_os("TIMBERLINE_TEST_METADATA")? != "postgres" {
        return None;
    }
    let url = std::env::var(POSTGRES_URL).expect("TIMBERLINE_TEST_POSTGRES_URL is set");
    Some(make_postgres_database(&url).await)
}

/// URL of a new PostgreSQL database for several servers; none without a server on which databases can be made.
pub(super) async fn new_database_of_several() -> Option<String> {
    match std::env::var(POSTGRES_URL) {
        Ok(url) => Some(make_postgres_database(&url).await),
        Err(_) if std::env::var_os("CI").is_some() => panic!("{POSTGRES_URL} is not set"),
        Err(_) => {
            eprintln!("several servers are left out: {POSTGRES_URL} is not set");
            None
        }
    }
}

async fn make_postgres_database(url: &str) -> String {
    install_default_drivers();
    let name = format!("timberline_test_{}", Uuid::now_v7().simple());
    let mut server = sqlx::AnyConnection::connect(url).await.unwrap();
    server.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    let (address, _database) = url.rsplit_once('/').unwrap();
    format!("{address}/{name}")
}

/// One OTLP/JSON document with the records of a service.
pub(super) fn document(service: &str, records: &[Value]) -> Value {
    json!({ "resourceLogs": [{
        "resource": { "attributes": [{ "key": "service.name", "value": { "stringValue": service } }] },
        "scopeLogs": [{ "scope": { "name": "lib", "version": "1" }, "logRecords": records }],
    }] })
}

/// A record `seconds_ago` before now.
pub(super) fn record(seconds_ago: i64, severity: &str, body: &str) -> Value {
    json!({
        "timeUnixNano": (NOW_NS - seconds_ago * 1_000_000_000).to_string(),
        "severityText": severity,
        "body": { "stringValue": body },
    })
}

/// The last day, in which every record of these tests lies.
pub(super) fn last_day() -> Value {
    json!({ "date_from": "-24h" })
}
