//! A server that keeps rows in memory, and takes and answers requests as VictoriaLogs is documented to.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use flate2::read::GzDecoder;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::logsql;

pub(super) const PASSWORD: &str = "hunter2";
/// The user `reader` and the password.
const CREDENTIALS: &str = "Basic cmVhZGVyOmh1bnRlcjI=";

/// The fields of a row that are not empty.
pub(super) type Row = BTreeMap<String, String>;

/// What it does with rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    Kept,
    /// The first one is not, as if it were of a time that is not kept.
    OneDropped,
}

pub(super) struct StandIn {
    /// With user and password.
    pub(super) url: String,
    serving: JoinHandle<()>,
}

type Tenant = (String, String);

struct Store {
    rows: Rows,
    /// Sent, but not to be found before a flush.
    sent: HashMap<Tenant, Vec<Row>>,
    found: HashMap<Tenant, Vec<Row>>,
}

type Shared = Arc<Mutex<Store>>;

impl StandIn {
    pub(super) async fn start(rows: Rows) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://reader:{PASSWORD}@{}", listener.local_addr().unwrap());
        let store = Arc::new(Mutex::new(Store { rows, sent: HashMap::new(), found: HashMap::new() }));
        let routes = Router::new()
            .route("/insert/jsonline", post(insert))
            .route("/internal/force_flush", post(flush))
            .route("/select/logsql/query", post(query))
            .route("/metrics", get(metrics))
            .layer(DefaultBodyLimit::disable())
            .layer(from_fn(authenticated))
            .with_state(store);
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, serving }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn authenticated(request: Request, next: Next) -> Response {
    match request.headers().get("authorization").is_some_and(|value| value == CREDENTIALS) {
        true => next.run(request).await,
        false => (StatusCode::UNAUTHORIZED, "who is it?").into_response(),
    }
}

fn lock(store: &Shared) -> MutexGuard<'_, Store> {
    store.lock().unwrap()
}

fn tenant(headers: &HeaderMap) -> Tenant {
    let number = |name: &str| {
        let number = headers[name].to_str().unwrap();
        number.parse::<u32>().unwrap().to_string()
    };
    (number("AccountID"), number("ProjectID"))
}

async fn insert(
    State(store): State<Shared>,
    Query(parameters): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) {
    assert_eq!(parameters["_stream_fields"], "service_name");
    assert_eq!(headers["content-encoding"], "gzip");
    let mut lines = String::new();
    GzDecoder::new(body.as_ref()).read_to_string(&mut lines).unwrap();
    let rows = lines.lines().map(|line| {
        let row: Row = serde_json::from_str(line).unwrap();
        assert!(row.values().all(|value| !value.is_empty()) && row.contains_key("_msg"), "{line}");
        row
    });
    let mut store = lock(&store);
    let dropped = usize::from(std::mem::replace(&mut store.rows, Rows::Kept) == Rows::OneDropped);
    store.sent.entry(tenant(&headers)).or_default().extend(rows.skip(dropped));
}

async fn flush(State(store): State<Shared>) {
    let mut store = lock(&store);
    for (tenant, rows) in std::mem::take(&mut store.sent) {
        store.found.entry(tenant).or_default().extend(rows);
    }
}

async fn query(
    State(store): State<Shared>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Result<String, (StatusCode, String)> {
    let store = lock(&store);
    let rows = store.found.get(&tenant(&headers)).map_or(&[][..], Vec::as_slice);
    let rows = logsql::evaluate(&form["query"], rows).map_err(|error| (StatusCode::BAD_REQUEST, error))?;
    Ok(rows.iter().map(|row| serde_json::to_string(row).unwrap() + "\n").collect())
}

/// Two bytes for each row, of which a thousand are somebody else's.
async fn metrics(State(store): State<Shared>) -> String {
    let num_rows: usize = lock(&store).found.values().map(Vec::len).sum();
    format!(
        "vm_app_version{{version=\"victoria-logs-20260101-000000-tags-v9.8.7\", short_version=\"v9.8.7\"}} 1\n\
         vl_data_size_bytes{{type=\"indexdb\"}} {num_rows}\nvl_data_size_bytes{{type=\"storage\"}} {}\n\
         process_resident_memory_peak_bytes 104857600\n",
        num_rows + 2_000
    )
}
