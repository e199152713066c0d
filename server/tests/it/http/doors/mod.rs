//! SQL through the doors that have listeners of their own: Flight SQL and the PostgreSQL protocol.

mod flight;
pub(super) mod hostile;
mod outside_clients;
mod postgres;
mod psql;
mod raw;
mod tools;

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::http::Method;
use server::Listeners;
use server::config::ServerConfig;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::harness::{TestServer, record};
use crate::waiting::until;

/// A certificate for this machine, which vouches for itself, and its key.
pub(super) struct TestCertificate {
    folder: tempfile::TempDir,
}

impl TestCertificate {
    pub(super) fn make() -> Self {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("certificate.pem"), made.cert.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        Self { folder }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// Settings that ask for it.
    pub(super) fn in_settings(&self, config: &mut ServerConfig) {
        config.sql.tls_certificate = Some(self.path());
        config.sql.tls_key = Some(self.folder.path().join("key.pem"));
    }
}

/// A server that answers on sockets.
pub(super) struct Doors {
    pub(super) server: TestServer,
    pub(super) http: SocketAddr,
    pub(super) flight: SocketAddr,
    pub(super) postgres: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Doors {
    pub(super) async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    pub(super) async fn open_with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        let server = TestServer::start_with(change).await;
        server.store("api", &[record(60, "ERROR", "failed"), record(50, "INFO", "{\"n\":7}")]).await;
        server.store("web", &[record(40, "INFO", "fine, \"really\"")]).await;
        Self::of(server).await
    }

    /// Of a server with whatever it has.
    pub(super) async fn of(server: TestServer) -> Self {
        let bind = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (http, flight, postgres) = (bind().await, bind().await, bind().await);
        let [http_address, flight_address, postgres_address] =
            [&http, &flight, &postgres].map(|listener| listener.local_addr().unwrap());
        let listeners = Listeners { http, grpc: None, flight: Some(flight), postgres: Some(postgres) };
        let stop = CancellationToken::new();
        let shutdown = stop.clone().cancelled_owned();
        let serving = tokio::spawn(server::serve(listeners, server.state.clone(), shutdown));
        Self { server, http: http_address, flight: flight_address, postgres: postgres_address, stop, serving }
    }

    /// What the statements of the first project are doing, the latest first.
    pub(super) async fn states(&self) -> Vec<String> {
        let listed = self.server.request(Method::GET, "/api/projects/1/sql/queries", "").await.json();
        let states = listed["results"].as_array().unwrap().iter();
        states.map(|one| one["state"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until the latest statement is in a state.
    pub(super) async fn until_latest_is(&self, state: &str) {
        until(state, async || {
            self.states().await.first().is_some_and(|latest| latest == state).then_some(())
        })
        .await;
    }

    /// Ends it; requests under way are waited for.
    pub(super) async fn close(self) {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
    }
}
