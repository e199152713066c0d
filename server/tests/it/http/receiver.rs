//! A receiver of webhooks, played by the test.

use std::future::pending;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::task::AbortOnDropHandle;

/// Longer than anything here takes, so that a test that waits in vain fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a webhook said.
#[derive(Debug)]
pub(crate) struct Webhook {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// What it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    Always,
    /// It takes a request and says nothing.
    Never,
    With(u16),
}

pub(crate) struct Receiver {
    pub(crate) url: String,
    got: UnboundedReceiver<Webhook>,
    _serving: AbortOnDropHandle<()>,
}

impl Receiver {
    pub(crate) async fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks/very-secret", listener.local_addr().unwrap());
        let (sender, got) = unbounded_channel();
        let routes = Router::new().fallback(take).with_state((answers, sender));
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, got, _serving: AbortOnDropHandle::new(serving) }
    }

    /// The next webhook.
    pub(crate) async fn next(&mut self) -> Webhook {
        let next = tokio::time::timeout(PATIENCE, self.got.recv()).await;
        next.expect("a webhook comes").unwrap()
    }

    /// Whether one has come that nobody has looked at.
    pub(crate) fn is_empty(&self) -> bool {
        self.got.is_empty()
    }
}

async fn take(
    State((answers, sender)): State<(Answers, UnboundedSender<Webhook>)>,
    headers: HeaderMap,
    body: String,
) -> StatusCode {
    sender.send(Webhook { headers, body: serde_json::from_str(&body).unwrap() }).unwrap();
    match answers {
        Answers::Always => StatusCode::OK,
        Answers::Never => pending().await,
        Answers::With(status) => StatusCode::from_u16(status).unwrap(),
    }
}
