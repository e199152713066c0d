//! A receiver over HTTP that answers what it is told to, and remembers what it got.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// How a request is answered.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Status(u16),
    /// 429 with this `Retry-After`.
    TooMany(&'static str),
    /// 307 to this address.
    Redirect(String),
    /// 200 with this body.
    Body(String),
    /// 200 when the test says so.
    After(Arc<tokio::sync::Notify>),
}

/// What a request said.
#[derive(Clone, Debug)]
pub(super) struct Got {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Got {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

#[derive(Default)]
struct Shared {
    replies: Mutex<VecDeque<Reply>>,
    got: Mutex<Vec<Got>>,
}

pub(super) struct Receiver {
    pub(super) url: String,
    pub(super) port: u16,
    shared: Arc<Shared>,
    _serving: AbortOnDropHandle<()>,
}

impl Receiver {
    /// Answers these in turn, then 200.
    pub(super) async fn answering(replies: impl IntoIterator<Item = Reply>) -> Self {
        let shared =
            Arc::new(Shared { replies: Mutex::new(replies.into_iter().collect()), ..Shared::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let routes = Router::new().fallback(take).with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let url = format!("http://127.0.0.1:{port}/hooks/hush");
        Self { url, port, shared, _serving: AbortOnDropHandle::new(serving) }
    }

    pub(super) async fn new() -> Self {
        Self::answering([]).await
    }

    pub(super) fn got(&self) -> Vec<Got> {
        self.shared.got.lock().clone()
    }
}

async fn take(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let text = String::from_utf8(body.to_vec()).unwrap();
    shared.got.lock().push(Got { path: uri.path().to_owned(), headers, text });
    let reply = shared.replies.lock().pop_front();
    match reply {
        None => StatusCode::OK.into_response(),
        Some(Reply::Status(status)) => {
            (StatusCode::from_u16(status).unwrap(), "inner words of the receiver").into_response()
        }
        Some(Reply::TooMany(after)) => {
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, after)]).into_response()
        }
        Some(Reply::Redirect(to)) => {
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response()
        }
        Some(Reply::Body(body)) => body.into_response(),
        Some(Reply::After(told)) => {
            told.notified().await;
            StatusCode::OK.into_response()
        }
    }
}
