//! Ending what another connection of the same client runs.
//!
//! A client that wants its statement to end says so on a connection of its own, with a secret that only it has been told.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use pgwire::api::cancel::CancelHandler;
use pgwire::messages::cancel::CancelRequest;
use pgwire::messages::startup::SecretKey;
use tokio_util::sync::CancellationToken;

type Secret = (i32, Vec<u8>);

/// What runs, by the secrets of the connections that it runs on.
#[derive(Debug, Default)]
pub(super) struct Cancels(Mutex<HashMap<Secret, CancellationToken>>);

impl Cancels {
    /// From now on the secret ends another statement.
    pub(super) fn set(&self, secret: &Secret, statement: CancellationToken) {
        self.0.lock().insert(secret.clone(), statement);
    }

    /// The connection has ended.
    pub(super) fn forget(&self, secret: &Secret) {
        self.0.lock().remove(secret);
    }

    fn cancel(&self, secret: &Secret) {
        if let Some(statement) = self.0.lock().get(secret) {
            statement.cancel();
        }
    }
}

/// The number and the secret of a connection.
pub(super) fn secret_of(pid: i32, key: &SecretKey) -> Secret {
    let bytes = match key {
        SecretKey::I32(number) => number.to_be_bytes().to_vec(),
        SecretKey::Bytes(bytes) => bytes.to_vec(),
    };
    (pid, bytes)
}

/// Takes requests to end a statement.
#[derive(Debug)]
pub(super) struct CancelRequests(Arc<Cancels>);

impl CancelRequests {
    pub(super) fn new(cancels: Arc<Cancels>) -> Self {
        Self(cancels)
    }
}

#[async_trait]
impl CancelHandler for CancelRequests {
    async fn on_cancel_request(&self, request: CancelRequest) {
        self.0.cancel(&secret_of(request.pid, &request.secret_key));
    }
}
